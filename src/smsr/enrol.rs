//! Enrolment: everything a new terminal needs, and its row in the registry.

use super::core::Core;
use crate::codec::ota::{CcLength, Counter, KeyFamily};
use crate::{
    config::{
        self,
        agent::{Agent, CardChannel},
    },
    io::{
        clock,
        file::{self, Access, FileError},
        pki::{Authority, PkiError, Validity},
        secret_file::{self, SecretFileError},
        store::{
            StoreError,
            smsr::{Actor, CertificateRecord, Eis, Registry},
        },
    },
    session::scp80::{KeyOwner, StoredKeySet},
    types::{Invalid, Secret, SecretSource, Tar, UnixSeconds},
};
use serde::Serialize;
use std::{
    path::{Path, PathBuf},
    time::Duration,
};

/// Names of the files that `agent_config` speaks of.
pub const TRIGGER_KEYS_FILE: &str = "trigger-keys.toml";
pub const CLIENT_CERTIFICATE_FILE: &str = "client.pem";
pub const CLIENT_KEY_FILE: &str = "client.key";
pub const SM_SR_CA_FILE: &str = "sm-sr-ca.pem";

const PEM_LIMIT: u64 = 1 << 20;
/// Key version of trigger keys made here.
const TRIGGER_KEY_VERSION: u8 = 1;
const AUTHORITY_VALIDITY: Duration = Duration::from_secs(20 * 365 * 86_400);
/// A list is good for this long; it is written anew at each revocation and start.
const LIST_VALIDITY: Duration = Duration::from_secs(30 * 86_400);

/// By whom it can be mended.
#[derive(Debug, thiserror::Error)]
pub enum EnrolError {
    #[error(transparent)]
    File(#[from] FileError),
    #[error(transparent)]
    Secret(#[from] SecretFileError),
    #[error(transparent)]
    Pki(#[from] PkiError),
    #[error(transparent)]
    Invalid(#[from] Invalid),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("the agent's configuration cannot be written: {0}")]
    Config(#[from] toml::ser::Error),
    #[error("[smsr.enrolment] names no address for terminals")]
    NoAddress,
}

/// The authority for terminals, and where they are sent.
pub struct Enroller {
    authority: Authority,
    validity: Duration,
    sm_sr: SmSr,
    revocation_file: Option<PathBuf>,
}

/// How a terminal reaches this SM-SR.
#[derive(Debug, Clone, Serialize)]
pub struct SmSr {
    pub id: String,
    /// `https://HOST:PORT`.
    pub address: String,
    pub path: String,
    /// Authority of this SM-SR's certificate, PEM.
    pub ca: String,
}

/// What a new terminal is given. Secrets are in clear: it goes to whoever installs them.
#[derive(Serialize)]
pub struct Enrolled {
    pub eid: crate::types::Eid,
    pub trigger_keys: String,
    pub client_certificate: String,
    pub client_key: String,
    pub sm_sr: SmSr,
    pub agent_config: String,
}

impl Enroller {
    /// From the configuration; `None` where there is no authority. Its files are made when they do not exist.
    pub fn open(config: &config::Smsr) -> Result<Option<Self>, EnrolError> {
        let enrolment = &config.enrolment;
        let (Some(certificate), Some(key)) = (&enrolment.ca_certificate_file, &enrolment.ca_key_file) else {
            return Ok(None);
        };
        if let (false, SecretSource::File(key)) = (certificate.exists(), key) {
            make_authority(certificate, key)?;
        }
        let authority = Authority::from_pem(&file::read_text(certificate, PEM_LIMIT)?, &secret_file::read(key)?)?;
        let address = enrolment.address.as_ref().ok_or(EnrolError::NoAddress)?;
        let ca = match &enrolment.server_ca_file {
            Some(path) => file::read_text(path, PEM_LIMIT)?,
            None => last_certificate(&file::read_text(&config.admin.certificate_file, PEM_LIMIT)?),
        };
        let sm_sr =
            SmSr { id: config.id.clone(), address: format!("https://{address}"), path: config.admin.path.clone(), ca };
        let revocation_file = config.admin.revocation_file.clone();
        Ok(Some(Self { authority, validity: enrolment.certificate_validity, sm_sr, revocation_file }))
    }

    /// Writes the revocation list, if one is configured.
    pub fn write_revocations(&self, revoked: &[CertificateRecord], now: UnixSeconds) -> Result<(), EnrolError> {
        let Some(path) = &self.revocation_file else { return Ok(()) };
        let entries: Vec<_> = revoked
            .iter()
            .filter_map(|certificate| Some((certificate.serial.clone(), certificate.revoked_at?)))
            .collect();
        // The time as number: it rises with each list.
        let list = self.authority.revocation_list(&entries, now.0, Validity { now, duration: LIST_VALIDITY })?;
        Ok(file::write_atomic(path, list.as_bytes(), Access::Everybody)?)
    }
}

fn make_authority(certificate: &Path, key: &Path) -> Result<(), EnrolError> {
    let validity = Validity { now: clock::now().utc, duration: AUTHORITY_VALIDITY };
    let (_, issued) = Authority::create("euicc-push terminals", validity)?;
    for path in [certificate, key] {
        if let Some(directory) = path.parent() {
            file::create_directory(directory)?;
        }
    }
    file::write_atomic(key, issued.key_pem.expose(), Access::Owner)?;
    file::write_atomic(certificate, issued.certificate_pem.as_bytes(), Access::Everybody)?;
    tracing::info!("an authority for terminals was made: {}", certificate.display());
    Ok(())
}

/// The end of a chain is nearest to its authority.
fn last_certificate(chain: &str) -> String {
    const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
    chain.rfind(BEGIN).and_then(|at| chain.get(at..)).unwrap_or(chain).to_string()
}

/// Makes keys, certificate and configuration for a terminal and enters it into the registry. What another enrolment of
/// the same eUICC has given out is revoked.
pub async fn enrol(core: &Core, enroller: &Enroller, mut eis: Eis, by: Actor) -> Result<Enrolled, EnrolError> {
    let now = by.now;
    let issued = enroller.authority.issue_terminal(&eis.eid, Validity { now, duration: enroller.validity })?;
    let keys = trigger_keys(&eis)?;
    let text = StoredKeySet::write_all(std::slice::from_ref(&keys))?;
    eis.key_sets.retain(|key_set| key_set.owner != KeyOwner::Agent);
    eis.key_sets.push(keys);
    let eid = eis.eid;
    let certificate = CertificateRecord {
        serial: issued.serial.clone(),
        eid,
        issued_at: now,
        not_after: issued.not_after,
        revoked_at: None,
    };
    let revoked = core.store.revoke(eid, by.clone()).await?;
    core.store.put_eis(Box::new(eis), by.clone()).await?;
    core.store.certify(certificate, by).await?;
    if revoked > 0 {
        enroller.write_revocations(&core.store.revoked().await?, now)?;
    }
    Ok(Enrolled {
        eid,
        trigger_keys: clear(&text),
        client_certificate: issued.certificate_pem.clone(),
        client_key: clear(&issued.key_pem),
        agent_config: agent_config(&enroller.sm_sr)?,
        sm_sr: enroller.sm_sr.clone(),
    })
}

fn clear(secret: &Secret) -> String {
    String::from_utf8_lossy(secret.expose()).into_owned()
}

/// Fresh keys; another version than any the eUICC's agent had, so that old packets can be told apart.
fn trigger_keys(eis: &Eis) -> Result<StoredKeySet, Invalid> {
    let used = eis.key_sets.iter().filter(|key_set| key_set.owner == KeyOwner::Agent).map(|key_set| key_set.version);
    let version = used.max().map_or(TRIGGER_KEY_VERSION, |version| version % 15 + 1);
    let key_set = StoredKeySet {
        owner: KeyOwner::Agent,
        tar: Tar::AGENT,
        version,
        family: KeyFamily::Aes,
        cc_length: CcLength::Eight,
        counter: Counter::ZERO,
        new: true,
        kic: Secret::new(clock::random_bytes::<16>().to_vec()),
        kid: Secret::new(clock::random_bytes::<16>().to_vec()),
    };
    key_set.prepare().map(|_| key_set)
}

/// `[agent]` with everything the terminal cannot know itself; file names are relative to the configuration's directory.
fn agent_config(sm_sr: &SmSr) -> Result<String, EnrolError> {
    #[derive(Serialize)]
    struct File {
        agent: Table,
    }
    #[derive(Serialize)]
    #[serde(rename_all = "kebab-case")]
    struct Table {
        card: CardChannel,
        trigger_keys_file: PathBuf,
        tar: Tar,
        sm_sr: Vec<config::agent::SmSr>,
    }
    let entry = config::agent::SmSr {
        id: sm_sr.id.clone(),
        address: sm_sr.address.trim_start_matches("https://").to_string(),
        path: sm_sr.path.clone(),
        ca_file: SM_SR_CA_FILE.into(),
        server_name: None,
        client_certificate_file: CLIENT_CERTIFICATE_FILE.into(),
        client_key_file: CLIENT_KEY_FILE.into(),
    };
    let defaults = Agent::default();
    let agent = Table {
        card: defaults.card,
        trigger_keys_file: TRIGGER_KEYS_FILE.into(),
        tar: defaults.tar,
        sm_sr: vec![entry],
    };
    Ok(toml::to_string(&File { agent })?)
}
