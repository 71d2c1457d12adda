//! Tokens of LiveKit's form, as its SDKs make them: signed by another library than the server's.

use jsonwebtoken::{Algorithm, EncodingKey, Header};
use roomd::auth::livekit::create_key;
use roomd::domain::ids::ProjectId;
use roomd::store::LiveKey;
use serde_json::{Value, json};

use crate::harness::Server;

impl Server {
    pub async fn livekit_key(&self, project: &ProjectId) -> LiveKey {
        create_key(&self.store, project, self.clock.now_ms()).await.unwrap()
    }

    /// A token with these claims, of a caller's usual ten minutes.
    pub fn livekit_token(&self, key: &LiveKey, claims: Value) -> String {
        let now_s = self.clock.now_ms() / 1_000;
        let mut all = json!({"iss": key.id, "nbf": now_s, "exp": now_s + 600});
        let given = claims.as_object().unwrap().clone();
        all.as_object_mut().unwrap().extend(given);
        sign(&all, key.secret.expose())
    }

    /// A back end's token with one grant.
    pub fn livekit_grant(&self, key: &LiveKey, video: Value) -> String {
        self.livekit_token(key, json!({ "video": video }))
    }
}

pub fn sign(claims: &Value, secret: &str) -> String {
    let key = EncodingKey::from_secret(secret.as_bytes());
    jsonwebtoken::encode(&Header::new(Algorithm::HS256), claims, &key).unwrap()
}

/// The same claims and signature under a header that names another algorithm.
pub fn with_algorithm(token: &str, algorithm: &str) -> String {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;

    let (_, rest) = token.split_once('.').unwrap();
    let header = URL_SAFE_NO_PAD.encode(json!({ "alg": algorithm }).to_string());
    format!("{header}.{rest}")
}
