//! Threads: made, read, changed.

use crate::domain::comment::{ThreadDraft, Visibility, thread_not_found};
use crate::domain::content_id::ThreadId;
use crate::domain::ctx::Ctx;
use crate::error::Error;
use crate::proto::comment::metadata;
use crate::proto::roomd::v1;
use crate::proto::thread::comment_draft;
use crate::room::message::CommentEventKind as Kind;
use crate::service::comments::CommentsHandlers;
use crate::service::comments::access::{comment_event, thread_event};
use crate::service::contents::{Audience, thread_in_path};

impl CommentsHandlers {
    pub(super) async fn make_thread(
        &self,
        ctx: &Ctx,
        request: v1::CreateThreadRequest,
    ) -> Result<v1::Thread, Error> {
        let v1::CreateThreadRequest { room_id, id, visibility, comment, metadata: given } = request;
        let comment = comment.ok_or_else(|| Error::missing("comment"))?;
        let user = ("comment.userId", comment.user_id.as_str());
        let changing = self.change(ctx, &room_id, user).await?;
        let author = changing.author("comment.userId")?;
        let mut comment = comment_draft("comment.", author, comment)?;
        if changing.scope.owner.is_some() {
            comment.created_at_ms = None;
        }
        let id = match id.as_str() {
            "" => ThreadId::random()?,
            id => ThreadId::parse("id", id)?,
        };
        let visibility = Visibility::parse(&visibility)?;
        let draft = ThreadDraft { id, visibility, metadata: metadata("metadata", given)?, comment };
        let made = self.contents.store.create_thread(&changing.scope, &draft, ctx.now_ms()).await?;
        if made.is_new {
            // Clients show a thread that they do not know when they hear of a comment in it.
            let thread = thread_event(Kind::ThreadCreated, &draft.id);
            self.tell(&changing, visibility, thread).await;
            let comment = comment_event(Kind::CommentCreated, &draft.id, &draft.comment.id);
            self.tell(&changing, visibility, comment).await;
        }
        Ok(v1::Thread::from(&made.value))
    }

    pub(super) async fn read_thread(
        &self,
        ctx: &Ctx,
        request: v1::GetThreadRequest,
    ) -> Result<v1::Thread, Error> {
        let (_, view) = self.read(ctx, &request.room_id, Audience::Everybody).await?;
        let (view, id) = (view.ok_or_else(thread_not_found)?, thread_in_path(&request.thread_id)?);
        let thread = self.contents.store.find_thread(&view, &id).await?;
        thread.as_ref().map(v1::Thread::from).ok_or_else(thread_not_found)
    }
}
