//! A connection to an SM-SR of the list.

use super::core::{Core, client_parameters};
use crate::config::agent::SmSr;
use crate::io::clock;
use crate::io::tls::{ClientStream, Connector};
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// TLS over TCP, to nobody but the host of the entry.
pub struct Connection(ClientStream<TcpStream>);

/// How a connection ended.
pub enum Received {
    Octets(Vec<u8>),
    /// `orderly`: with close_notify.
    Closed {
        orderly: bool,
    },
}

impl Connection {
    /// Why not is told in words: every failure is tried again, and people read the log.
    pub async fn open(core: &Arc<Core>, sm_sr: &SmSr) -> Result<Self, String> {
        let patience = core.config.exchange_timeout;
        let connector = Connector::new(client_parameters(core, sm_sr)).map_err(|error| error.to_string())?;
        let (host, port) = sm_sr.host_and_port().ok_or("its address has no port")?;
        let stream = clock::timeout(patience, TcpStream::connect((host, port))).await;
        let stream = stream.map_err(|error| error.to_string())?.map_err(|error| format!("TCP: {error}"))?;
        // Requests are written whole.
        let _ = stream.set_nodelay(true);
        connector.connect(stream, patience).await.map(Self).map_err(|error| error.to_string())
    }

    pub async fn send(&mut self, core: &Core, octets: &[u8]) -> Result<(), String> {
        let written = async {
            self.0.write_all(octets).await?;
            self.0.flush().await
        };
        let written = clock::timeout(core.config.exchange_timeout, written).await;
        written.map_err(|error| error.to_string())?.map_err(|error| error.to_string())
    }

    /// Cancel-safe.
    pub async fn receive(&mut self) -> Received {
        let mut buffer = vec![0; 8192];
        match self.0.read(&mut buffer).await {
            Ok(0) => Received::Closed { orderly: true },
            Ok(length) => {
                buffer.truncate(length);
                Received::Octets(buffer)
            }
            Err(error) => {
                tracing::debug!("connection lost: {error}");
                Received::Closed { orderly: false }
            }
        }
    }

    pub async fn close(mut self, core: &Core) {
        // Nothing depends on it: both ends survive a connection that just ends.
        let _ = clock::timeout(core.config.exchange_timeout, self.0.shutdown()).await;
    }
}
