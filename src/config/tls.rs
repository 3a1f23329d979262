//! Certificates of servers and clients. Private keys are files or credentials of the service manager, never text.

use crate::types::SecretSource;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// A TLS server that asks every client for a certificate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ServerTls {
    /// Certificate chain, PEM, the server's own certificate first.
    pub certificate_file: PathBuf,
    /// Private key, PEM.
    pub key_file: SecretSource,
    /// Certificates (PEM) of the authorities whose clients are let in.
    pub client_ca_file: PathBuf,
}

/// What a client needs: whom to trust and how to prove itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ClientTls {
    /// Certificates (PEM) of the only authorities this server may be certified by.
    pub ca_file: PathBuf,
    /// The client's certificate chain, PEM.
    pub client_certificate_file: PathBuf,
    /// The client's private key, PEM.
    pub client_key_file: SecretSource,
}
