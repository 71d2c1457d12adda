//! The command line: what a person types becomes a [`Plan`], and a plan is carried out.
//!
//! Invariant: nothing here installs tracing or signal handlers or exits; `main` does.

mod banner;
mod check_config;
mod child;
mod dev;
mod flags;
mod keys;
mod live;
mod migrate;
mod parts;
mod serve;
mod server;
mod token;

use std::io::Write;

use clap::{CommandFactory, Parser, Subcommand};
use clap_complete::Shell;
use tokio::sync::mpsc;

use self::flags::{DATA, Flags, SERVER};
use crate::config::{ConfigError, Environment, Loaded, Source, load};
use crate::error::Error;

/// Self-hosted rooms, presence, storage and comments for multiplayer apps, in one binary.
///
/// roomd answers gRPC, gRPC-Web, Connect, Twirp and the Liveblocks REST API on one port. Without a
/// subcommand it runs the server, as `roomd serve` does.
#[derive(Debug, Parser)]
#[command(name = "roomd", version, max_term_width = 100, after_help = EXAMPLES)]
#[command(subcommand_help_heading = "Commands", disable_help_subcommand = true)]
pub struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    flags: Flags<SERVER>,
}

const EXAMPLES: &str = "\
Examples:
  roomd dev                                   try it: fixed keys, data in .roomd/
  roomd dev --cmd 'npm test'                  run a test suite against a server of its own
  roomd                                       serve on 127.0.0.1:1153, data in roomd-data/
  roomd --listen 0.0.0.0:1153 --database-url postgres://roomd:secret@db/roomd
  roomd token --user ann --room 'team:*=room:write'
  roomd check-config                          show every option and where it was set

Every option is a flag (--log-filter), a variable (ROOMD_LOG_FILTER) and a key of the TOML file
(log_filter); a flag wins over a variable, a variable over the file.
Exit status: 0 done, 1 failed while running, 2 wrong usage or configuration.";

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the server (the default)
    Serve(ServeArgs),
    Dev(dev::DevArgs),
    Token(token::TokenArgs),
    Keys(keys::KeysArgs),
    Migrate(migrate::MigrateArgs),
    CheckConfig(check_config::CheckConfigArgs),
    /// Print a completion script for a shell
    #[command(after_help = "\
Example:
  roomd completions bash > /etc/bash_completion.d/roomd")]
    Completions {
        shell: Shell,
    },
}

#[derive(Debug, clap::Args)]
#[command(after_help = SERVE_HELP)]
struct ServeArgs {
    #[command(flatten)]
    flags: Flags<SERVER>,
}

const SERVE_HELP: &str = "\
The first start creates the project `default` and prints its two keys once.
SIGTERM and SIGINT stop the server after the requests in flight; a second one stops it at once.
With TLS, SIGHUP reads the certificate again.";

/// What a signal asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    Interrupt,
    Terminate,
    Hangup,
}

/// Signals in the order in which they came.
pub type Signals = mpsc::Receiver<Signal>;

/// Why a subcommand did not do its work.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The person who typed has to change something.
    #[error("{0}")]
    Usage(String),
    #[error("{}", crate::error::chain(.0))]
    Runtime(#[from] Error),
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        Self::Usage(error.to_string())
    }
}

/// Something to do and everything that it needs.
#[derive(Debug)]
pub struct Plan {
    pub loaded: Loaded,
    task: Task,
}

#[derive(Debug)]
enum Task {
    Serve,
    Dev(dev::DevPlan),
    Token(token::TokenArgs),
    Keys(keys::KeysArgs),
    Migrate,
    CheckConfig,
    Completions(Shell),
}

impl Cli {
    /// Reads the configuration that the subcommand works with.
    pub fn plan(self, environment: &Environment) -> Result<Plan, ConfigError> {
        let Self { command, flags } = self;
        let (loaded, task) = match command {
            None => (read(flags, environment)?, Task::Serve),
            Some(Command::Serve(args)) => (read(args.flags.over(flags), environment)?, Task::Serve),
            Some(Command::Dev(args)) => {
                let (loaded, plan) = args.plan(flags, environment)?;
                (loaded, Task::Dev(plan))
            }
            Some(Command::Token(mut args)) => {
                let flags = std::mem::take(&mut args.flags).over(flags);
                (read(flags, environment)?, Task::Token(args))
            }
            Some(Command::Keys(mut args)) => {
                let flags = std::mem::take(&mut args.flags).over(flags);
                (read(flags, environment)?, Task::Keys(args))
            }
            Some(Command::Migrate(args)) => {
                (read(args.flags.over(flags), environment)?, Task::Migrate)
            }
            Some(Command::CheckConfig(args)) => {
                (read(args.flags.over(flags), environment)?, Task::CheckConfig)
            }
            // Works whatever the configuration is.
            Some(Command::Completions { shell }) => {
                let nothing = Environment::default();
                (read(Flags::<DATA>::default(), &nothing)?, Task::Completions(shell))
            }
        };
        Ok(Plan { loaded, task })
    }
}

fn read<const SET: u8>(
    flags: Flags<SET>,
    environment: &Environment,
) -> Result<Loaded, ConfigError> {
    let file = flags.file.as_deref();
    load(Source { flags: &flags.values, file, environment, defaults: flags::defaults(SET) })
}

impl Plan {
    /// Does what needs neither a runtime nor a log. The others come back.
    pub fn run_simple(self) -> Option<Self> {
        match self.task {
            Task::CheckConfig => print(&check_config::report(&self.loaded)),
            Task::Completions(shell) => print(&completions(shell)),
            Task::Serve | Task::Dev(_) | Task::Token(_) | Task::Keys(_) | Task::Migrate => {
                return Some(self);
            }
        }
        None
    }

    /// Does the rest and gives the exit status.
    pub async fn run(self, signals: Signals) -> Result<u8, Failure> {
        let Self { loaded, task } = self;
        for warning in &loaded.warnings {
            tracing::warn!("{warning}");
        }
        let config = &loaded.config;
        match task {
            Task::Serve => serve::run(config, signals).await,
            Task::Dev(plan) => dev::run(config, plan, signals).await,
            Task::Token(args) => token::run(config, args).await,
            Task::Keys(args) => keys::run(config, args).await,
            Task::Migrate => migrate::run(config).await,
            Task::CheckConfig | Task::Completions(_) => Ok(0),
        }
    }
}

fn completions(shell: Shell) -> String {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "roomd", &mut script);
    String::from_utf8_lossy(&script).into_owned()
}

/// Writes a result. Whoever reads may stop before the end, as `head` does; that is no failure.
fn print(text: &str) {
    let _ = std::io::stdout().lock().write_all(text.as_bytes());
}

#[cfg(test)]
mod tests;
