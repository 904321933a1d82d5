//! TLS on the server's own port, and certificates that are exchanged while it serves.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use rustls::ServerConfig;
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::config::Network;

/// How long a client may take to agree on a key.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// Why there is no certificate. Every message names the setting or the file.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// One of the two settings says nothing.
    #[error("{0} is missing: TLS needs both tls_certificate_file and tls_key_file")]
    Half(&'static str),
    /// A file cannot be read, or is not what it should be.
    #[error("{setting}: {path}: {why}")]
    File {
        /// The setting that names it.
        setting: &'static str,
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// Everybody on the machine may read the key.
    #[error(
        "tls_key_file: everybody can read {path}, whose mode is {mode:03o}: run chmod o= {path}"
    )]
    Readable {
        /// The file.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// The two do not belong together, or the key is of a kind that is not supported.
    #[error("the key in {key} cannot be used with the certificate in {certificate}: {source}")]
    Pair {
        /// The file of the certificate.
        certificate: PathBuf,
        /// The file of the key.
        key: PathBuf,
        /// What the library said.
        source: rustls::Error,
    },
    /// The library refuses its own defaults.
    #[error("TLS cannot be set up: {0}")]
    Setup(#[from] rustls::Error),
}

/// Makes encrypted streams of connections. Cheap to clone.
#[derive(Clone)]
pub(super) struct Tls {
    acceptor: TlsAcceptor,
    current: Arc<Current>,
}

/// The certificate that new connections get.
#[derive(Debug)]
struct Current(RwLock<Arc<CertifiedKey>>);

impl ResolvesServerCert for Current {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner)))
    }
}

impl Tls {
    /// TLS with the pair of files that the settings name; `None` when they name none.
    pub(super) fn from(settings: &Network) -> Result<Option<Self>, Error> {
        let provider = Arc::new(ring::default_provider());
        let Some(pair) = read(settings, &provider)? else { return Ok(None) };
        let current = Arc::new(Current(RwLock::new(pair)));
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_cert_resolver(current.clone());
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Some(Self { acceptor: TlsAcceptor::from(Arc::new(config)), current }))
    }

    /// Takes the pair that the settings name now for new connections; those that are open keep theirs.
    pub(super) fn reload(&self, settings: &Network) -> Result<(), Error> {
        let pair = read(settings, self.acceptor.config().crypto_provider())?;
        let pair = pair.ok_or(Error::Half("tls_certificate_file"))?;
        *self.current.0.write().unwrap_or_else(PoisonError::into_inner) = pair;
        Ok(())
    }

    /// Agrees on a key with a client that is in time.
    pub(super) async fn handshake<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        stream: S,
    ) -> std::io::Result<TlsStream<S>> {
        self.handshake_within(HANDSHAKE, stream).await
    }

    async fn handshake_within<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        span: Duration,
        stream: S,
    ) -> std::io::Result<TlsStream<S>> {
        tokio::time::timeout(span, self.acceptor.accept(stream)).await?
    }
}

fn read(settings: &Network, provider: &CryptoProvider) -> Result<Option<Arc<CertifiedKey>>, Error> {
    let (certificate, key) = match (&settings.tls_certificate_file, &settings.tls_key_file) {
        (None, None) => return Ok(None),
        (Some(certificate), Some(key)) => (certificate, key),
        (None, Some(_)) => return Err(Error::Half("tls_certificate_file")),
        (Some(_), None) => return Err(Error::Half("tls_key_file")),
    };
    let chain = chain(certificate)?;
    let secret = secret(key)?;
    let pair = CertifiedKey::from_der(chain, secret, provider);
    pair.map(|pair| Some(Arc::new(pair))).map_err(|source| Error::Pair {
        certificate: certificate.clone(),
        key: key.clone(),
        source,
    })
}

/// The server's certificate and those that vouch for it, in this order.
fn chain(path: &Path) -> Result<Vec<CertificateDer<'static>>, Error> {
    let wrong = |why: String| file("tls_certificate_file", path, why);
    let found =
        CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    match found {
        Ok(chain) if chain.is_empty() => Err(wrong("there is no certificate in it".to_owned())),
        Ok(chain) => Ok(chain),
        Err(error) => Err(wrong(describe(error))),
    }
}

/// A group may read it: that is how several services share a certificate.
fn secret(path: &Path) -> Result<PrivateKeyDer<'static>, Error> {
    let wrong = |why: String| file("tls_key_file", path, why);
    let mode = std::fs::metadata(path).map_err(|error| wrong(error.to_string()))?.mode() & 0o777;
    if mode & 0o007 != 0 {
        return Err(Error::Readable { path: path.to_owned(), mode });
    }
    PrivateKeyDer::from_pem_file(path).map_err(|error| match error {
        pem::Error::NoItemsFound => wrong("there is no private key in it".to_owned()),
        error => wrong(describe(error)),
    })
}

fn describe(error: pem::Error) -> String {
    match error {
        pem::Error::Io(error) => error.to_string(),
        error => error.to_string(),
    }
}

fn file(setting: &'static str, path: &Path, why: String) -> Error {
    Error::File { setting, path: path.to_owned(), why }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::config::{Env, Raw, Settings};

    #[test]
    fn a_client_that_does_not_begin_is_let_go() {
        let dir = tempfile::tempdir().unwrap();
        let copy = |name: &str| {
            let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/certificates");
            let path = dir.path().join(name);
            std::fs::copy(folder.join(name), &path).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
            Some(path)
        };
        let flags = Raw {
            data_dir: Some(dir.path().to_owned()),
            tls_certificate_file: copy("one.pem"),
            tls_key_file: copy("one.key"),
            ..Raw::default()
        };
        let settings = Settings::load(flags, None, &Env::new()).unwrap();
        let tls = Tls::from(&settings.network).unwrap().unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let (near, _far) = tokio::io::duplex(64);
        let greeting = tls.handshake_within(Duration::from_millis(5), near);
        let error = runtime.block_on(greeting).err().unwrap();
        assert_eq!(error.kind(), std::io::ErrorKind::TimedOut);
    }
}
