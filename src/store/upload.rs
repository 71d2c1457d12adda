//! Files that come in parts, in any order and several at a time.
//!
//! An upload's id is the key of its content, so completing it moves nothing: a file is written that
//! says which parts it has.

use std::fmt;
use std::sync::Arc;

use sqlx::FromRow;

use super::Store;
use super::content::{StoredPart, drop_content};
use super::db::{Tx, on_tx};
use super::fault::{Fault, on};
use super::room_cache::Touched;
use super::room_data::{DataKey, lock_data, lock_data_alone, random_key};
use super::storage_file::{FileId, InStorage, StorageFile};
use super::stored_file::{FileDraft, FileKind, StoredFile, there};
use super::upload_part::mark_objects;
use crate::error::{Code, Error};

/// Parts of one file, at most.
pub const UPLOAD_PARTS_MAX: i64 = 10_000;
/// Uploads of one room that are neither completed nor aborted: one for each of as many people as
/// are in a room at once. Those that are given up are swept after a day.
pub const UPLOADS_OPEN_MAX: i64 = 1_000;
const UPLOAD_ID_HEX: usize = 32;

const INSERT_UPLOAD: &str = "INSERT INTO storage_upload (project_id, key, content, file_id, name, \
    mime_type, created_at_ms) VALUES ($1, $2, $3, $4, $5, $6, $7)";
/// Counts no further than it has to.
const COUNT_UPLOADS: &str = "SELECT COUNT(*) FROM (SELECT 1 FROM storage_upload \
    WHERE project_id = $1 AND key = $2 LIMIT $3) open";
pub(super) const SELECT_UPLOAD: &str = "SELECT name, mime_type FROM storage_upload \
    WHERE project_id = $1 AND key = $2 AND content = $3 AND file_id = $4";
const SELECT_UPLOAD_FOR_UPDATE: &str = "SELECT name, mime_type FROM storage_upload \
    WHERE project_id = $1 AND key = $2 AND content = $3 AND file_id = $4 FOR UPDATE";
const DELETE_UPLOAD: &str = "DELETE FROM storage_upload \
    WHERE project_id = $1 AND key = $2 AND content = $3 AND file_id = $4";
const SELECT_PARTS: &str = "SELECT part, etag, size, object FROM content_part \
    WHERE project_id = $1 AND key = $2 ORDER BY part";

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

/// A part as the client names it in the end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartReceipt {
    pub number: i64,
    pub etag: String,
}

/// What the client says that the file is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parts {
    /// In order.
    pub receipts: Vec<PartReceipt>,
    /// All of them together, if it was announced.
    pub bytes: Option<i64>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Completed<File> {
    /// No such upload, or it was aborted.
    NotFound,
    /// A part that is named did not come, came with another tag, or is out of order.
    WrongParts,
    /// The parts together have another size than the client said.
    WrongSize { got_bytes: i64 },
    /// Now, or by an earlier call.
    Done(File),
}

#[derive(FromRow)]
pub(super) struct UploadRow {
    name: String,
    mime_type: String,
}

/// Its number, tag and bytes, and its object if it is one.
type PartRow = (i64, String, i64, Option<i64>);

/// Which file, and which attempt to upload it.
pub(super) type Target = (DataKey, Arc<str>, UploadId);

impl Store {
    /// Fails if the room has [`UPLOADS_OPEN_MAX`] already.
    pub async fn begin_upload<Id: AsRef<str>>(
        &self,
        key: &DataKey,
        draft: FileDraft<Id>,
        now_ms: i64,
    ) -> Result<UploadId, Error> {
        draft.check()?;
        let id = UploadId(random_key()?.into());
        let draft = FileDraft::<Arc<str>> {
            id: draft.id.as_ref().into(),
            name: draft.name,
            mime_type: draft.mime_type,
        };
        let args = (key.clone(), draft, id.clone(), (now_ms, self.inner.objects.is_some()));
        self.transact("begin_upload", Touched::nothing(), args, |tx, args| {
            Box::pin(async move {
                let (key, draft, id, (now_ms, in_objects)) = args;
                lock_data_alone(tx, key).await?;
                if count_uploads(tx, key).await? >= UPLOADS_OPEN_MAX {
                    return Err(too_many_uploads().into());
                }
                on_tx!(tx.write(), |c| sqlx::query(INSERT_UPLOAD)
                    .bind(key.project.as_str())
                    .bind(&*key.key)
                    .bind(id.as_str())
                    .bind(&*draft.id)
                    .bind(draft.name.as_str())
                    .bind(draft.mime_type.as_str())
                    .bind(*now_ms)
                    .execute(c)
                    .await
                    .map(drop))
                .map_err(on("storage_upload"))?;
                if *in_objects { mark_objects(tx, key, id).await } else { Ok(()) }
            })
        })
        .await?;
        Ok(id)
    }

    /// Makes the file of exactly the parts that are named. May be called again.
    pub async fn complete_upload(
        &self,
        key: &DataKey,
        file: &FileId,
        upload: &UploadId,
        parts: Parts,
        now_ms: i64,
    ) -> Result<Completed<StorageFile>, Error> {
        let kind = InStorage { referenced: false };
        self.complete_file((key, file, upload), parts, kind, now_ms).await
    }

    /// As [`Store::complete_upload`], for a file of any kind.
    pub(super) async fn complete_file<K: FileKind>(
        &self,
        (key, id, upload): (&DataKey, &K::Id, &UploadId),
        parts: Parts,
        kind: K,
        now_ms: i64,
    ) -> Result<Completed<StoredFile<K::Id, K>>, Error> {
        let args = (target(key, id, upload), id.clone(), parts, kind, now_ms);
        self.transact("complete_upload", Touched::nothing(), args, |tx, args| {
            Box::pin(async move {
                let (target, id, parts, kind, now_ms) = args;
                complete(tx, target, (id, kind), parts, *now_ms).await
            })
        })
        .await
    }

    /// Whether there was such an upload. A file that was completed stays.
    pub async fn abort_upload(
        &self,
        key: &DataKey,
        file: &impl AsRef<str>,
        upload: &UploadId,
    ) -> Result<bool, Error> {
        let target = target(key, file, upload);
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

pub(super) fn target(key: &DataKey, file: &impl AsRef<str>, upload: &UploadId) -> Target {
    (key.clone(), file.as_ref().into(), upload.clone())
}

/// The upload, which nobody else changes until the end of the transaction.
pub(super) async fn lock_upload(
    tx: &mut Tx,
    (key, file, upload): &Target,
) -> Result<Option<UploadRow>, Fault> {
    let text = tx.locking(SELECT_UPLOAD, SELECT_UPLOAD_FOR_UPDATE);
    on_tx!(tx.read(), |c| sqlx::query_as(text)
        .bind(key.project.as_str())
        .bind(&*key.key)
        .bind(upload.as_str())
        .bind(&**file)
        .fetch_optional(c)
        .await)
    .map_err(on("storage_upload"))
}

async fn delete_upload(tx: &mut Tx, (key, file, upload): &Target) -> Result<bool, Fault> {
    on_tx!(tx.write(), |c| sqlx::query(DELETE_UPLOAD)
        .bind(key.project.as_str())
        .bind(&*key.key)
        .bind(upload.as_str())
        .bind(&**file)
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

async fn complete<K: FileKind>(
    tx: &mut Tx,
    target: &Target,
    (id, kind): (&K::Id, &K),
    named: &Parts,
    now_ms: i64,
) -> Result<Completed<StoredFile<K::Id, K>>, Fault> {
    let (key, _, upload) = target;
    // A file of a room that is gone would be missed by the sweep.
    lock_data(tx, key).await?;
    let Some(row) = lock_upload(tx, target).await? else {
        let file = K::find(tx, key, id).await?;
        let file = file.filter(|file| *file.content == *upload.as_str());
        return Ok(file.map_or(Completed::NotFound, Completed::Done));
    };
    let stored: Vec<PartRow> = on_tx!(tx.read(), |c| sqlx::query_as(SELECT_PARTS)
        .bind(key.project.as_str())
        .bind(upload.as_str())
        .fetch_all(c)
        .await)
    .map_err(on("content_part"))?;
    let Some(parts) = choose(&stored, &named.receipts) else { return Ok(Completed::WrongParts) };
    let size_bytes = parts.iter().map(|part| part.size_bytes()).sum();
    if named.bytes.is_some_and(|expected| expected != size_bytes) {
        return Ok(Completed::WrongSize { got_bytes: size_bytes });
    }
    let file = StoredFile {
        id: id.clone(),
        name: row.name,
        size_bytes,
        mime_type: row.mime_type,
        created_at_ms: now_ms,
        kind: kind.clone(),
        room: key.clone(),
        content: Arc::clone(&upload.0),
        parts,
    };
    finish(tx, target, file).await.map(Completed::Done)
}

/// The parts that are named, which must be in order and as they were stored.
fn choose(stored: &[PartRow], named: &[PartReceipt]) -> Option<Vec<StoredPart>> {
    let ascending = named.is_sorted_by(|one, next| one.number < next.number);
    if named.is_empty() || !ascending {
        return None;
    }
    let find = |receipt: &PartReceipt| {
        let at = stored.binary_search_by_key(&receipt.number, |(number, ..)| *number).ok()?;
        let (number, etag, size, object) = stored.get(at)?;
        (*etag == receipt.etag).then_some(match object {
            None => StoredPart::Chunks(*number, *size),
            Some(object) => StoredPart::Object(*number, *size, *object),
        })
    };
    named.iter().map(find).collect()
}

async fn finish<K: FileKind>(
    tx: &mut Tx,
    target: &Target,
    file: StoredFile<K::Id, K>,
) -> Result<StoredFile<K::Id, K>, Fault> {
    let (key, _, upload) = target;
    delete_upload(tx, target).await?;
    if K::insert(tx, &file).await? {
        return Ok(file);
    }
    // Another upload of the same file was quicker; its content is as good.
    drop_content(tx, &key.project, upload.as_str()).await?;
    there(tx, key, &file.id).await
}
