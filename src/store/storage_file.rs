//! Files that a room's storage may refer to.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use sqlx::FromRow;

use super::Store;
use super::db::{Tx, on_tx};
use super::fault::{Fault, on};
use super::room_cache::Touched;
use super::room_data::{DataKey, RoomKey, lock_epoch};
use super::stored_file::{FileDraft, FileKind, FileRow, StoredFile};
use crate::error::Error;

const ID_PREFIX: &str = "fl_";
const ID_BYTES_MAX: usize = 64;

const SELECT_FILE: &str = "SELECT id, content, name, size, mime_type, parts, created_at_ms, \
    referenced FROM storage_file WHERE project_id = $1 AND key = $2 AND id = $3";
const INSERT_FILE: &str = "INSERT INTO storage_file (project_id, key, id, content, name, size, \
    mime_type, parts, created_at_ms, referenced) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) \
    ON CONFLICT (project_id, key, id) DO NOTHING";
const REFERENCE_FILE: &str = "UPDATE storage_file SET referenced = TRUE \
    WHERE project_id = $1 AND key = $2 AND id = $3";

/// Chosen by the client.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FileId(Arc<str>);

impl FileId {
    /// Checks what a caller sent; `field` names it in the error.
    pub fn parse(field: &str, raw: &str) -> Result<Self, Error> {
        let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
        let fits = raw.len() <= ID_BYTES_MAX && raw.len() > ID_PREFIX.len();
        if fits && raw.starts_with(ID_PREFIX) && raw.bytes().all(is_word) {
            return Ok(Self(raw.into()));
        }
        Err(Error::invalid(field, "must be the id of a file, such as 'fl_...'"))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl AsRef<str> for FileId {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for FileId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

/// What Storage does with a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InStorage {
    /// Whether the room's storage ever had it.
    pub referenced: bool,
}

pub type StorageFile = StoredFile<FileId, InStorage>;

#[derive(FromRow)]
struct StorageFileRow {
    #[sqlx(flatten)]
    file: FileRow,
    referenced: bool,
}

impl StorageFileRow {
    fn into_file(self, room: &DataKey) -> Result<StorageFile, Error> {
        self.file.into_file(room, InStorage { referenced: self.referenced })
    }
}

impl FileKind for InStorage {
    type Id = FileId;
    const TABLE: &'static str = "storage_file";

    fn id(stored: String) -> FileId {
        FileId(stored.into())
    }

    async fn insert(tx: &mut Tx, file: &StorageFile) -> Result<bool, Fault> {
        let parts = file.parts_json()?;
        let done = on_tx!(tx.write(), |c| sqlx::query(INSERT_FILE)
            .bind(file.room.project.as_str())
            .bind(&*file.room.key)
            .bind(file.id.as_str())
            .bind(&*file.content)
            .bind(file.name.as_str())
            .bind(file.size_bytes)
            .bind(file.mime_type.as_str())
            .bind(parts)
            .bind(file.created_at_ms)
            .bind(file.kind.referenced)
            .execute(c)
            .await
            .map(|done| done.rows_affected()))
        .map_err(on("storage_file"))?;
        Ok(done > 0)
    }

    async fn find(tx: &mut Tx, key: &DataKey, id: &FileId) -> Result<Option<StorageFile>, Fault> {
        let row: Option<StorageFileRow> = on_tx!(tx.read(), |c| sqlx::query_as(SELECT_FILE)
            .bind(key.project.as_str())
            .bind(&*key.key)
            .bind(id.as_str())
            .fetch_optional(c)
            .await)
        .map_err(on("storage_file"))?;
        Ok(row.map(|row| row.into_file(key)).transpose()?)
    }
}

impl Store {
    /// Stores a whole file. If there is one with this id, that one stays and is the answer.
    pub async fn insert_file(
        &self,
        key: &DataKey,
        draft: FileDraft<FileId>,
        bytes: Bytes,
        now_ms: i64,
    ) -> Result<StorageFile, Error> {
        self.insert_whole(key, draft, InStorage { referenced: false }, bytes, now_ms).await
    }

    pub async fn find_file(
        &self,
        key: &DataKey,
        id: &FileId,
    ) -> Result<Option<StorageFile>, Error> {
        let row: Option<StorageFileRow> =
            self.find_in_room("storage_file", SELECT_FILE, key, id.as_str()).await?;
        row.map(|row| row.into_file(key)).transpose()
    }

    /// Keeps a file from being swept away, since storage has it now. False if it is not there.
    pub async fn reference_file(&self, key: &RoomKey, id: &FileId) -> Result<bool, Error> {
        let args = (key.clone(), id.clone());
        self.transact("reference_file", Touched::nothing(), args, |tx, (key, id)| {
            Box::pin(async move {
                lock_epoch(tx, key).await?;
                let done = on_tx!(tx.write(), |c| sqlx::query(REFERENCE_FILE)
                    .bind(key.data.project.as_str())
                    .bind(&*key.data.key)
                    .bind(id.as_str())
                    .execute(c)
                    .await
                    .map(|done| done.rows_affected()))
                .map_err(on("storage_file"))?;
                Ok(done > 0)
            })
        })
        .await
    }
}
