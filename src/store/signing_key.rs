//! The keys that sign tokens. Deployment-wide: a token's `pid` binds it to its project.

use sqlx::FromRow;

use super::Store;
use super::db::{on_db, on_tx};
use super::fault::{Fault, corrupt, on};
use super::room_cache::Touched;
use crate::error::Error;

const INSERT_KEY: &str = "INSERT INTO signing_key \
    (kid, algorithm, pkcs8, created_at_ms, retired_at_ms) VALUES ($1, $2, $3, $4, $5) \
    ON CONFLICT (kid) DO NOTHING";
const SELECT_KEYS: &str = "SELECT kid, algorithm, pkcs8, created_at_ms, retired_at_ms \
    FROM signing_key ORDER BY created_at_ms, kid";
/// Retiring again keeps the first time.
const RETIRE_KEY: &str = "UPDATE signing_key SET retired_at_ms = COALESCE(retired_at_ms, $2) \
    WHERE kid = $1";
const DELETE_RETIRED: &str = "DELETE FROM signing_key WHERE retired_at_ms < $1";

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SigningAlgorithm {
    Es256,
    EdDsa,
}

impl SigningAlgorithm {
    /// As JOSE spells it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Es256 => "ES256",
            Self::EdDsa => "EdDSA",
        }
    }
}

#[derive(Clone, PartialEq, Eq)]
pub struct SigningKey {
    pub kid: String,
    pub algorithm: SigningAlgorithm,
    /// The private key.
    pub pkcs8: Vec<u8>,
    pub created_at_ms: i64,
    /// Since when it no longer signs; it verifies until it is deleted.
    pub retired_at_ms: Option<i64>,
}

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The private key must not reach a log.
        f.debug_struct("SigningKey")
            .field("kid", &self.kid)
            .field("algorithm", &self.algorithm)
            .field("created_at_ms", &self.created_at_ms)
            .field("retired_at_ms", &self.retired_at_ms)
            .finish_non_exhaustive()
    }
}

#[derive(FromRow)]
struct SigningKeyRow {
    kid: String,
    algorithm: String,
    pkcs8: Vec<u8>,
    created_at_ms: i64,
    retired_at_ms: Option<i64>,
}

impl SigningKeyRow {
    fn into_key(self) -> Result<SigningKey, Error> {
        let algorithm = match self.algorithm.as_str() {
            "ES256" => SigningAlgorithm::Es256,
            "EdDSA" => SigningAlgorithm::EdDsa,
            other => {
                let why = format!("key `{}`: {other}", self.kid);
                return Err(corrupt("signing_key", "algorithm", why));
            }
        };
        Ok(SigningKey {
            kid: self.kid,
            algorithm,
            pkcs8: self.pkcs8,
            created_at_ms: self.created_at_ms,
            retired_at_ms: self.retired_at_ms,
        })
    }
}

impl Store {
    /// False if there is a key with this id, which stays as it is.
    pub async fn insert_signing_key(&self, key: &SigningKey) -> Result<bool, Error> {
        self.transact("insert_signing_key", Touched::nothing(), key.clone(), |tx, key| {
            Box::pin(async move {
                let inserted = on_tx!(tx.write(), |c| sqlx::query(INSERT_KEY)
                    .bind(key.kid.as_str())
                    .bind(key.algorithm.as_str())
                    .bind(key.pkcs8.as_slice())
                    .bind(key.created_at_ms)
                    .bind(key.retired_at_ms)
                    .execute(c)
                    .await
                    .map(|done| done.rows_affected()))
                .map_err(on("signing_key"))?;
                Ok::<_, Fault>(inserted > 0)
            })
        })
        .await
    }

    /// All of them, oldest first; rotation keeps them few.
    pub async fn list_signing_keys(&self) -> Result<Vec<SigningKey>, Error> {
        let rows: Vec<SigningKeyRow> = self
            .read("signing_key", async {
                on_db!(&self.inner.db, |c| sqlx::query_as(SELECT_KEYS).fetch_all(c).await)
            })
            .await?;
        rows.into_iter().map(SigningKeyRow::into_key).collect()
    }

    /// False if there is no such key.
    pub async fn retire_signing_key(&self, kid: &str, now_ms: i64) -> Result<bool, Error> {
        let args = (kid.to_owned(), now_ms);
        self.transact("retire_signing_key", Touched::nothing(), args, |tx, (kid, now_ms)| {
            Box::pin(async move {
                let retired = on_tx!(tx.write(), |c| sqlx::query(RETIRE_KEY)
                    .bind(kid.as_str())
                    .bind(*now_ms)
                    .execute(c)
                    .await
                    .map(|done| done.rows_affected()))
                .map_err(on("signing_key"))?;
                Ok::<_, Fault>(retired > 0)
            })
        })
        .await
    }

    /// Forgets keys that no token in use can be signed with any more; says how many.
    pub async fn delete_signing_keys_retired_before(&self, ms: i64) -> Result<u64, Error> {
        self.transact("delete_signing_keys", Touched::nothing(), ms, |tx, ms| {
            Box::pin(async move {
                on_tx!(tx.write(), |c| sqlx::query(DELETE_RETIRED)
                    .bind(*ms)
                    .execute(c)
                    .await
                    .map(|done| done.rows_affected()))
                .map_err(on("signing_key"))
            })
        })
        .await
    }
}
