//! Webhooks as LiveKit's SDKs receive them: a JSON Web Token that covers the body's hash.

use aws_lc_rs::digest;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::{AUTHORIZATION, CONTENT_TYPE, USER_AGENT};
use http::{HeaderMap, HeaderValue};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde::Serialize;

use super::endpoint::{Outgoing, Signer};
use crate::error::Error;

/// How long a receiver may take a call for one that was just made.
const TOKEN_LIFETIME_S: i64 = 5 * 60;

/// Signs with an API key, which the receiver has too.
pub struct LiveKitSigner {
    api_key: String,
    key: EncodingKey,
}

#[derive(Serialize)]
struct Claims<'a> {
    iss: &'a str,
    nbf: i64,
    exp: i64,
    sha256: String,
}

impl LiveKitSigner {
    pub fn new(api_key: &str, secret: &str) -> Self {
        let key = EncodingKey::from_secret(secret.as_bytes());
        Self { api_key: api_key.to_owned(), key }
    }
}

impl Signer for LiveKitSigner {
    fn headers(&self, message: &Outgoing<'_>) -> Result<HeaderMap, Error> {
        let now_s = message.now_ms.div_euclid(1_000);
        let hash = digest::digest(&digest::SHA256, message.body);
        let claims = Claims {
            iss: &self.api_key,
            nbf: now_s,
            exp: now_s + TOKEN_LIFETIME_S,
            sha256: STANDARD.encode(hash),
        };
        let token = jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &self.key);
        let token = token.map_err(Error::internal)?;
        let mut authorization = HeaderValue::try_from(token).map_err(Error::internal)?;
        authorization.set_sensitive(true);
        Ok(HeaderMap::from_iter([
            // The token alone: receivers do not expect `Bearer`.
            (AUTHORIZATION, authorization),
            (CONTENT_TYPE, HeaderValue::from_static("application/webhook+json")),
            (USER_AGENT, HeaderValue::from_static("LiveKit")),
        ]))
    }
}

#[cfg(test)]
mod tests {
    use jsonwebtoken::{DecodingKey, Validation};
    use serde_json::{Value, json};

    use super::*;

    const NOW_MS: i64 = 1_700_000_000_999;

    fn claims(token: &str, secret: &str) -> Result<Value, jsonwebtoken::errors::Error> {
        let mut rules = Validation::new(Algorithm::HS256);
        // The test's time is not that of the library.
        rules.validate_exp = false;
        let key = DecodingKey::from_secret(secret.as_bytes());
        jsonwebtoken::decode(token, &key, &rules).map(|data| data.claims)
    }

    #[test]
    fn the_token_covers_the_body_and_the_time() {
        let signer = LiveKitSigner::new("APIkey", "secret");
        let message = Outgoing { id: "EV_1", body: b"{}", now_ms: NOW_MS };
        let headers = signer.headers(&message).unwrap();
        let token = headers["authorization"].to_str().unwrap();
        let expected = json!({
            "iss": "APIkey",
            "nbf": 1_700_000_000,
            "exp": 1_700_000_300,
            // echo -n '{}' | openssl dgst -sha256 -binary | base64
            "sha256": "RBNvo1WzZ4oRRq0W9+hknpT7T8If536DEMBg9hyq/4o=",
        });
        assert_eq!(claims(token, "secret").unwrap(), expected);
        claims(token, "another").unwrap_err();
        assert_eq!(headers["content-type"], "application/webhook+json");
        assert_eq!(headers["user-agent"], "LiveKit");
        assert!(!format!("{headers:?}").contains(token), "no log shows it");
    }
}
