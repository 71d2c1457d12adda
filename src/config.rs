//! Everything an operator can set, parsed once into types that cannot be wrong.
//!
//! Invariant: nothing outside [`load`] reads the environment or a file to decide how the program
//! behaves. A flag beats a `ROOMD_*` variable, which beats the file, which beats the default.

mod limits;
mod load;
mod nearest;
pub mod options;
mod rtc;
mod value;

use std::net::IpAddr;
use std::path::PathBuf;

pub use self::limits::Limits;
pub use self::load::{ConfigError, Environment, Loaded, Origin, Source, load};
pub use self::rtc::RtcListen;
pub use self::value::{DatabaseUrl, ListenAddress, LogFormat, SigningAlgorithm};

use crate::domain::live::{LiveKeyPair, SECRET_BYTES_ADVISED};
use crate::objects::ObjectsPlace;
use crate::pages::Networks;
use crate::webhooks::WebhookUrls;

pub const PORT_DEFAULT: u16 = 1153;
/// The name of the SQLite database in the data folder.
pub const DATABASE_FILE: &str = "roomd.db";

/// The effective configuration. What each option means and its range stand in
/// [`options::OPTIONS`].
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    pub listen: ListenAddress,
    pub tls_cert: Option<PathBuf>,
    pub tls_key: Option<PathBuf>,
    pub shutdown_grace_ms: u64,
    pub data_dir: PathBuf,
    pub database_url: Option<DatabaseUrl>,
    pub database_connections_max: u32,
    pub database_timeout_ms: u64,
    pub group_commit_max: usize,
    pub room_cache_bytes_max: u64,
    pub token_ttl_seconds: u64,
    /// LiveKit keys of the default project, besides those that the database has.
    pub livekit_keys: Vec<LiveKeyPair>,
    /// Absent for the database.
    pub file_store: Option<ObjectsPlace>,
    pub signing_algorithm: SigningAlgorithm,
    pub signing_key_max_age_days: u64,
    pub log_format: LogFormat,
    pub log_filter: String,
    pub otlp_endpoint: Option<String>,
    pub page_networks: Networks,
    /// Whether whoever enters a room first by LiveKit's signalling brings it to life.
    pub livekit_auto_create: bool,
    /// Whether a back end may unmute people.
    pub livekit_remote_unmute: bool,
    pub rtc_listen: RtcListen,
    pub rtc_addresses: Vec<IpAddr>,
    pub webhook_urls: WebhookUrls,
    /// Its secret signs what is sent to `webhook_urls`.
    pub livekit_webhook_api_key: Option<String>,
    pub limits: Limits,
    /// Whether `sk_localdev`, `pk_localdev` and LiveKit's `devkey` open the default project. Only
    /// `roomd dev` sets it; no option does, so that no mistake in a configuration opens a
    /// production server.
    pub takes_well_known_keys: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: ListenAddress::new("127.0.0.1", PORT_DEFAULT),
            tls_cert: None,
            tls_key: None,
            // Half of the 30 s that Kubernetes gives, so that closing the database fits as well.
            shutdown_grace_ms: 15_000,
            data_dir: PathBuf::from("roomd-data"),
            database_url: None,
            database_connections_max: 16,
            database_timeout_ms: 1_500,
            group_commit_max: 256,
            room_cache_bytes_max: 64 << 20,
            token_ttl_seconds: 3_600,
            livekit_keys: Vec::new(),
            file_store: None,
            signing_algorithm: SigningAlgorithm::Es256,
            signing_key_max_age_days: 30,
            log_format: LogFormat::Auto,
            log_filter: "info".to_owned(),
            otlp_endpoint: None,
            page_networks: Networks::default(),
            livekit_auto_create: true,
            livekit_remote_unmute: false,
            rtc_listen: RtcListen::Auto,
            rtc_addresses: Vec::new(),
            webhook_urls: WebhookUrls::default(),
            livekit_webhook_api_key: None,
            limits: Limits::PRODUCTION,
            takes_well_known_keys: false,
        }
    }
}

impl Config {
    /// Where the SQLite database is, unless the records are in PostgreSQL.
    pub fn sqlite_path(&self) -> Option<PathBuf> {
        match &self.database_url {
            None => Some(self.data_dir.join(DATABASE_FILE)),
            Some(url) => url.sqlite_path().map(PathBuf::from),
        }
    }

    /// The database as a person may read it.
    pub fn database_shown(&self) -> String {
        match (&self.database_url, self.sqlite_path()) {
            (_, Some(path)) => format!("SQLite, {}", path.display()),
            (Some(url), None) => format!("PostgreSQL, {url}"),
            (None, None) => String::new(),
        }
    }

    /// What is taken as it is, and better changed.
    fn oddities(&self) -> Vec<String> {
        let is_short = |key: &&LiveKeyPair| key.secret.expose().len() < SECRET_BYTES_ADVISED;
        let warning = |key: &LiveKeyPair| {
            let id = &key.id;
            format!(
                "option `livekit_keys`: the secret of `{id}` is shorter than \
                 {SECRET_BYTES_ADVISED} characters, so it can be guessed from a token"
            )
        };
        self.livekit_keys.iter().filter(is_short).map(warning).collect()
    }

    /// What single options cannot know of each other.
    fn check_together(&self) -> Vec<String> {
        let mut problems = Vec::new();
        match (&self.tls_cert, &self.tls_key) {
            (Some(_), None) => problems.push("option `tls_cert` needs `tls_key` too".to_owned()),
            (None, Some(_)) => problems.push("option `tls_key` needs `tls_cert` too".to_owned()),
            (Some(_), Some(_)) | (None, None) => {}
        }
        if !self.webhook_urls.is_empty() && self.livekit_webhook_api_key.is_none() {
            problems.push("option `webhook_urls` needs `livekit_webhook_api_key` too".to_owned());
        }
        let (usual, longest) = (self.limits.request_timeout_ms, self.limits.request_timeout_ms_max);
        if usual > longest {
            problems.push(format!(
                "option `request_timeout_ms` ({usual}) must not be above `request_timeout_ms_max` \
                 ({longest})"
            ));
        }
        problems
    }
}

#[cfg(test)]
mod tests;
