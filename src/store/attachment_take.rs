//! Comments take drafts, and let go of them: what is left out of an edit, and what belongs to a
//! comment or a thread that is deleted, goes with its content.

use super::attachment::{SELECT, StoredAttachment, TABLE, find_in, select};
use super::content::drop_content;
use super::db::{Tx, on_tx};
use super::fault::{Fault, on};
use super::room_data::DataKey;
use crate::domain::comment::{ATTACHMENTS_MAX, Attachment, Visibility};
use crate::domain::content_id::{AttachmentId, CommentId, ThreadId};
use crate::domain::ids::UserId;
use crate::error::Error;

/// What [`select!`] finds, until the end of the transaction.
const SELECT_FOR_UPDATE: &str = select!(" FOR UPDATE");
const TAKE: &str = "UPDATE attachment SET thread_id = $4, comment_id = $5, visibility = $6 \
    WHERE project_id = $1 AND key = $2 AND id = $3";

const SELECT_OF_COMMENT: &str = "SELECT id, content FROM attachment \
    WHERE project_id = $1 AND key = $2 AND thread_id = $3 AND comment_id = $4 ORDER BY id";
const DELETE: &str = "DELETE FROM attachment WHERE project_id = $1 AND key = $2 AND id = $3";
const DROP_CONTENTS_OF_THREAD: &str = "INSERT INTO garbage (project_id, key) \
    SELECT project_id, content FROM attachment \
    WHERE project_id = $1 AND key = $2 AND thread_id = $3 AND comment_id IS NOT NULL \
    ON CONFLICT DO NOTHING";
const DELETE_OF_THREAD: &str = "DELETE FROM attachment \
    WHERE project_id = $1 AND key = $2 AND thread_id = $3 AND comment_id IS NOT NULL";

impl From<StoredAttachment> for Attachment {
    fn from(file: StoredAttachment) -> Self {
        Self {
            id: file.id,
            name: file.name,
            size_bytes: file.size_bytes,
            mime_type: file.mime_type,
        }
    }
}

/// Gives drafts to a comment that is written or edited; what it has already stays its own. Locks
/// them until the end of the transaction, after the thread and the comment. With an `author` only
/// their drafts can be taken.
pub(super) async fn attach(
    tx: &mut Tx,
    key: &DataKey,
    place: (&ThreadId, &CommentId, Visibility),
    author: Option<&UserId>,
    ids: &[AttachmentId],
) -> Result<Vec<Attachment>, Fault> {
    if ids.len() > ATTACHMENTS_MAX {
        let problem = format!("must be at most {ATTACHMENTS_MAX} ids, got {}", ids.len());
        return Err(Error::invalid("attachmentIds", problem).into());
    }
    let (thread, comment, _) = place;
    // In one order for all, so that two comments never wait for each other.
    let mut order: Vec<(usize, &AttachmentId)> = ids.iter().enumerate().collect();
    order.sort_by_key(|(_, id)| *id);
    if order.windows(2).any(|pair| matches!(pair, [(_, one), (_, next)] if one == next)) {
        return Err(Error::invalid("attachmentIds", "must not name an attachment twice").into());
    }
    let mut attached = Vec::with_capacity(ids.len());
    for (at, id) in order {
        let text = tx.locking(SELECT, SELECT_FOR_UPDATE);
        let file = find_in(tx, text, key, id).await?.ok_or_else(|| not_a_draft(id))?;
        match &file.kind.taken {
            Some((of, taker, _)) if of == thread && taker == comment => {}
            Some(_) => return Err(not_a_draft(id).into()),
            None if author.is_some_and(|author| *author != file.kind.user_id) => {
                return Err(not_a_draft(id).into());
            }
            None => take(tx, key, place, id).await?,
        }
        attached.push((at, file.into()));
    }
    attached.sort_by_key(|(at, _)| *at);
    Ok(attached.into_iter().map(|(_, attachment)| attachment).collect())
}

/// Deletes what a comment has besides `keep`, with its content.
pub(super) async fn detach(
    tx: &mut Tx,
    key: &DataKey,
    (thread, comment): (&ThreadId, &CommentId),
    keep: &[AttachmentId],
) -> Result<(), Fault> {
    let rows: Vec<(String, String)> = on_tx!(tx.read(), |c| sqlx::query_as(SELECT_OF_COMMENT)
        .bind(key.project.as_str())
        .bind(&*key.key)
        .bind(thread.as_str())
        .bind(comment.as_str())
        .fetch_all(c)
        .await)
    .map_err(on(TABLE))?;
    for (id, content) in rows {
        if keep.iter().any(|kept| kept.as_str() == id) {
            continue;
        }
        on_tx!(tx.write(), |c| sqlx::query(DELETE)
            .bind(key.project.as_str())
            .bind(&*key.key)
            .bind(id.as_str())
            .execute(c)
            .await
            .map(drop))
        .map_err(on(TABLE))?;
        drop_content(tx, &key.project, &content).await?;
    }
    Ok(())
}

/// Deletes what the comments of a thread have, with its content.
pub(super) async fn detach_thread(
    tx: &mut Tx,
    key: &DataKey,
    thread: &ThreadId,
) -> Result<(), Fault> {
    for (table, text) in [("garbage", DROP_CONTENTS_OF_THREAD), (TABLE, DELETE_OF_THREAD)] {
        on_tx!(tx.write(), |c| sqlx::query(text)
            .bind(key.project.as_str())
            .bind(&*key.key)
            .bind(thread.as_str())
            .execute(c)
            .await
            .map(drop))
        .map_err(on(table))?;
    }
    Ok(())
}

async fn take(
    tx: &mut Tx,
    key: &DataKey,
    (thread, comment, visibility): (&ThreadId, &CommentId, Visibility),
    id: &AttachmentId,
) -> Result<(), Fault> {
    on_tx!(tx.write(), |c| sqlx::query(TAKE)
        .bind(key.project.as_str())
        .bind(&*key.key)
        .bind(id.as_str())
        .bind(thread.as_str())
        .bind(comment.as_str())
        .bind(visibility.as_str())
        .execute(c)
        .await
        .map(drop))
    .map_err(on(TABLE))
}

/// The same for one that is not there, somebody else's, and another comment's: else ids could be
/// guessed at.
fn not_a_draft(id: &AttachmentId) -> Error {
    Error::invalid("attachmentIds", format!("'{id}' is no attachment that waits for its comment"))
}
