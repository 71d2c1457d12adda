//! The public halves of the signing keys, as plain values that a service turns into its messages.

/// One key as RFC 7517 and RFC 8037 write it; all text is base64url without padding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicKey {
    /// `EC` or `OKP`.
    pub kty: &'static str,
    /// `P-256` or `Ed25519`.
    pub crv: &'static str,
    pub x: String,
    /// Absent for Ed25519, whose keys have one coordinate.
    pub y: Option<String>,
    pub kid: String,
    /// `ES256` or `EdDSA`.
    pub alg: &'static str,
    /// Always `sig`. (`use` is a keyword.)
    pub key_use: &'static str,
}

/// Every key that a token of ours may still be verified with, the newest first.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct KeySet {
    pub keys: Vec<PublicKey>,
}
