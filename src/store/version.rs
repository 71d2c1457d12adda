//! Versions: a room's documents as they were at some time.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use sqlx::FromRow;

use super::Store;
use super::db::{Tx, on_db, on_tx};
use super::document::DocumentId;
use super::document_snapshot::pieces;
use super::fault::{Fault, corrupt, on};
use super::room_cache::Touched;
use super::room_data::{DataKey, RoomKey, lock_epoch, random_key};
use crate::domain::ids::UserId;
use crate::error::Error;

const ID_PREFIX: &str = "vh_";
const ID_BYTES_MAX: usize = 64;

macro_rules! select_versions {
    ($condition:literal) => {
        concat!(
            "SELECT id, created_at_ms, kind, authors FROM version \
             WHERE project_id = $1 AND key = $2 AND kind <> 'staged' AND ",
            $condition,
            " ORDER BY created_at_ms DESC, id DESC LIMIT $5"
        )
    };
}

const INSERT_VERSION: &str = "INSERT INTO version \
    (project_id, key, id, created_at_ms, kind, authors) VALUES ($1, $2, $3, $4, $5, $6)";
const INSERT_CHUNK: &str = "INSERT INTO version_chunk \
    (project_id, key, version_id, document, chunk, payload) VALUES ($1, $2, $3, $4, $5, $6)";
const SELECT_BEFORE: &str = select_versions!("(created_at_ms, id) < ($3, $4)");
/// Inclusive; `$4` is not needed here, but takes part so that both have the same parameters.
const SELECT_SINCE: &str = select_versions!("created_at_ms >= $3 AND id >= $4");
const SELECT_VERSION: &str = "SELECT id, created_at_ms, kind, authors FROM version \
    WHERE project_id = $1 AND key = $2 AND id = $3 AND kind <> 'staged'";
/// A version without this document gives one row without a chunk.
const SELECT_CHUNKS: &str = "SELECT c.chunk, c.payload FROM version v \
    LEFT JOIN version_chunk c ON c.project_id = v.project_id AND c.key = v.key \
    AND c.version_id = v.id AND c.document = $4 \
    WHERE v.project_id = $1 AND v.key = $2 AND v.id = $3 AND v.kind <> 'staged' ORDER BY c.chunk";
const DELETE_VERSION: &str = "DELETE FROM version \
    WHERE project_id = $1 AND key = $2 AND id = $3 AND kind <> 'staged'";
/// Where a crash left one that was being written. Only the room's owner writes versions.
const DELETE_STAGED: &str =
    "DELETE FROM version WHERE project_id = $1 AND key = $2 AND kind = 'staged'";
const SHOW_VERSION: &str = "UPDATE version SET kind = $4 \
    WHERE project_id = $1 AND key = $2 AND id = $3 AND kind = 'staged'";

/// The kind of a version of which some is still to be written. Nobody reads such a one.
const STAGED: &str = "staged";

#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct VersionId(Arc<str>);

impl VersionId {
    pub fn random() -> Result<Self, Error> {
        Ok(Self(format!("{ID_PREFIX}{}", random_key()?).into()))
    }

    /// Checks what a caller sent; `field` names it in the error.
    pub fn parse(field: &str, raw: &str) -> Result<Self, Error> {
        let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
        if raw.len() <= ID_BYTES_MAX && raw.starts_with(ID_PREFIX) && raw.bytes().all(is_word) {
            return Ok(Self(raw.into()));
        }
        Err(Error::invalid(field, "must be the id of a version, such as 'vh_...'"))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for VersionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum VersionKind {
    Manual,
    Automatic,
}

impl VersionKind {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Manual => "manual",
            Self::Automatic => "automatic",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    pub id: VersionId,
    pub created_at_ms: i64,
    pub kind: VersionKind,
    /// Who edited the room since the version before.
    pub authors: Vec<UserId>,
}

/// Where a version stands in the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VersionCursor {
    pub created_at_ms: i64,
    pub id: VersionId,
}

#[derive(FromRow)]
struct VersionRow {
    id: String,
    created_at_ms: i64,
    kind: String,
    authors: String,
}

impl VersionRow {
    fn into_version(self) -> Result<Version, Error> {
        let kind = match self.kind.as_str() {
            "manual" => VersionKind::Manual,
            "automatic" => VersionKind::Automatic,
            other => return Err(corrupt("version", "kind", other)),
        };
        let authors: Vec<String> = serde_json::from_str(&self.authors)
            .map_err(|error| corrupt("version", "authors", error))?;
        let authors = authors.into_iter().map(UserId::trusted).collect();
        Ok(Version {
            id: VersionId(self.id.into()),
            created_at_ms: self.created_at_ms,
            kind,
            authors,
        })
    }
}

/// The documents of a version, each in chunks.
type Contents = Vec<(DocumentId, Vec<Bytes>)>;
/// Of which document, where in it, and what.
type Chunk = (DocumentId, i64, Bytes);

fn numbered((document, chunks): (DocumentId, Vec<Bytes>)) -> impl Iterator<Item = Chunk> {
    (0..).zip(chunks).map(move |(place, chunk)| (document.clone(), place, chunk))
}

impl Store {
    /// A large one is written in pieces, which the last makes visible together.
    pub async fn insert_version(
        &self,
        key: &RoomKey,
        version: Version,
        contents: Contents,
    ) -> Result<(), Error> {
        let chunks: Vec<Chunk> = contents.into_iter().flat_map(numbered).collect();
        let mut pieces: Vec<Vec<Chunk>> =
            pieces(&chunks, |chunk| chunk.2.len()).map(|(_, piece)| piece.to_vec()).collect();
        if pieces.len() <= 1 {
            let only = pieces.pop().unwrap_or_default();
            return self.insert_first(key, &version, version.kind.as_str(), only).await;
        }
        let mut pieces = pieces.into_iter();
        self.insert_first(key, &version, STAGED, pieces.next().unwrap_or_default()).await?;
        for piece in pieces {
            let args = (key.clone(), version.id.clone(), piece);
            self.transact("stage_version", Touched::nothing(), args, |tx, (key, id, piece)| {
                Box::pin(async move {
                    lock_epoch(tx, key).await?;
                    insert_chunks(tx, key, id, piece).await
                })
            })
            .await?;
        }
        let args = (key.clone(), version);
        self.transact("show_version", Touched::nothing(), args, |tx, (key, version)| {
            Box::pin(show(tx, key, version))
        })
        .await
    }

    /// The version itself and its first chunks.
    async fn insert_first(
        &self,
        key: &RoomKey,
        version: &Version,
        kind: &'static str,
        piece: Vec<Chunk>,
    ) -> Result<(), Error> {
        let args = (key.clone(), version.clone(), kind, piece);
        self.transact("insert_version", Touched::nothing(), args, |tx, args| {
            let (key, version, kind, piece) = args;
            Box::pin(async move {
                insert(tx, key, version, kind).await?;
                insert_chunks(tx, key, &version.id, piece).await
            })
        })
        .await
    }

    /// The versions after `after`, newest first, at most `limit`.
    pub async fn list_versions(
        &self,
        key: &DataKey,
        after: Option<&VersionCursor>,
        limit: usize,
    ) -> Result<Vec<Version>, Error> {
        let (ms, id) = after.map_or((i64::MAX, ""), |at| (at.created_at_ms, at.id.as_str()));
        self.fetch_versions(SELECT_BEFORE, key, (ms, id), limit).await
    }

    /// The versions made at `since_ms` or later, newest first, at most `limit`.
    pub async fn list_versions_since(
        &self,
        key: &DataKey,
        since_ms: i64,
        limit: usize,
    ) -> Result<Vec<Version>, Error> {
        self.fetch_versions(SELECT_SINCE, key, (since_ms, ""), limit).await
    }

    pub async fn find_version(
        &self,
        key: &DataKey,
        id: &VersionId,
    ) -> Result<Option<Version>, Error> {
        let row: Option<VersionRow> =
            self.find_in_room("version", SELECT_VERSION, key, id.as_str()).await?;
        row.map(VersionRow::into_version).transpose()
    }

    /// One document of a version, in chunks: none if the document was empty then. `None` if there
    /// is no such version.
    pub async fn read_version(
        &self,
        key: &DataKey,
        id: &VersionId,
        document: &DocumentId,
    ) -> Result<Option<Vec<Bytes>>, Error> {
        let rows: Vec<(Option<i64>, Option<Vec<u8>>)> = self
            .read("version_chunk", async {
                on_db!(&self.inner.db, |c| sqlx::query_as(SELECT_CHUNKS)
                    .bind(key.project.as_str())
                    .bind(&*key.key)
                    .bind(id.as_str())
                    .bind(document.as_str())
                    .fetch_all(c)
                    .await)
            })
            .await?;
        if rows.is_empty() {
            return Ok(None);
        }
        let mut chunks = Vec::with_capacity(rows.len());
        for (place, payload) in rows {
            let (Some(place), Some(payload)) = (place, payload) else { continue };
            if usize::try_from(place) != Ok(chunks.len()) {
                let why = format!("{place} comes after {} others", chunks.len());
                return Err(corrupt("version_chunk", "chunk", why));
            }
            chunks.push(Bytes::from(payload));
        }
        Ok(Some(chunks))
    }

    /// Whether there was such a version.
    pub async fn delete_version(&self, key: &DataKey, id: &VersionId) -> Result<bool, Error> {
        let args = (key.clone(), id.clone());
        self.transact("delete_version", Touched::nothing(), args, |tx, (key, id)| {
            Box::pin(async move {
                let deleted = on_tx!(tx.write(), |c| sqlx::query(DELETE_VERSION)
                    .bind(key.project.as_str())
                    .bind(&*key.key)
                    .bind(id.as_str())
                    .execute(c)
                    .await
                    .map(|done| done.rows_affected()))
                .map_err(on("version"))?;
                Ok::<_, Fault>(deleted > 0)
            })
        })
        .await
    }

    async fn fetch_versions(
        &self,
        text: &'static str,
        key: &DataKey,
        (ms, id): (i64, &str),
        limit: usize,
    ) -> Result<Vec<Version>, Error> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let rows: Vec<VersionRow> = self
            .read("version", async {
                on_db!(&self.inner.db, |c| sqlx::query_as(text)
                    .bind(key.project.as_str())
                    .bind(&*key.key)
                    .bind(ms)
                    .bind(id)
                    .bind(limit)
                    .fetch_all(c)
                    .await)
            })
            .await?;
        rows.into_iter().map(VersionRow::into_version).collect()
    }
}

async fn insert(tx: &mut Tx, key: &RoomKey, version: &Version, kind: &str) -> Result<(), Fault> {
    lock_epoch(tx, key).await?;
    on_tx!(tx.write(), |c| sqlx::query(DELETE_STAGED)
        .bind(key.data.project.as_str())
        .bind(&*key.data.key)
        .execute(c)
        .await
        .map(drop))
    .map_err(on("version"))?;
    let authors: Vec<&str> = version.authors.iter().map(UserId::as_str).collect();
    let authors = serde_json::to_string(&authors).map_err(Error::internal)?;
    on_tx!(tx.write(), |c| sqlx::query(INSERT_VERSION)
        .bind(key.data.project.as_str())
        .bind(&*key.data.key)
        .bind(version.id.as_str())
        .bind(version.created_at_ms)
        .bind(kind)
        .bind(authors)
        .execute(c)
        .await
        .map(drop))
    .map_err(on("version"))
}

async fn insert_chunks(
    tx: &mut Tx,
    key: &RoomKey,
    id: &VersionId,
    piece: &[Chunk],
) -> Result<(), Fault> {
    for (document, place, chunk) in piece {
        on_tx!(tx.write(), |c| sqlx::query(INSERT_CHUNK)
            .bind(key.data.project.as_str())
            .bind(&*key.data.key)
            .bind(id.as_str())
            .bind(document.as_str())
            .bind(place)
            .bind(chunk.as_ref())
            .execute(c)
            .await
            .map(drop))
        .map_err(on("version_chunk"))?;
    }
    Ok(())
}

async fn show(tx: &mut Tx, key: &RoomKey, version: &Version) -> Result<(), Fault> {
    lock_epoch(tx, key).await?;
    let shown = on_tx!(tx.write(), |c| sqlx::query(SHOW_VERSION)
        .bind(key.data.project.as_str())
        .bind(&*key.data.key)
        .bind(version.id.as_str())
        .bind(version.kind.as_str())
        .execute(c)
        .await
        .map(|done| done.rows_affected()))
    .map_err(on("version"))?;
    match shown {
        0 => Err(Fault::Rule(Error::internal("a version went away while it was written"))),
        _ => Ok(()),
    }
}
