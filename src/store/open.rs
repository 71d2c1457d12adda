//! Opening the database, and its migrations.

use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use sqlx::migrate::{MigrateError, Migrator};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection, Executor, PgConnection, SqliteConnection};
use tokio_util::task::TaskTracker;

use super::db::Db;
use super::fault::{Fault, on};
use super::options::{DatabaseOptions, Target};
use super::quiet_polls::QuietPolls;
use super::room_cache::RoomCache;
use super::stamps::Stamps;
use super::turns::{Lane, Turns};
use super::user_access::LastTokens;
use super::writer::Writer;
use super::{Inner, Store};
use crate::error::{Code, Error};

static SQLITE_MIGRATIONS: Migrator = sqlx::migrate!("src/store/migrations/sqlite");
static POSTGRES_MIGRATIONS: Migrator = sqlx::migrate!("src/store/migrations/postgres");

/// Memory for pages of the file, per reading connection.
const SQLITE_CACHE_KIB: i64 = 16 * 1024;
/// The same for the writer: every room that is written to has pages of its own in every index, and
/// what is not in memory is read again for each write.
const SQLITE_WRITER_CACHE_KIB: i64 = 64 * 1024;
/// The log is folded back into the file when it has this many pages of 4 KiB: each fold costs two
/// syncs, and a longer log costs disk and a slower start after a crash.
const WAL_CHECKPOINT_PAGES: i64 = 4_000;
/// What a call may take on top of its statement: getting a connection, and the network.
const CALL_SLACK_MS: u64 = 2_000;
const OPEN_RETRY_MS: u64 = 20;

pub(super) async fn open(options: DatabaseOptions) -> Result<Store, Error> {
    let (db, writer) = match &options.target {
        Target::Sqlite { path } => open_sqlite(path, &options).await?,
        Target::Postgres { url } => (open_postgres(url, &options).await?, None),
    };
    let call_timeout =
        options.acquire_timeout + options.statement_timeout + Duration::from_millis(CALL_SLACK_MS);
    let cache = Arc::new(RoomCache::new(options.cache_bytes_max));
    let connections_max = match &db {
        Db::Sqlite(_) => options.sqlite_readers_max,
        Db::Postgres(_) => options.connections_max,
    };
    let turns =
        Arc::new(Turns::new(connections_max, options.acquire_timeout, options.room_patience));
    let inner = Inner {
        db,
        writer,
        cache,
        turns,
        stamps: Stamps::default(),
        quiet_polls: QuietPolls::default(),
        last_tokens: LastTokens::default(),
        tasks: TaskTracker::new(),
        objects: options.objects.clone(),
        call_timeout,
    };
    Ok(Store { inner: Arc::new(inner), lane: Lane::Calls })
}

async fn open_sqlite(
    path: &Path,
    options: &DatabaseOptions,
) -> Result<(Db, Option<Writer>), Error> {
    create_private_file(path)?;
    let connect = SqliteConnectOptions::new()
        .filename(path)
        .busy_timeout(options.busy_timeout)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .pragma("cache_size", format!("-{SQLITE_WRITER_CACHE_KIB}"))
        // What a statement may have to take back is kept aside, which is a file otherwise.
        .pragma("temp_store", "MEMORY")
        .pragma("wal_autocheckpoint", WAL_CHECKPOINT_PAGES.to_string())
        .disable_statement_logging();
    let conn = open_writer(&connect, options.busy_timeout)
        .await
        .map_err(|error| cannot_open(path, error))?;
    let reading = connect
        .clone()
        .pragma("query_only", "1")
        .pragma("cache_size", format!("-{SQLITE_CACHE_KIB}"));
    let readers = SqlitePoolOptions::new()
        .max_connections(options.sqlite_readers_max.max(1))
        .acquire_timeout(options.acquire_timeout)
        // Readers are cheap to keep and never go stale.
        .idle_timeout(None)
        .max_lifetime(None)
        .test_before_acquire(false)
        .connect_lazy_with(reading);
    let writer = Writer::start(conn, connect, options.group_commit_max);
    Ok((Db::Sqlite(readers), Some(writer)))
}

/// The file holds hashed keys and the signing keys, so nobody else may read it. SQLite gives its
/// log files the mode of the file itself.
fn create_private_file(path: &Path) -> Result<(), Error> {
    if let Some(directory) = path.parent().filter(|directory| !directory.as_os_str().is_empty()) {
        std::fs::create_dir_all(directory).map_err(|error| cannot_open(path, error))?;
    }
    let mut file = std::fs::OpenOptions::new();
    file.create(true).append(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut file, 0o600);
    file.open(path).map(drop).map_err(|error| cannot_open(path, error))
}

fn cannot_open(path: &Path, error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    let error = error.into();
    let public = format!("The database file '{}' cannot be opened: {error}", path.display());
    Error::new(Code::FailedPrecondition, "DATABASE_UNUSABLE", public)
        .suggest("Please check that its directory exists and may be written, and the disk.")
        .because(error)
}

/// Connects and migrates. Two processes that start at once collide here, most of all while the
/// file is switched to its write-ahead log, and SQLite's own waiting does not cover that.
async fn open_writer(
    connect: &SqliteConnectOptions,
    patience: Duration,
) -> Result<SqliteConnection, sqlx::Error> {
    let give_up = tokio::time::Instant::now() + patience;
    loop {
        match connect_and_migrate(connect).await {
            Err(error) if is_busy(&error) && tokio::time::Instant::now() < give_up => {
                tokio::time::sleep(Duration::from_millis(OPEN_RETRY_MS)).await;
            }
            other => return other,
        }
    }
}

async fn connect_and_migrate(
    connect: &SqliteConnectOptions,
) -> Result<SqliteConnection, sqlx::Error> {
    let mut conn = connect.connect().await?;
    // The transaction is the lock: whoever comes second finds everything applied.
    let mut transaction = conn.begin_with("BEGIN IMMEDIATE").await?;
    // Not `run`: of that future the compiler cannot prove that it may be sent.
    SQLITE_MIGRATIONS.run_direct(None, &mut *transaction, false).await?;
    transaction.commit().await?;
    Ok(conn)
}

fn is_busy(error: &sqlx::Error) -> bool {
    let database = match error {
        sqlx::Error::Database(error) => error,
        sqlx::Error::Migrate(error) => match error.as_ref() {
            MigrateError::Execute(sqlx::Error::Database(error))
            | MigrateError::ExecuteMigration(sqlx::Error::Database(error), _) => error,
            _ => return false,
        },
        _ => return false,
    };
    let code = database.code().and_then(|code| code.parse::<u32>().ok()).unwrap_or(0);
    matches!(code & 0xff, 5 | 6)
}

async fn open_postgres(url: &str, options: &DatabaseOptions) -> Result<Db, Error> {
    let connect = PgConnectOptions::from_str(url).map_err(|error| {
        // The error may quote the URL, and the URL may hold a password.
        Error::invalid("databaseUrl", "is not a PostgreSQL URL").because(error)
    })?;
    let server = format!("{}:{}", connect.get_host(), connect.get_port());
    let timeout_ms = options.statement_timeout.as_millis().to_string();
    let connect = connect
        .application_name("roomd")
        // Of the second: a node that froze must not keep its row locks for ever.
        .options([
            ("statement_timeout", timeout_ms.as_str()),
            ("idle_in_transaction_session_timeout", timeout_ms.as_str()),
            // The default is for spinning disks: with it, a page of rooms reads the whole table
            // up to some ten thousand rooms.
            ("random_page_cost", "1.1"),
        ])
        .disable_statement_logging();
    let pool = PgPoolOptions::new()
        .max_connections(options.connections_max.max(1))
        .acquire_timeout(options.acquire_timeout)
        .connect_lazy_with(connect);
    let mut conn = pool.acquire().await.map_err(|error| cannot_reach(&server, error))?;
    match migrate_postgres(&mut conn).await {
        Ok(()) => Ok(Db::Postgres(pool)),
        Err(MigrateError::Execute(error)) => Err(cannot_reach(&server, error)),
        Err(error) => Err(Error::internal(error)),
    }
}

/// sqlx holds an advisory lock of the database meanwhile. Neither waiting for it nor building an
/// index on a big table may run into the timeout that is meant for calls.
async fn migrate_postgres(conn: &mut PgConnection) -> Result<(), MigrateError> {
    conn.execute("SET statement_timeout = 0").await?;
    POSTGRES_MIGRATIONS.run_direct(None, conn, false).await?;
    conn.execute("RESET statement_timeout").await?;
    Ok(())
}

fn cannot_reach(server: &str, error: sqlx::Error) -> Error {
    let text = format!("The database at {server} is not reachable.");
    let cause: Fault = on("(connection)")(error);
    Error::unavailable(text)
        .suggest("Please check the database URL, and that the server is up and lets roomd in.")
        .because(Error::from(cause))
}
