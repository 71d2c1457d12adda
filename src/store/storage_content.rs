//! The bytes of uploaded files, as numbered parts of many chunks each. Content has a random key of
//! its own, so that it is dropped in one step and deleted later, like the content of a room.

use bytes::Bytes;

use super::Store;
use super::db::{Tx, on_db, on_tx};
use super::fault::{Fault, corrupt, on};
use super::values::{runs, values};
use crate::domain::ids::ProjectId;
use crate::error::Error;

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

/// The place of a byte: which part, which chunk of it, and how far into that.
pub(super) fn locate(parts: &[(i64, i64)], from: i64) -> Option<(i64, i64, usize)> {
    let chunk_bytes = i64::try_from(CONTENT_CHUNK_BYTES).ok()?;
    let mut start = 0;
    for (part, size) in parts {
        let inside = from - start;
        if (0..*size).contains(&inside) {
            return Some((
                *part,
                inside / chunk_bytes,
                usize::try_from(inside % chunk_bytes).ok()?,
            ));
        }
        start += size;
    }
    None
}

impl Store {
    pub(super) async fn read_chunk(
        &self,
        project: &ProjectId,
        content: &str,
        (part, chunk): (i64, i64),
    ) -> Result<Bytes, Error> {
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
        row.map(|(payload,)| Bytes::from(payload)).ok_or_else(missing)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_has_its_place() {
        let chunk = i64::try_from(CONTENT_CHUNK_BYTES).unwrap();
        let parts = [(1, chunk + 5), (4, 3), (9, 2 * chunk)];
        assert_eq!(locate(&parts, 0), Some((1, 0, 0)));
        assert_eq!(locate(&parts, chunk), Some((1, 1, 0)));
        assert_eq!(locate(&parts, chunk + 4), Some((1, 1, 4)));
        assert_eq!(locate(&parts, chunk + 5), Some((4, 0, 0)));
        assert_eq!(locate(&parts, 2 * chunk + 10), Some((9, 1, 2)));
        assert_eq!(locate(&parts, 3 * chunk + 8), None);
        assert_eq!(locate(&parts, -1), None);
    }
}
