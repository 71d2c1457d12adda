//! The types of options, and how each is read from text: flags, variables and file values all come
//! through here, so that one spelling rule holds for all three.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use crate::domain::live::LiveKeyPair;
use crate::objects::ObjectsPlace;

/// Where to listen: a host name or address, and a port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListenAddress {
    host: String,
    port: u16,
}

impl ListenAddress {
    pub fn new(host: &str, port: u16) -> Self {
        Self { host: host.to_owned(), port }
    }

    pub fn host(&self) -> &str {
        &self.host
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// The same host with a port that the system picks.
    #[must_use]
    pub fn on_free_port(&self) -> Self {
        Self { host: self.host.clone(), port: 0 }
    }
}

impl FromStr for ListenAddress {
    type Err = String;

    fn from_str(raw: &str) -> Result<Self, String> {
        let expected = "must be host:port, such as 127.0.0.1:1153, [::1]:1153 or localhost:1153";
        let (host, port) = raw.rsplit_once(':').ok_or(expected)?;
        let port = port.parse().map_err(|_| format!("{expected} (port 0 to 65535)"))?;
        let bare = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
        let is_v6 = bare.is_some_and(|bare| bare.parse::<std::net::Ipv6Addr>().is_ok());
        let name_char = |c: char| c.is_ascii_alphanumeric() || c == '.' || c == '-';
        let is_name = !host.is_empty() && host.chars().all(name_char);
        if is_v6 || is_name { Ok(Self::new(host, port)) } else { Err(expected.to_owned()) }
    }
}

impl fmt::Display for ListenAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

const IN_DATABASE: &str = "database";

/// Where files lie; nothing stands for the database.
pub fn file_store(raw: &str) -> Result<Option<ObjectsPlace>, String> {
    if raw == IN_DATABASE { Ok(None) } else { raw.parse().map(Some) }
}

pub fn shown_file_store(place: Option<&ObjectsPlace>) -> String {
    place.map_or_else(|| IN_DATABASE.to_owned(), ObjectsPlace::to_string)
}

/// The keys without their secrets.
pub fn shown_keys(keys: &[LiveKeyPair]) -> String {
    keys.iter().map(|key| format!("{}: ***", key.id)).collect::<Vec<_>>().join(", ")
}

/// Where the records are. It can hold a password, so nothing prints it but [`Self::expose`].
#[derive(Clone, PartialEq, Eq)]
pub struct DatabaseUrl(String);

impl DatabaseUrl {
    /// The whole URL with its password, for the driver only.
    pub fn expose(&self) -> &str {
        &self.0
    }

    pub fn is_postgres(&self) -> bool {
        self.0.starts_with("postgres:") || self.0.starts_with("postgresql:")
    }

    /// The file, where the URL names an SQLite database.
    pub fn sqlite_path(&self) -> Option<&Path> {
        let rest = self.0.strip_prefix("sqlite:")?;
        let path = rest.split('?').next().unwrap_or_default();
        Some(Path::new(path.strip_prefix("//").unwrap_or(path)))
    }

    /// The URL as it may be shown.
    pub fn redacted(&self) -> String {
        redact_url(&self.0)
    }
}

impl FromStr for DatabaseUrl {
    type Err = String;

    fn from_str(raw: &str) -> Result<Self, String> {
        let url = Self(raw.to_owned());
        let is_server = url.is_postgres() && raw.contains("://");
        let is_file = url.sqlite_path().is_some_and(|path| !path.as_os_str().is_empty());
        if is_server || is_file {
            return Ok(url);
        }
        // What came is not repeated: a mistyped URL holds its password all the same.
        Err("must be postgres://user:password@host:port/database or sqlite:path/to/file".to_owned())
    }
}

impl fmt::Display for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.redacted())
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DatabaseUrl({})", self.redacted())
    }
}

/// A URL without its password, and without its parameters, which can hold one too.
pub fn redact_url(url: &str) -> String {
    // The last `@` ends the credentials: unescaped `@`, `?` and `#` are common in passwords.
    let (head, place) = url.rsplit_once('@').unwrap_or(("", url));
    let place = place.split(['?', '#']).next().unwrap_or_default();
    if head.is_empty() {
        return place.to_owned();
    }
    let (scheme, credentials) = head.split_once("://").unwrap_or(("", head));
    let user = credentials.split(':').next().unwrap_or_default();
    let hidden = if credentials.contains(':') { ":***" } else { "" };
    format!("{scheme}://{user}{hidden}@{place}")
}

/// An option that takes one of a few words.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($variant:ident = $word:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum $name { $($variant),+ }

        impl $name {
            pub const WORDS: &[&str] = &[$($word),+];

            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }
        }

        impl FromStr for $name {
            type Err = String;

            fn from_str(raw: &str) -> Result<Self, String> {
                $(if raw.eq_ignore_ascii_case($word) { return Ok(Self::$variant); })+
                Err(format!("must be one of {}, got '{raw}'", Self::WORDS.join(", ")))
            }
        }
    };
}

words!(
    /// How log lines look.
    LogFormat {
        // Pretty where standard error is a terminal, JSON elsewhere.
        Auto = "auto",
        Pretty = "pretty",
        Json = "json",
    }
);
words!(
    /// How tokens are signed.
    SigningAlgorithm {
        Es256 = "ES256",
        EdDsa = "EdDSA",
    }
);

/// A whole number in a range. Underscores may group its digits, as in TOML.
pub fn whole<N: TryFrom<u64>>(raw: &str, min: u64, max: u64) -> Result<N, String> {
    let problem = || format!("must be a whole number from {min} to {max}, got '{raw}'");
    let number: u64 = raw.replace('_', "").parse().map_err(|_| problem())?;
    if number < min || max < number {
        return Err(problem());
    }
    N::try_from(number).map_err(|_| problem())
}

pub fn path(raw: &str) -> Result<PathBuf, String> {
    if raw.contains('\0') {
        return Err("must not contain the NUL character".to_owned());
    }
    Ok(PathBuf::from(raw))
}

/// A collector beside the program. Its telemetry client has no TLS.
pub fn http_url(raw: &str) -> Result<String, String> {
    let uri: Option<http::Uri> = raw.parse().ok();
    let plain = uri.as_ref().filter(|uri| uri.scheme_str() == Some("http"));
    let host = plain.and_then(http::Uri::host);
    match host {
        Some(host) if !host.is_empty() => Ok(raw.to_owned()),
        Some(_) | None => Err("must be http://host:port, without TLS: send to a collector \
                               nearby, which can forward over TLS"
            .to_owned()),
    }
}

/// The public half of a key pair.
pub fn key_name(raw: &str) -> Result<String, String> {
    const KEY_BYTES_MAX: usize = 128;
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    if (1..=KEY_BYTES_MAX).contains(&raw.len()) && raw.bytes().all(is_word) {
        return Ok(raw.to_owned());
    }
    // It is not repeated: the secret may have come in its place.
    Err(format!("must be 1 to {KEY_BYTES_MAX} letters, digits, '_' or '-'"))
}

/// Directives that say which log lines are written.
pub fn log_filter(raw: &str) -> Result<String, String> {
    tracing_subscriber::EnvFilter::try_new(raw)
        .map(|_| raw.to_owned())
        .map_err(|error| format!("is not a filter such as info or roomd=debug,sqlx=warn: {error}"))
}

/// A switch.
pub fn truth(raw: &str) -> Result<bool, String> {
    match raw {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err("must be `true` or `false`".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_checked() {
        for good in ["127.0.0.1:1153", "[::]:0", "localhost:80", "0.0.0.0:65535"] {
            assert_eq!(good.parse::<ListenAddress>().unwrap().to_string(), good);
        }
        for bad in ["1153", ":1153", "host", "host:", "host:65536", "::1:80", "a b:1", "[x]:1"] {
            assert!(bad.parse::<ListenAddress>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_password_is_never_shown() {
        let cases = [
            ("postgres://ann:s3cret@db:5432/roomd", "postgres://ann:***@db:5432/roomd"),
            ("postgres://ann:p@s3cret@db/roomd?sslmode=require", "postgres://ann:***@db/roomd"),
            ("postgresql://db/roomd?password=s3cret", "postgresql://db/roomd"),
            ("postgres://ann@db/roomd", "postgres://ann@db/roomd"),
            ("sqlite:data/roomd.db?mode=rwc", "sqlite:data/roomd.db"),
        ];
        for (raw, shown) in cases {
            let url: DatabaseUrl = raw.parse().unwrap();
            assert_eq!(url.to_string(), shown);
            assert!(!format!("{url:?}").contains("s3cret"));
        }
        let error = "mysql://ann:s3cret@db/x".parse::<DatabaseUrl>().unwrap_err();
        assert!(!error.contains("s3cret"), "{error}");
    }

    #[test]
    fn numbers_know_their_range() {
        assert_eq!(whole::<u32>("1_000", 1, 2000), Ok(1000));
        for bad in ["0", "2001", "-1", "1.5", "", "ten", "99999999999999999999"] {
            let error = whole::<u32>(bad, 1, 2000).unwrap_err();
            assert!(error.contains("from 1 to 2000"), "{error}");
        }
    }
}
