//! TLS for the listener: a certificate chain and key from PEM files, replaceable while it runs.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::CryptoProvider;
use tokio_rustls::rustls::crypto::aws_lc_rs::default_provider;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::{ClientHello, ResolvesServerCert};
use tokio_rustls::rustls::sign::CertifiedKey;

use crate::error::{Code, Error};

/// The certificate in use and the files that it came from.
pub struct Certificate {
    chain_path: PathBuf,
    key_path: PathBuf,
    provider: Arc<CryptoProvider>,
    current: RwLock<Arc<CertifiedKey>>,
}

impl Certificate {
    pub fn load(chain_path: &Path, key_path: &Path) -> Result<Arc<Self>, Error> {
        let provider = Arc::new(default_provider());
        let current = RwLock::new(read(chain_path, key_path, &provider)?);
        let (chain_path, key_path) = (chain_path.to_owned(), key_path.to_owned());
        Ok(Arc::new(Self { chain_path, key_path, provider, current }))
    }

    /// Reads the files again. A bad file changes nothing: connections go on with the old one.
    pub fn reload(&self) -> Result<(), Error> {
        let fresh = read(&self.chain_path, &self.key_path, &self.provider)?;
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = fresh;
        Ok(())
    }

    /// What the listener needs. HTTP/2 first: whoever can speak it gets it.
    pub fn server_config(self: &Arc<Self>) -> Result<Arc<ServerConfig>, Error> {
        let mut config = ServerConfig::builder_with_provider(self.provider.clone())
            .with_safe_default_protocol_versions()
            .map_err(Error::internal)?
            .with_no_client_auth()
            .with_cert_resolver(self.clone());
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Arc::new(config))
    }
}

impl ResolvesServerCert for Certificate {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.current.read().unwrap_or_else(PoisonError::into_inner).clone())
    }
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certificate").field("chain_path", &self.chain_path).finish_non_exhaustive()
    }
}

fn read(
    chain_path: &Path,
    key_path: &Path,
    provider: &CryptoProvider,
) -> Result<Arc<CertifiedKey>, Error> {
    let chain: Vec<_> = CertificateDer::pem_file_iter(chain_path)
        .and_then(Iterator::collect)
        .map_err(|error| bad_file("tls_cert", chain_path, error))?;
    if chain.is_empty() {
        return Err(bad_file("tls_cert", chain_path, "it holds no certificate"));
    }
    let key = PrivateKeyDer::from_pem_file(key_path)
        .map_err(|error| bad_file("tls_key", key_path, error))?;
    // This also refuses a key that does not belong to the certificate.
    let certified = CertifiedKey::from_der(chain, key, provider)
        .map_err(|error| bad_file("tls_cert", chain_path, error))?;
    Ok(Arc::new(certified))
}

fn bad_file(
    option: &str,
    path: &Path,
    cause: impl Into<Box<dyn std::error::Error + Send + Sync>>,
) -> Error {
    let public = format!("option `{option}`: cannot use {}", path.display());
    Error::new(Code::FailedPrecondition, "TLS", public).because(cause)
}
