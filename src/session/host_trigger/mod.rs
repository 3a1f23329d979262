//! Receipt of host triggers: SMS-DELIVER TPDUs in, proved triggers out.
//!
//! In this order: port, parts, security of the packet, counter, trigger object, SM-SR. Whatever comes out names the
//! counter that must be on stable storage, together with the trigger, before anything happens. Not here: when to act
//! ([`access_time`](super::access_time)), and the storage itself.

mod refusal;
mod sm_sr;
#[cfg(test)]
mod tests;

pub use refusal::{Refusal, Refused};
pub use sm_sr::{Choice, SmSrEntry};

use super::reassembly::{self, DropReason, Limits, Reassembler, WhenFull};
use super::scp80::{Receiver, Reception, StoredKeySet};
use crate::codec::ota::{Counter, MinimumSecurity, Rejection};
use crate::codec::sms::{Address, Alphabet, BasebandRoute, Deliver, MAX_UD, Ports, Scts, baseband_route};
use crate::codec::trigger::{SessionOwner, Trigger};
use crate::types::{Invalid, Now, Tar, TransactionId};
use serde::{Deserialize, Serialize};
use sm_sr::Mismatch;
use std::collections::BTreeMap;
use std::time::Duration;

/// CC and a counter that is checked; the trigger need not be secret.
const MINIMUM: MinimumSecurity = MinimumSecurity(0x12);

/// Which key set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct KeyName {
    pub tar: Tar,
    pub version: u8,
}

#[derive(Debug, Clone)]
pub struct Parameters {
    /// Destination port.
    pub port: u16,
    /// The agent's own; packets for others are refused.
    pub tar: Tar,
    /// Those of other owners or TARs are passed over.
    pub key_sets: Vec<StoredKeySet>,
    pub sm_sr: Vec<SmSrEntry>,
    /// The terminal carries sessions that the eUICC opens.
    pub relay: bool,
    pub max_segments: u8,
    pub reassembly_timeout: Duration,
    /// Messages that may wait for their missing parts.
    pub reassembly_messages: usize,
}

/// A trigger that is authentic, new and can be followed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accepted {
    /// To be stored in the same write as the trigger.
    pub store: (KeyName, Counter),
    pub trigger: Trigger,
    pub sm_sr: Choice,
    /// TP-OA and TP-SCTS of the (last) message.
    pub originator: Address,
    pub scts: Scts,
}

/// What became of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Not addressed to the trigger port, or no message at all.
    NotForUs,
    /// A part; what is [`held`](HostTriggers::held) has to be stored before the message is deleted elsewhere.
    Held,
    /// A part that is held already.
    Duplicate,
    Accepted(Box<Accepted>),
    Refused(Refused),
}

#[derive(Debug)]
pub struct HostTriggers {
    parameters: Parameters,
    receiver: Receiver<KeyName>,
    reassembler: Reassembler<Address, u64>,
    /// TPDUs of the parts that wait, by token.
    held: BTreeMap<u64, Vec<u8>>,
    last_token: u64,
}

impl HostTriggers {
    pub fn new(parameters: Parameters) -> Result<Self, Invalid> {
        let mut receiver = Receiver::default().with_application(parameters.tar, MINIMUM);
        for key_set in parameters.key_sets.iter().filter(|key_set| key_set.tar == parameters.tar) {
            let name = KeyName { tar: key_set.tar, version: key_set.version };
            receiver = receiver.with_key_set(name, key_set.prepare()?);
        }
        let messages = parameters.reassembly_messages.max(1);
        let reassembler = Reassembler::new(Limits {
            timeout: parameters.reassembly_timeout,
            parts: parameters.max_segments,
            messages_per_sender: messages,
            senders: messages,
            octets: messages.saturating_mul(usize::from(parameters.max_segments)).saturating_mul(MAX_UD),
            // The sender cannot be told, and whoever sends rubbish must not keep a trigger out.
            when_full: WhenFull::DropOldest,
        });
        Ok(Self { parameters, receiver, reassembler, held: BTreeMap::new(), last_token: 0 })
    }

    /// Parts that were held before a restart. They wait their full time again.
    pub fn restore(&mut self, now: Now, parts: impl IntoIterator<Item = Vec<u8>>) {
        for part in parts {
            // A part cannot be more than held: the one that completes a message is never stored.
            self.handle_deliver(now, &part, "", |_| None);
        }
    }

    /// The TPDUs of all parts that wait for others.
    pub fn held(&self) -> impl Iterator<Item = &[u8]> {
        self.held.values().map(Vec::as_slice)
    }

    /// Takes in a message. `current` is the id of the SM-SR meant when a trigger names none, `stored` knows the counters.
    pub fn handle_deliver(
        &mut self,
        now: Now,
        tpdu: &[u8],
        current: &str,
        stored: impl FnOnce(&KeyName) -> Option<Counter>,
    ) -> Outcome {
        let Ok(deliver) = Deliver::decode(tpdu) else { return Outcome::NotForUs };
        if !self.is_for_us(&deliver) {
            return Outcome::NotForUs;
        }
        self.last_token = self.last_token.wrapping_add(1);
        let token = self.last_token;
        self.held.insert(token, tpdu.to_vec());
        let sender = deliver.oa.clone();
        match self.reassembler.handle_user_data(now, sender.clone(), &deliver.ud, token) {
            reassembly::Outcome::Held => Outcome::Held,
            reassembly::Outcome::Duplicate(token) => {
                self.held.remove(&token);
                Outcome::Duplicate
            }
            reassembly::Outcome::Rejected(rejection, token) => {
                self.held.remove(&token);
                let reason = Refusal::Part(rejection);
                Outcome::Refused(Refused { reason, sender, store: None, transaction: None })
            }
            reassembly::Outcome::Complete(message) => {
                message.tokens.iter().for_each(|token| drop(self.held.remove(token)));
                match self.judge(&message.payload, current, stored) {
                    Ok((store, trigger, sm_sr)) => {
                        let (originator, scts) = (deliver.oa, deliver.scts);
                        Outcome::Accepted(Box::new(Accepted { store, trigger, sm_sr, originator, scts }))
                    }
                    Err(refused) => Outcome::Refused(refused.from(sender)),
                }
            }
        }
    }

    /// Every part of a host trigger has the ports. What the SIM or another application is meant to have is not ours.
    fn is_for_us(&self, deliver: &Deliver) -> bool {
        let octets = deliver.dcs.alphabet() == Alphabet::Octets && !deliver.dcs.is_compressed();
        let host = baseband_route(deliver.pid, deliver.dcs, true) == BasebandRoute::Host;
        let ports = deliver.ud.split().ok().and_then(|(udh, _)| udh.ports());
        octets && host && matches!(ports, Some(Ports { destination, .. }) if destination == self.parameters.port)
    }

    fn judge(
        &self,
        packet: &[u8],
        current: &str,
        stored: impl FnOnce(&KeyName) -> Option<Counter>,
    ) -> Result<((KeyName, Counter), Trigger, Choice), Box<Verdict>> {
        let mut asked = None;
        let reception = self.receiver.receive(packet, |key| {
            asked = Some(*key);
            stored(key)
        });
        let accepted = match (reception, asked) {
            (Reception::Accepted(accepted), _) => accepted,
            (Reception::CounterRefused { status, .. }, _) => return Err(Verdict::of(Refusal::Counter(status))),
            (Reception::Silent { rejection: Rejection::CounterUnknown, .. }, Some(key)) => {
                return Err(Verdict::of(Refusal::NoCounter(key)));
            }
            (Reception::Silent { rejection, .. }, _) => return Err(Verdict::of(Refusal::NotAuthentic(rejection))),
        };
        let key = accepted.key;
        // The minimum demands CC and a checked counter, so that there always is one to store.
        let Some(counter) = accepted.store else {
            return Err(Verdict::of(Refusal::NotAuthentic(Rejection::SecurityLevel)));
        };
        let store = (key, counter);
        let command = accepted.stored();
        let trigger =
            Trigger::decode(&command.data).map_err(|error| Verdict::after(store, Refusal::Object(error), None))?;
        match self.follow(&trigger, current) {
            Ok(choice) => Ok((store, trigger, choice)),
            Err(reason) => Err(Verdict::after(store, reason, Some(trigger.transaction))),
        }
    }

    fn follow(&self, trigger: &Trigger, current: &str) -> Result<Choice, Refusal> {
        match (trigger.owner, &trigger.card_packet) {
            (SessionOwner::Euicc, _) if !self.parameters.relay => return Err(Refusal::NoRelay),
            (SessionOwner::Euicc, None) => return Err(Refusal::NoCardPacket),
            _ => {}
        }
        let (id, address) = (trigger.sm_sr_id.as_deref(), trigger.sm_sr_address.as_deref());
        sm_sr::select(&self.parameters.sm_sr, current, id, address).map_err(|mismatch| match mismatch {
            Mismatch::Unknown => Refusal::SmSrUnknown,
            Mismatch::Disagree => Refusal::SmSrDisagrees,
        })
    }

    /// When to call [`handle_timeout`](Self::handle_timeout) (monotonic); ask again after every message.
    pub fn poll_timeout(&self) -> Option<Duration> {
        self.reassembler.poll_timeout()
    }

    pub fn handle_timeout(&mut self, now: Now) {
        self.reassembler.handle_timeout(now);
    }

    /// A message that was given up for want of parts; ask until `None` after every `handle_`.
    pub fn poll_refused(&mut self) -> Option<Refused> {
        let dropped = self.reassembler.poll_dropped()?;
        dropped.tokens.iter().for_each(|token| drop(self.held.remove(token)));
        let reason = match dropped.reason {
            DropReason::TimedOut => Refusal::Incomplete { arrived: dropped.arrived, total: dropped.total },
            DropReason::Evicted => Refusal::Part(reassembly::Rejection::Full("messages")),
        };
        Some(Refused { reason, sender: dropped.sender, store: None, transaction: None })
    }
}

/// A refusal before its sender is added.
struct Verdict {
    reason: Refusal,
    store: Option<(KeyName, Counter)>,
    transaction: Option<TransactionId>,
}

impl Verdict {
    fn of(reason: Refusal) -> Box<Self> {
        Box::new(Self { reason, store: None, transaction: None })
    }

    fn after(store: (KeyName, Counter), reason: Refusal, transaction: Option<TransactionId>) -> Box<Self> {
        Box::new(Self { reason, store: Some(store), transaction })
    }

    fn from(self, sender: Address) -> Refused {
        Refused { reason: self.reason, sender, store: self.store, transaction: self.transaction }
    }
}
