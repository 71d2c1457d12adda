//! `roomd dev`: a server for one's own machine, with keys that everybody knows.

use std::path::PathBuf;

use super::child::{self, Child};
use super::flags::{DEV, Flags, NOT_IN_DEV, SERVER};
use super::server::Server;
use super::{Failure, Signals, banner};
use crate::config::{Config, ConfigError, Environment, Loaded};
use crate::error::Error;

/// Run a server for development, with keys that everybody knows: sk_localdev, pk_localdev, devkey
///
/// Data is kept in .roomd/. The keys are no secret, so keep it on your own machine.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct DevArgs {
    /// Keep the data in a folder that is removed at the end. This is what --cmd does unless
    /// --data-dir or --database-url is given
    #[arg(long, conflicts_with_all = ["data_dir", "database_url"], help_heading = "Development")]
    ephemeral: bool,
    /// Run this shell command against the server, then stop and exit with its status. Listens on a
    /// free port unless --listen is given. The command finds the server in LIVEBLOCKS_BASE_URL,
    /// LIVEBLOCKS_SECRET_KEY, LIVEBLOCKS_PUBLIC_KEY, LIVEKIT_URL, LIVEKIT_API_KEY,
    /// LIVEKIT_API_SECRET and ROOMD_URL
    #[arg(long, value_name = "COMMAND", help_heading = "Development")]
    cmd: Option<String>,
    #[command(flatten)]
    flags: Flags<DEV>,
}

const EXAMPLES: &str = "\
Examples:
  roomd dev                              serve on 127.0.0.1:1153, data in .roomd/
  roomd dev --ephemeral --listen 127.0.0.1:8080
  roomd dev --cmd 'npm test'             a fresh server for one run of the tests
  roomd dev --cmd 'curl -s $ROOMD_URL/v2/rooms -H \"authorization: Bearer sk_localdev\"'

DATABASE_URL is not heeded here, since it usually names the database of the app that is developed;
ROOMD_DATABASE_URL and --database-url are.";

#[derive(Debug)]
pub struct DevPlan {
    is_ephemeral: bool,
    command: Option<String>,
}

impl DevArgs {
    pub fn plan(
        self,
        before: Flags<SERVER>,
        environment: &Environment,
    ) -> Result<(Loaded, DevPlan), ConfigError> {
        let mut environment = environment.clone();
        environment.remove(NOT_IN_DEV);
        let mut loaded = super::read(self.flags.over(before), &environment)?;
        let has_place = loaded.is_set("data_dir") || loaded.is_set("database_url");
        if self.ephemeral && loaded.is_set("database_url") {
            let problem = "option `database_url` is set, and --ephemeral means a folder of its own";
            return Err(ConfigError::one(problem));
        }
        let is_ephemeral = self.ephemeral || (self.cmd.is_some() && !has_place);
        if self.cmd.is_some() && !loaded.is_set("listen") {
            loaded.config.listen = loaded.config.listen.on_free_port();
        }
        Ok((loaded, DevPlan { is_ephemeral, command: self.cmd }))
    }
}

pub async fn run(config: &Config, plan: DevPlan, mut signals: Signals) -> Result<u8, Failure> {
    let mut config = config.clone();
    // Held to the end: dropping it removes the folder.
    let throwaway = plan.is_ephemeral.then(Throwaway::create).transpose()?;
    if let Some(folder) = &throwaway {
        config.data_dir = folder.0.clone();
    }
    config.takes_well_known_keys = true;
    let server = Server::start(&config).await?;
    if !server.address().ip().is_loopback() {
        tracing::warn!("the development keys are public, and other machines can reach this server");
    }
    banner::show(&config, &server);
    let status = match &plan.command {
        None => server.run_until_stopped(&mut signals).await.map(|()| 0),
        Some(command) => {
            let child = Child::spawn(command, server.url())?;
            let status = child::wait(child, &mut signals).await;
            server.stop(&mut signals).await;
            status
        }
    };
    drop(throwaway);
    Ok(status?)
}

/// A folder that goes away with its owner.
struct Throwaway(PathBuf);

impl Throwaway {
    fn create() -> Result<Self, Error> {
        use std::os::unix::fs::DirBuilderExt;

        let mut random = [0; 8];
        aws_lc_rs::rand::fill(&mut random).map_err(|_| Error::internal("no random bytes"))?;
        let name = format!("roomd-dev-{:016x}", u64::from_be_bytes(random));
        let path = std::env::temp_dir().join(name);
        // Creating must fail where something is already: the folder is removed with all in it.
        std::fs::DirBuilder::new().mode(0o700).create(&path).map_err(|error| {
            Error::unavailable(format!("cannot create {}", path.display())).because(error)
        })?;
        Ok(Self(path))
    }
}

impl Drop for Throwaway {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(&self.0) {
            tracing::warn!(%error, "cannot remove {}", self.0.display());
        }
    }
}
