//! TLS 1.2 and 1.3 with certificates on both sides (rustls, ring).
//!
//! Certificates and keys are read from files and can be read again while connections go on. The time against which
//! certificates are judged is given by the caller, because terminals may have no clock but a floor. Sessions are not
//! resumed: a resumed one would not ask for the certificate again, so that a revocation would not bite.

mod client;
#[cfg(feature = "tls-server")]
mod peer;
#[cfg(feature = "tls-server")]
mod server;
#[cfg(all(test, feature = "tls-server", feature = "pki"))]
mod tests;

pub use client::{ClientParameters, ClientStream, Connector};
#[cfg(feature = "tls-server")]
pub use peer::Peer;
#[cfg(feature = "tls-server")]
pub use server::{Accept, Accepted, Acceptor, ServerParameters};

use super::{
    clock,
    file::{self, FileError},
    secret_file::{self, SecretFileError},
};
use crate::types::{SecretSource, UnixSeconds};
use rustls::{
    RootCertStore,
    crypto::CryptoProvider,
    pki_types::{CertificateDer, PrivateKeyDer, UnixTime, pem::PemObject},
    time_provider::TimeProvider,
};
use std::{
    fmt, io,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};
use tokio::io::{AsyncRead, AsyncWrite};

/// A connection in both directions, of whatever is below.
pub trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Duplex for S {}

/// PEM files hold chains and lists of authorities, not more.
const PEM_LIMIT: u64 = 16 << 20;

/// By the side that has to act.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file of ours cannot be read.
    #[error(transparent)]
    File(#[from] FileError),
    #[error(transparent)]
    Key(#[from] SecretFileError),
    /// A file of ours holds no usable certificate, key or list.
    #[error("{}: {problem}", path.display())]
    Content { path: PathBuf, problem: String },
    /// The server name we were told to expect is none.
    #[error("{0:?} is neither a host name nor an IP address")]
    ServerName(String),
    /// Connecting or the handshake failed: the peer's certificate, or the connection.
    #[error("TLS handshake: {0}")]
    Handshake(io::Error),
}

impl From<clock::TimedOut> for TlsError {
    fn from(error: clock::TimedOut) -> Self {
        Self::Handshake(error.into())
    }
}

/// What certificates are judged against.
#[derive(Clone)]
pub struct VerificationTime(Arc<dyn Fn() -> UnixSeconds + Send + Sync>);

impl VerificationTime {
    /// The system's clock.
    pub fn system() -> Self {
        Self(Arc::new(|| clock::now().utc))
    }

    /// The caller's best knowledge, asked at every handshake.
    pub fn from_fn(time: impl Fn() -> UnixSeconds + Send + Sync + 'static) -> Self {
        Self(Arc::new(time))
    }
}

impl fmt::Debug for VerificationTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "VerificationTime({})", (self.0)())
    }
}

impl TimeProvider for VerificationTime {
    fn current_time(&self) -> Option<UnixTime> {
        Some(UnixTime::since_unix_epoch(Duration::from_secs((self.0)().0)))
    }
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

fn content(path: &Path, problem: impl fmt::Display) -> TlsError {
    TlsError::Content { path: path.to_path_buf(), problem: problem.to_string() }
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let text = file::read_text(path, PEM_LIMIT)?;
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(text.as_bytes()).collect();
    let chain = chain.map_err(|error| content(path, error))?;
    if chain.is_empty() { Err(content(path, "there is no certificate in PEM form")) } else { Ok(chain) }
}

/// The EID that a certificate of ours (the first of the PEM file) speaks for.
#[cfg(feature = "tls-server")]
pub fn certified_eid(path: &Path) -> Result<Option<crate::types::Eid>, TlsError> {
    let chain = certificates(path)?;
    let peer = chain.first().and_then(Peer::from_certificate);
    peer.map(|peer| peer.eid).ok_or_else(|| content(path, "the certificate cannot be read"))
}

fn authorities(path: &Path) -> Result<Arc<RootCertStore>, TlsError> {
    let mut store = RootCertStore::empty();
    for certificate in certificates(path)? {
        store.add(certificate).map_err(|error| content(path, error))?;
    }
    Ok(Arc::new(store))
}

fn private_key(source: &SecretSource) -> Result<PrivateKeyDer<'static>, TlsError> {
    let secret = secret_file::read(source)?;
    PrivateKeyDer::from_pem_slice(secret.expose()).map_err(|error| TlsError::Content {
        path: source.to_string().into(),
        problem: format!("there is no private key in PEM form: {error}"),
    })
}
