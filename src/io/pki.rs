//! A certificate authority of our own: for enrolment, where the operator has none, and for the demo.
//!
//! Keys are ECDSA P-256. Validity begins a day early, for terminals whose clock is behind; it counts whole days.

use super::clock;
use crate::types::{Eid, Secret, UnixSeconds};
use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose, IsCa, Issuer, KeyIdMethod, KeyPair, KeyUsagePurpose, RevokedCertParams, SanType,
    SerialNumber,
};
use std::time::Duration;

#[derive(Debug, thiserror::Error)]
#[error("{what}: {source}")]
pub struct PkiError {
    what: &'static str,
    source: rcgen::Error,
}

fn failed(what: &'static str) -> impl Fn(rcgen::Error) -> PkiError {
    move |source| PkiError { what, source }
}

/// When a certificate is made and how long it is good.
#[derive(Debug, Clone, Copy)]
pub struct Validity {
    pub now: UnixSeconds,
    pub duration: Duration,
}

/// A certificate with its private key.
#[derive(Debug, Clone)]
pub struct Issued {
    pub certificate_pem: String,
    pub key_pem: Secret,
    /// For the revocation list.
    pub serial: Vec<u8>,
    pub not_after: UnixSeconds,
}

/// An authority that can issue.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate_pem: String,
}

impl std::fmt::Debug for Authority {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Authority")
    }
}

impl Authority {
    /// A new authority with a self-signed certificate.
    pub fn create(name: &str, validity: Validity) -> Result<(Self, Issued), PkiError> {
        let mut params = params(name, Vec::new(), validity)?;
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate().map_err(failed("authority's key"))?;
        let certificate = params.self_signed(&key).map_err(failed("authority's certificate"))?;
        let issued = issued(&certificate.pem(), &key, &params, validity);
        let authority = Self { certificate_pem: certificate.pem(), issuer: Issuer::new(params, key) };
        Ok((authority, issued))
    }

    /// An authority from its files.
    pub fn from_pem(certificate_pem: &str, key_pem: &Secret) -> Result<Self, PkiError> {
        let wrong_key = failed("authority's key");
        let text = std::str::from_utf8(key_pem.expose()).map_err(|_| wrong_key(rcgen::Error::CouldNotParseKeyPair))?;
        let key = KeyPair::from_pem(text).map_err(wrong_key)?;
        let issuer = Issuer::from_ca_cert_pem(certificate_pem, key).map_err(failed("authority's certificate"))?;
        Ok(Self { issuer, certificate_pem: certificate_pem.to_string() })
    }

    pub fn certificate_pem(&self) -> &str {
        &self.certificate_pem
    }

    /// For a server with these DNS names and IP addresses (at least one).
    pub fn issue_server(&self, names: &[String], validity: Validity) -> Result<Issued, PkiError> {
        let first = names.first().map_or("", String::as_str);
        let names = CertificateParams::new(names.to_vec()).map_err(failed("server's names"))?.subject_alt_names;
        self.issue(first, names, ExtendedKeyUsagePurpose::ServerAuth, validity)
    }

    /// For the agent of a terminal: `URI:urn:euicc:eid:<32 digits>`. The subject does not repeat the EID.
    pub fn issue_terminal(&self, eid: &Eid, validity: Validity) -> Result<Issued, PkiError> {
        self.issue_client("euicc-agent", &format!("urn:euicc:eid:{}", eid.clear()), validity)
    }

    /// For a client of an API, known by this URI.
    pub fn issue_client(&self, subject: &str, uri: &str, validity: Validity) -> Result<Issued, PkiError> {
        let uri = uri.try_into().map_err(failed("client's URI"))?;
        self.issue(subject, vec![SanType::URI(uri)], ExtendedKeyUsagePurpose::ClientAuth, validity)
    }

    fn issue(
        &self,
        subject: &str,
        names: Vec<SanType>,
        usage: ExtendedKeyUsagePurpose,
        validity: Validity,
    ) -> Result<Issued, PkiError> {
        let mut params = params(subject, names, validity)?;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![usage];
        params.use_authority_key_identifier_extension = true;
        let key = KeyPair::generate().map_err(failed("key"))?;
        let certificate = params.signed_by(&key, &self.issuer).map_err(failed("certificate"))?;
        Ok(issued(&certificate.pem(), &key, &params, validity))
    }

    /// The list (PEM) of revoked serial numbers with the time of revocation; `number` rises with each list.
    pub fn revocation_list(
        &self,
        revoked: &[(Vec<u8>, UnixSeconds)],
        number: u64,
        validity: Validity,
    ) -> Result<String, PkiError> {
        let entry = |(serial, at): &(Vec<u8>, UnixSeconds)| RevokedCertParams {
            serial_number: SerialNumber::from_slice(serial),
            revocation_time: date(*at, rcgen::date_time_ymd),
            reason_code: None,
            invalidity_date: None,
        };
        let params = CertificateRevocationListParams {
            this_update: date(yesterday(validity), rcgen::date_time_ymd),
            next_update: date(end(validity), rcgen::date_time_ymd),
            crl_number: SerialNumber::from_slice(&number.to_be_bytes()),
            issuing_distribution_point: None,
            revoked_certs: revoked.iter().map(entry).collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        let list = params.signed_by(&self.issuer).map_err(failed("revocation list"))?;
        list.pem().map_err(failed("revocation list"))
    }
}

/// Midnight before `at`, in the type that `rcgen::date_time_ymd` makes.
fn date<T>(at: UnixSeconds, make: impl Fn(i32, u8, u8) -> T) -> T {
    let (year, month, day, ..) = at.civil();
    make(i32::try_from(year).unwrap_or(9999), month, day)
}

fn yesterday(validity: Validity) -> UnixSeconds {
    UnixSeconds(validity.now.0.saturating_sub(86_400))
}

/// Midnight after the last day.
fn end(validity: Validity) -> UnixSeconds {
    let last = validity.now.saturating_add(validity.duration.as_secs());
    UnixSeconds((last.0 / 86_400 + 1) * 86_400)
}

fn params(subject: &str, names: Vec<SanType>, validity: Validity) -> Result<CertificateParams, PkiError> {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, subject);
    params.subject_alt_names = names;
    params.not_before = date(yesterday(validity), rcgen::date_time_ymd);
    params.not_after = date(end(validity), rcgen::date_time_ymd);
    // Positive and never zero (RFC 5280 4.1.2.2): the first octet is 40 to 7F.
    let mut serial = clock::random_bytes::<16>();
    serial[0] = serial[0] & 0x3F | 0x40;
    params.serial_number = Some(SerialNumber::from_slice(&serial));
    Ok(params)
}

fn issued(certificate_pem: &str, key: &KeyPair, params: &CertificateParams, validity: Validity) -> Issued {
    Issued {
        certificate_pem: certificate_pem.to_string(),
        key_pem: Secret::new(key.serialize_pem().into_bytes()),
        serial: params.serial_number.as_ref().map(SerialNumber::to_bytes).unwrap_or_default(),
        not_after: end(validity),
    }
}
