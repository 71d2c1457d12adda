//! Databases filled in bulk against the schema of the migrations, and servers on them.
//!
//! roomd itself makes the schema and the project; only the rows come from the bench. Indexes are
//! built after the rows, which is many times quicker and gives the same indexes.

use std::path::Path;

use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection, SqliteConnection};
use tempfile::TempDir;

use crate::Fail;
use crate::processes::{self, Server};

const POSTGRES_ENV: &str = "ROOMD_TEST_POSTGRES_URL";
const DATABASE_FILE: &str = "roomd.db";

/// Which database, and for PostgreSQL by which role new ones are made.
#[derive(Clone)]
pub enum Database {
    Sqlite,
    Postgres { admin_url: String },
}

impl Database {
    /// SQLite, and PostgreSQL as well when the environment names one.
    pub fn all() -> Vec<Self> {
        let url = std::env::var(POSTGRES_ENV).ok().filter(|url| !url.is_empty());
        let postgres = url.map(|admin_url| Self::Postgres { admin_url });
        std::iter::once(Self::Sqlite).chain(postgres).collect()
    }

    pub fn name(&self) -> &'static str {
        match self {
            Self::Sqlite => "SQLite",
            Self::Postgres { .. } => "PostgreSQL",
        }
    }
}

/// What a database is filled with.
#[derive(Clone, Copy)]
pub struct Filling {
    /// How many of what.
    pub size: u64,
    pub what: &'static str,
    /// The tables that get rows.
    pub tables: &'static [&'static str],
    /// The statements that make `size` of them in a project, whose id comes quoted.
    pub rows: fn(&Database, u64, &str) -> Vec<String>,
}

/// A running server with rows in its database.
pub struct Seeded {
    pub server: Server,
    pub size: u64,
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

pub fn seed(database: &Database, filling: Filling, pinning: bool) -> Result<Seeded, Fail> {
    eprintln!("seeding {} {} in {}", filling.size, filling.what, database.name());
    let folder = processes::data_folder()?;
    let (flags, postgres) = match database {
        Database::Sqlite => (Vec::new(), None),
        Database::Postgres { admin_url } => {
            let table = filling.tables.first().copied().unwrap_or_default();
            let name = format!("roomd_bench_{}_{table}_{}", std::process::id(), filling.size);
            let url = runtime()?.block_on(create_database(admin_url, &name))?;
            (vec!["--database-url".to_owned(), url], Some((admin_url.clone(), name)))
        }
    };
    let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
    drop(processes::roomd_on(folder.path(), pinning, &flags)?);
    let rows = |project: &str| (filling.rows)(database, filling.size, project);
    runtime()?.block_on(async {
        match flags.last() {
            None => fill_sqlite(&folder.path().join(DATABASE_FILE), filling.tables, rows).await,
            Some(url) => fill_postgres(url, filling.tables, rows).await,
        }
    })?;
    let server = processes::roomd_on(folder.path(), pinning, &flags)?;
    Ok(Seeded { server, size: filling.size, folder: Some(folder), postgres })
}

fn runtime() -> Result<tokio::runtime::Runtime, Fail> {
    Ok(tokio::runtime::Builder::new_current_thread().enable_all().build()?)
}

fn names(tables: &[&str]) -> String {
    tables.iter().map(|table| format!("'{table}'")).collect::<Vec<_>>().join(", ")
}

fn quoted(projects: &[(String,)]) -> Result<String, Fail> {
    let (project,) = projects.first().ok_or("roomd made no project")?;
    Ok(format!("'{}'", project.replace('\'', "''")))
}

async fn fill_sqlite(
    path: &Path,
    tables: &[&str],
    rows: impl Fn(&str) -> Vec<String>,
) -> Result<(), Fail> {
    let url = format!("sqlite:{}", path.display());
    let mut db = SqliteConnection::connect(&url).await?;
    let text = format!(
        "SELECT name, sql FROM sqlite_master
        WHERE type = 'index' AND sql IS NOT NULL AND tbl_name IN ({})",
        names(tables)
    );
    let indexes: Vec<(String, String)> =
        sqlx::query_as(AssertSqlSafe(text)).fetch_all(&mut db).await?;
    let projects: Vec<(String,)> =
        sqlx::query_as("SELECT id FROM project").fetch_all(&mut db).await?;
    // Nothing here has to survive a crash.
    db.execute("PRAGMA synchronous = OFF; PRAGMA foreign_keys = OFF; PRAGMA cache_size = -262144")
        .await?;
    fill(&mut db, &indexes, rows(&quoted(&projects)?)).await?;
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)").await?;
    Ok(db.close().await?)
}

async fn fill_postgres(
    url: &str,
    tables: &[&str],
    rows: impl Fn(&str) -> Vec<String>,
) -> Result<(), Fail> {
    let mut db = PgConnection::connect(url).await?;
    // Not those of primary keys, which belong to their constraints.
    let text = format!(
        "SELECT indexname::text, indexdef FROM pg_indexes
        WHERE tablename IN ({}) AND indexname NOT LIKE '%_pkey'",
        names(tables)
    );
    let indexes: Vec<(String, String)> =
        sqlx::query_as(AssertSqlSafe(text)).fetch_all(&mut db).await?;
    let projects: Vec<(String,)> =
        sqlx::query_as("SELECT id FROM project").fetch_all(&mut db).await?;
    // The rows are right by construction, and a look at each foreign key takes minutes: they come
    // back unchecked, and hold for what comes after.
    let references = references(&mut db, tables).await?;
    for (table, name, _) in &references {
        let text = format!("ALTER TABLE {table} DROP CONSTRAINT {name}");
        db.execute(sqlx::raw_sql(AssertSqlSafe(text))).await?;
    }
    fill(&mut db, &indexes, rows(&quoted(&projects)?)).await?;
    for (table, name, definition) in &references {
        let text = format!("ALTER TABLE {table} ADD CONSTRAINT {name} {definition} NOT VALID");
        db.execute(sqlx::raw_sql(AssertSqlSafe(text))).await?;
    }
    // What autovacuum does for a database that has grown.
    db.execute("VACUUM ANALYZE").await?;
    Ok(db.close().await?)
}

/// The foreign keys of these tables: the table, the name and what it says.
async fn references(
    db: &mut PgConnection,
    tables: &[&str],
) -> Result<Vec<(String, String, String)>, Fail> {
    let text = format!(
        "SELECT conrelid::regclass::text, quote_ident(conname), pg_get_constraintdef(c.oid)
        FROM pg_constraint c JOIN pg_class t ON t.oid = c.conrelid
        WHERE c.contype = 'f' AND c.connamespace = current_schema()::regnamespace
        AND t.relname IN ({})",
        names(tables)
    );
    Ok(sqlx::query_as(AssertSqlSafe(text)).fetch_all(db).await?)
}

async fn fill<C>(
    db: &mut C,
    indexes: &[(String, String)],
    rows: Vec<String>,
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
