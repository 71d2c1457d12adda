//! What the tokens of users gave them: for those who are to be told of something and do not call.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use moka::sync::Cache;
use sqlx::AssertSqlSafe;

use super::Store;
use super::db::{Tx, on_tx};
use super::fault::{Fault, corrupt, on};
use super::room_cache::Touched;
use super::values::{list, runs};
use crate::domain::ctx::User;
use crate::domain::ids::{OrganizationId, ProjectId, UserId};
use crate::domain::notification::UserAccess;
use crate::error::Error;

/// Users whose last token is remembered, so that the same rights are not written again.
const REMEMBERED_MAX: u64 = 100_000;
/// Makes the row, so that there is one to lock, and locks it.
const LOCK: &str = "INSERT INTO user_access (project_id, user_id, organization_id, access) \
    VALUES ($1, $2, $3, '') ON CONFLICT (project_id, user_id, organization_id) \
    DO UPDATE SET access = user_access.access RETURNING access";
const UPDATE: &str = "UPDATE user_access SET access = $4 \
    WHERE project_id = $1 AND user_id = $2 AND organization_id = $3";
const SELECT: &str = "SELECT user_id, access FROM user_access \
    WHERE project_id = $1 AND organization_id = $2 AND user_id IN ";

type Remembered = (ProjectId, UserId, OrganizationId);

/// The last token of each user, as a number.
#[derive(Debug, Clone)]
pub(super) struct LastTokens(Cache<Remembered, u64>);

impl Default for LastTokens {
    fn default() -> Self {
        Self(Cache::new(REMEMBERED_MAX))
    }
}

impl Store {
    /// Remembers what a token gives that is issued now; usually that is known already.
    pub async fn record_access(&self, project: &ProjectId, user: &User) -> Result<(), Error> {
        let access = UserAccess::of(&user.rights);
        let mut hasher = DefaultHasher::new();
        access.hash(&mut hasher);
        let print = hasher.finish();
        let key = (project.clone(), user.id.clone(), user.organization_id.clone());
        let known = &self.inner.last_tokens.0;
        if known.get(&key) == Some(print) {
            return Ok(());
        }
        let args = (key.clone(), access);
        self.transact("record_access", Touched::nothing(), args, |tx, (key, access)| {
            Box::pin(record(tx, key, access))
        })
        .await?;
        known.insert(key, print);
        Ok(())
    }
}

async fn record(tx: &mut Tx, key: &Remembered, access: &UserAccess) -> Result<(), Fault> {
    let (project, user, organization) = key;
    let (known,): (String,) = on_tx!(tx.write(), |c| sqlx::query_as(LOCK)
        .bind(project.as_str())
        .bind(user.as_str())
        .bind(organization.as_str())
        .fetch_one(c)
        .await)
    .map_err(on("user_access"))?;
    let known = Some(known).filter(|known| !known.is_empty());
    let known = known.as_deref().map(read).transpose()?;
    let access = access.clone().after(known.clone());
    if Some(&access) == known.as_ref() {
        return Ok(());
    }
    let text = serde_json::to_string(&access).map_err(Error::internal)?;
    on_tx!(tx.write(), |c| sqlx::query(UPDATE)
        .bind(project.as_str())
        .bind(user.as_str())
        .bind(organization.as_str())
        .bind(text.as_str())
        .execute(c)
        .await
        .map(drop))
    .map_err(on("user_access"))
}

fn read(text: &str) -> Result<UserAccess, Error> {
    serde_json::from_str(text).map_err(|error| corrupt("user_access", "access", error))
}

/// What is known of these users in an organization.
pub(super) async fn accesses_of(
    tx: &mut Tx,
    (project, organization): (&ProjectId, &OrganizationId),
    users: &[&UserId],
) -> Result<HashMap<String, UserAccess>, Fault> {
    let mut found = HashMap::with_capacity(users.len());
    for run in runs(users) {
        let text = list(SELECT, 3, run.len(), "");
        let rows: Vec<(String, String)> = on_tx!(tx.read(), |c| {
            let mut query = sqlx::query_as(AssertSqlSafe(text))
                .bind(project.as_str())
                .bind(organization.as_str());
            for user in run {
                query = query.bind(user.as_str());
            }
            query.fetch_all(c).await
        })
        .map_err(on("user_access"))?;
        for (user, access) in rows {
            if !access.is_empty() {
                found.insert(user, read(&access)?);
            }
        }
    }
    Ok(found)
}
