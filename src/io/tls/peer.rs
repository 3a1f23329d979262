//! Who a client is: the names in the certificate that the handshake has proved.

use crate::types::{Eid, UnixSeconds};
use rustls::pki_types::CertificateDer;
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

/// Prefix of the URI that carries an EID.
const EID_URI: &str = "urn:euicc:eid:";

/// The proved identity of a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peer {
    /// DNS names and URIs of the subject alternative name, in their order.
    pub names: Vec<String>,
    /// Of the one URI `urn:euicc:eid:<32 digits>`; `None` also when there are several or it is no EID.
    pub eid: Option<Eid>,
    /// End of the certificate's validity.
    pub not_after: UnixSeconds,
    /// Serial number, as revocation lists name it.
    pub serial: Vec<u8>,
}

impl Peer {
    /// From the certificate of a finished handshake; `None` if it cannot be read after all.
    pub fn from_certificate(certificate: &CertificateDer<'_>) -> Option<Self> {
        let (_, certificate) = X509Certificate::from_der(certificate).ok()?;
        let names: Vec<String> = match certificate.subject_alternative_name().ok()? {
            None => Vec::new(),
            Some(extension) => extension.value.general_names.iter().filter_map(name).collect(),
        };
        let mut eids = names.iter().filter_map(|name| name.strip_prefix(EID_URI));
        let eid = match (eids.next(), eids.next()) {
            (Some(eid), None) => eid.parse().ok(),
            _ => None,
        };
        let not_after = UnixSeconds(u64::try_from(certificate.validity().not_after.timestamp()).unwrap_or(0));
        let serial = certificate.raw_serial().to_vec();
        Some(Self { names, eid, not_after, serial })
    }
}

fn name(name: &GeneralName<'_>) -> Option<String> {
    match name {
        GeneralName::DNSName(name) | GeneralName::URI(name) => Some((*name).to_string()),
        _ => None,
    }
}
