//! Databases full of rooms, written in bulk against the schema of the migrations.
//!
//! roomd itself makes the schema and the project; only the rooms come from here. Rooms of a kind
//! are spread evenly over time, except for `era`, where the old ones are the oldest fifth. Indexes
//! are built after the rows, which is many times quicker and gives the same indexes.

use std::path::Path;

use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection, SqliteConnection};
use tempfile::TempDir;

use crate::Fail;
use crate::processes::{self, Server};

/// Rooms fall into five parts by id and by `plan`, each part into groups of 200.
pub const FIFTHS: u64 = 5;
const GROUP_ROOMS: u64 = 200;
const POSTGRES_ENV: &str = "ROOMD_TEST_POSTGRES_URL";
const DATABASE_FILE: &str = "roomd.db";
const FIRST_CREATED_AT_MS: u64 = 1_760_000_000_000;

/// Groups in each fifth.
pub fn groups(rooms: u64) -> u64 {
    rooms / FIFTHS / GROUP_ROOMS
}

/// A running server with rooms in it.
pub struct Seeded {
    pub server: Server,
    pub rooms: u64,
    folder: Option<TempDir>,
    /// The server's database and ours, if it is one to drop.
    postgres: Option<(String, String)>,
}

impl Drop for Seeded {
    fn drop(&mut self) {
        self.server.stop();
        drop(self.folder.take());
        if let Some((admin_url, name)) = &self.postgres
            && let Err(error) = runtime().and_then(|rt| rt.block_on(drop_database(admin_url, name)))
        {
            eprintln!("the database {name} stays behind: {error}");
        }
    }
}

pub fn postgres_url() -> Option<String> {
    std::env::var(POSTGRES_ENV).ok().filter(|url| !url.is_empty())
}

pub fn sqlite(rooms: u64, pinning: bool) -> Result<Seeded, Fail> {
    eprintln!("seeding {rooms} rooms in SQLite");
    let folder = processes::data_folder()?;
    drop(processes::roomd_on(folder.path(), pinning, &[])?);
    runtime()?.block_on(fill_sqlite(&folder.path().join(DATABASE_FILE), rooms))?;
    let server = processes::roomd_on(folder.path(), pinning, &[])?;
    Ok(Seeded { server, rooms, folder: Some(folder), postgres: None })
}

pub fn postgres(admin_url: &str, rooms: u64, pinning: bool) -> Result<Seeded, Fail> {
    eprintln!("seeding {rooms} rooms in PostgreSQL");
    let folder = processes::data_folder()?;
    let name = format!("roomd_bench_{}_{rooms}", std::process::id());
    let url = runtime()?.block_on(create_database(admin_url, &name))?;
    let flags = ["--database-url", url.as_str()];
    drop(processes::roomd_on(folder.path(), pinning, &flags)?);
    runtime()?.block_on(fill_postgres(&url, rooms))?;
    let server = processes::roomd_on(folder.path(), pinning, &flags)?;
    let postgres = Some((admin_url.to_owned(), name));
    Ok(Seeded { server, rooms, folder: Some(folder), postgres })
}

fn runtime() -> Result<tokio::runtime::Runtime, Fail> {
    Ok(tokio::runtime::Builder::new_current_thread().enable_all().build()?)
}

/// The rows, in SQL that both databases read the same way.
fn rows(rooms: u64, project: &str) -> [String; 2] {
    let groups = groups(rooms);
    let old = rooms / FIFTHS;
    let project = project.replace('\'', "''");
    let numbers = format!(
        "WITH RECURSIVE n(i) AS (
            SELECT CAST(0 AS BIGINT) UNION ALL SELECT i + 1 FROM n WHERE i + 1 < {rooms}
        ), p AS (
            SELECT i, {FIRST_CREATED_AT_MS} + i * 1000 AS created_at_ms,
                CAST(i % {FIFTHS} AS TEXT) AS fifth,
                CAST((i / {FIFTHS}) % {groups} AS TEXT) AS grp,
                CASE WHEN i < {old} THEN 'old' ELSE 'new' END AS era
            FROM n
        ), r AS (
            SELECT created_at_ms, fifth || '/' || grp || '/' || CAST(i AS TEXT) AS id, era,
                'plan-' || fifth AS plan, 'team-' || fifth || '-' || grp AS team
            FROM p
        )"
    );
    let room = format!(
        "INSERT INTO room (project_id, id, created_at_ms, organization_id, engine,
            default_accesses, users_accesses, groups_accesses, metadata)
        {numbers}
        SELECT '{project}', id, created_at_ms, 'default', 2, '[\"room:write\"]', '{{}}', '{{}}',
            '{{\"era\":\"' || era || '\",\"plan\":\"' || plan || '\",\"team\":\"' || team || '\"}}'
        FROM r ORDER BY id"
    );
    let metadata = format!(
        "INSERT INTO room_metadata (project_id, room_id, key, value, created_at_ms)
        {numbers}
        SELECT '{project}', id, k, v, created_at_ms FROM (
            SELECT id, 'era' AS k, era AS v, created_at_ms FROM r
            UNION ALL SELECT id, 'plan', plan, created_at_ms FROM r
            UNION ALL SELECT id, 'team', team, created_at_ms FROM r
        ) AS m ORDER BY id, k, v"
    );
    [room, metadata]
}

async fn fill_sqlite(path: &Path, rooms: u64) -> Result<(), Fail> {
    let url = format!("sqlite:{}", path.display());
    let mut db = SqliteConnection::connect(&url).await?;
    let indexes: Vec<(String, String)> = sqlx::query_as(
        "SELECT name, sql FROM sqlite_master
        WHERE type = 'index' AND sql IS NOT NULL AND tbl_name IN ('room', 'room_metadata')",
    )
    .fetch_all(&mut db)
    .await?;
    let projects: Vec<(String,)> =
        sqlx::query_as("SELECT id FROM project").fetch_all(&mut db).await?;
    let (project,) = projects.first().ok_or("roomd made no project")?;
    // Nothing here has to survive a crash.
    db.execute("PRAGMA synchronous = OFF; PRAGMA foreign_keys = OFF; PRAGMA cache_size = -262144")
        .await?;
    fill(&mut db, &indexes, rows(rooms, project)).await?;
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)").await?;
    Ok(db.close().await?)
}

async fn fill_postgres(url: &str, rooms: u64) -> Result<(), Fail> {
    let mut db = PgConnection::connect(url).await?;
    // Not those of primary keys, which belong to their constraints.
    let indexes: Vec<(String, String)> = sqlx::query_as(
        "SELECT indexname::text, indexdef FROM pg_indexes
        WHERE tablename IN ('room', 'room_metadata') AND indexname NOT LIKE '%_pkey'",
    )
    .fetch_all(&mut db)
    .await?;
    let projects: Vec<(String,)> =
        sqlx::query_as("SELECT id FROM project").fetch_all(&mut db).await?;
    let (project,) = projects.first().ok_or("roomd made no project")?;
    // The rows are right by construction, and a look at each foreign key takes minutes.
    db.execute("SET session_replication_role = replica").await?;
    fill(&mut db, &indexes, rows(rooms, project)).await?;
    // What autovacuum does for a database that has grown.
    db.execute("VACUUM ANALYZE").await?;
    Ok(db.close().await?)
}

async fn fill<C>(
    db: &mut C,
    indexes: &[(String, String)],
    rows: [String; 2],
) -> Result<(), sqlx::Error>
where
    for<'c> &'c mut C: Executor<'c>,
{
    for (name, _) in indexes {
        db.execute(sqlx::raw_sql(AssertSqlSafe(format!("DROP INDEX {name}")))).await?;
    }
    for statement in rows.into_iter().chain(indexes.iter().map(|(_, sql)| sql.clone())) {
        db.execute(sqlx::raw_sql(AssertSqlSafe(statement))).await?;
    }
    Ok(())
}

async fn create_database(admin_url: &str, name: &str) -> Result<String, Fail> {
    let mut admin = PgConnection::connect(admin_url).await?;
    admin.execute(sqlx::raw_sql(AssertSqlSafe(format!("CREATE DATABASE {name}")))).await?;
    let (server, query) = admin_url.split_once('?').unwrap_or((admin_url, ""));
    let scheme_end = server.find("://").map_or(0, |at| at + 3);
    let authority_end = server[scheme_end..].find('/').map_or(server.len(), |at| scheme_end + at);
    let query = if query.is_empty() { String::new() } else { format!("?{query}") };
    Ok(format!("{}/{name}{query}", &server[..authority_end]))
}

async fn drop_database(admin_url: &str, name: &str) -> Result<(), Fail> {
    let mut admin = PgConnection::connect(admin_url).await?;
    let statement = format!("DROP DATABASE {name} WITH (FORCE)");
    admin.execute(sqlx::raw_sql(AssertSqlSafe(statement))).await?;
    Ok(())
}
