//! Comments that are there: edited, deleted, given other metadata.

use crate::domain::comment::{CommentPlace, Deleted};
use crate::domain::ctx::Ctx;
use crate::error::Error;
use crate::proto::comment::{edit, metadata_patch, metadata_struct};
use crate::proto::roomd::v1;
use crate::room::message::CommentEventKind as Kind;
use crate::service::comments::CommentsHandlers;
use crate::service::comments::access::{comment_event, comment_in_path, thread_event};
use crate::service::contents::thread_in_path;

pub(super) fn place(thread: &str, comment: &str) -> Result<CommentPlace, Error> {
    Ok(CommentPlace { thread: thread_in_path(thread)?, comment: comment_in_path(comment)? })
}

impl CommentsHandlers {
    pub(super) async fn change_comment(
        &self,
        ctx: &Ctx,
        request: v1::EditCommentRequest,
    ) -> Result<v1::Comment, Error> {
        let changing = self.change(ctx, &request.room_id, ("userId", "")).await?;
        let place = place(&request.thread_id, &request.comment_id)?;
        let mut edit = edit(request)?;
        if changing.scope.owner.is_some() {
            edit.edited_at_ms = None;
        }
        let store = &self.contents.store;
        let edited = store.edit_comment(&changing.scope, &place, &edit, ctx.now_ms()).await?;
        let event = comment_event(Kind::CommentEdited, &place.thread, &place.comment);
        self.tell(&changing, edited.visibility, event).await;
        Ok(v1::Comment::from(&edited.value))
    }

    pub(super) async fn remove_comment(
        &self,
        ctx: &Ctx,
        request: v1::DeleteCommentRequest,
    ) -> Result<(), Error> {
        let changing = self.change(ctx, &request.room_id, ("userId", "")).await?;
        let place = place(&request.thread_id, &request.comment_id)?;
        let store = &self.contents.store;
        let deleted = store.delete_comment(&changing.scope, &place, ctx.now_ms()).await?;
        let event = comment_event(Kind::CommentDeleted, &place.thread, &place.comment);
        self.tell(&changing, deleted.visibility, event).await;
        if deleted.value == Deleted::CommentAndThread {
            let event = thread_event(Kind::ThreadDeleted, &place.thread);
            self.tell(&changing, deleted.visibility, event).await;
        }
        Ok(())
    }

    pub(super) async fn change_comment_metadata(
        &self,
        ctx: &Ctx,
        request: v1::EditCommentMetadataRequest,
    ) -> Result<prost_types::Struct, Error> {
        let user = ("userId", request.user_id.as_str());
        let changing = self.change(ctx, &request.room_id, user).await?;
        changing.author("userId")?;
        let place = place(&request.thread_id, &request.comment_id)?;
        let patch = metadata_patch("metadata", request.metadata)?;
        let store = &self.contents.store;
        let changed =
            store.edit_comment_metadata(&changing.scope, &place, &patch, ctx.now_ms()).await?;
        let event = comment_event(Kind::CommentMetadataUpdated, &place.thread, &place.comment);
        self.tell(&changing, changed.visibility, event).await;
        Ok(metadata_struct(&changed.value))
    }
}
