//! Comments that are there: edited, deleted, given other metadata.
//!
//! The thread's lock is that of its comments too: what is read after it was taken stays as it is
//! until the end of the transaction.

use super::Store;
use super::comment::{SELECT_REACTIONS, check_size};
use super::comment_row::{
    CommentRow, ReactionRow, comment_bytes, comment_columns, read_attachments, write_attachments,
};
use super::comment_write::{CommentScope, detach, follow, reattach};
use super::db::{Tx, on_tx};
use super::fault::{Fault, corrupt, on};
use super::room_cache::Touched;
use super::thread_delete::delete_locked;
use super::thread_row::{ThreadRow, lock_thread, save_thread};
use crate::domain::comment::{
    ActivityKind, Changed, Comment, CommentBody, CommentEdit, CommentMetadata, CommentPlace,
    Deleted, MetadataPatch, comment_not_found, not_the_author,
};
use crate::domain::content_id::CommentId;
use crate::error::Error;

const SELECT_LIVING: &str = concat!(
    "SELECT ",
    comment_columns!(),
    " FROM comment WHERE project_id = $1 AND key = $2 AND thread_id = $3 AND id = $4 \
      AND deleted_at_ms IS NULL"
);
const UPDATE_COMMENT: &str = "UPDATE comment SET edited_at_ms = $5, body = $6, metadata = $7, \
    attachments = $8 WHERE project_id = $1 AND key = $2 AND thread_id = $3 AND id = $4";
const BURY_COMMENT: &str = "UPDATE comment SET deleted_at_ms = $5, body = NULL, metadata = '{}', \
    attachments = '[]', reactions_count = 0 \
    WHERE project_id = $1 AND key = $2 AND thread_id = $3 AND id = $4";
const DELETE_REACTIONS: &str = "DELETE FROM comment_reaction \
    WHERE project_id = $1 AND key = $2 AND thread_id = $3 AND comment_id = $4";

impl Store {
    /// Replaces what a comment says. Those who are named in it anew are told of it.
    pub async fn edit_comment(
        &self,
        scope: &CommentScope,
        place: &CommentPlace,
        edit: &CommentEdit,
        now_ms: i64,
    ) -> Result<Changed<Comment>, Error> {
        let args =
            (scope.clone(), place.clone(), edit.clone(), self.stamp_in(&scope.view.key, now_ms));
        self.transact("edit_comment", Touched::nothing(), args, |tx, args| {
            let (scope, place, change, stamp) = args;
            Box::pin(edit_locked(tx, scope, place, (change, stamp.ms())))
        })
        .await
    }

    /// Changes some keys of a comment's metadata.
    pub async fn edit_comment_metadata(
        &self,
        scope: &CommentScope,
        place: &CommentPlace,
        patch: &MetadataPatch,
        now_ms: i64,
    ) -> Result<Changed<CommentMetadata>, Error> {
        let args =
            (scope.clone(), place.clone(), patch.clone(), self.stamp_in(&scope.view.key, now_ms));
        self.transact("edit_comment_metadata", Touched::nothing(), args, |tx, args| {
            let (scope, place, patch, stamp) = args;
            Box::pin(merge_metadata(tx, scope, place, (patch, stamp.ms())))
        })
        .await
    }

    /// Deletes what a comment says and what hangs on it; its thread as well, if it was the last.
    pub async fn delete_comment(
        &self,
        scope: &CommentScope,
        place: &CommentPlace,
        now_ms: i64,
    ) -> Result<Changed<Deleted>, Error> {
        let args = (scope.clone(), place.clone(), self.stamp_in(&scope.view.key, now_ms));
        self.transact("delete_comment", Touched::nothing(), args, |tx, (scope, place, stamp)| {
            Box::pin(bury(tx, scope, place, stamp.ms()))
        })
        .await
    }
}

/// A comment of a thread that is locked, if it was not deleted.
pub(super) async fn living_comment(
    tx: &mut Tx,
    scope: &CommentScope,
    thread: &ThreadRow,
    id: &CommentId,
) -> Result<CommentRow, Fault> {
    let key = &scope.view.key;
    let row: Option<CommentRow> = on_tx!(tx.read(), |c| sqlx::query_as(SELECT_LIVING)
        .bind(key.project.as_str())
        .bind(&*key.key)
        .bind(thread.id.as_str())
        .bind(id.as_str())
        .fetch_optional(c)
        .await)
    .map_err(on("comment"))?;
    Ok(row.ok_or_else(comment_not_found)?)
}

/// The same, if the caller may change it.
async fn own_comment(
    tx: &mut Tx,
    scope: &CommentScope,
    thread: &ThreadRow,
    id: &CommentId,
) -> Result<CommentRow, Fault> {
    let row = living_comment(tx, scope, thread, id).await?;
    match &scope.owner {
        Some(owner) if owner.as_str() != row.user_id => Err(not_the_author().into()),
        Some(_) | None => Ok(row),
    }
}

async fn edit_locked(
    tx: &mut Tx,
    scope: &CommentScope,
    place: &CommentPlace,
    (edit, stamp_ms): (&CommentEdit, i64),
) -> Result<Changed<Comment>, Fault> {
    let mut thread = lock_thread(tx, scope, &place.thread).await?;
    let mut row = own_comment(tx, scope, &thread, &place.comment).await?;
    let bytes_before = bytes(&row);
    let old = row.body.replace(edit.body.as_str().to_owned()).map(CommentBody::stored);
    row.metadata = merged(&row, &edit.metadata)?.to_text();
    row.edited_at_ms = Some(edit.edited_at_ms.unwrap_or(stamp_ms));
    if let Some(ids) = &edit.attachment_ids {
        let at = (&thread, &place.comment);
        row.attachments = write_attachments(&reattach(tx, scope, at, ids).await?)?;
    }
    save(tx, scope, &row).await?;
    thread.bytes += bytes(&row) - bytes_before;
    check_size(&thread)?;
    thread.touch(stamp_ms);
    save_thread(tx, &scope.view.key, &thread).await?;

    let kind = ActivityKind::CommentEdited(place.comment.clone());
    let has_attachments = !read_attachments(&row.attachments)?.is_empty();
    let mut activity = scope.activity(&thread, kind)?.saying(&edit.body, has_attachments);
    let known = old.map(|body| body.mentions()).unwrap_or_default();
    activity.mentions.retain(|mention| !known.contains(mention));
    follow(tx, &[(&scope.view.key, &activity)]).await?;

    let reactions = match row.reactions_count {
        0 => Vec::new(),
        _ => reactions_of(tx, scope, &row).await?,
    };
    let reactions = reactions.into_iter().map(ReactionRow::into_reaction).collect();
    let value = row.into_comment(&scope.view.room_id, reactions)?;
    Ok(Changed { value, visibility: thread.visibility()? })
}

async fn merge_metadata(
    tx: &mut Tx,
    scope: &CommentScope,
    place: &CommentPlace,
    (patch, stamp_ms): (&MetadataPatch, i64),
) -> Result<Changed<CommentMetadata>, Fault> {
    let mut thread = lock_thread(tx, scope, &place.thread).await?;
    let mut row = own_comment(tx, scope, &thread, &place.comment).await?;
    let bytes_before = bytes(&row);
    let value = merged(&row, patch)?;
    row.metadata = value.to_text();
    save(tx, scope, &row).await?;
    thread.bytes += bytes(&row) - bytes_before;
    check_size(&thread)?;
    thread.touch(stamp_ms);
    save_thread(tx, &scope.view.key, &thread).await?;
    Ok(Changed { value, visibility: thread.visibility()? })
}

async fn bury(
    tx: &mut Tx,
    scope: &CommentScope,
    place: &CommentPlace,
    stamp_ms: i64,
) -> Result<Changed<Deleted>, Fault> {
    let key = &scope.view.key;
    let mut thread = lock_thread(tx, scope, &place.thread).await?;
    let row = own_comment(tx, scope, &thread, &place.comment).await?;
    let visibility = thread.visibility()?;
    thread.touch(stamp_ms);
    if thread.comments_living <= 1 {
        delete_locked(tx, scope, thread).await?;
        return Ok(Changed { value: Deleted::CommentAndThread, visibility });
    }
    if row.reactions_count > 0 {
        on_tx!(tx.write(), |c| sqlx::query(DELETE_REACTIONS)
            .bind(key.project.as_str())
            .bind(&*key.key)
            .bind(thread.id.as_str())
            .bind(row.id.as_str())
            .execute(c)
            .await
            .map(drop))
        .map_err(on("comment_reaction"))?;
    }
    detach(tx, scope, (&thread, &place.comment), &[]).await?;
    on_tx!(tx.write(), |c| sqlx::query(BURY_COMMENT)
        .bind(key.project.as_str())
        .bind(&*key.key)
        .bind(row.thread_id.as_str())
        .bind(row.id.as_str())
        .bind(thread.updated_at_ms)
        .execute(c)
        .await
        .map(drop))
    .map_err(on("comment"))?;
    thread.comments_living -= 1;
    thread.bytes += comment_bytes("", &CommentMetadata::default().to_text()) - bytes(&row);
    save_thread(tx, key, &thread).await?;
    let kind = ActivityKind::CommentDeleted(place.comment.clone());
    follow(tx, &[(key, &scope.activity(&thread, kind)?)]).await?;
    Ok(Changed { value: Deleted::Comment, visibility })
}

async fn save(tx: &mut Tx, scope: &CommentScope, row: &CommentRow) -> Result<(), Fault> {
    let key = &scope.view.key;
    on_tx!(tx.write(), |c| sqlx::query(UPDATE_COMMENT)
        .bind(key.project.as_str())
        .bind(&*key.key)
        .bind(row.thread_id.as_str())
        .bind(row.id.as_str())
        .bind(row.edited_at_ms)
        .bind(row.body.as_deref())
        .bind(row.metadata.as_str())
        .bind(row.attachments.as_str())
        .execute(c)
        .await
        .map(drop))
    .map_err(on("comment"))
}

async fn reactions_of(
    tx: &mut Tx,
    scope: &CommentScope,
    row: &CommentRow,
) -> Result<Vec<ReactionRow>, Fault> {
    let key = &scope.view.key;
    on_tx!(tx.read(), |c| sqlx::query_as(SELECT_REACTIONS)
        .bind(key.project.as_str())
        .bind(&*key.key)
        .bind(row.thread_id.as_str())
        .bind(row.id.as_str())
        .fetch_all(c)
        .await)
    .map_err(on("comment_reaction"))
}

fn merged(row: &CommentRow, patch: &MetadataPatch) -> Result<CommentMetadata, Error> {
    let mut metadata = CommentMetadata::stored(&row.metadata)
        .map_err(|error| corrupt("comment", "metadata", error))?;
    metadata.merge("metadata", patch.clone())?;
    Ok(metadata)
}

/// What a thread's `bytes` counts for it.
fn bytes(row: &CommentRow) -> i64 {
    comment_bytes(row.body.as_deref().unwrap_or_default(), &row.metadata)
}
