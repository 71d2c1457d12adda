//! Files that a room's storage may refer to. A file that is stored is complete and never changes.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use sqlx::FromRow;

use super::Store;
use super::db::{Tx, on_tx};
use super::fault::{Fault, corrupt, on};
use super::room_cache::Touched;
use super::room_data::{DataKey, RoomKey, lock_data, lock_epoch, random_key};
use super::storage_content::{insert_chunks, locate};
use crate::domain::ids::check_text;
use crate::error::Error;

const ID_PREFIX: &str = "fl_";
const ID_BYTES_MAX: usize = 64;
pub(super) const NAME_BYTES_MAX: usize = 1024;

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

    pub(super) fn stored(raw: String) -> Self {
        Self(raw.into())
    }
}

impl fmt::Debug for FileId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

/// What a caller says about a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileDraft {
    pub id: FileId,
    pub name: String,
    pub mime_type: String,
}

impl FileDraft {
    /// What both databases can hold.
    pub(super) fn check(&self) -> Result<(), Error> {
        for (field, text) in [("name", &self.name), ("mimeType", &self.mime_type)] {
            check_text(field, text)?;
            if text.len() > NAME_BYTES_MAX {
                let problem = format!("must have at most {NAME_BYTES_MAX} bytes");
                return Err(Error::invalid(field, problem));
            }
        }
        Ok(())
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StorageFile {
    pub id: FileId,
    pub name: String,
    pub size_bytes: i64,
    pub mime_type: String,
    pub created_at_ms: i64,
    /// Whether the room's storage ever had it.
    pub referenced: bool,
    pub(super) room: DataKey,
    /// The key of the bytes.
    pub(super) content: Arc<str>,
    /// Number and bytes of each part, in order.
    pub(super) parts: Vec<(i64, i64)>,
}

#[derive(FromRow)]
struct FileRow {
    id: String,
    content: String,
    name: String,
    size: i64,
    mime_type: String,
    parts: String,
    created_at_ms: i64,
    referenced: bool,
}

impl FileRow {
    fn into_file(self, room: &DataKey) -> Result<StorageFile, Error> {
        let parts = serde_json::from_str(&self.parts)
            .map_err(|error| corrupt("storage_file", "parts", error))?;
        Ok(StorageFile {
            id: FileId::stored(self.id),
            name: self.name,
            size_bytes: self.size,
            mime_type: self.mime_type,
            created_at_ms: self.created_at_ms,
            referenced: self.referenced,
            room: room.clone(),
            content: self.content.into(),
            parts,
        })
    }
}

impl Store {
    /// Stores a whole file. If there is one with this id, that one stays and is the answer.
    pub async fn insert_file(
        &self,
        key: &DataKey,
        draft: FileDraft,
        bytes: Bytes,
        now_ms: i64,
    ) -> Result<StorageFile, Error> {
        draft.check()?;
        let size_bytes = i64::try_from(bytes.len()).map_err(Error::internal)?;
        let file = StorageFile {
            id: draft.id,
            name: draft.name,
            size_bytes,
            mime_type: draft.mime_type,
            created_at_ms: now_ms,
            referenced: false,
            room: key.clone(),
            content: random_key()?.into(),
            parts: vec![(1, size_bytes)],
        };
        self.transact("insert_file", Touched::nothing(), (file, bytes), |tx, (file, bytes)| {
            Box::pin(async move {
                lock_data(tx, &file.room).await?;
                if !insert_row(tx, file).await? {
                    return there(tx, &file.room, &file.id).await;
                }
                insert_chunks(tx, &file.room.project, &file.content, 1, bytes).await?;
                Ok(file.clone())
            })
        })
        .await
    }

    pub async fn find_file(
        &self,
        key: &DataKey,
        id: &FileId,
    ) -> Result<Option<StorageFile>, Error> {
        let row: Option<FileRow> =
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

    /// Some bytes of a file, beginning with the one at `from`; none if the file ends before that.
    /// Whoever wants all of it goes on where these end.
    pub async fn read_file(&self, file: &StorageFile, from: u64) -> Result<Bytes, Error> {
        let from = i64::try_from(from).unwrap_or(i64::MAX);
        let Some((part, chunk, skip)) = locate(&file.parts, from) else { return Ok(Bytes::new()) };
        let mut bytes = self.read_chunk(&file.room.project, &file.content, (part, chunk)).await?;
        if bytes.len() <= skip {
            return Err(corrupt("content_chunk", "payload", "a chunk is too short"));
        }
        Ok(bytes.split_off(skip))
    }
}

/// Whether it was inserted; else there is one already.
pub(super) async fn insert_row(tx: &mut Tx, file: &StorageFile) -> Result<bool, Fault> {
    let parts = serde_json::to_string(&file.parts).map_err(Error::internal)?;
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
        .bind(file.referenced)
        .execute(c)
        .await
        .map(|done| done.rows_affected()))
    .map_err(on("storage_file"))?;
    Ok(done > 0)
}

/// The file that kept another from being inserted.
pub(super) async fn there(tx: &mut Tx, key: &DataKey, id: &FileId) -> Result<StorageFile, Fault> {
    find_in(tx, key, id).await?.ok_or(Fault::Retry("a file was swept while it was looked at"))
}

pub(super) async fn find_in(
    tx: &mut Tx,
    key: &DataKey,
    id: &FileId,
) -> Result<Option<StorageFile>, Fault> {
    let row: Option<FileRow> = on_tx!(tx.read(), |c| sqlx::query_as(SELECT_FILE)
        .bind(key.project.as_str())
        .bind(&*key.key)
        .bind(id.as_str())
        .fetch_optional(c)
        .await)
    .map_err(on("storage_file"))?;
    Ok(row.map(|row| row.into_file(key)).transpose()?)
}
