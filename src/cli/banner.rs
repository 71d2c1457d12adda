//! What a person sees when a server has started.

use std::fmt::Write as _;
use std::io::{IsTerminal, Write as _};

use super::server::Server;
use crate::auth::api_key::{NewKeys, WELL_KNOWN_PUBLIC_KEY, WELL_KNOWN_SECRET_KEY};
use crate::auth::livekit::{WELL_KNOWN_LIVE_KEY, WELL_KNOWN_LIVE_SECRET};
use crate::config::Config;

/// Tells a person on a terminal everything, and a log collector one line without the keys. Keys
/// that were just made go to standard output where there is no terminal: they are shown once, and
/// they are no part of the log.
pub fn show(config: &Config, server: &Server) {
    let version = env!("CARGO_PKG_VERSION");
    let database = config.database_shown();
    tracing::info!(version, url = server.url(), address = %server.address(), database, "started");
    let is_dev = config.takes_well_known_keys;
    if is_dev || std::io::stderr().is_terminal() {
        let keys = if is_dev { Some(WELL_KNOWN) } else { server.new_keys().map(ShownKeys::from) };
        let text = banner(version, server.url(), &database, keys.as_ref());
        let _ = std::io::stderr().lock().write_all(text.as_bytes());
    } else if let Some(keys) = server.new_keys().map(ShownKeys::from) {
        super::print(&key_lines(&keys));
    }
}

struct ShownKeys<'a> {
    secret: &'a str,
    public: &'a str,
    /// A LiveKit key and its secret.
    livekit: Option<(&'a str, &'a str)>,
    note: &'static str,
}

const WELL_KNOWN: ShownKeys<'static> = ShownKeys {
    secret: WELL_KNOWN_SECRET_KEY,
    public: WELL_KNOWN_PUBLIC_KEY,
    livekit: Some((WELL_KNOWN_LIVE_KEY, WELL_KNOWN_LIVE_SECRET)),
    note: "for development only: everybody knows these keys",
};

impl<'a> From<&'a NewKeys> for ShownKeys<'a> {
    fn from(keys: &'a NewKeys) -> Self {
        let note = "shown once: keep it, only its hash is stored";
        let (secret, public) = (keys.secret.expose(), keys.public.expose());
        Self { secret, public, livekit: None, note }
    }
}

fn key_lines(keys: &ShownKeys<'_>) -> String {
    let ShownKeys { secret, public, livekit, note } = keys;
    let mut text = format!("  Secret key  {secret}  ({note})\n  Public key  {public}\n");
    if let Some((key, secret)) = livekit {
        let _ = writeln!(text, "  LiveKit     {key}, with the secret {secret}");
    }
    text
}

fn banner(version: &str, url: &str, database: &str, keys: Option<&ShownKeys<'_>>) -> String {
    let mut text = format!("\n  roomd {version}\n\n");
    let _ = writeln!(text, "  Listening   {url}  (gRPC, gRPC-Web, Connect, Twirp, REST)");
    let _ = writeln!(text, "  Database    {database}");
    text.push_str(&keys.map(key_lines).unwrap_or_default());
    // A key that was made earlier is known to nobody here.
    let secret = keys.map_or("$SECRET_KEY", |keys| keys.secret);
    let insecure = if url.starts_with("https:") { " -k" } else { "" };
    let _ = writeln!(text, "\n  Create a room:");
    let _ = writeln!(text, "    curl{insecure} {url}/v2/rooms \\");
    let _ = writeln!(text, "      -H \"Authorization: Bearer {secret}\" \\");
    let _ = writeln!(text, "      -H \"Content-Type: application/json\" \\");
    let _ =
        writeln!(text, "      -d '{{\"id\": \"hello\", \"defaultAccesses\": [\"room:write\"]}}'\n");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_first_start_shows_its_keys_and_a_later_one_a_place_for_them() {
        let (secret, public) = ("sk_new", "pk_new");
        let keys = ShownKeys { secret, public, livekit: None, note: "shown once" };
        let first = banner("0", "http://127.0.0.1:1153", "SQLite, x", Some(&keys));
        assert!(first.contains("sk_new  (shown once)") && first.contains("Bearer sk_new"));
        let later = banner("0", "https://127.0.0.1:1153", "SQLite, x", None);
        let dev = banner("0", "http://127.0.0.1:1153", "SQLite, x", Some(&WELL_KNOWN));
        assert!(dev.contains("  LiveKit     devkey, with the secret secret\n"), "{dev}");
        assert!(later.contains("Bearer $SECRET_KEY") && later.contains("curl -k https://"));
    }
}
