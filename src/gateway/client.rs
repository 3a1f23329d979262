//! Who asks, and what that client may do.

use crate::{
    config,
    session::delivery::RelayPolicy,
    types::{Now, Tar},
};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

const HOUR: Duration = Duration::from_secs(3600);

/// The name of whoever reaches a UNIX socket or a loopback address.
pub const LOCAL: &str = "local";

/// One client of the API.
#[derive(Debug, Clone)]
pub struct Client {
    pub name: Arc<str>,
    pub policy: RelayPolicy,
    pub identity_prefixes: Vec<String>,
    pub targets_per_hour: u64,
}

impl Client {
    /// By its entry in the configuration, or with the defaults of one.
    pub fn named(name: &str, config: &config::Gateway) -> Self {
        let entry = config.client.iter().find(|client| client.name == name);
        let limits = &config.limits;
        Self {
            name: name.into(),
            policy: RelayPolicy {
                tars: entry.map_or_else(|| vec![Tar::ISD_R, Tar::AMENDMENT_B, Tar::AGENT], |entry| entry.tars.clone()),
                max_payload: usize::try_from(limits.payload_size).unwrap_or(usize::MAX),
                max_segments: limits.segments.into(),
            },
            identity_prefixes: entry.map_or_else(Vec::new, |entry| entry.identity_prefixes.clone()),
            targets_per_hour: entry.map_or(0, |entry| entry.targets_per_hour),
        }
    }

    /// Whether one of these numbers is in its range.
    pub fn may_reach<'a>(&self, mut numbers: impl Iterator<Item = &'a str>) -> bool {
        let allowed = |number: &str| self.identity_prefixes.iter().any(|prefix| number.starts_with(prefix.as_str()));
        self.identity_prefixes.is_empty() || numbers.any(allowed)
    }
}

/// Targets submitted in the current hour, per client.
#[derive(Debug, Default)]
pub struct Quotas(Mutex<HashMap<Arc<str>, (Duration, u64)>>);

impl Quotas {
    /// Takes `targets` from the client's hour; `false` if there are not so many left.
    pub fn take(&self, now: Now, client: &Client, targets: u64) -> bool {
        if client.targets_per_hour == 0 {
            return true;
        }
        let mut hours = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (since, used) = hours.entry(client.name.clone()).or_insert((now.mono, 0));
        if now.mono.saturating_sub(*since) >= HOUR {
            (*since, *used) = (now.mono, 0);
        }
        let after = used.saturating_add(targets);
        let admitted = after <= client.targets_per_hour;
        if admitted {
            *used = after;
        }
        admitted
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::UnixSeconds;

    fn client(prefixes: &[&str], targets_per_hour: u64) -> Client {
        let entry = config::gateway::GatewayClient {
            name: "c".into(),
            tars: vec![],
            identity_prefixes: prefixes.iter().map(ToString::to_string).collect(),
            targets_per_hour,
        };
        Client::named("c", &config::Gateway { client: vec![entry], ..config::Gateway::default() })
    }

    #[test]
    fn reaches_only_numbers_in_its_range() {
        let narrow = client(&["4915", "26201"], 0);
        assert!(narrow.may_reach(["26201", "33"].into_iter()));
        assert!(!narrow.may_reach(["33", "49"].into_iter()));
        assert!(client(&[], 0).may_reach(std::iter::empty()));
    }

    #[test]
    fn the_quota_is_per_hour_and_a_refused_request_takes_nothing() {
        let (quotas, client) = (Quotas::default(), client(&[], 10));
        let at = |seconds| Now { mono: Duration::from_secs(seconds), utc: UnixSeconds(0) };
        assert!(quotas.take(at(0), &client, 8));
        assert!(!quotas.take(at(1), &client, 3));
        assert!(quotas.take(at(2), &client, 2));
        assert!(!quotas.take(at(3599), &client, 1));
        assert!(quotas.take(at(3600), &client, 10));
    }
}
