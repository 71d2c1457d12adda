//! API keys. The secret itself is never stored: only its SHA-256, and a hint to tell keys apart.

use sqlx::FromRow;

use super::Store;
use super::db::{on_db, on_tx};
use super::fault::{Fault, corrupt, on};
use super::room_cache::Touched;
use crate::domain::ids::ProjectId;
use crate::error::Error;

const INSERT_KEY: &str = "INSERT INTO api_key \
    (project_id, id, kind, hash, hint, created_at_ms, revoked_at_ms) \
    VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING";
const SELECT_BY_HASH: &str = "SELECT project_id, id, kind, hash, hint, created_at_ms, \
    revoked_at_ms FROM api_key WHERE hash = $1";
const SELECT_PAGE: &str = "SELECT project_id, id, kind, hash, hint, created_at_ms, revoked_at_ms \
    FROM api_key WHERE project_id = $1 AND (created_at_ms, id) > ($2, $3) \
    ORDER BY created_at_ms, id LIMIT $4";
/// Revoking again keeps the first time.
const REVOKE_KEY: &str = "UPDATE api_key SET revoked_at_ms = COALESCE(revoked_at_ms, $3) \
    WHERE project_id = $1 AND id = $2 \
    RETURNING project_id, id, kind, hash, hint, created_at_ms, revoked_at_ms";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ApiKeyKind {
    /// May do everything in its project.
    Secret,
    /// For browsers: an anonymous user.
    Public,
}

impl ApiKeyKind {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Secret => "secret",
            Self::Public => "public",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiKey {
    pub project_id: ProjectId,
    /// `key_...`; names the key to its owner, and is no secret.
    pub id: String,
    pub kind: ApiKeyKind,
    /// SHA-256 of the key.
    pub hash: [u8; 32],
    /// A public key in full, a secret key masked.
    pub hint: String,
    pub created_at_ms: i64,
    pub revoked_at_ms: Option<i64>,
}

#[derive(Debug, FromRow)]
struct ApiKeyRow {
    project_id: String,
    id: String,
    kind: String,
    hash: Vec<u8>,
    hint: String,
    created_at_ms: i64,
    revoked_at_ms: Option<i64>,
}

impl ApiKeyRow {
    fn into_key(self) -> Result<ApiKey, Error> {
        let kind = match self.kind.as_str() {
            "secret" => ApiKeyKind::Secret,
            "public" => ApiKeyKind::Public,
            other => return Err(corrupt("api_key", "kind", format!("key `{}`: {other}", self.id))),
        };
        let hash = <[u8; 32]>::try_from(self.hash.as_slice())
            .map_err(|error| corrupt("api_key", "hash", format!("key `{}`: {error}", self.id)))?;
        Ok(ApiKey {
            project_id: ProjectId::trusted(self.project_id),
            id: self.id,
            kind,
            hash,
            hint: self.hint,
            created_at_ms: self.created_at_ms,
            revoked_at_ms: self.revoked_at_ms,
        })
    }
}

impl Store {
    /// False if a key with this id or this hash exists, which stays as it is. The key's project
    /// must exist.
    pub async fn insert_api_key(&self, key: &ApiKey) -> Result<bool, Error> {
        self.transact("insert_api_key", Touched::nothing(), key.clone(), |tx, key| {
            Box::pin(async move {
                let inserted = on_tx!(tx.write(), |c| sqlx::query(INSERT_KEY)
                    .bind(key.project_id.as_str())
                    .bind(key.id.as_str())
                    .bind(key.kind.as_str())
                    .bind(key.hash.as_slice())
                    .bind(key.hint.as_str())
                    .bind(key.created_at_ms)
                    .bind(key.revoked_at_ms)
                    .execute(c)
                    .await
                    .map(|done| done.rows_affected()))
                .map_err(on("api_key"))?;
                Ok::<_, Fault>(inserted > 0)
            })
        })
        .await
    }

    /// Also finds revoked keys; the caller decides what to tell whoever sent one.
    pub async fn find_api_key_by_hash(&self, hash: &[u8; 32]) -> Result<Option<ApiKey>, Error> {
        let row: Option<ApiKeyRow> = self
            .read("api_key", async {
                on_db!(&self.inner.db, |c| sqlx::query_as(SELECT_BY_HASH)
                    .bind(hash.as_slice())
                    .fetch_optional(c)
                    .await)
            })
            .await?;
        row.map(ApiKeyRow::into_key).transpose()
    }

    /// Oldest first, those after the key `after` (its time and id), revoked ones included.
    pub async fn list_api_keys(
        &self,
        project: &ProjectId,
        after: Option<(i64, &str)>,
        limit: usize,
    ) -> Result<Vec<ApiKey>, Error> {
        let (created_at_ms, id) = after.unwrap_or((i64::MIN, ""));
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let rows: Vec<ApiKeyRow> = self
            .read("api_key", async {
                on_db!(&self.inner.db, |c| sqlx::query_as(SELECT_PAGE)
                    .bind(project.as_str())
                    .bind(created_at_ms)
                    .bind(id)
                    .bind(limit)
                    .fetch_all(c)
                    .await)
            })
            .await?;
        rows.into_iter().map(ApiKeyRow::into_key).collect()
    }

    /// The key as it is now, or `None` if the project has no such key.
    pub async fn revoke_api_key(
        &self,
        project: &ProjectId,
        id: &str,
        now_ms: i64,
    ) -> Result<Option<ApiKey>, Error> {
        let args = (project.clone(), id.to_owned(), now_ms);
        self.transact("revoke_api_key", Touched::nothing(), args, |tx, (project, id, now_ms)| {
            Box::pin(async move {
                let row: Option<ApiKeyRow> = on_tx!(tx.write(), |c| sqlx::query_as(REVOKE_KEY)
                    .bind(project.as_str())
                    .bind(id.as_str())
                    .bind(*now_ms)
                    .fetch_optional(c)
                    .await)
                .map_err(on("api_key"))?;
                Ok(row.map(ApiKeyRow::into_key).transpose()?)
            })
        })
        .await
    }
}
