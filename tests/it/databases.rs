//! A fresh store per test, on SQLite and on a real PostgreSQL. No PostgreSQL is a failure, never
//! a reason to skip.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use roomd::store::{DatabaseOptions, Store, Target};
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};

const POSTGRES_DEFAULT: &str = "postgres://postgres@127.0.0.1:5432/test";
/// Tests run side by side, and a server has 100 connections by default.
const CONNECTIONS_MAX: u32 = 8;

pub fn postgres_url() -> String {
    std::env::var("ROOMD_TEST_POSTGRES_URL").unwrap_or_else(|_| POSTGRES_DEFAULT.to_owned())
}

/// Runs each case once per database, as tests of their own.
#[macro_export]
macro_rules! on_both {
    ($($case:ident),+ $(,)?) => {
        mod on_sqlite {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $case() {
                    super::$case(&$crate::databases::Database::sqlite().await).await;
                }
            )+
        }
        mod on_postgres {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $case() {
                    super::$case(&$crate::databases::Database::postgres().await).await;
                }
            )+
        }
    };
}

/// An empty, migrated database that goes away with this value.
pub struct Database {
    pub store: Store,
    pub options: DatabaseOptions,
    place: Place,
}

enum Place {
    // Kept for its drop, which deletes the directory.
    Directory { _keep: tempfile::TempDir },
    Schema(String),
}

impl Database {
    pub async fn sqlite() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let options = DatabaseOptions::new(Target::Sqlite { path: directory.path().join("t.db") });
        let store = Store::open(options.clone()).await.unwrap();
        Self { store, options, place: Place::Directory { _keep: directory } }
    }

    pub async fn postgres() -> Self {
        let schema = create_schema().await;
        let mut options = DatabaseOptions::new(Target::Postgres { url: url_of(&schema) });
        options.connections_max = CONNECTIONS_MAX;
        let store = Store::open(options.clone()).await.unwrap();
        Self { store, options, place: Place::Schema(schema) }
    }

    /// A second store on the same data, as another process would open it.
    pub async fn reopen(&self) -> Store {
        Store::open(self.options.clone()).await.unwrap()
    }

    /// Changes data behind the store's back.
    pub async fn execute(&self, text: &str) {
        let text = AssertSqlSafe(text.to_owned());
        match &self.options.target {
            Target::Sqlite { path } => {
                let options = sqlx::sqlite::SqliteConnectOptions::new().filename(path);
                let mut conn = sqlx::ConnectOptions::connect(&options).await.unwrap();
                conn.execute(text).await.unwrap();
            }
            Target::Postgres { url } => {
                let mut conn = PgConnection::connect(url).await.unwrap();
                conn.execute(text).await.unwrap();
            }
        }
    }

    pub fn sqlite_path(&self) -> PathBuf {
        match &self.options.target {
            Target::Sqlite { path } => path.clone(),
            Target::Postgres { .. } => panic!("this is a PostgreSQL database"),
        }
    }

    pub fn schema(&self) -> &str {
        match &self.place {
            Place::Schema(name) => name,
            Place::Directory { .. } => panic!("this is a SQLite database"),
        }
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        if let Place::Schema(schema) = &self.place {
            let schema = schema.clone();
            // Dropping cannot wait on the test's own runtime.
            let drop_it = std::thread::spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
                runtime.unwrap().block_on(drop_schema(&schema));
            });
            drop_it.join().expect("the schema can be dropped");
        }
    }
}

/// The server's URL with a schema to find all tables in.
pub fn url_of(schema: &str) -> String {
    let url = postgres_url();
    let separator = if url.contains('?') { '&' } else { '?' };
    format!("{url}{separator}options[search_path]={schema}")
}

pub async fn create_schema() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let schema = format!("test_{}_{number}", std::process::id());
    // A run that was killed may have left one with the same process id.
    admin(&format!("DROP SCHEMA IF EXISTS {schema} CASCADE; CREATE SCHEMA {schema}")).await;
    schema
}

pub async fn drop_schema(schema: &str) {
    admin(&format!("DROP SCHEMA IF EXISTS {schema} CASCADE")).await;
}

async fn admin(text: &str) {
    let url = postgres_url();
    let mut conn = PgConnection::connect(&url).await.unwrap_or_else(|error| {
        panic!("these tests need a PostgreSQL server; set ROOMD_TEST_POSTGRES_URL: {error}")
    });
    sqlx::raw_sql(AssertSqlSafe(text.to_owned())).execute(&mut conn).await.unwrap();
    conn.close().await.unwrap();
}
