//! `roomd token`: a token for one user, made on the database without a server.

use super::flags::{DATA, Flags};
use super::parts::{ProjectArg, open_signing_keys, open_store, open_tokens};
use super::{Failure, print};
use crate::auth::signing::TOKEN_LIFETIME_S_MAX;
use crate::auth::tokens::TokenSpec;
use crate::config::Config;
use crate::domain::ctx::{Clock, User, UserRights};
use crate::domain::ids::{OrganizationId, UserId};
use crate::domain::permissions::AccessPatterns;
use crate::error::Error;
use crate::store::Store;

/// Print a token for a user, to try things or to write a script
///
/// With --room it is an access token, which carries its own permissions. Without it is an ID token:
/// then each room's own accesses decide, for the user and for each --group.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct TokenArgs {
    /// The user's id in your application
    #[arg(long, value_name = "ID")]
    user: String,
    /// Rooms (an id, or a prefix with *) and what the user may do in them; at most 10. Scopes are
    /// *:read, *:write, room:read, room:write, and, for a part, such as comments:write
    #[arg(long = "room", value_name = "PATTERN=SCOPE,...", conflicts_with = "groups")]
    rooms: Vec<String>,
    /// A group that the user belongs to
    #[arg(long = "group", value_name = "ID")]
    groups: Vec<String>,
    /// What other users see of this one, such as {"name": "Ann"}
    #[arg(long, value_name = "JSON")]
    info: Option<String>,
    /// Organization that the token is for [default: default]
    #[arg(long, value_name = "ID")]
    org: Option<String>,
    /// How long it is valid, in seconds [default: option token_ttl_seconds]
    #[arg(long, value_name = "SECONDS",
        value_parser = clap::value_parser!(i64).range(1..=TOKEN_LIFETIME_S_MAX))]
    ttl: Option<i64>,
    #[command(flatten)]
    project: ProjectArg,
    #[command(flatten)]
    pub flags: Flags<DATA>,
}

const EXAMPLES: &str = "\
Examples:
  roomd token --user ann --room 'team:*=room:write'
  roomd token --user ann --room lobby=room:read,comments:write --info '{\"name\": \"Ann\"}'
  roomd token --user bob --group engineers --ttl 600
  curl localhost:1153/v2/rooms/lobby -H \"Authorization: Bearer $(roomd token --user ann \\
    --room lobby=room:read)\"

Tokens of `roomd dev` need its database: add --data-dir .roomd";

pub async fn run(config: &Config, args: TokenArgs) -> Result<u8, Failure> {
    let user = args.user().map_err(|error| Failure::Usage(error.to_string()))?;
    let store = open_store(config, None).await?;
    let token = issue(config, &store, args, user).await;
    store.close().await;
    print(&format!("{}\n", token?));
    Ok(0)
}

async fn issue(
    config: &Config,
    store: &Store,
    args: TokenArgs,
    user: User,
) -> Result<String, Failure> {
    let project = args.project.find(store).await?;
    let now_ms = Clock::system().now_ms();
    let keys = open_signing_keys(config, store, now_ms).await?;
    let tokens = open_tokens(config, keys)?;
    Ok(tokens.issue(&TokenSpec { project, user, lifetime_s: args.ttl }, now_ms)?)
}

impl TokenArgs {
    /// Whom the token names. Fields are called as they were typed.
    fn user(&self) -> Result<User, Error> {
        let info = self.info.as_deref().map(|raw| {
            serde_json::from_str(raw).map_err(|error| {
                Error::invalid("--info", format!("must be a JSON object: {error}"))
            })
        });
        let rights = if self.rooms.is_empty() {
            UserRights::Identity { group_ids: self.groups.clone() }
        } else {
            UserRights::Patterns(patterns(&self.rooms)?)
        };
        let org = self.org.as_deref().map(|raw| OrganizationId::parse("--org", raw)).transpose()?;
        Ok(User {
            id: UserId::parse("--user", &self.user)?,
            info: info.transpose()?,
            organization_id: org.unwrap_or_default(),
            rights,
        })
    }
}

fn patterns(rooms: &[String]) -> Result<AccessPatterns, Error> {
    let parts = rooms.iter().map(|raw| {
        // From the right: an id may hold `=`, a scope never does.
        let (pattern, scopes) = raw.rsplit_once('=').ok_or_else(|| {
            Error::invalid("--room", format!("must be pattern=scope,scope, got '{raw}'"))
        })?;
        let scopes = scopes.split(',').map(str::trim).filter(|scope| !scope.is_empty());
        Ok((pattern.to_owned(), scopes.map(str::to_owned).collect::<Vec<_>>()))
    });
    let parts: Vec<_> = parts.collect::<Result<_, Error>>()?;
    AccessPatterns::parse("--room", parts)
}
