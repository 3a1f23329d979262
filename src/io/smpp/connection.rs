//! Connecting to an SMSC, over TCP or TLS ("SMPPS": TLS from the first octet).

use crate::io::{
    clock,
    tls::{Connector, Duplex, TlsError},
};
use std::{io, sync::Arc, time::Duration};
use tokio::net::TcpStream;

/// Where an SMSC listens.
#[derive(Debug, Clone)]
pub struct Remote {
    /// Host name or IP address.
    pub host: String,
    pub port: u16,
    /// Without it octets go out in the clear.
    pub tls: Option<Arc<Connector>>,
    /// For each of: name and connection, TLS handshake.
    pub patience: Duration,
}

#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    #[error("cannot connect to {host}:{port}: {source}")]
    Tcp { host: String, port: u16, source: io::Error },
    #[error("{host}:{port}: {source}")]
    Tls { host: String, port: u16, source: TlsError },
}

/// A fresh connection.
pub async fn connect(remote: &Remote) -> Result<Box<dyn Duplex>, ConnectError> {
    let (host, port) = (remote.host.clone(), remote.port);
    let connected = clock::timeout(remote.patience, TcpStream::connect((host.as_str(), port))).await;
    let tcp = connected.map_err(io::Error::from).flatten().and_then(|stream| {
        // A trigger is one small write; waiting for more would only delay it.
        stream.set_nodelay(true)?;
        Ok(stream)
    });
    let stream = match tcp {
        Ok(stream) => stream,
        Err(source) => return Err(ConnectError::Tcp { host, port, source }),
    };
    match &remote.tls {
        None => Ok(Box::new(stream)),
        Some(connector) => match connector.connect(stream, remote.patience).await {
            Ok(stream) => Ok(Box::new(stream)),
            Err(source) => Err(ConnectError::Tls { host, port, source }),
        },
    }
}
