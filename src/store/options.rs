//! How the store is opened. Plain data: the configuration fills it in.

use std::path::PathBuf;
use std::time::Duration;

use crate::objects::Objects;

/// Where the data lives.
#[derive(Clone, PartialEq, Eq)]
pub enum Target {
    /// One file, created with its directory if it is missing.
    Sqlite { path: PathBuf },
    /// `postgres://user:password@host:port/database?sslmode=...`
    Postgres { url: String },
}

impl std::fmt::Debug for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Sqlite { path } => write!(f, "Sqlite({})", path.display()),
            // The URL may hold a password.
            Self::Postgres { .. } => f.write_str("Postgres(..)"),
        }
    }
}

pub const ROOM_CACHE_BYTES_MAX: u64 = 64 << 20;
pub const GROUP_COMMIT_MAX: usize = 256;
const CONNECTIONS_MAX: u32 = 10;
const SQLITE_READERS_MAX: u32 = 4;
const ACQUIRE_TIMEOUT_MS: u64 = 1_500;
/// Clients give a connection 20 s, and find what was loaded meanwhile when they come again.
const ROOM_PATIENCE_MS: u64 = 30_000;
const STATEMENT_TIMEOUT_MS: u64 = 10_000;
const BUSY_TIMEOUT_MS: u64 = 5_000;

#[derive(Debug, Clone)]
pub struct DatabaseOptions {
    pub target: Target,
    /// Connections to PostgreSQL, at most.
    pub connections_max: u32,
    /// Reading connections to the SQLite file, at most; there is always one more that writes.
    pub sqlite_readers_max: u32,
    /// How long a call waits for a free connection, or for the database to accept one, before it
    /// is told that the database is unavailable.
    pub acquire_timeout: Duration,
    /// How long a room waits instead: to be refused would cost it and everybody more than to wait.
    pub room_patience: Duration,
    /// How long one statement may take on PostgreSQL.
    pub statement_timeout: Duration,
    /// How long SQLite waits for another process that holds the file's write lock.
    pub busy_timeout: Duration,
    /// How many writes may share one commit of SQLite; 1 is one commit per request.
    pub group_commit_max: usize,
    /// Memory for rooms that were read lately; 0 turns the cache off.
    pub cache_bytes_max: u64,
    /// Where the bytes of new files go, if not into the database.
    pub objects: Option<Objects>,
}

impl DatabaseOptions {
    pub fn new(target: Target) -> Self {
        Self {
            target,
            connections_max: CONNECTIONS_MAX,
            sqlite_readers_max: SQLITE_READERS_MAX,
            acquire_timeout: Duration::from_millis(ACQUIRE_TIMEOUT_MS),
            room_patience: Duration::from_millis(ROOM_PATIENCE_MS),
            statement_timeout: Duration::from_millis(STATEMENT_TIMEOUT_MS),
            busy_timeout: Duration::from_millis(BUSY_TIMEOUT_MS),
            group_commit_max: GROUP_COMMIT_MAX,
            cache_bytes_max: ROOM_CACHE_BYTES_MAX,
            objects: None,
        }
    }
}
