//! `roomd migrate`: bring the database up to date without serving.

use super::flags::{DATA, Flags};
use super::parts::open_store;
use super::{Failure, print};
use crate::config::Config;

/// Create the database or bring its schema up to date, and stop
///
/// The server does this by itself at every start. Run it ahead of a deployment to see that it
/// works, or where the server's database user may not change the schema. Migrations only add, so
/// the version that still runs goes on working.
#[derive(Debug, clap::Args)]
pub struct MigrateArgs {
    #[command(flatten)]
    pub flags: Flags<DATA>,
}

pub async fn run(config: &Config) -> Result<u8, Failure> {
    let store = open_store(config, None).await?;
    store.close().await;
    print(&format!("The schema is up to date: {}\n", config.database_shown()));
    Ok(0)
}
