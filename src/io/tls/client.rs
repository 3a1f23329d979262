//! The side that connects: trusts only the authorities of one file and expects one name.

use super::{TlsError, VerificationTime, authorities, certificates, content, private_key, provider};
use crate::{io::clock, types::SecretSource};
use rustls::{ClientConfig, client::Resumption, pki_types::ServerName};
use std::{
    path::PathBuf,
    sync::{Arc, RwLock},
    time::Duration,
};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsConnector;

pub use tokio_rustls::client::TlsStream as ClientStream;

/// Whom to trust, and how to prove ourselves.
#[derive(Debug, Clone)]
pub struct ClientParameters {
    /// The only authorities (PEM) that may certify the server.
    pub ca_file: PathBuf,
    /// Our certificate chain and key (PEM), where the server asks for one.
    pub identity: Option<(PathBuf, SecretSource)>,
    /// The name the server's certificate must have. From our own list, never from what a trigger or a URI says.
    pub server_name: String,
    pub time: VerificationTime,
}

/// Makes connections to one server.
#[derive(Debug)]
pub struct Connector {
    parameters: ClientParameters,
    server_name: ServerName<'static>,
    config: RwLock<Arc<ClientConfig>>,
}

impl Connector {
    pub fn new(parameters: ClientParameters) -> Result<Self, TlsError> {
        let server_name = ServerName::try_from(parameters.server_name.clone())
            .map_err(|_| TlsError::ServerName(parameters.server_name.clone()))?;
        let config = RwLock::new(build(&parameters)?);
        Ok(Self { parameters, server_name, config })
    }

    /// Reads the files again; when they are wrong, the old ones stay.
    pub fn reload(&self) -> Result<(), TlsError> {
        let config = build(&self.parameters)?;
        *self.config.write().unwrap_or_else(|poisoned| poisoned.into_inner()) = config;
        Ok(())
    }

    /// The handshake over a connected stream.
    ///
    /// A server that refuses our certificate says so only after it (TLS 1.3): the first read fails then.
    pub async fn connect<S>(&self, stream: S, patience: Duration) -> Result<ClientStream<S>, TlsError>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let config = self.config.read().unwrap_or_else(|poisoned| poisoned.into_inner()).clone();
        let handshake = TlsConnector::from(config).connect(self.server_name.clone(), stream);
        clock::timeout(patience, handshake).await?.map_err(TlsError::Handshake)
    }
}

fn build(parameters: &ClientParameters) -> Result<Arc<ClientConfig>, TlsError> {
    let builder = ClientConfig::builder_with_details(provider(), Arc::new(parameters.time.clone()))
        .with_safe_default_protocol_versions()
        .map_err(|error| content(&parameters.ca_file, error))?
        .with_root_certificates(authorities(&parameters.ca_file)?);
    let mut config = match &parameters.identity {
        None => builder.with_no_client_auth(),
        Some((chain, key)) => builder
            .with_client_auth_cert(certificates(chain)?, private_key(key)?)
            .map_err(|error| content(chain, error))?,
    };
    config.resumption = Resumption::disabled();
    Ok(Arc::new(config))
}
