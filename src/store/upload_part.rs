//! The parts of an upload as they come: into the database, or beside it.
//!
//! An object is written before the part that names it is committed. What is left of one that is never
//! named is deleted with the content, of which [`mark_objects`] says from the beginning that it may
//! have objects.

use bytes::Bytes;

use super::Store;
use super::content::insert_chunks;
use super::db::{Tx, on_db, on_tx};
use super::fault::{Fault, on};
use super::room_cache::Touched;
use super::room_data::DataKey;
use super::upload::{
    SELECT_UPLOAD, Target, UPLOAD_PARTS_MAX, UploadId, UploadRow, lock_upload, target,
};
use crate::domain::ids::check_text;
use crate::error::{Code, Error, chain};
use crate::objects::{ObjectName, Objects};

const ETAG_BYTES_MAX: usize = 128;
/// The number of a part that only says that there may be objects. Clients' parts begin at 1.
const MARK: i64 = 0;

const SUM_OTHER_PARTS: &str = "SELECT CAST(COALESCE(SUM(size), 0) AS BIGINT) FROM content_part \
    WHERE project_id = $1 AND key = $2 AND part <> $3";
const INSERT_PART: &str = "INSERT INTO content_part (project_id, key, part, etag, size, object) \
    VALUES ($1, $2, $3, $4, $5, $6)";
const SELECT_OBJECT: &str =
    "SELECT object FROM content_part WHERE project_id = $1 AND key = $2 AND part = $3";
const DELETE_PART: &str =
    "DELETE FROM content_part WHERE project_id = $1 AND key = $2 AND part = $3";
const DELETE_CHUNKS: &str =
    "DELETE FROM content_chunk WHERE project_id = $1 AND key = $2 AND part = $3";

/// A part as it comes.
#[derive(Debug, Clone)]
pub struct Part {
    /// 1 to [`UPLOAD_PARTS_MAX`].
    pub number: i64,
    pub etag: String,
    pub bytes: Bytes,
}

/// What came of a part.
enum Put {
    NoUpload,
    /// In the place of this object, if it was one.
    Done {
        replaced: Option<i64>,
    },
}

impl Store {
    /// Stores a part, in the place of one with the same number. False if there is no such upload;
    /// fails if all parts together would be over `bytes_max`.
    pub async fn put_upload_part(
        &self,
        key: &DataKey,
        file: &impl AsRef<str>,
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
        let target = target(key, file, upload);
        match &self.inner.objects {
            Some(objects) => self.put_object(objects, target, part, bytes_max).await,
            None => {
                let put = self.commit_part(target, part, None, bytes_max).await?;
                Ok(matches!(put, Put::Done { .. }))
            }
        }
    }

    async fn put_object(
        &self,
        objects: &Objects,
        target: Target,
        part: Part,
        bytes_max: i64,
    ) -> Result<bool, Error> {
        if !self.is_open(&target).await? {
            return Ok(false);
        }
        let (key, _, upload) = &target;
        let (project, content) = (key.project.clone(), upload.clone());
        let name = |number| ObjectName { project: &project, content: content.as_str(), number };
        let number = random_number()?;
        objects.put(&name(number), part.bytes.clone()).await?;
        let put = self.commit_part(target, part, Some(number), bytes_max).await;
        let unused = match &put {
            Ok(Put::Done { replaced }) => *replaced,
            Ok(Put::NoUpload) => Some(number),
            // After other errors the part may be there nevertheless.
            Err(error) => (error.code() == Code::TooLarge).then_some(number),
        };
        if let Some(unused) = unused
            && let Err(error) = objects.delete(&name(unused)).await
        {
            tracing::warn!(error = %chain(&error), "an object stays until its content is deleted");
        }
        Ok(matches!(put?, Put::Done { .. }))
    }

    async fn commit_part(
        &self,
        target: Target,
        part: Part,
        object: Option<i64>,
        bytes_max: i64,
    ) -> Result<Put, Error> {
        let args = (target, part, object, bytes_max);
        self.transact("put_upload_part", Touched::nothing(), args, |tx, args| {
            Box::pin(async move {
                let (target, part, object, bytes_max) = args;
                if lock_upload(tx, target).await?.is_none() {
                    return Ok(Put::NoUpload);
                }
                let size = i64::try_from(part.bytes.len()).map_err(Error::internal)?;
                let others = other_parts_bytes(tx, target, part.number).await?;
                if others.saturating_add(size) > *bytes_max {
                    return Err(parts_too_large(*bytes_max).into());
                }
                let replaced = put_part(tx, target, part, *object).await?;
                Ok(Put::Done { replaced })
            })
        })
        .await
    }

    /// Whether there is such an upload: for one that there is not, nothing is written.
    async fn is_open(&self, (key, file, upload): &Target) -> Result<bool, Error> {
        let row: Option<UploadRow> = self
            .read("storage_upload", async {
                on_db!(&self.inner.db, |c| sqlx::query_as(SELECT_UPLOAD)
                    .bind(key.project.as_str())
                    .bind(&*key.key)
                    .bind(upload.as_str())
                    .bind(&**file)
                    .fetch_optional(c)
                    .await)
            })
            .await?;
        Ok(row.is_some())
    }
}

/// A name for an object or a claim, which nothing else has or will have.
pub(super) fn random_number() -> Result<i64, Error> {
    let mut bytes = [0; 8];
    aws_lc_rs::rand::fill(&mut bytes).map_err(|_| Error::internal("no randomness"))?;
    Ok(i64::from_be_bytes(bytes) & i64::MAX)
}

/// Says of an upload that there may be objects of it.
pub(super) async fn mark_objects(
    tx: &mut Tx,
    key: &DataKey,
    upload: &UploadId,
) -> Result<(), Fault> {
    insert_part(tx, (key, upload), (MARK, ""), (0, Some(0))).await
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

/// The object that the part before it was, if it was one.
async fn put_part(
    tx: &mut Tx,
    target: &Target,
    part: &Part,
    object: Option<i64>,
) -> Result<Option<i64>, Fault> {
    let (key, _, upload) = target;
    let size = i64::try_from(part.bytes.len()).map_err(Error::internal)?;
    let replaced: Option<(Option<i64>,)> = on_tx!(tx.read(), |c| sqlx::query_as(SELECT_OBJECT)
        .bind(key.project.as_str())
        .bind(upload.as_str())
        .bind(part.number)
        .fetch_optional(c)
        .await)
    .map_err(on("content_part"))?;
    delete_part(tx, target, part.number).await?;
    if object.is_none() {
        insert_chunks(tx, &key.project, upload.as_str(), part.number, &part.bytes).await?;
    }
    insert_part(tx, (key, upload), (part.number, &part.etag), (size, object)).await?;
    Ok(replaced.and_then(|(object,)| object))
}

async fn insert_part(
    tx: &mut Tx,
    (key, upload): (&DataKey, &UploadId),
    (number, etag): (i64, &str),
    (size, object): (i64, Option<i64>),
) -> Result<(), Fault> {
    on_tx!(tx.write(), |c| sqlx::query(INSERT_PART)
        .bind(key.project.as_str())
        .bind(upload.as_str())
        .bind(number)
        .bind(etag)
        .bind(size)
        .bind(object)
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

fn parts_too_large(bytes_max: i64) -> Error {
    Error::too_large(format!("The parts of a file must be at most {bytes_max} bytes together."))
}
