//! `roomd keys`: the keys of a project, and the key that signs tokens.

use std::fmt::Write;

use clap::Subcommand;

use super::flags::{DATA, Flags};
use super::parts::{ProjectArg, open_signing_keys, open_store};
use super::{Failure, print};
use crate::auth::api_key;
use crate::config::Config;
use crate::domain::ctx::Clock;
use crate::domain::ids::ProjectId;
use crate::error::Error;
use crate::store::{ApiKey, ApiKeyKind, Store};

const PAGE: usize = 200;

/// List, create and revoke API keys; rotate the signing key
///
/// Works on the database directly, beside a running server or without one. A server notices a
/// revoked key within 5 seconds.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct KeysArgs {
    #[command(subcommand)]
    action: Action,
    #[command(flatten)]
    pub flags: Flags<DATA>,
}

const EXAMPLES: &str = "\
Examples:
  roomd keys list
  roomd keys create                      a secret key, shown once
  roomd keys create --public
  roomd keys revoke key_4fJ2mD0s
  roomd keys rotate-signing";

#[derive(Debug, Subcommand)]
enum Action {
    /// Show every key of the project: id, kind, hint, when it was made and revoked
    List {
        #[command(flatten)]
        project: ProjectArg,
    },
    /// Make a key and print it. A secret key cannot be shown again: only its hash is stored
    Create {
        /// A key for back ends, which may do everything in the project (the default)
        #[arg(long)]
        secret: bool,
        /// A key for browsers: anonymous users with the rooms' default accesses
        #[arg(long, conflicts_with = "secret")]
        public: bool,
        #[command(flatten)]
        project: ProjectArg,
    },
    /// Make a key useless, for ever
    Revoke {
        /// The key's id, as `roomd keys list` shows it
        #[arg(value_name = "KEY_ID")]
        id: String,
        #[command(flatten)]
        project: ProjectArg,
    },
    /// Sign new tokens with a new key. Tokens of the old one stay valid until they expire
    RotateSigning,
}

pub async fn run(config: &Config, args: KeysArgs) -> Result<u8, Failure> {
    let store = open_store(config, None).await?;
    let done = act(config, &store, args.action).await;
    store.close().await;
    print(&done?);
    Ok(0)
}

async fn act(config: &Config, store: &Store, action: Action) -> Result<String, Failure> {
    let now_ms = Clock::system().now_ms();
    match action {
        Action::List { project } => {
            let project = project.find(store).await?;
            Ok(table(&list(store, &project).await?, now_ms))
        }
        Action::Create { secret: _, public, project } => {
            let project = project.find(store).await?;
            let kind = if public { ApiKeyKind::Public } else { ApiKeyKind::Secret };
            let (_, raw) = api_key::create(store, &project, kind, now_ms).await?;
            Ok(format!("{}\n", raw.expose()))
        }
        Action::Revoke { id, project } => {
            let project = project.find(store).await?;
            match store.revoke_api_key(&project, &id, now_ms).await? {
                Some(key) => Ok(format!("Revoked {} ({}).\n", key.id, key.hint)),
                None => Err(Failure::Usage(format!(
                    "project `{project}` has no key `{id}`; `roomd keys list` shows the ids"
                ))),
            }
        }
        Action::RotateSigning => {
            let keys = open_signing_keys(config, store, now_ms).await?;
            keys.rotate_now(now_ms).await?;
            let kid = keys.signer(now_ms)?.kid().to_owned();
            Ok(format!("New tokens are signed with key {kid}.\n"))
        }
    }
}

async fn list(store: &Store, project: &ProjectId) -> Result<Vec<ApiKey>, Error> {
    let mut keys: Vec<ApiKey> = Vec::new();
    loop {
        let after = keys.last().map(|key| (key.created_at_ms, key.id.as_str()));
        let page = store.list_api_keys(project, after, PAGE).await?;
        let is_last = page.len() < PAGE;
        keys.extend(page);
        if is_last {
            return Ok(keys);
        }
    }
}

fn table(keys: &[ApiKey], now_ms: i64) -> String {
    let id_width = keys.iter().map(|key| key.id.len()).max().unwrap_or(0).max("ID".len());
    let hint_width = keys.iter().map(|key| key.hint.chars().count()).max().unwrap_or(0);
    let hint_width = hint_width.max("KEY".len());
    let mut text = String::new();
    let _ = writeln!(
        text,
        "{:id_width$}  {:6}  {:hint_width$}  {:8}  STATE",
        "ID", "KIND", "KEY", "AGE"
    );
    for key in keys {
        let state = match key.revoked_at_ms {
            Some(at_ms) => format!("revoked {} ago", age(now_ms - at_ms)),
            None => "active".to_owned(),
        };
        let (kind, old) = (key.kind.as_str(), age(now_ms - key.created_at_ms));
        let _ = writeln!(
            text,
            "{:id_width$}  {kind:6}  {:hint_width$}  {old:8}  {state}",
            key.id, key.hint
        );
    }
    text
}

/// A duration as a person says it, in the largest unit that fits.
fn age(ms: i64) -> String {
    const UNITS: [(i64, &str); 4] =
        [(86_400_000, "d"), (3_600_000, "h"), (60_000, "m"), (1000, "s")];
    let fits = UNITS.into_iter().find(|(unit_ms, _)| ms >= *unit_ms);
    fits.map_or_else(|| "0s".to_owned(), |(unit_ms, name)| format!("{}{name}", ms / unit_ms))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_listed_in_columns() {
        let key = ApiKey {
            project_id: ProjectId::trusted("default"),
            id: "key_1".to_owned(),
            kind: ApiKeyKind::Public,
            hash: [0; 32],
            hint: "pk_whole".to_owned(),
            created_at_ms: 0,
            revoked_at_ms: None,
        };
        let old = ApiKey { id: "key_22".to_owned(), revoked_at_ms: Some(60_000), ..key.clone() };
        let expected = "\
ID      KIND    KEY       AGE       STATE
key_1   public  pk_whole  2m        active
key_22  public  pk_whole  2m        revoked 1m ago
";
        assert_eq!(table(&[key, old], 120_000), expected);
        assert_eq!(age(-5), "0s");
        assert_eq!(age(3 * 86_400_000 + 5), "3d");
    }
}
