//! `roomd keys`: the keys of a project, and the key that signs tokens.

use std::fmt::Write;

use clap::Subcommand;

use super::flags::{DATA, Flags};
use super::parts::{ProjectArg, open_signing_keys, open_store};
use super::{Failure, print};
use crate::auth::{api_key, livekit};
use crate::config::Config;
use crate::domain::ctx::Clock;
use crate::domain::ids::ProjectId;
use crate::error::Error;
use crate::store::{ApiKey, ApiKeyKind, LiveKey, Store};

const PAGE: usize = 200;
const LIVEKIT: &str = "livekit";

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
  roomd keys create --livekit            a key and its secret, for LiveKit's SDKs
  roomd keys revoke key_4fJ2mD0s
  roomd keys rotate-signing";

#[derive(Debug, Subcommand)]
enum Action {
    /// Show every key of the project: id, kind, hint, when it was made and revoked
    List {
        #[command(flatten)]
        project: ProjectArg,
    },
    /// Make a key and print it. A secret is shown once
    Create {
        /// A key for back ends, which may do everything in the project (the default)
        #[arg(long)]
        secret: bool,
        /// A key for browsers: anonymous users with the rooms' default accesses
        #[arg(long, conflicts_with = "secret")]
        public: bool,
        /// A key and secret for LiveKit's SDKs and clients. The database keeps the secret itself,
        /// since tokens are signed with it
        #[arg(long, conflicts_with_all = ["secret", "public"])]
        livekit: bool,
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
        Action::Create { livekit: true, project, .. } => {
            let project = project.find(store).await?;
            let key = livekit::create_key(store, &project, now_ms).await?;
            Ok(format!("API key: {}\nAPI secret: {}\n", key.id, key.secret.expose()))
        }
        Action::Create { public, project, .. } => {
            let project = project.find(store).await?;
            let kind = if public { ApiKeyKind::Public } else { ApiKeyKind::Secret };
            let (_, raw) = api_key::create(store, &project, kind, now_ms).await?;
            Ok(format!("{}\n", raw.expose()))
        }
        Action::Revoke { id, project } => {
            let project = project.find(store).await?;
            match revoke(store, &project, &id, now_ms).await? {
                Some(shown) => Ok(format!("Revoked {shown}.\n")),
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

/// The key as it may be shown, of whichever kind it is; `None` if the project has none of that id.
async fn revoke(
    store: &Store,
    project: &ProjectId,
    id: &str,
    now_ms: i64,
) -> Result<Option<String>, Error> {
    if let Some(key) = store.revoke_api_key(project, id, now_ms).await? {
        return Ok(Some(format!("{} ({})", key.id, key.hint)));
    }
    let key = store.revoke_livekit_key(project, id, now_ms).await?;
    Ok(key.map(|key| format!("{} ({LIVEKIT})", key.id)))
}

/// A key of any kind, as it is listed.
#[derive(Clone)]
struct Listed {
    id: String,
    kind: &'static str,
    shown: String,
    created_at_ms: i64,
    revoked_at_ms: Option<i64>,
}

impl From<ApiKey> for Listed {
    fn from(key: ApiKey) -> Self {
        Self {
            id: key.id,
            kind: key.kind.as_str(),
            shown: key.hint,
            created_at_ms: key.created_at_ms,
            revoked_at_ms: key.revoked_at_ms,
        }
    }
}

impl From<LiveKey> for Listed {
    fn from(key: LiveKey) -> Self {
        Self {
            shown: key.id.clone(),
            id: key.id,
            kind: LIVEKIT,
            created_at_ms: key.created_at_ms,
            revoked_at_ms: key.revoked_at_ms,
        }
    }
}

/// By kind, oldest first.
async fn list(store: &Store, project: &ProjectId) -> Result<Vec<Listed>, Error> {
    let mut keys: Vec<Listed> = Vec::new();
    let mut after: Option<(i64, String)> = None;
    loop {
        let place = after.as_ref().map(|(ms, id)| (*ms, id.as_str()));
        let page = store.list_api_keys(project, place, PAGE).await?;
        let is_last = page.len() < PAGE;
        after = page.last().map(|key| (key.created_at_ms, key.id.clone()));
        keys.extend(page.into_iter().map(Listed::from));
        if is_last {
            break;
        }
    }
    after = None;
    loop {
        let place = after.as_ref().map(|(ms, id)| (*ms, id.as_str()));
        let page = store.list_livekit_keys(project, place, PAGE).await?;
        let is_last = page.len() < PAGE;
        after = page.last().map(|key| (key.created_at_ms, key.id.clone()));
        keys.extend(page.into_iter().map(Listed::from));
        if is_last {
            return Ok(keys);
        }
    }
}

fn table(keys: &[Listed], now_ms: i64) -> String {
    let width = |title: &str, column: fn(&Listed) -> &str| {
        let widths = keys.iter().map(|key| column(key).chars().count());
        widths.max().unwrap_or(0).max(title.len())
    };
    let id_width = width("ID", |key| &key.id);
    let kind_width = width("KIND", |key| key.kind);
    let shown_width = width("KEY", |key| &key.shown);
    let mut text = String::new();
    let _ = writeln!(
        text,
        "{:id_width$}  {:kind_width$}  {:shown_width$}  {:8}  STATE",
        "ID", "KIND", "KEY", "AGE"
    );
    for key in keys {
        let state = match key.revoked_at_ms {
            Some(at_ms) => format!("revoked {} ago", age(now_ms - at_ms)),
            None => "active".to_owned(),
        };
        let Listed { id, kind, shown, .. } = key;
        let old = age(now_ms - key.created_at_ms);
        let _ = writeln!(
            text,
            "{id:id_width$}  {kind:kind_width$}  {shown:shown_width$}  {old:8}  {state}",
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
    use crate::domain::live::LiveSecret;

    #[test]
    fn keys_are_listed_in_columns() {
        let key = Listed {
            id: "key_1".to_owned(),
            kind: "public",
            shown: "pk_whole".to_owned(),
            created_at_ms: 0,
            revoked_at_ms: None,
        };
        let old = Listed { id: "key_22".to_owned(), revoked_at_ms: Some(60_000), ..key.clone() };
        let live = LiveKey {
            project_id: ProjectId::trusted("default"),
            id: "APIone".to_owned(),
            secret: LiveSecret::new("s3cret"),
            created_at_ms: 0,
            revoked_at_ms: None,
        };
        let expected = "\
ID      KIND     KEY       AGE       STATE
key_1   public   pk_whole  2m        active
key_22  public   pk_whole  2m        revoked 1m ago
APIone  livekit  APIone    2m        active
";
        assert_eq!(table(&[key, old, live.into()], 120_000), expected);
        assert_eq!(age(-5), "0s");
        assert_eq!(age(3 * 86_400_000 + 5), "3d");
    }
}
