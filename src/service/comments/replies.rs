//! Comments in threads: made and read.

use crate::domain::comment::comment_not_found;
use crate::domain::ctx::Ctx;
use crate::error::Error;
use crate::proto::roomd::v1;
use crate::proto::thread::comment_draft;
use crate::room::message::CommentEventKind as Kind;
use crate::service::comments::CommentsHandlers;
use crate::service::comments::access::{comment_event, comment_in_path};
use crate::service::contents::{Audience, thread_in_path};

impl CommentsHandlers {
    pub(super) async fn make_comment(
        &self,
        ctx: &Ctx,
        request: v1::CreateCommentRequest,
    ) -> Result<v1::Comment, Error> {
        let user = ("userId", request.user_id.as_str());
        let changing = self.change(ctx, &request.room_id, user).await?;
        let author = changing.author("userId")?;
        let thread = thread_in_path(&request.thread_id)?;
        let mut draft = comment_draft("", author, request.into())?;
        if changing.scope.owner.is_some() {
            draft.created_at_ms = None;
        }
        let store = &self.contents.store;
        let made = store.create_comment(&changing.scope, &thread, &draft, ctx.now_ms()).await?;
        if made.is_new {
            let event = comment_event(Kind::CommentCreated, &thread, &draft.id);
            self.tell(&changing, made.visibility, event).await;
        }
        Ok(v1::Comment::from(&made.value))
    }

    pub(super) async fn read_comment(
        &self,
        ctx: &Ctx,
        request: v1::GetCommentRequest,
    ) -> Result<v1::Comment, Error> {
        let (_, view) = self.read(ctx, &request.room_id, Audience::Everybody).await?;
        let view = view.ok_or_else(comment_not_found)?;
        let thread = thread_in_path(&request.thread_id)?;
        let id = comment_in_path(&request.comment_id)?;
        let comment = self.contents.store.find_comment(&view, &thread, &id).await?;
        comment.as_ref().map(v1::Comment::from).ok_or_else(comment_not_found)
    }
}
