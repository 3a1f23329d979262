//! The side that listens: lets in only clients with a certificate of its authorities that is not revoked.

use super::{Duplex, Peer, TlsError, VerificationTime, authorities, certificates, content, private_key, provider};
use crate::{
    io::{clock, file, listener::Stream},
    types::SecretSource,
};
use rustls::{
    ServerConfig,
    pki_types::{CertificateRevocationListDer, pem::PemObject},
    server::{NoServerSessionStorage, WebPkiClientVerifier},
};
use std::{
    fmt, io,
    path::{Path, PathBuf},
    pin::Pin,
    sync::{Arc, RwLock},
    time::Duration,
};
use tokio_rustls::TlsAcceptor;

#[derive(Debug, Clone)]
pub struct ServerParameters {
    /// Our certificate chain, PEM.
    pub certificate_file: PathBuf,
    pub key: SecretSource,
    /// The authorities (PEM) whose clients are let in.
    pub client_ca_file: PathBuf,
    /// Their revocation list (PEM); a file that does not exist yet counts as an empty list.
    pub revocation_file: Option<PathBuf>,
    /// A handshake that is not finished by then is dropped.
    pub handshake_timeout: Duration,
    pub time: VerificationTime,
}

/// A finished handshake.
pub struct Accepted {
    pub stream: Box<dyn Duplex>,
    pub peer: Peer,
}

impl fmt::Debug for Accepted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Accepted({:?})", self.peer)
    }
}

/// What a server needs of TLS; other libraries than rustls (PSK for eUICCs' own sessions) fit behind it.
pub trait Accept: Send + Sync {
    fn accept(&self, stream: Stream) -> Pin<Box<dyn Future<Output = Result<Accepted, TlsError>> + Send + '_>>;
}

/// Certificates on both sides.
#[derive(Debug)]
pub struct Acceptor {
    parameters: ServerParameters,
    config: RwLock<Arc<ServerConfig>>,
}

impl Acceptor {
    pub fn new(parameters: ServerParameters) -> Result<Self, TlsError> {
        let config = RwLock::new(build(&parameters)?);
        Ok(Self { parameters, config })
    }

    /// Reads certificate, key, authorities and revocation list again; when one is wrong, all old ones stay.
    /// Connections that are open go on.
    pub fn reload(&self) -> Result<(), TlsError> {
        let config = build(&self.parameters)?;
        *self.config.write().unwrap_or_else(|poisoned| poisoned.into_inner()) = config;
        Ok(())
    }

    async fn handshake(&self, stream: Stream) -> Result<Accepted, TlsError> {
        let config = self.config.read().unwrap_or_else(|poisoned| poisoned.into_inner()).clone();
        let handshake = TlsAcceptor::from(config).accept(stream);
        let stream =
            clock::timeout(self.parameters.handshake_timeout, handshake).await?.map_err(TlsError::Handshake)?;
        let certificate = stream.get_ref().1.peer_certificates().and_then(|chain| chain.first());
        let unreadable = || TlsError::Handshake(io::Error::other("the client's certificate cannot be read"));
        let peer = certificate.and_then(Peer::from_certificate).ok_or_else(unreadable)?;
        Ok(Accepted { stream: Box::new(stream), peer })
    }
}

impl Accept for Acceptor {
    fn accept(&self, stream: Stream) -> Pin<Box<dyn Future<Output = Result<Accepted, TlsError>> + Send + '_>> {
        Box::pin(self.handshake(stream))
    }
}

fn build(parameters: &ServerParameters) -> Result<Arc<ServerConfig>, TlsError> {
    let roots = authorities(&parameters.client_ca_file)?;
    let mut verifier = WebPkiClientVerifier::builder_with_provider(roots, provider());
    if let Some(path) = parameters.revocation_file.as_deref() {
        // A list speaks of the clients; who certified an intermediate authority need not publish one.
        verifier =
            verifier.with_crls(revocations(path)?).only_check_end_entity_revocation().allow_unknown_revocation_status();
    }
    let verifier = verifier.build().map_err(|error| content(&parameters.client_ca_file, error))?;
    let mut config = ServerConfig::builder_with_details(provider(), Arc::new(parameters.time.clone()))
        .with_safe_default_protocol_versions()
        .map_err(|error| content(&parameters.certificate_file, error))?
        .with_client_cert_verifier(verifier)
        .with_single_cert(certificates(&parameters.certificate_file)?, private_key(&parameters.key)?)
        .map_err(|error| content(&parameters.certificate_file, error))?;
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Ok(Arc::new(config))
}

fn revocations(path: &Path) -> Result<Vec<CertificateRevocationListDer<'static>>, TlsError> {
    let text = match file::read_text(path, super::PEM_LIMIT) {
        Err(file::FileError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        text => text?,
    };
    CertificateRevocationListDer::pem_slice_iter(text.as_bytes())
        .collect::<Result<_, _>>()
        .map_err(|error| content(path, error))
}
