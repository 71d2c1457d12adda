//! Files that comments come with. Until a comment takes it, an attachment is a draft of whoever
//! uploaded it.

use bytes::Bytes;
use sqlx::FromRow;

use super::Store;
use super::db::{Tx, on_tx};
use super::fault::{Fault, corrupt, on};
use super::room_data::DataKey;
use super::stored_file::{FileDraft, FileKind, FileRow, StoredFile};
use super::upload::{Completed, Parts, UploadId};
use crate::domain::comment::{AttachmentRight, Visibility};
use crate::domain::content_id::{AttachmentId, CommentId, ThreadId};
use crate::domain::ids::UserId;
use crate::error::Error;

pub(super) const TABLE: &str = "attachment";

/// A row by its id.
macro_rules! select {
    ($lock:literal) => {
        concat!(
            "SELECT id, content, name, size, mime_type, parts, created_at_ms, user_id, \
             thread_id, comment_id, visibility FROM attachment \
             WHERE project_id = $1 AND key = $2 AND id = $3",
            $lock
        )
    };
}
pub(super) use select;

pub(super) const SELECT: &str = select!("");
const INSERT: &str = "INSERT INTO attachment (project_id, key, id, content, name, size, mime_type, \
    parts, created_at_ms, user_id) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) \
    ON CONFLICT (project_id, key, id) DO NOTHING";
/// What comments do with a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attached {
    /// Who uploaded it.
    pub user_id: UserId,
    /// Which comment of which thread took it, and the thread's visibility.
    pub(super) taken: Option<(ThreadId, CommentId, Visibility)>,
}

impl Attached {
    pub(super) fn draft_of(user_id: UserId) -> Self {
        Self { user_id, taken: None }
    }

    fn visibility(&self) -> Option<Visibility> {
        self.taken.as_ref().map(|(_, _, visibility)| *visibility)
    }
}

pub type StoredAttachment = StoredFile<AttachmentId, Attached>;

#[derive(FromRow)]
struct AttachmentRow {
    #[sqlx(flatten)]
    file: FileRow,
    user_id: String,
    thread_id: Option<String>,
    comment_id: Option<String>,
    visibility: Option<String>,
}

impl AttachmentRow {
    fn into_file(self, room: &DataKey) -> Result<StoredAttachment, Error> {
        let taken = match (self.thread_id, self.comment_id, self.visibility) {
            (Some(thread), Some(comment), Some(visibility)) => {
                let visibility = Visibility::parse(&visibility)
                    .map_err(|error| corrupt(TABLE, "visibility", error))?;
                Some((ThreadId::trusted(thread), CommentId::trusted(comment), visibility))
            }
            _ => None,
        };
        self.file.into_file(room, Attached { user_id: UserId::trusted(self.user_id), taken })
    }
}

impl FileKind for Attached {
    type Id = AttachmentId;
    const TABLE: &'static str = TABLE;

    fn id(stored: String) -> AttachmentId {
        AttachmentId::trusted(stored)
    }

    async fn insert(tx: &mut Tx, file: &StoredAttachment) -> Result<bool, Fault> {
        let parts = file.parts_json()?;
        let done = on_tx!(tx.write(), |c| sqlx::query(INSERT)
            .bind(file.room.project.as_str())
            .bind(&*file.room.key)
            .bind(file.id.as_str())
            .bind(&*file.content)
            .bind(file.name.as_str())
            .bind(file.size_bytes)
            .bind(file.mime_type.as_str())
            .bind(parts)
            .bind(file.created_at_ms)
            .bind(file.kind.user_id.as_str())
            .execute(c)
            .await
            .map(|done| done.rows_affected()))
        .map_err(on(TABLE))?;
        Ok(done > 0)
    }

    async fn find(
        tx: &mut Tx,
        key: &DataKey,
        id: &AttachmentId,
    ) -> Result<Option<StoredAttachment>, Fault> {
        find_in(tx, SELECT, key, id).await
    }
}

impl Store {
    /// Stores a whole file as a draft. If there is one with this id, that one stays and is the
    /// answer, whosever it is.
    pub async fn insert_attachment(
        &self,
        key: &DataKey,
        draft: FileDraft<AttachmentId>,
        uploader: UserId,
        bytes: Bytes,
        now_ms: i64,
    ) -> Result<StoredAttachment, Error> {
        self.insert_whole(key, draft, Attached::draft_of(uploader), bytes, now_ms).await
    }

    /// Makes a draft of exactly the parts that are named. May be called again. If there is one with
    /// this id, that one stays and is the answer, whosever it is.
    pub async fn complete_attachment(
        &self,
        (key, id, upload): (&DataKey, &AttachmentId, &UploadId),
        parts: Parts,
        uploader: UserId,
        now_ms: i64,
    ) -> Result<Completed<StoredAttachment>, Error> {
        self.complete_file((key, id, upload), parts, Attached::draft_of(uploader), now_ms).await
    }

    /// `None` as well for one that the right does not cover.
    pub async fn find_attachment(
        &self,
        key: &DataKey,
        id: &AttachmentId,
        right: &AttachmentRight,
    ) -> Result<Option<StoredAttachment>, Error> {
        let row: Option<AttachmentRow> = self.find_in_room(TABLE, SELECT, key, id.as_str()).await?;
        let file = row.map(|row| row.into_file(key)).transpose()?;
        Ok(file.filter(|file| right.covers(&file.kind.user_id, file.kind.visibility())))
    }
}

pub(super) async fn find_in(
    tx: &mut Tx,
    text: &'static str,
    key: &DataKey,
    id: &AttachmentId,
) -> Result<Option<StoredAttachment>, Fault> {
    let row: Option<AttachmentRow> = on_tx!(tx.read(), |c| sqlx::query_as(text)
        .bind(key.project.as_str())
        .bind(&*key.key)
        .bind(id.as_str())
        .fetch_optional(c)
        .await)
    .map_err(on(TABLE))?;
    Ok(row.map(|row| row.into_file(key)).transpose()?)
}
