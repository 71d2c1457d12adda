//! What threads are found by: a row for each value of their metadata.

use sqlx::AssertSqlSafe;

use super::db::{Tx, on_tx};
use super::fault::{Fault, on};
use super::room_data::DataKey;
use super::values::{runs, values};
use crate::domain::comment::{CommentMetadata, MetadataScalar};
use crate::domain::query::QUERIED_TEXT_CHARS_MAX;

const INSERT_METADATA: &str = "INSERT INTO thread_metadata \
    (project_id, key, name, kind, value, number, created_at_ms, thread_id) VALUES ";
const DELETE_METADATA: &str =
    "DELETE FROM thread_metadata WHERE project_id = $1 AND key = $2 AND thread_id = $3";

/// The kind of a value, the value as text, and the number if it is one.
pub(super) type Indexed = (&'static str, String, Option<f64>);

/// Of a long text, a beginning that is longer than any that is asked for: so it equals none of
/// them, and begins with what it begins with.
pub(super) fn indexed(value: &MetadataScalar) -> Indexed {
    match value {
        MetadataScalar::Text(text) => {
            ("s", text.chars().take(QUERIED_TEXT_CHARS_MAX + 1).collect(), None)
        }
        // Adding zero makes -0 the same as 0, as it is in comparisons.
        MetadataScalar::Number(number) => ("n", (number + 0.0).to_string(), Some(*number)),
        MetadataScalar::Flag(flag) => ("b", flag.to_string(), None),
    }
}

pub(super) async fn insert_metadata(
    tx: &mut Tx,
    key: &DataKey,
    (thread, created_at_ms): (&str, i64),
    metadata: &CommentMetadata,
) -> Result<(), Fault> {
    let rows: Vec<(&str, Indexed)> =
        metadata.iter().map(|(name, value)| (name, indexed(value))).collect();
    for run in runs(&rows) {
        let text = values(INSERT_METADATA, run.len(), 8, "");
        on_tx!(tx.write(), |c| {
            let mut query = sqlx::query(AssertSqlSafe(text));
            for (name, (kind, value, number)) in run {
                query = query
                    .bind(key.project.as_str())
                    .bind(&*key.key)
                    .bind(*name)
                    .bind(*kind)
                    .bind(value.as_str())
                    .bind(*number)
                    .bind(created_at_ms)
                    .bind(thread);
            }
            query.execute(c).await.map(drop)
        })
        .map_err(on("thread_metadata"))?;
    }
    Ok(())
}

pub(super) async fn delete_metadata(tx: &mut Tx, key: &DataKey, thread: &str) -> Result<(), Fault> {
    on_tx!(tx.write(), |c| sqlx::query(DELETE_METADATA)
        .bind(key.project.as_str())
        .bind(&*key.key)
        .bind(thread)
        .execute(c)
        .await
        .map(drop))
    .map_err(on("thread_metadata"))
}
