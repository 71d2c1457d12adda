//! API keys of LiveKit's form: a name that tokens carry in the open, and the secret that signs
//! them.

use std::fmt;

/// Characters of a key that the configuration names.
const KEY_ID_CHARS_MAX: usize = 64;
const SECRET_BYTES_MAX: usize = 256;
/// A shorter secret can be guessed from a token; it is taken all the same, since LiveKit takes it.
pub const SECRET_BYTES_ADVISED: usize = 32;
/// Keys that one configuration names.
const KEYS_MAX: usize = 64;

/// What signs tokens. It has no `Debug` text and no `Display`, so no log can hold it.
#[derive(Clone, PartialEq, Eq)]
pub struct LiveSecret(String);

impl LiveSecret {
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text, for signatures and for the one moment in which it is shown to its owner.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for LiveSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LiveSecret(…)")
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LiveKeyPair {
    pub id: String,
    pub secret: LiveSecret,
}

impl LiveKeyPair {
    pub fn new(id: impl Into<String>, secret: impl Into<String>) -> Self {
        Self { id: id.into(), secret: LiveSecret::new(secret) }
    }

    /// Several, as a configuration has them: `key: secret`, with commas or line ends between. The
    /// error repeats no secret.
    pub fn parse_list(raw: &str) -> Result<Vec<Self>, String> {
        let entries = raw.split([',', '\n']).map(str::trim).filter(|entry| !entry.is_empty());
        let mut pairs: Vec<Self> = Vec::new();
        for (index, entry) in entries.enumerate() {
            let pair =
                Self::parse(entry).map_err(|problem| format!("entry {} {problem}", index + 1))?;
            if pairs.iter().any(|known| known.id == pair.id) {
                return Err(format!("names the key `{}` twice", pair.id));
            }
            pairs.push(pair);
        }
        match pairs.len() {
            1..=KEYS_MAX => Ok(pairs),
            count => Err(format!("must name 1 to {KEYS_MAX} keys, got {count}")),
        }
    }

    fn parse(entry: &str) -> Result<Self, String> {
        let (id, secret) = entry.split_once(':').ok_or("must be `key: secret`")?;
        let (id, secret) = (id.trim(), secret.trim());
        let is_fit = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        if id.is_empty() || id.len() > KEY_ID_CHARS_MAX || !id.chars().all(is_fit) {
            let problem =
                format!("needs a key of 1 to {KEY_ID_CHARS_MAX} characters [A-Za-z0-9_-]");
            return Err(problem);
        }
        if secret.is_empty() || secret.len() > SECRET_BYTES_MAX {
            let problem =
                format!("needs a secret of 1 to {SECRET_BYTES_MAX} bytes after the colon");
            return Err(problem);
        }
        Ok(Self::new(id, secret))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_configuration_may_name_several_keys() {
        let keys = LiveKeyPair::parse_list("APIone: first secret ,\nAPItwo:se:cond\n").unwrap();
        let read: Vec<_> = keys.iter().map(|key| (key.id.as_str(), key.secret.expose())).collect();
        assert_eq!(read, [("APIone", "first secret"), ("APItwo", "se:cond")]);
        assert_eq!(format!("{keys:?}").matches("first secret").count(), 0);
    }

    #[test]
    fn what_is_wrong_is_said_without_the_secret() {
        let long = format!("a: {}", "s3cret".repeat(100));
        for (raw, problem) in [
            ("", "must name 1 to 64 keys, got 0"),
            ("s3cret", "entry 1 must be `key: secret`"),
            ("a: s3cret, a: s3cret2", "names the key `a` twice"),
            ("a: s3cret, b c: s3cret", "entry 2 needs a key of 1 to 64 characters [A-Za-z0-9_-]"),
            ("a:", "entry 1 needs a secret of 1 to 256 bytes after the colon"),
            (&long, "entry 1 needs a secret of 1 to 256 bytes after the colon"),
        ] {
            let error = LiveKeyPair::parse_list(raw).unwrap_err();
            assert_eq!(error, problem);
        }
    }
}
