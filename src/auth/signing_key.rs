//! One signing key: how it is made, how it signs, and how it verifies.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::jwks::PublicKey;
use super::sha256;
use crate::error::{Code, Error};
use crate::store::SigningAlgorithm;

/// A fresh private key as PKCS#8. Both algorithms are asymmetric, so that anybody may verify and
/// only we sign.
pub(super) fn generate(algorithm: SigningAlgorithm) -> Result<Vec<u8>, Error> {
    let random = SystemRandom::new();
    let document = match algorithm {
        SigningAlgorithm::Es256 => {
            EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random)
        }
        SigningAlgorithm::EdDsa => Ed25519KeyPair::generate_pkcs8(&random),
    };
    let document = document.map_err(|_| Error::internal("a signing key cannot be made"))?;
    Ok(document.as_ref().to_vec())
}

fn as_jwt(algorithm: SigningAlgorithm) -> Algorithm {
    match algorithm {
        SigningAlgorithm::Es256 => Algorithm::ES256,
        SigningAlgorithm::EdDsa => Algorithm::EdDSA,
    }
}

fn public_key(algorithm: SigningAlgorithm, pkcs8: &[u8]) -> Result<PublicKey, Error> {
    let rejected = |cause: aws_lc_rs::error::KeyRejected| corrupt_key(cause.to_string());
    let public = match algorithm {
        SigningAlgorithm::Es256 => {
            let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8);
            pair.map_err(rejected)?.public_key().as_ref().to_vec()
        }
        SigningAlgorithm::EdDsa => {
            let pair = Ed25519KeyPair::from_pkcs8(pkcs8);
            pair.map_err(rejected)?.public_key().as_ref().to_vec()
        }
    };
    describe(algorithm, &public)
}

/// The raw public key: 4, x, y for P-256; the one coordinate for Ed25519.
fn describe(algorithm: SigningAlgorithm, public: &[u8]) -> Result<PublicKey, Error> {
    let (kty, crv, x, y) = match (algorithm, public) {
        (SigningAlgorithm::Es256, [4, coordinates @ ..]) if coordinates.len() == 64 => {
            let (x, y) = coordinates.split_at(32);
            ("EC", "P-256", URL_SAFE_NO_PAD.encode(x), Some(URL_SAFE_NO_PAD.encode(y)))
        }
        (SigningAlgorithm::EdDsa, x) if x.len() == 32 => {
            ("OKP", "Ed25519", URL_SAFE_NO_PAD.encode(x), None)
        }
        _ => return Err(corrupt_key("the public key has an unknown form".to_owned())),
    };
    let kid = thumbprint(kty, crv, &x, y.as_deref());
    Ok(PublicKey { kty, crv, x, y, kid, alg: algorithm.as_str(), key_use: "sig" })
}

/// RFC 7638: the hash of the required members, sorted by name. It names the key for everybody
/// alike.
fn thumbprint(kty: &str, crv: &str, x: &str, y: Option<&str>) -> String {
    let y = y.map_or_else(String::new, |y| format!(r#","y":"{y}""#));
    let members = format!(r#"{{"crv":"{crv}","kty":"{kty}","x":"{x}"{y}}}"#);
    URL_SAFE_NO_PAD.encode(sha256(members.as_bytes()))
}

fn corrupt_key(cause: String) -> Error {
    Error::new(Code::DataLoss, "INTERNAL", "a stored signing key cannot be read").because(cause)
}

/// A key in memory, ready to use. Its `Debug` text shows nothing private.
pub struct LoadedKey {
    pub public: PublicKey,
    pub algorithm: SigningAlgorithm,
    pub created_at_ms: i64,
    encoding: EncodingKey,
    decoding: DecodingKey,
    /// Set when the key is gone from the store, so that cached tokens that it signed fall with it.
    withdrawn: AtomicBool,
}

impl LoadedKey {
    pub(super) fn load(
        algorithm: SigningAlgorithm,
        pkcs8: &[u8],
        created_at_ms: i64,
    ) -> Result<Self, Error> {
        let public = public_key(algorithm, pkcs8)?;
        let y = public.y.as_deref().unwrap_or_default();
        let (encoding, decoding) = match algorithm {
            SigningAlgorithm::Es256 => {
                let decoding = DecodingKey::from_ec_components(&public.x, y);
                (EncodingKey::from_ec_der(pkcs8), decoding)
            }
            SigningAlgorithm::EdDsa => {
                let decoding = DecodingKey::from_ed_components(&public.x);
                (EncodingKey::from_ed_der(pkcs8), decoding)
            }
        };
        let decoding = decoding.map_err(|cause| corrupt_key(cause.to_string()))?;
        let withdrawn = AtomicBool::new(false);
        Ok(Self { public, algorithm, created_at_ms, encoding, decoding, withdrawn })
    }

    pub fn kid(&self) -> &str {
        &self.public.kid
    }

    pub(super) fn sign<T: Serialize>(&self, claims: &T) -> Result<String, Error> {
        let mut header = Header::new(as_jwt(self.algorithm));
        header.kid = Some(self.public.kid.clone());
        jsonwebtoken::encode(&header, claims, &self.encoding).map_err(Error::internal)
    }

    /// Checks the signature and nothing else: times are judged by the caller's clock, not by the
    /// library's. The algorithm is that of this key, whatever the token's header claims.
    pub(super) fn open<T: DeserializeOwned>(
        &self,
        token: &str,
    ) -> Result<T, jsonwebtoken::errors::Error> {
        let mut rules = Validation::new(as_jwt(self.algorithm));
        rules.required_spec_claims.clear();
        rules.validate_exp = false;
        rules.validate_nbf = false;
        rules.validate_aud = false;
        jsonwebtoken::decode::<T>(token, &self.decoding, &rules).map(|data| data.claims)
    }

    pub(super) fn withdraw(&self) {
        self.withdrawn.store(true, Ordering::Release);
    }

    pub(super) fn is_withdrawn(&self) -> bool {
        self.withdrawn.load(Ordering::Acquire)
    }
}

impl fmt::Debug for LoadedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LoadedKey")
            .field("public", &self.public)
            .field("created_at_ms", &self.created_at_ms)
            .finish_non_exhaustive()
    }
}
