//! The bytes of uploaded files, as numbered parts of many chunks each. Content has a random key of
//! its own, so that it is dropped in one step and deleted later, like the content of a room.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::Store;
use super::db::{Tx, on_db, on_tx};
use super::fault::{Fault, corrupt, on};
use super::values::{runs, values};
use crate::domain::ids::ProjectId;
use crate::error::{Code, Error};
use crate::objects::ObjectName;

/// Every chunk of a part has this length, but for the last.
pub const CONTENT_CHUNK_BYTES: usize = 256 << 10;
/// Chunks that are bound to one statement, at most.
const CHUNKS_AT_ONCE: usize = 8;

const INSERT_CHUNKS: &str =
    "INSERT INTO content_chunk (project_id, key, part, chunk, payload) VALUES ";
const SELECT_CHUNK: &str = "SELECT payload FROM content_chunk \
    WHERE project_id = $1 AND key = $2 AND part = $3 AND chunk = $4";
const DROP_CONTENT: &str =
    "INSERT INTO garbage (project_id, key) VALUES ($1, $2) ON CONFLICT DO NOTHING";

/// A part of a file. As JSON it is a list: what [`StoredPart::Chunks`] has, in that order, and the
/// object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub(super) enum StoredPart {
    /// In the database: its number and its bytes.
    Chunks(i64, i64),
    /// Beside it: the same, and the number of the object.
    Object(i64, i64, i64),
}

impl StoredPart {
    pub(super) fn size_bytes(self) -> i64 {
        match self {
            Self::Chunks(_, size) | Self::Object(_, size, _) => size,
        }
    }
}

/// Inserts one part, which is not there yet.
pub(super) async fn insert_chunks(
    tx: &mut Tx,
    project: &ProjectId,
    content: &str,
    part: i64,
    bytes: &Bytes,
) -> Result<(), Fault> {
    let chunks: Vec<(i64, &[u8])> = (0..).zip(bytes.chunks(CONTENT_CHUNK_BYTES)).collect();
    for group in chunks.chunks(CHUNKS_AT_ONCE) {
        for run in runs(group) {
            let text = values(INSERT_CHUNKS, run.len(), 5, "");
            on_tx!(tx.write(), |c| {
                let mut query = sqlx::query(sqlx::AssertSqlSafe(text));
                for (chunk, payload) in run {
                    query = query
                        .bind(project.as_str())
                        .bind(content)
                        .bind(part)
                        .bind(*chunk)
                        .bind(*payload);
                }
                query.execute(c).await.map(drop)
            })
            .map_err(on("content_chunk"))?;
        }
    }
    Ok(())
}

/// Leaves the content to the sweep.
pub(super) async fn drop_content(
    tx: &mut Tx,
    project: &ProjectId,
    content: &str,
) -> Result<(), Fault> {
    on_tx!(tx.write(), |c| sqlx::query(DROP_CONTENT)
        .bind(project.as_str())
        .bind(content)
        .execute(c)
        .await
        .map(drop))
    .map_err(on("garbage"))
}

/// The place of a byte: which part, and how far into that.
pub(super) fn locate(parts: &[StoredPart], from: i64) -> Option<(StoredPart, i64)> {
    let mut start = 0;
    for part in parts {
        let inside = from - start;
        if (0..part.size_bytes()).contains(&inside) {
            return Some((*part, inside));
        }
        start += part.size_bytes();
    }
    None
}

impl Store {
    /// Some bytes of a part, beginning with one of them.
    pub(super) async fn read_part(
        &self,
        project: &ProjectId,
        content: &str,
        (part, from): (StoredPart, i64),
    ) -> Result<Bytes, Error> {
        match part {
            StoredPart::Chunks(number, _) => {
                self.read_chunk(project, content, (number, from)).await
            }
            StoredPart::Object(_, size, number) => {
                let objects = self.inner.objects.as_ref().ok_or_else(no_objects)?;
                let name = ObjectName { project, content, number };
                let bytes = |count: i64| u64::try_from(count).map_err(Error::internal);
                objects.read(&name, bytes(from)?, bytes(size)?).await
            }
        }
    }

    async fn read_chunk(
        &self,
        project: &ProjectId,
        content: &str,
        (part, from): (i64, i64),
    ) -> Result<Bytes, Error> {
        let chunk_bytes = i64::try_from(CONTENT_CHUNK_BYTES).map_err(Error::internal)?;
        let chunk = from / chunk_bytes;
        let skip = usize::try_from(from % chunk_bytes).map_err(Error::internal)?;
        let row: Option<(Vec<u8>,)> = self
            .read("content_chunk", async {
                on_db!(&self.inner.db, |c| sqlx::query_as(SELECT_CHUNK)
                    .bind(project.as_str())
                    .bind(content)
                    .bind(part)
                    .bind(chunk)
                    .fetch_optional(c)
                    .await)
            })
            .await?;
        let missing = || corrupt("content_chunk", "chunk", format!("{chunk} of {part} is missing"));
        let mut bytes = row.map(|(payload,)| Bytes::from(payload)).ok_or_else(missing)?;
        if bytes.len() <= skip {
            return Err(corrupt("content_chunk", "payload", "a chunk is too short"));
        }
        Ok(bytes.split_off(skip))
    }
}

fn no_objects() -> Error {
    let public = "The file lies in a store that the server was started without.";
    Error::new(Code::FailedPrecondition, "FILE_STORE", public)
        .suggest("Please start it with the option `file_store` that it had.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_has_its_place() {
        let (one, two) = (StoredPart::Chunks(1, 5), StoredPart::Object(4, 3, 77));
        let parts = [one, two, StoredPart::Chunks(9, 20)];
        assert_eq!(locate(&parts, 0), Some((one, 0)));
        assert_eq!(locate(&parts, 4), Some((one, 4)));
        assert_eq!(locate(&parts, 5), Some((two, 0)));
        assert_eq!(locate(&parts, 9), Some((parts[2], 1)));
        assert_eq!(locate(&parts, 27), Some((parts[2], 19)));
        assert_eq!(locate(&parts, 28), None);
        assert_eq!(locate(&parts, -1), None);
    }

    #[test]
    fn parts_are_lists() {
        let parts = vec![StoredPart::Chunks(1, 5), StoredPart::Object(4, 3, i64::MAX)];
        let text = serde_json::to_string(&parts).unwrap();
        assert_eq!(text, format!("[[1,5],[4,3,{}]]", i64::MAX));
        assert_eq!(serde_json::from_str::<Vec<StoredPart>>(&text).unwrap(), parts);
        assert!(serde_json::from_str::<Vec<StoredPart>>("[[1]]").is_err());
    }
}
