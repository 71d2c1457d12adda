//! The documents of a room: for each a snapshot in chunks, and the log of what came after it.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use sqlx::FromRow;

use super::Store;
use super::db::{Tx, on_db, on_tx};
use super::document_snapshot::latest;
use super::fault::{Fault, on};
use super::room_data::RoomKey;
use crate::domain::ids::check_text;
use crate::error::Error;

/// Bytes that the id of a subdocument may have.
pub const SUBDOCUMENT_GUID_BYTES_MAX: usize = 256;

/// One statement, so that both halves are of one moment. Sorted by whoever reads it: a sort in the
/// database would copy every payload.
const SELECT_DOCUMENT: &str = "SELECT chunk AS place, upto_seq AS upto_seq, payload AS payload \
    FROM document_snapshot WHERE project_id = $1 AND key = $2 AND document = $3 UNION ALL \
    SELECT seq, NULL, payload \
    FROM document_update WHERE project_id = $1 AND key = $2 AND document = $3";
/// The first name after another, from the log or from the snapshots.
macro_rules! next_document {
    ($after:literal) => {
        concat!(
            "(SELECT MIN(n.document) FROM (\
             SELECT MIN(u.document) AS document FROM document_update u \
             WHERE u.project_id = $1 AND u.key = $2 AND u.document > ",
            $after,
            " UNION ALL SELECT MIN(s.document) FROM document_snapshot s \
             WHERE s.project_id = $1 AND s.key = $2 AND s.document > ",
            $after,
            ") n)"
        )
    };
}
/// Jumps from name to name, whatever the length of each log.
const SELECT_DOCUMENTS: &str = concat!(
    "WITH RECURSIVE d (document) AS (SELECT ",
    next_document!("$3"),
    " UNION ALL SELECT ",
    next_document!("d.document"),
    " FROM d WHERE d.document IS NOT NULL) \
     SELECT document FROM d WHERE document IS NOT NULL LIMIT $4"
);
const DELETE_SNAPSHOT: &str = "DELETE FROM document_snapshot \
    WHERE project_id = $1 AND key = $2 AND document = $3 AND upto_seq <= $4";
const DELETE_UPDATES: &str = "DELETE FROM document_update \
    WHERE project_id = $1 AND key = $2 AND document = $3 AND seq <= $4";

/// A document's name inside its room.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DocumentId(Arc<str>);

impl DocumentId {
    /// The tree of live objects, lists and maps.
    pub fn storage() -> Self {
        Self("storage".into())
    }

    /// The room's Yjs document.
    pub fn yjs() -> Self {
        Self("yjs".into())
    }

    /// A Yjs document inside the room's Yjs document; `guid` comes from a client.
    pub fn subdocument(guid: &str) -> Result<Self, Error> {
        if guid.is_empty() || guid.len() > SUBDOCUMENT_GUID_BYTES_MAX {
            let problem = format!("must have 1 to {SUBDOCUMENT_GUID_BYTES_MAX} bytes");
            return Err(Error::invalid("guid", problem));
        }
        check_text("guid", guid)?;
        Ok(Self(format!("yjs/{guid}").into()))
    }

    /// The id that [`DocumentId::subdocument`] was made of.
    pub fn guid(&self) -> Option<&str> {
        self.0.strip_prefix("yjs/")
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for DocumentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

/// One entry of a document's log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DocumentUpdate {
    pub document: DocumentId,
    /// Grows along the log of its document; numbers may be left out.
    pub seq: i64,
    pub payload: Bytes,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredDocument {
    /// In order; empty if there is no snapshot.
    pub snapshot: Vec<Bytes>,
    /// What came after the snapshot, in order.
    pub updates: Vec<Bytes>,
    /// Greater than every number that the document knows of, at least 1.
    pub next_seq: i64,
}

#[derive(Debug, Clone, FromRow)]
pub(super) struct PartRow {
    pub place: i64,
    /// Of a snapshot's chunks only.
    pub upto_seq: Option<i64>,
    pub payload: Vec<u8>,
}

impl Store {
    /// A document that was never written is empty.
    pub async fn load_document(
        &self,
        key: &RoomKey,
        document: &DocumentId,
    ) -> Result<StoredDocument, Error> {
        let rows: Vec<PartRow> = self
            .read("document_update", async {
                on_db!(&self.inner.db, |c| sqlx::query_as(SELECT_DOCUMENT)
                    .bind(key.data.project.as_str())
                    .bind(&*key.data.key)
                    .bind(document.as_str())
                    .fetch_all(c)
                    .await)
            })
            .await?;
        assemble(rows)
    }

    /// The documents that hold anything, by name, after `after`.
    pub async fn list_documents(
        &self,
        key: &RoomKey,
        after: Option<&DocumentId>,
        limit: usize,
    ) -> Result<Vec<DocumentId>, Error> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let rows: Vec<(String,)> = self
            .read("document_update", async {
                on_db!(&self.inner.db, |c| sqlx::query_as(SELECT_DOCUMENTS)
                    .bind(key.data.project.as_str())
                    .bind(&*key.data.key)
                    .bind(after.map_or("", DocumentId::as_str))
                    .bind(limit)
                    .fetch_all(c)
                    .await)
            })
            .await?;
        Ok(rows.into_iter().map(|(name,)| DocumentId(name.into())).collect())
    }
}

/// Entries of the log that the snapshot holds are there while they wait to be deleted.
fn assemble(mut rows: Vec<PartRow>) -> Result<StoredDocument, Error> {
    rows.sort_by_key(|row| row.place);
    let (parts, entries): (Vec<_>, Vec<_>) =
        rows.into_iter().partition(|row| row.upto_seq.is_some());
    let (snapshot, upto_seq) = latest(parts)?;
    let held = upto_seq.unwrap_or(0);
    let mut last_seq = held;
    let mut updates = Vec::with_capacity(entries.len());
    for entry in entries {
        last_seq = last_seq.max(entry.place);
        if upto_seq.is_none() || entry.place > held {
            updates.push(Bytes::from(entry.payload));
        }
    }
    Ok(StoredDocument { snapshot, updates, next_seq: last_seq + 1 })
}

/// A snapshot that goes further than that stays.
pub(super) async fn delete_up_to(
    tx: &mut Tx,
    key: &RoomKey,
    document: &DocumentId,
    upto_seq: i64,
) -> Result<(), Fault> {
    on_tx!(tx.write(), |c| sqlx::query(DELETE_SNAPSHOT)
        .bind(key.data.project.as_str())
        .bind(&*key.data.key)
        .bind(document.as_str())
        .bind(upto_seq)
        .execute(c)
        .await
        .map(drop))
    .map_err(on("document_snapshot"))?;
    on_tx!(tx.write(), |c| sqlx::query(DELETE_UPDATES)
        .bind(key.data.project.as_str())
        .bind(&*key.data.key)
        .bind(document.as_str())
        .bind(upto_seq)
        .execute(c)
        .await
        .map(drop))
    .map_err(on("document_update"))
}
