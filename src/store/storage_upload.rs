//! Files that come in parts, in any order and several at a time.
//!
//! An upload's id is the key of its content, so completing it moves nothing: a file is written that
//! says which parts it has.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use sqlx::FromRow;

use super::Store;
use super::db::{Tx, on_tx};
use super::fault::{Fault, on};
use super::room_cache::Touched;
use super::room_data::{DataKey, lock_data, lock_data_alone, random_key};
use super::storage_content::{drop_content, insert_chunks};
use super::storage_file::{FileDraft, FileId, StorageFile, find_in, insert_row, there};
use crate::domain::ids::check_text;
use crate::error::{Code, Error};

/// Parts of one file, at most.
pub const UPLOAD_PARTS_MAX: i64 = 10_000;
/// Uploads of one room that are neither completed nor aborted: one for each of as many people as
/// are in a room at once. Those that are given up are swept after a day.
pub const UPLOADS_OPEN_MAX: i64 = 1_000;
const UPLOAD_ID_HEX: usize = 32;
const ETAG_BYTES_MAX: usize = 128;

const INSERT_UPLOAD: &str = "INSERT INTO storage_upload (project_id, key, content, file_id, name, \
    mime_type, created_at_ms) VALUES ($1, $2, $3, $4, $5, $6, $7)";
/// Counts no further than it has to.
const COUNT_UPLOADS: &str = "SELECT COUNT(*) FROM (SELECT 1 FROM storage_upload \
    WHERE project_id = $1 AND key = $2 LIMIT $3) open";
const SELECT_UPLOAD: &str = "SELECT name, mime_type FROM storage_upload \
    WHERE project_id = $1 AND key = $2 AND content = $3 AND file_id = $4";
const SELECT_UPLOAD_FOR_UPDATE: &str = "SELECT name, mime_type FROM storage_upload \
    WHERE project_id = $1 AND key = $2 AND content = $3 AND file_id = $4 FOR UPDATE";
const DELETE_UPLOAD: &str = "DELETE FROM storage_upload \
    WHERE project_id = $1 AND key = $2 AND content = $3 AND file_id = $4";
const SELECT_PARTS: &str = "SELECT part, etag, size FROM content_part \
    WHERE project_id = $1 AND key = $2 ORDER BY part";
const SUM_OTHER_PARTS: &str = "SELECT CAST(COALESCE(SUM(size), 0) AS BIGINT) FROM content_part \
    WHERE project_id = $1 AND key = $2 AND part <> $3";
const INSERT_PART: &str = "INSERT INTO content_part (project_id, key, part, etag, size) \
    VALUES ($1, $2, $3, $4, $5)";
const DELETE_PART: &str =
    "DELETE FROM content_part WHERE project_id = $1 AND key = $2 AND part = $3";
const DELETE_CHUNKS: &str =
    "DELETE FROM content_chunk WHERE project_id = $1 AND key = $2 AND part = $3";

#[derive(Clone, PartialEq, Eq, Hash)]
pub struct UploadId(Arc<str>);

impl UploadId {
    /// Checks what a caller sent; `field` names it in the error.
    pub fn parse(field: &str, raw: &str) -> Result<Self, Error> {
        if raw.len() == UPLOAD_ID_HEX && raw.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Ok(Self(raw.into()));
        }
        Err(Error::invalid(field, "must be the id that the upload was begun with"))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for UploadId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

/// A part as it comes.
#[derive(Debug, Clone)]
pub struct Part {
    /// 1 to [`UPLOAD_PARTS_MAX`].
    pub number: i64,
    pub etag: String,
    pub bytes: Bytes,
}

/// A part as the client names it in the end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartReceipt {
    pub number: i64,
    pub etag: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Completed {
    /// No such upload, or it was aborted.
    NotFound,
    /// A part that is named did not come, came with another tag, or is out of order.
    WrongParts,
    /// The parts together have another size than the client said.
    WrongSize { got_bytes: i64 },
    /// Now, or by an earlier call.
    Done(StorageFile),
}

#[derive(FromRow)]
struct UploadRow {
    name: String,
    mime_type: String,
}

/// Which file, and which attempt to upload it.
type Target = (DataKey, FileId, UploadId);

impl Store {
    /// Fails if the room has [`UPLOADS_OPEN_MAX`] already.
    pub async fn begin_upload(
        &self,
        key: &DataKey,
        draft: FileDraft,
        now_ms: i64,
    ) -> Result<UploadId, Error> {
        draft.check()?;
        let id = UploadId(random_key()?.into());
        let args = (key.clone(), draft, id.clone(), now_ms);
        self.transact("begin_upload", Touched::nothing(), args, |tx, args| {
            Box::pin(async move {
                let (key, draft, id, now_ms) = args;
                lock_data_alone(tx, key).await?;
                if count_uploads(tx, key).await? >= UPLOADS_OPEN_MAX {
                    return Err(too_many_uploads().into());
                }
                on_tx!(tx.write(), |c| sqlx::query(INSERT_UPLOAD)
                    .bind(key.project.as_str())
                    .bind(&*key.key)
                    .bind(id.as_str())
                    .bind(draft.id.as_str())
                    .bind(draft.name.as_str())
                    .bind(draft.mime_type.as_str())
                    .bind(*now_ms)
                    .execute(c)
                    .await
                    .map(drop))
                .map_err(on("storage_upload"))
            })
        })
        .await?;
        Ok(id)
    }

    /// Stores a part, in the place of one with the same number. False if there is no such upload;
    /// fails if all parts together would be over `bytes_max`.
    pub async fn put_upload_part(
        &self,
        key: &DataKey,
        file: &FileId,
        upload: &UploadId,
        part: Part,
        bytes_max: i64,
    ) -> Result<bool, Error> {
        if !(1..=UPLOAD_PARTS_MAX).contains(&part.number) {
            let problem = format!("must be 1 to {UPLOAD_PARTS_MAX}, got {}", part.number);
            return Err(Error::invalid("partNumber", problem));
        }
        check_text("etag", &part.etag)?;
        if part.etag.len() > ETAG_BYTES_MAX {
            return Err(Error::invalid("etag", "is too long"));
        }
        let args = ((key.clone(), file.clone(), upload.clone()), part, bytes_max);
        self.transact("put_upload_part", Touched::nothing(), args, |tx, args| {
            Box::pin(async move {
                let (target, part, bytes_max) = args;
                if lock_upload(tx, target).await?.is_none() {
                    return Ok(false);
                }
                let size = i64::try_from(part.bytes.len()).map_err(Error::internal)?;
                let others = other_parts_bytes(tx, target, part.number).await?;
                if others.saturating_add(size) > *bytes_max {
                    return Err(parts_too_large(*bytes_max).into());
                }
                put_part(tx, target, part).await?;
                Ok(true)
            })
        })
        .await
    }

    /// Makes the file of exactly the parts that are named. May be called again.
    pub async fn complete_upload(
        &self,
        key: &DataKey,
        file: &FileId,
        upload: &UploadId,
        parts: Vec<PartReceipt>,
        expected_bytes: Option<i64>,
        now_ms: i64,
    ) -> Result<Completed, Error> {
        let target = (key.clone(), file.clone(), upload.clone());
        let args = (target, parts, expected_bytes, now_ms);
        self.transact("complete_upload", Touched::nothing(), args, |tx, args| {
            Box::pin(async move {
                let (target, parts, expected_bytes, now_ms) = args;
                complete(tx, target, parts, *expected_bytes, *now_ms).await
            })
        })
        .await
    }

    /// Whether there was such an upload. A file that was completed stays.
    pub async fn abort_upload(
        &self,
        key: &DataKey,
        file: &FileId,
        upload: &UploadId,
    ) -> Result<bool, Error> {
        let target = (key.clone(), file.clone(), upload.clone());
        self.transact("abort_upload", Touched::nothing(), target, |tx, target| {
            Box::pin(async move {
                let found = delete_upload(tx, target).await?;
                if found {
                    drop_content(tx, &target.0.project, target.2.as_str()).await?;
                }
                Ok(found)
            })
        })
        .await
    }
}

/// The upload, which nobody else changes until the end of the transaction.
async fn lock_upload(
    tx: &mut Tx,
    (key, file, upload): &Target,
) -> Result<Option<UploadRow>, Fault> {
    let text = tx.locking(SELECT_UPLOAD, SELECT_UPLOAD_FOR_UPDATE);
    on_tx!(tx.read(), |c| sqlx::query_as(text)
        .bind(key.project.as_str())
        .bind(&*key.key)
        .bind(upload.as_str())
        .bind(file.as_str())
        .fetch_optional(c)
        .await)
    .map_err(on("storage_upload"))
}

async fn delete_upload(tx: &mut Tx, (key, file, upload): &Target) -> Result<bool, Fault> {
    on_tx!(tx.write(), |c| sqlx::query(DELETE_UPLOAD)
        .bind(key.project.as_str())
        .bind(&*key.key)
        .bind(upload.as_str())
        .bind(file.as_str())
        .execute(c)
        .await
        .map(|done| done.rows_affected() > 0))
    .map_err(on("storage_upload"))
}

async fn count_uploads(tx: &mut Tx, key: &DataKey) -> Result<i64, Fault> {
    let (count,): (i64,) = on_tx!(tx.read(), |c| sqlx::query_as(COUNT_UPLOADS)
        .bind(key.project.as_str())
        .bind(&*key.key)
        .bind(UPLOADS_OPEN_MAX)
        .fetch_one(c)
        .await)
    .map_err(on("storage_upload"))?;
    Ok(count)
}

fn too_many_uploads() -> Error {
    let public = format!(
        "The room has {UPLOADS_OPEN_MAX} uploads that are neither completed nor aborted, which is \
         the limit."
    );
    Error::new(Code::ResourceExhausted, "TOO_MANY_UPLOADS", public)
        .suggest("Please complete or abort some of them. Those older than a day are dropped.")
}

fn parts_too_large(bytes_max: i64) -> Error {
    Error::too_large(format!("The parts of a file must be at most {bytes_max} bytes together."))
}

/// What the upload has besides this part.
async fn other_parts_bytes(tx: &mut Tx, target: &Target, number: i64) -> Result<i64, Fault> {
    let (key, _, upload) = target;
    let (bytes,): (i64,) = on_tx!(tx.read(), |c| sqlx::query_as(SUM_OTHER_PARTS)
        .bind(key.project.as_str())
        .bind(upload.as_str())
        .bind(number)
        .fetch_one(c)
        .await)
    .map_err(on("content_part"))?;
    Ok(bytes)
}

async fn put_part(tx: &mut Tx, target: &Target, part: &Part) -> Result<(), Fault> {
    let (key, _, upload) = target;
    let size = i64::try_from(part.bytes.len()).map_err(Error::internal)?;
    delete_part(tx, target, part.number).await?;
    insert_chunks(tx, &key.project, upload.as_str(), part.number, &part.bytes).await?;
    on_tx!(tx.write(), |c| sqlx::query(INSERT_PART)
        .bind(key.project.as_str())
        .bind(upload.as_str())
        .bind(part.number)
        .bind(part.etag.as_str())
        .bind(size)
        .execute(c)
        .await
        .map(drop))
    .map_err(on("content_part"))
}

async fn delete_part(tx: &mut Tx, (key, _, upload): &Target, number: i64) -> Result<(), Fault> {
    for (table, text) in [("content_part", DELETE_PART), ("content_chunk", DELETE_CHUNKS)] {
        on_tx!(tx.write(), |c| sqlx::query(text)
            .bind(key.project.as_str())
            .bind(upload.as_str())
            .bind(number)
            .execute(c)
            .await
            .map(drop))
        .map_err(on(table))?;
    }
    Ok(())
}

async fn complete(
    tx: &mut Tx,
    target: &Target,
    named: &[PartReceipt],
    expected_bytes: Option<i64>,
    now_ms: i64,
) -> Result<Completed, Fault> {
    let (key, id, upload) = target;
    // A file of a room that is gone would be missed by the sweep.
    lock_data(tx, key).await?;
    let Some(row) = lock_upload(tx, target).await? else {
        let file = find_in(tx, key, id).await?.filter(|file| *file.content == *upload.as_str());
        return Ok(file.map_or(Completed::NotFound, Completed::Done));
    };
    let stored: Vec<(i64, String, i64)> = on_tx!(tx.read(), |c| sqlx::query_as(SELECT_PARTS)
        .bind(key.project.as_str())
        .bind(upload.as_str())
        .fetch_all(c)
        .await)
    .map_err(on("content_part"))?;
    let Some(parts) = choose(&stored, named) else { return Ok(Completed::WrongParts) };
    let size_bytes = parts.iter().map(|(_, size)| size).sum();
    if expected_bytes.is_some_and(|expected| expected != size_bytes) {
        return Ok(Completed::WrongSize { got_bytes: size_bytes });
    }
    let file = StorageFile {
        id: id.clone(),
        name: row.name,
        size_bytes,
        mime_type: row.mime_type,
        created_at_ms: now_ms,
        referenced: false,
        room: key.clone(),
        content: Arc::clone(&upload.0),
        parts,
    };
    finish(tx, target, file).await.map(Completed::Done)
}

/// The parts that are named, which must be in order and as they were stored.
fn choose(stored: &[(i64, String, i64)], named: &[PartReceipt]) -> Option<Vec<(i64, i64)>> {
    let ascending = named.is_sorted_by(|one, next| one.number < next.number);
    if named.is_empty() || !ascending {
        return None;
    }
    let find = |receipt: &PartReceipt| {
        let at = stored.binary_search_by_key(&receipt.number, |(number, ..)| *number).ok()?;
        let (number, etag, size) = stored.get(at)?;
        (*etag == receipt.etag).then_some((*number, *size))
    };
    named.iter().map(find).collect()
}

async fn finish(tx: &mut Tx, target: &Target, file: StorageFile) -> Result<StorageFile, Fault> {
    let (key, id, upload) = target;
    delete_upload(tx, target).await?;
    if insert_row(tx, &file).await? {
        return Ok(file);
    }
    // Another upload of the same file was quicker; its content is as good.
    drop_content(tx, &key.project, upload.as_str()).await?;
    there(tx, key, id).await
}
