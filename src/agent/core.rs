//! What all tasks of one agent share.

use super::metrics::AgentMetrics;
use super::state::Rules;
use super::store::Store;
use crate::codec::sms::Address;
use crate::config;
use crate::daemon::LogLimit;
use crate::io::clock;
use crate::io::tls::{ClientParameters, TlsError, VerificationTime, certified_eid};
use crate::types::Eid;
use std::sync::Arc;

#[derive(Debug)]
pub struct Core {
    pub config: config::Agent,
    pub rules: Rules,
    /// TP-OA of packets that came with no trigger.
    pub originator: Address,
    pub store: Store,
    pub metrics: AgentMetrics,
    pub log_limit: Arc<LogLimit>,
}

impl Core {
    /// The first of the list.
    pub fn current_sm_sr(&self) -> &str {
        self.config.sm_sr.first().map_or("", |sm_sr| sm_sr.id.as_str())
    }

    pub fn sm_sr(&self, id: &str) -> Option<&config::agent::SmSr> {
        self.config.sm_sr.iter().find(|sm_sr| sm_sr.id == id)
    }
}

/// How to reach and recognise an SM-SR, and how to prove ourselves to it.
pub fn client_parameters(core: &Arc<Core>, sm_sr: &config::agent::SmSr) -> ClientParameters {
    let shared = core.clone();
    let time = move || shared.store.clock.verification_time(clock::now(), clock::is_synchronised());
    ClientParameters {
        ca_file: sm_sr.ca_file.clone(),
        identity: Some((sm_sr.client_certificate_file.clone(), sm_sr.client_key_file.clone())),
        server_name: sm_sr.certificate_name().unwrap_or_default().to_owned(),
        time: VerificationTime::from_fn(time),
    }
}

/// The eUICC that our certificate speaks for.
pub fn eid_of_certificate(sm_sr: &config::agent::SmSr) -> Result<Option<Eid>, TlsError> {
    certified_eid(&sm_sr.client_certificate_file)
}

/// From the configuration.
pub fn rules(config: &config::Agent) -> Rules {
    Rules {
        no_clock_spread: config.no_clock_spread,
        first: config.retry.first,
        longest: config.retry.longest,
        attempts: config.retry.attempts,
        busy_attempts: config.busy_attempts,
    }
}
