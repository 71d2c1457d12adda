//! Threads that are there: resolved, given other metadata, deleted.

use super::Store;
use super::comment_write::{CommentScope, follow};
use super::db::Tx;
use super::fault::Fault;
use super::room_cache::Touched;
use super::thread_delete::delete_locked;
use super::thread_metadata::{delete_metadata, insert_metadata};
use super::thread_row::{lock_thread, save_thread};
use crate::domain::comment::{
    ActivityKind, Changed, CommentMetadata, MetadataPatch, Visibility, not_the_author,
};
use crate::domain::content_id::ThreadId;
use crate::error::Error;

impl Store {
    /// Whether it was not so before.
    pub async fn resolve_thread(
        &self,
        scope: &CommentScope,
        thread: &ThreadId,
        resolved: bool,
        now_ms: i64,
    ) -> Result<Changed<bool>, Error> {
        let args =
            (scope.clone(), thread.clone(), resolved, self.stamp_in(&scope.view.key, now_ms));
        self.transact("resolve_thread", Touched::nothing(), args, |tx, args| {
            let (scope, thread, resolved, stamp) = args;
            Box::pin(resolve(tx, scope, thread, (*resolved, stamp.ms())))
        })
        .await
    }

    /// Changes some keys of a thread's metadata; all of it comes back.
    pub async fn edit_thread_metadata(
        &self,
        scope: &CommentScope,
        thread: &ThreadId,
        patch: &MetadataPatch,
        now_ms: i64,
    ) -> Result<Changed<CommentMetadata>, Error> {
        let args =
            (scope.clone(), thread.clone(), patch.clone(), self.stamp_in(&scope.view.key, now_ms));
        self.transact("edit_thread_metadata", Touched::nothing(), args, |tx, args| {
            let (scope, thread, patch, stamp) = args;
            Box::pin(merge_metadata(tx, scope, thread, (patch, stamp.ms())))
        })
        .await
    }

    /// Who could see it.
    pub async fn delete_thread(
        &self,
        scope: &CommentScope,
        thread: &ThreadId,
        now_ms: i64,
    ) -> Result<Visibility, Error> {
        let args = (scope.clone(), thread.clone(), self.stamp_in(&scope.view.key, now_ms));
        self.transact("delete_thread", Touched::nothing(), args, |tx, (scope, thread, stamp)| {
            Box::pin(async move {
                let mut row = lock_thread(tx, scope, thread).await?;
                if scope.owner.as_ref().is_some_and(|owner| owner.as_str() != row.created_by) {
                    return Err(not_the_author().into());
                }
                let visibility = row.visibility()?;
                row.touch(stamp.ms());
                delete_locked(tx, scope, row).await?;
                Ok(visibility)
            })
        })
        .await
    }
}

async fn resolve(
    tx: &mut Tx,
    scope: &CommentScope,
    thread: &ThreadId,
    (resolved, stamp_ms): (bool, i64),
) -> Result<Changed<bool>, Fault> {
    let mut row = lock_thread(tx, scope, thread).await?;
    let visibility = row.visibility()?;
    if row.resolved == resolved {
        return Ok(Changed { value: false, visibility });
    }
    row.resolved = resolved;
    row.touch(stamp_ms);
    save_thread(tx, &scope.view.key, &row).await?;
    let kind = if resolved { ActivityKind::Resolved } else { ActivityKind::Unresolved };
    follow(tx, &[(&scope.view.key, &scope.activity(&row, kind)?)]).await?;
    Ok(Changed { value: true, visibility })
}

async fn merge_metadata(
    tx: &mut Tx,
    scope: &CommentScope,
    thread: &ThreadId,
    (patch, stamp_ms): (&MetadataPatch, i64),
) -> Result<Changed<CommentMetadata>, Fault> {
    let key = &scope.view.key;
    let mut row = lock_thread(tx, scope, thread).await?;
    let visibility = row.visibility()?;
    let old = row.metadata()?;
    let mut value = old.clone();
    value.merge("metadata", patch.clone())?;
    row.metadata = value.to_text();
    row.touch(stamp_ms);
    save_thread(tx, key, &row).await?;
    if value != old {
        delete_metadata(tx, key, &row.id).await?;
        insert_metadata(tx, key, (&row.id, row.created_at_ms), &value).await?;
    }
    Ok(Changed { value, visibility })
}
