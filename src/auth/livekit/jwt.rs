//! The compact form of a signed token: three parts between dots. Only HS256 is ever verified.

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value, json};

use super::refusal;
use crate::domain::live::LiveSecret;
use crate::error::Error;

const HS256: &str = "HS256";
/// What LiveKit's library can read, and refuses by its name. A token that names another algorithm
/// is no token to it.
const OTHERS: [&str; 12] = [
    "HS384", "HS512", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384",
    "ES512", "EdDSA",
];
const UNSIGNED: &str = "none";

/// A token that was taken apart, and of which nothing is known to be true.
pub struct Parsed<'a> {
    algorithm: String,
    /// What the signature is of: the first two parts with their dot.
    signed: &'a str,
    signature: &'a str,
    pub claims: Map<String, Value>,
}

impl<'a> Parsed<'a> {
    pub fn read(token: &'a str) -> Result<Self, Error> {
        let parts = token.rsplit_once('.').and_then(|(signed, signature)| {
            let (header, claims) = signed.split_once('.')?;
            Some((signed, signature, header, claims))
        });
        let Some((signed, signature, header, claims)) = parts else {
            return Err(refusal::invalid_token().because("a token has three parts"));
        };
        if claims.contains('.') {
            return Err(refusal::invalid_token().because("a token has three parts"));
        }
        let header = object(header)?;
        let algorithm = header.get("alg").and_then(Value::as_str).unwrap_or_default();
        if algorithm != HS256 && algorithm != UNSIGNED && !OTHERS.contains(&algorithm) {
            return Err(refusal::invalid_token().because("the token names no known algorithm"));
        }
        let algorithm = algorithm.to_owned();
        Ok(Self { algorithm, signed, signature, claims: object(claims)? })
    }

    /// A claim that is text; empty if it is not there or is something else.
    pub fn text(&self, name: &str) -> &str {
        self.claims.get(name).and_then(Value::as_str).unwrap_or_default()
    }

    /// Whether the secret's holder signed it.
    pub fn verify(&self, secret: &LiveSecret) -> Result<(), Error> {
        if self.algorithm != HS256 {
            let problem = format!("signing method {} is invalid", self.algorithm);
            return Err(refusal::refused(format!("token signature is invalid: {problem}")));
        }
        let signature = URL_SAFE_NO_PAD.decode(self.signature).map_err(|cause| {
            let problem = "token is malformed: could not base64 decode signature";
            refusal::refused(problem).because(cause)
        })?;
        // It compares in constant time.
        hmac::verify(&key(secret), self.signed.as_bytes(), &signature)
            .map_err(|_| refusal::refused("token signature is invalid: signature is invalid"))
    }
}

fn key(secret: &LiveSecret) -> hmac::Key {
    hmac::Key::new(hmac::HMAC_SHA256, secret.expose().as_bytes())
}

/// The last of several values of one name wins, as in LiveKit's library.
fn object(part: &str) -> Result<Map<String, Value>, Error> {
    let bytes = URL_SAFE_NO_PAD.decode(part);
    let bytes = bytes.map_err(|cause| refusal::invalid_token().because(cause))?;
    serde_json::from_slice(&bytes).map_err(|cause| refusal::invalid_token().because(cause))
}

/// Whether the text's header names the one algorithm of LiveKit's tokens.
pub fn names_hs256(token: &str) -> bool {
    let header = token.split_once('.').and_then(|(header, _)| object(header).ok());
    header.is_some_and(|header| header.get("alg").and_then(Value::as_str) == Some(HS256))
}

pub fn sign(claims: &Map<String, Value>, secret: &LiveSecret) -> Result<String, Error> {
    let header = json!({"alg": HS256, "typ": "JWT"}).to_string();
    let claims = serde_json::to_vec(claims).map_err(Error::internal)?;
    let mut token = URL_SAFE_NO_PAD.encode(header);
    token.push('.');
    URL_SAFE_NO_PAD.encode_string(claims, &mut token);
    let signature = hmac::sign(&key(secret), token.as_bytes());
    token.push('.');
    URL_SAFE_NO_PAD.encode_string(signature, &mut token);
    Ok(token)
}
