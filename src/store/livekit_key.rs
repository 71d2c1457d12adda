//! API keys of LiveKit's form. Their secrets are stored as they are: a hash verifies no signature.

use sqlx::FromRow;

use super::Store;
use super::db::{on_db, on_tx};
use super::fault::{Fault, on};
use super::room_cache::Touched;
use crate::domain::ids::ProjectId;
use crate::domain::live::LiveSecret;
use crate::error::Error;

const INSERT_KEY: &str = "INSERT INTO livekit_key \
    (project_id, id, secret, created_at_ms, revoked_at_ms) VALUES ($1, $2, $3, $4, $5) \
    ON CONFLICT DO NOTHING";
const SELECT_BY_ID: &str = "SELECT project_id, id, secret, created_at_ms, revoked_at_ms \
    FROM livekit_key WHERE id = $1";
const SELECT_PAGE: &str = "SELECT project_id, id, secret, created_at_ms, revoked_at_ms \
    FROM livekit_key WHERE project_id = $1 AND (created_at_ms, id) > ($2, $3) \
    ORDER BY created_at_ms, id LIMIT $4";
const SELECT_NEWEST: &str = "SELECT project_id, id, secret, created_at_ms, revoked_at_ms \
    FROM livekit_key WHERE project_id = $1 AND revoked_at_ms IS NULL \
    ORDER BY created_at_ms DESC, id DESC LIMIT 1";
/// Revoking again keeps the first time.
const REVOKE_KEY: &str = "UPDATE livekit_key SET revoked_at_ms = COALESCE(revoked_at_ms, $3) \
    WHERE project_id = $1 AND id = $2 \
    RETURNING project_id, id, secret, created_at_ms, revoked_at_ms";

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LiveKey {
    pub project_id: ProjectId,
    /// `API...`, which tokens carry in the open.
    pub id: String,
    pub secret: LiveSecret,
    pub created_at_ms: i64,
    pub revoked_at_ms: Option<i64>,
}

#[derive(FromRow)]
struct LiveKeyRow {
    project_id: String,
    id: String,
    secret: String,
    created_at_ms: i64,
    revoked_at_ms: Option<i64>,
}

impl From<LiveKeyRow> for LiveKey {
    fn from(row: LiveKeyRow) -> Self {
        Self {
            project_id: ProjectId::trusted(row.project_id),
            id: row.id,
            secret: LiveSecret::new(row.secret),
            created_at_ms: row.created_at_ms,
            revoked_at_ms: row.revoked_at_ms,
        }
    }
}

impl Store {
    /// False if there is a key with this id, which stays as it is. The key's project must exist.
    pub async fn insert_livekit_key(&self, key: &LiveKey) -> Result<bool, Error> {
        self.transact("insert_livekit_key", Touched::nothing(), key.clone(), |tx, key| {
            Box::pin(async move {
                let inserted = on_tx!(tx.write(), |c| sqlx::query(INSERT_KEY)
                    .bind(key.project_id.as_str())
                    .bind(key.id.as_str())
                    .bind(key.secret.expose())
                    .bind(key.created_at_ms)
                    .bind(key.revoked_at_ms)
                    .execute(c)
                    .await
                    .map(|done| done.rows_affected()))
                .map_err(on("livekit_key"))?;
                Ok::<_, Fault>(inserted > 0)
            })
        })
        .await
    }

    /// Of whatever project, and revoked ones too; the caller decides what to tell whoever named it.
    pub async fn find_livekit_key(&self, id: &str) -> Result<Option<LiveKey>, Error> {
        let row: Option<LiveKeyRow> = self
            .read("livekit_key", async {
                on_db!(&self.inner.db, |c| sqlx::query_as(SELECT_BY_ID)
                    .bind(id)
                    .fetch_optional(c)
                    .await)
            })
            .await?;
        Ok(row.map(LiveKey::from))
    }

    /// The project's newest key that was not revoked.
    pub async fn newest_livekit_key(&self, project: &ProjectId) -> Result<Option<LiveKey>, Error> {
        let row: Option<LiveKeyRow> = self
            .read("livekit_key", async {
                on_db!(&self.inner.db, |c| sqlx::query_as(SELECT_NEWEST)
                    .bind(project.as_str())
                    .fetch_optional(c)
                    .await)
            })
            .await?;
        Ok(row.map(LiveKey::from))
    }

    /// Oldest first, those after the key `after` (its time and id), revoked ones included.
    pub async fn list_livekit_keys(
        &self,
        project: &ProjectId,
        after: Option<(i64, &str)>,
        limit: usize,
    ) -> Result<Vec<LiveKey>, Error> {
        let (created_at_ms, id) = after.unwrap_or((i64::MIN, ""));
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let rows: Vec<LiveKeyRow> = self
            .read("livekit_key", async {
                on_db!(&self.inner.db, |c| sqlx::query_as(SELECT_PAGE)
                    .bind(project.as_str())
                    .bind(created_at_ms)
                    .bind(id)
                    .bind(limit)
                    .fetch_all(c)
                    .await)
            })
            .await?;
        Ok(rows.into_iter().map(LiveKey::from).collect())
    }

    /// The key as it is now, or `None` if the project has no such key.
    pub async fn revoke_livekit_key(
        &self,
        project: &ProjectId,
        id: &str,
        now_ms: i64,
    ) -> Result<Option<LiveKey>, Error> {
        let args = (project.clone(), id.to_owned(), now_ms);
        self.transact(
            "revoke_livekit_key",
            Touched::nothing(),
            args,
            |tx, (project, id, now_ms)| {
                Box::pin(async move {
                    let row: Option<LiveKeyRow> =
                        on_tx!(tx.write(), |c| sqlx::query_as(REVOKE_KEY)
                            .bind(project.as_str())
                            .bind(id.as_str())
                            .bind(*now_ms)
                            .fetch_optional(c)
                            .await)
                        .map_err(on("livekit_key"))?;
                    Ok::<_, Fault>(row.map(LiveKey::from))
                })
            },
        )
        .await
    }
}
