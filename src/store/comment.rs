//! Comments: how they are added to threads, and read.

use super::Store;
use super::comment_row::{
    CommentRow, ReactionRow, comment_bytes, comment_columns, reaction_columns, write_attachments,
};
use super::comment_write::{CommentScope, ThreadView, attach, follow};
use super::db::{Tx, on_db, on_tx};
use super::fault::{Fault, on};
use super::thread_row::{ThreadRow, lock_thread, save_thread};
use crate::domain::comment::{
    ActivityKind, COMMENTS_IN_THREAD_MAX, Comment, CommentDraft, Made, THREAD_BYTES_MAX,
    Visibility, comment_exists, comment_not_found,
};
use crate::domain::content_id::{CommentId, ThreadId};
use crate::error::{Code, Error};

const INSERT_COMMENT: &str = "INSERT INTO comment \
    (project_id, key, id, thread_id, seq, visibility, user_id, created_at_ms, body, metadata, \
    attachments, reactions_count) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, '[]', 0) \
    ON CONFLICT (project_id, key, thread_id, id) DO NOTHING";
const SET_ATTACHMENTS: &str = "UPDATE comment SET attachments = $5 \
    WHERE project_id = $1 AND key = $2 AND thread_id = $3 AND id = $4";
const SELECT_COMMENT: &str = concat!(
    "SELECT ",
    comment_columns!(),
    " FROM comment WHERE project_id = $1 AND key = $2 AND thread_id = $3 AND id = $4"
);
pub(super) const SELECT_REACTIONS: &str = concat!(
    "SELECT ",
    reaction_columns!(),
    " FROM comment_reaction \
      WHERE project_id = $1 AND key = $2 AND thread_id = $3 AND comment_id = $4 \
      ORDER BY created_at_ms, emoji, user_id"
);

/// What became of a comment that somebody wrote.
#[expect(clippy::large_enum_variant, reason = "nearly all are new, and none is kept for long")]
pub(super) enum Inserted {
    New(Comment),
    /// There is one with this id, of the same author and with the same body.
    Same,
}

impl Store {
    /// Adds a comment to a thread; once more with the same id is the same comment.
    pub async fn create_comment(
        &self,
        scope: &CommentScope,
        thread: &ThreadId,
        draft: &CommentDraft,
        now_ms: i64,
    ) -> Result<Made<Comment>, Error> {
        let stamp = self.stamp_in(&scope.view.key, now_ms);
        let args = (scope.clone(), thread.clone(), draft.clone(), stamp);
        let (visibility, inserted) = self.insert_comment(args).await?;
        let (value, is_new) = match inserted {
            Inserted::New(comment) => (comment, true),
            Inserted::Same => {
                let found = self.find_comment(&scope.view, thread, &draft.id).await?;
                (found.ok_or_else(comment_not_found)?, false)
            }
        };
        Ok(Made { value, visibility, is_new })
    }

    /// A comment of a thread that may be read; it may have been deleted.
    pub async fn find_comment(
        &self,
        view: &ThreadView,
        thread: &ThreadId,
        id: &CommentId,
    ) -> Result<Option<Comment>, Error> {
        let row: Option<CommentRow> = self
            .read("comment", async {
                on_db!(&self.inner.db, |c| sqlx::query_as(SELECT_COMMENT)
                    .bind(view.key.project.as_str())
                    .bind(&*view.key.key)
                    .bind(thread.as_str())
                    .bind(id.as_str())
                    .fetch_optional(c)
                    .await)
            })
            .await?;
        let Some(row) = row else { return Ok(None) };
        if !view.right.covers(row.visibility()?) {
            return Ok(None);
        }
        let reactions: Vec<ReactionRow> = match row.reactions_count {
            0 => Vec::new(),
            _ => {
                self.read("comment_reaction", async {
                    on_db!(&self.inner.db, |c| sqlx::query_as(SELECT_REACTIONS)
                        .bind(view.key.project.as_str())
                        .bind(&*view.key.key)
                        .bind(thread.as_str())
                        .bind(id.as_str())
                        .fetch_all(c)
                        .await)
                })
                .await?
            }
        };
        let reactions = reactions.into_iter().map(ReactionRow::into_reaction).collect();
        row.into_comment(&view.room_id, reactions).map(Some)
    }
}

pub(super) async fn create(
    tx: &mut Tx,
    scope: &CommentScope,
    id: &ThreadId,
    (draft, stamp_ms): (&CommentDraft, i64),
) -> Result<(Visibility, Inserted), Fault> {
    let mut thread = lock_thread(tx, scope, id).await?;
    let visibility = thread.visibility()?;
    let inserted = insert_comment(tx, scope, &thread, (draft, stamp_ms)).await?;
    if let Inserted::New(comment) = &inserted {
        count_in(&mut thread, (draft, stamp_ms))?;
        save_thread(tx, &scope.view.key, &thread).await?;
        let kind = ActivityKind::CommentCreated(draft.id.clone());
        let has_attachments = !comment.attachments.is_empty();
        let activity = scope.activity(&thread, kind)?.saying(&draft.body, has_attachments);
        follow(tx, &[(&scope.view.key, &activity)]).await?;
    }
    Ok((visibility, inserted))
}

/// Makes the thread one comment longer.
pub(super) fn count_in(
    thread: &mut ThreadRow,
    (draft, stamp_ms): (&CommentDraft, i64),
) -> Result<(), Error> {
    thread.comments_count += 1;
    thread.comments_living += 1;
    thread.bytes += comment_bytes(draft.body.as_str(), &draft.metadata.to_text());
    check_size(thread)?;
    thread.touch(stamp_ms);
    Ok(())
}

/// Adds a row and the files that belong to it; the thread is locked.
pub(super) async fn insert_comment(
    tx: &mut Tx,
    scope: &CommentScope,
    thread: &ThreadRow,
    (draft, stamp_ms): (&CommentDraft, i64),
) -> Result<Inserted, Fault> {
    let key = &scope.view.key;
    let created_at_ms = draft.created_at_ms.unwrap_or(stamp_ms);
    let inserted = on_tx!(tx.write(), |c| sqlx::query(INSERT_COMMENT)
        .bind(key.project.as_str())
        .bind(&*key.key)
        .bind(draft.id.as_str())
        .bind(thread.id.as_str())
        .bind(thread.comments_count)
        .bind(thread.visibility.as_str())
        .bind(draft.user_id.as_str())
        .bind(created_at_ms)
        .bind(draft.body.as_str())
        .bind(draft.metadata.to_text())
        .execute(c)
        .await
        .map(|done| done.rows_affected()))
    .map_err(on("comment"))?;
    if inserted == 0 {
        let is_same = is_same_comment(tx, scope, thread, draft).await?;
        return if is_same { Ok(Inserted::Same) } else { Err(comment_exists().into()) };
    }
    let attachments = attach(tx, scope, (thread, &draft.id), &draft.attachment_ids).await?;
    if !attachments.is_empty() {
        let text = write_attachments(&attachments)?;
        on_tx!(tx.write(), |c| sqlx::query(SET_ATTACHMENTS)
            .bind(key.project.as_str())
            .bind(&*key.key)
            .bind(thread.id.as_str())
            .bind(draft.id.as_str())
            .bind(text)
            .execute(c)
            .await
            .map(drop))
        .map_err(on("comment"))?;
    }
    let comment = new_comment(scope, &thread.id, (draft, stamp_ms));
    Ok(Inserted::New(Comment { attachments, ..comment }))
}

/// As it is answered to whoever wrote it.
pub(super) fn new_comment(
    scope: &CommentScope,
    thread: &str,
    (draft, stamp_ms): (&CommentDraft, i64),
) -> Comment {
    Comment {
        id: draft.id.clone(),
        thread_id: ThreadId::trusted(thread),
        room_id: scope.view.room_id.clone(),
        user_id: draft.user_id.clone(),
        created_at_ms: draft.created_at_ms.unwrap_or(stamp_ms),
        edited_at_ms: None,
        deleted_at_ms: None,
        body: Some(draft.body.clone()),
        metadata: draft.metadata.clone(),
        attachments: Vec::new(),
        reactions: Vec::new(),
    }
}

/// Whether what is there under the draft's id is what the draft would make.
pub(super) async fn is_same_comment(
    tx: &mut Tx,
    scope: &CommentScope,
    thread: &ThreadRow,
    draft: &CommentDraft,
) -> Result<bool, Fault> {
    let key = &scope.view.key;
    let row: Option<CommentRow> = on_tx!(tx.read(), |c| sqlx::query_as(SELECT_COMMENT)
        .bind(key.project.as_str())
        .bind(&*key.key)
        .bind(thread.id.as_str())
        .bind(draft.id.as_str())
        .fetch_optional(c)
        .await)
    .map_err(on("comment"))?;
    Ok(row.is_some_and(|row| {
        row.visibility == thread.visibility
            && row.user_id == draft.user_id.as_str()
            && row.body.as_deref() == Some(draft.body.as_str())
    }))
}

/// A thread is read as a whole, so it does not grow without an end.
pub(super) fn check_size(thread: &ThreadRow) -> Result<(), Error> {
    let problem = if thread.comments_count > COMMENTS_IN_THREAD_MAX {
        format!("A thread has at most {COMMENTS_IN_THREAD_MAX} comments.")
    } else if thread.bytes > THREAD_BYTES_MAX {
        format!("A thread's comments have at most {THREAD_BYTES_MAX} bytes.")
    } else {
        return Ok(());
    };
    Err(Error::new(Code::FailedPrecondition, "UNPROCESSABLE_ENTITY", problem))
}
