//! Random bytes that every node of a deployment shares, made by whoever needs them first.

use super::Store;
use super::db::{on_db, on_tx};
use super::fault::{corrupt, on};
use super::room_cache::Touched;
use crate::error::Error;

const SELECT_SECRET: &str = "SELECT secret FROM deployment_secret WHERE name = $1";
const INSERT_SECRET: &str = "INSERT INTO deployment_secret (name, secret) VALUES ($1, $2) \
    ON CONFLICT (name) DO NOTHING";

impl Store {
    /// The secret of this name; the first call makes it.
    pub async fn deployment_secret(&self, name: &str) -> Result<[u8; 32], Error> {
        if let Some(secret) = self.find_secret(name).await? {
            return Ok(secret);
        }
        let mut fresh = [0; 32];
        aws_lc_rs::rand::fill(&mut fresh)
            .map_err(|_| Error::internal("the system gives no random bytes"))?;
        let args = (name.to_owned(), fresh);
        self.transact("insert_deployment_secret", Touched::nothing(), args, |tx, (name, fresh)| {
            Box::pin(async move {
                on_tx!(tx.write(), |c| sqlx::query(INSERT_SECRET)
                    .bind(name.as_str())
                    .bind(fresh.as_slice())
                    .execute(c)
                    .await
                    .map(drop))
                .map_err(on("deployment_secret"))
            })
        })
        .await?;
        // Not `fresh`: another node may have been quicker.
        let secret = self.find_secret(name).await?;
        secret.ok_or_else(|| Error::internal("a deployment secret vanished"))
    }

    async fn find_secret(&self, name: &str) -> Result<Option<[u8; 32]>, Error> {
        let row: Option<(Vec<u8>,)> = self
            .read("deployment_secret", async {
                on_db!(&self.inner.db, |c| sqlx::query_as(SELECT_SECRET)
                    .bind(name)
                    .fetch_optional(c)
                    .await)
            })
            .await?;
        let Some((secret,)) = row else { return Ok(None) };
        let secret = <[u8; 32]>::try_from(secret.as_slice())
            .map_err(|error| corrupt("deployment_secret", "secret", error))?;
        Ok(Some(secret))
    }
}
