//! Threads that go: what is left is a row that says when.

use super::attachment_take::detach_thread;
use super::comment_write::{CommentScope, follow};
use super::db::{Tx, on_tx};
use super::fault::{Fault, on};
use super::thread_row::{ThreadRow, save_thread};
use crate::domain::comment::{ActivityKind, CommentMetadata};
use crate::domain::content_id::ThreadId;

/// What hangs on a thread, by its id.
const DELETE_PARTS: [(&str, &str); 3] = [
    (
        "comment_reaction",
        "DELETE FROM comment_reaction WHERE project_id = $1 AND key = $2 AND thread_id = $3",
    ),
    ("comment", "DELETE FROM comment WHERE project_id = $1 AND key = $2 AND thread_id = $3"),
    (
        "thread_metadata",
        "DELETE FROM thread_metadata WHERE project_id = $1 AND key = $2 AND thread_id = $3",
    ),
];

/// Deletes a thread that is locked and was touched.
pub(super) async fn delete_locked(
    tx: &mut Tx,
    scope: &CommentScope,
    mut thread: ThreadRow,
) -> Result<(), Fault> {
    let key = &scope.view.key;
    for (table, text) in DELETE_PARTS {
        on_tx!(tx.write(), |c| sqlx::query(text)
            .bind(key.project.as_str())
            .bind(&*key.key)
            .bind(thread.id.as_str())
            .execute(c)
            .await
            .map(drop))
        .map_err(on(table))?;
    }
    detach_thread(tx, key, &ThreadId::trusted(thread.id.as_str())).await?;
    thread.metadata = CommentMetadata::default().to_text();
    (thread.comments_count, thread.comments_living, thread.bytes) = (0, 0, 0);
    thread.deleted_at_ms = Some(thread.updated_at_ms);
    save_thread(tx, key, &thread).await?;
    let activity = scope.activity(&thread, ActivityKind::ThreadDeleted)?;
    follow(tx, &[(key, &activity)]).await
}
