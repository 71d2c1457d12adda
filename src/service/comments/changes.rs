//! Threads that are there: resolved, given other metadata, deleted.

use crate::domain::comment::thread_not_found;
use crate::domain::ctx::Ctx;
use crate::error::Error;
use crate::proto::comment::{metadata_patch, metadata_struct};
use crate::proto::roomd::v1;
use crate::room::message::CommentEventKind as Kind;
use crate::service::comments::CommentsHandlers;
use crate::service::comments::access::thread_event;
use crate::service::contents::thread_in_path;

impl CommentsHandlers {
    pub(super) async fn resolve_thread(
        &self,
        ctx: &Ctx,
        (room_id, thread_id): (&str, &str),
        user_id: &str,
        resolved: bool,
    ) -> Result<v1::Thread, Error> {
        let changing = self.change(ctx, room_id, ("userId", user_id)).await?;
        let (id, store) = (thread_in_path(thread_id)?, &self.contents.store);
        let changed = store.resolve_thread(&changing.scope, &id, resolved, ctx.now_ms()).await?;
        if changed.value {
            let event = thread_event(Kind::ThreadUpdated, &id);
            self.tell(&changing, changed.visibility, event).await;
        }
        let thread = store.find_thread(&changing.scope.view, &id).await?;
        thread.as_ref().map(v1::Thread::from).ok_or_else(thread_not_found)
    }

    pub(super) async fn change_thread_metadata(
        &self,
        ctx: &Ctx,
        request: v1::EditThreadMetadataRequest,
    ) -> Result<prost_types::Struct, Error> {
        let user = ("userId", request.user_id.as_str());
        let changing = self.change(ctx, &request.room_id, user).await?;
        changing.author("userId")?;
        let id = thread_in_path(&request.thread_id)?;
        let patch = metadata_patch("metadata", request.metadata)?;
        let store = &self.contents.store;
        let changed =
            store.edit_thread_metadata(&changing.scope, &id, &patch, ctx.now_ms()).await?;
        let event = thread_event(Kind::ThreadMetadataUpdated, &id);
        self.tell(&changing, changed.visibility, event).await;
        Ok(metadata_struct(&changed.value))
    }

    pub(super) async fn remove_thread(
        &self,
        ctx: &Ctx,
        request: v1::DeleteThreadRequest,
    ) -> Result<(), Error> {
        let changing = self.change(ctx, &request.room_id, ("userId", "")).await?;
        let id = thread_in_path(&request.thread_id)?;
        let store = &self.contents.store;
        let visibility = store.delete_thread(&changing.scope, &id, ctx.now_ms()).await?;
        self.tell(&changing, visibility, thread_event(Kind::ThreadDeleted, &id)).await;
        Ok(())
    }
}
