//! Who calls: API keys, signed tokens, and the bounded caches that make both cheap.
//!
//! Invariant: no secret leaves this module except as the text that its owner asked for. Keys are
//! stored hashed, but for those that sign, and neither keys nor tokens have a `Debug` text, so no
//! log can hold them.
//!
//! Deliberately missing: rights. A verified [`crate::domain::ctx::Caller`] says who calls; what
//! they may do is decided by `domain::ctx`.

pub mod api_key;
mod claims;
pub mod credentials;
pub mod jwks;
pub mod livekit;
pub mod signing;
mod signing_key;
#[cfg(test)]
mod testing;
pub mod tokens;

pub use credentials::{AuthOptions, Authenticator};
pub use signing::{SigningAlgorithm, SigningKeys, SigningOptions};
pub use tokens::{TokenOptions, TokenSpec, Tokens};

use aws_lc_rs::{digest, rand};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::error::{Code, Error};

/// Random bytes of the operating system's generator, as URL-safe text of [A-Za-z0-9_-].
fn random_text<const BYTES: usize>() -> Result<String, Error> {
    let mut bytes = [0_u8; BYTES];
    rand::fill(&mut bytes).map_err(|_| Error::internal("the random generator failed"))?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}

/// An id that nobody guesses and that comes up once.
pub fn random_id() -> Result<String, Error> {
    random_text::<16>()
}

fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut hash = [0_u8; 32];
    hash.copy_from_slice(digest::digest(&digest::SHA256, bytes).as_ref());
    hash
}

pub fn invalid_secret_key() -> Error {
    Error::new(Code::BadCredential, "INVALID_SECRET_KEY", "Invalid secret key.")
        .suggest("Please use a valid secret key; `roomd keys create` makes one.")
}

pub fn invalid_public_key() -> Error {
    Error::new(Code::BadCredential, "INVALID_PUBLIC_KEY", "Invalid public key")
        .suggest("Please use a valid public key; `roomd keys list` shows them.")
}

/// Says nothing of why: a forger shall not learn which check failed. The cause is for the log.
pub fn invalid_token() -> Error {
    Error::new(Code::BadCredential, "INVALID_TOKEN", "Invalid token.")
        .suggest("Please use a token of this server, from authorize-user or identify-user.")
}

const TOKEN_EXPIRED: &str = "TOKEN_EXPIRED";

/// Whether a token was refused that was ours, and valid until its time came.
pub fn is_token_expired(error: &Error) -> bool {
    error.code() == Code::BadCredential && error.reason() == TOKEN_EXPIRED
}

pub fn token_expired() -> Error {
    Error::new(Code::BadCredential, TOKEN_EXPIRED, "The token has expired.")
        .suggest("Please request a new token.")
}
