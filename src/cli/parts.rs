//! What subcommands are made of: the database, the project, keys and tokens, as configured.

use std::sync::Arc;
use std::time::Duration;

use super::Failure;
use crate::auth::api_key::PROJECT_DEFAULT;
use crate::auth::credentials::{AuthOptions, Authenticator};
use crate::auth::signing::{SigningAlgorithm, SigningKeys, SigningOptions};
use crate::auth::tokens::{TokenOptions, Tokens};
use crate::config::{self, Config};
use crate::domain::ids::ProjectId;
use crate::error::Error;
use crate::objects::Objects;
use crate::store::{DatabaseOptions, Store, Target};

const DAY_MS: i64 = 86_400_000;

/// The project that a subcommand works on.
#[derive(Debug, clap::Args)]
pub struct ProjectArg {
    /// Project to work on
    #[arg(long, value_name = "ID", default_value = PROJECT_DEFAULT)]
    project: String,
}

impl ProjectArg {
    /// The project, which must exist.
    pub async fn find(&self, store: &Store) -> Result<ProjectId, Failure> {
        let project = ProjectId::parse("project", &self.project)?;
        match store.find_project(&project).await? {
            Some(_) => Ok(project),
            None => Err(Failure::Usage(format!(
                "there is no project `{project}` in this database; the first start of the server \
                 creates `{PROJECT_DEFAULT}`"
            ))),
        }
    }
}

/// Where files lie beside the database, if they do; fails unless it can be written and read.
pub async fn open_objects(config: &Config) -> Result<Option<Objects>, Error> {
    let Some(place) = &config.file_store else { return Ok(None) };
    let objects = Objects::open(place)?;
    objects.check().await?;
    Ok(Some(objects))
}

/// What has nothing to do with files needs no objects.
pub async fn open_store(config: &Config, objects: Option<Objects>) -> Result<Store, Error> {
    let target = match (&config.database_url, config.sqlite_path()) {
        (_, Some(path)) => Target::Sqlite { path },
        (Some(url), None) => Target::Postgres { url: url.expose().to_owned() },
        (None, None) => return Err(Error::internal("the configuration names no database")),
    };
    let options = DatabaseOptions {
        connections_max: config.database_connections_max,
        acquire_timeout: Duration::from_millis(config.database_timeout_ms),
        group_commit_max: config.group_commit_max,
        cache_bytes_max: config.room_cache_bytes_max,
        objects,
        ..DatabaseOptions::new(target)
    };
    Store::open(options).await
}

/// Opens the keys that sign tokens; the first time this makes one.
pub async fn open_signing_keys(
    config: &Config,
    store: &Store,
    now_ms: i64,
) -> Result<Arc<SigningKeys>, Error> {
    let algorithm = match config.signing_algorithm {
        config::SigningAlgorithm::Es256 => SigningAlgorithm::Es256,
        config::SigningAlgorithm::EdDsa => SigningAlgorithm::EdDsa,
    };
    let days = i64::try_from(config.signing_key_max_age_days).unwrap_or(i64::MAX / DAY_MS);
    let options = SigningOptions { algorithm, key_age_max_ms: days.saturating_mul(DAY_MS) };
    SigningKeys::open(store.clone(), options, now_ms).await
}

pub fn open_tokens(config: &Config, keys: Arc<SigningKeys>) -> Result<Tokens, Error> {
    let lifetime_s = i64::try_from(config.token_ttl_seconds).map_err(Error::internal)?;
    Tokens::new(keys, &TokenOptions { lifetime_s, ..TokenOptions::default() })
}

pub fn open_authenticator(
    config: &Config,
    store: &Store,
    keys: Arc<SigningKeys>,
) -> Result<Authenticator, Error> {
    let default = ProjectId::trusted(PROJECT_DEFAULT);
    let well_known_keys_of = config.takes_well_known_keys.then_some(default);
    let tokens = open_tokens(config, keys)?;
    let options = AuthOptions { well_known_keys_of, live_keys: config.livekit_keys.clone() };
    Ok(Authenticator::new(store.clone(), tokens, options))
}
