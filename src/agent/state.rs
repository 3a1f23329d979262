//! What the agent must not forget, as it stands in its files.

use super::clock::Moment;
use crate::codec::ota::Counter;
use crate::codec::trigger::SessionOwner;
use crate::session::access_time::{AccessTime, Circumstances, StoredAccessTime};
use crate::session::admin::AgentState;
use crate::session::backoff::Backoff;
use crate::session::host_trigger::{Accepted, KeyName};
use crate::types::hex::Octets;
use crate::types::{Operation, TransactionId, TransactionResult, UnixSeconds};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Results that are remembered.
const RESULTS: usize = 32;

/// `triggers.json`: counters, pending triggers and results change together.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Triggers {
    pub counters: Vec<StoredCounter>,
    pub pending: Vec<Pending>,
    pub results: Vec<StoredResult>,
    /// Whose notification is expected after a profile change.
    pub follow_up: Option<Target>,
    /// When this was written, or the floor: no later start is before it.
    pub written: UnixSeconds,
}

/// `parts.json`
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Parts {
    /// TPDUs that wait for others.
    pub parts: Vec<Octets>,
}

/// `sessions.json`
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Sessions {
    pub sessions: Vec<AgentState>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct StoredCounter {
    #[serde(flatten)]
    pub key: KeyName,
    pub counter: u64,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct StoredResult {
    pub transaction: TransactionId,
    pub result: TransactionResult,
    /// Who is to hear of it; without one whoever is called next.
    pub sm_sr: Option<String>,
    pub reported: bool,
}

/// Where a session goes and what it is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Target {
    pub transaction: TransactionId,
    pub operation: Option<Operation>,
    pub sm_sr: String,
    pub path: String,
    /// Nobody asked for it: a notification of the eUICC's own.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unasked: bool,
}

/// A trigger that was accepted and is not at its end.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Pending {
    #[serde(flatten)]
    pub target: Target,
    /// The eUICC opens the session: the packet is forwarded and that is all.
    pub forward_only: bool,
    pub card_packet: Option<Octets>,
    pub forward: Forward,
    /// TP-OA (an address field) and TP-SCTS of the trigger.
    pub originator: Octets,
    pub scts: Octets,
    /// When the trigger came, and the access time point; without a usable clock unknown.
    pub received: Option<UnixSeconds>,
    pub access_time: Option<UnixSeconds>,
    pub wait: Wait,
    pub backoff: Backoff,
    pub attempts_left: u32,
    /// From the first attempt on: what is left of the session's validity.
    pub validity: Option<StoredWait>,
    /// When to act, on the monotonic clock of this process.
    #[serde(skip)]
    pub due: Duration,
    /// End of the validity, likewise.
    #[serde(skip)]
    pub end: Option<Duration>,
}

/// How far the packet inside the trigger has come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Forward {
    NotBegun,
    /// With the eUICC: if this is what a start finds, the answer is lost.
    Begun,
    Done {
        por: Option<Octets>,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Wait {
    /// For the access time point.
    Access(StoredAccessTime),
    /// For the next attempt.
    Attempt(StoredWait),
}

/// A wait whose end is not drawn again when it is missed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct StoredWait {
    /// Absent when it began without a usable clock.
    pub deadline: Option<UnixSeconds>,
    /// Seconds that were left when this was written, rounded up.
    pub remaining: u64,
}

/// What every new trigger is given by the configuration.
#[derive(Debug, Clone, Copy)]
pub struct Rules {
    pub no_clock_spread: Duration,
    pub first: Duration,
    pub longest: Duration,
    pub attempts: u32,
    pub busy_attempts: u32,
}

fn whole_seconds(duration: Duration) -> u64 {
    duration.as_secs().saturating_add(u64::from(duration.subsec_nanos() > 0))
}

impl StoredWait {
    pub fn new(wait: Duration, moment: Moment) -> Self {
        let remaining = whole_seconds(wait);
        Self { deadline: moment.utc().map(|utc| utc.saturating_add(remaining)), remaining }
    }

    /// What is left after a start; without a clock nobody knows how long the power was off, and it is drawn.
    fn restore(&self, moment: Moment, random: f64) -> Duration {
        match (self.deadline, moment.utc()) {
            (Some(deadline), Some(now)) => Duration::from_secs(deadline.since(now).min(self.remaining)),
            _ => Duration::try_from_secs_f64(self.remaining as f64 * random).unwrap_or_default(),
        }
    }
}

/// The access time point in whole seconds, cut off as the times of those who will compare it are.
fn told(access: &AccessTime, moment: Moment) -> Option<UnixSeconds> {
    let wait = access.remaining(moment.now).as_secs();
    moment.utc().map(|utc| utc.saturating_add(wait))
}

impl Rules {
    fn circumstances(&self, moment: Moment, random: f64) -> Circumstances {
        let Moment { now, quality: clock } = moment;
        Circumstances { now, clock, random, no_clock_spread: self.no_clock_spread }
    }

    /// A new trigger with its access time point drawn.
    pub fn pending(&self, accepted: &Accepted, moment: Moment, random: f64) -> Pending {
        let trigger = &accepted.trigger;
        let access = AccessTime::draw(trigger.access_control, self.circumstances(moment, random));
        Pending {
            target: Target {
                transaction: trigger.transaction,
                operation: trigger.operation,
                sm_sr: accepted.sm_sr.id.clone(),
                path: accepted.sm_sr.path.clone(),
                unasked: false,
            },
            forward_only: trigger.owner == SessionOwner::Euicc,
            card_packet: trigger.card_packet.clone().map(Octets),
            forward: Forward::NotBegun,
            originator: Octets(accepted.originator.encode()),
            scts: Octets(accepted.scts.0.to_vec()),
            received: moment.utc(),
            access_time: told(&access, moment),
            wait: Wait::Access(access.stored(moment.now)),
            backoff: Backoff::new(self.first, self.longest, access.spread(), self.busy_attempts),
            attempts_left: self.attempts,
            validity: None,
            due: access.due(),
            end: None,
        }
    }

    /// The monotonic times of a trigger that was read from the file.
    pub fn restore(&self, pending: &mut Pending, moment: Moment, random: f64) {
        let mono = moment.now.mono;
        pending.due = match &pending.wait {
            Wait::Access(stored) => AccessTime::restore(stored, self.circumstances(moment, random)).due(),
            Wait::Attempt(stored) => mono.saturating_add(stored.restore(moment, random)),
        };
        // A validity of unknown rest is not drawn: too long does less harm than a session given up.
        pending.end = pending.validity.map(|stored| mono.saturating_add(stored.restore(moment, 1.0)));
    }
}

impl Pending {
    /// The times as they are to be written now.
    fn refresh(&mut self, now: Duration) {
        let left = |end: Duration| whole_seconds(end.saturating_sub(now));
        match &mut self.wait {
            Wait::Access(stored) => stored.remaining = left(self.due),
            Wait::Attempt(stored) => stored.remaining = left(self.due),
        }
        if let (Some(validity), Some(end)) = (&mut self.validity, self.end) {
            validity.remaining = left(end);
        }
    }

    /// The next attempt is after this wait.
    pub fn retry_after(&mut self, wait: Duration, moment: Moment) {
        self.wait = Wait::Attempt(StoredWait::new(wait, moment));
        self.due = moment.now.mono.saturating_add(wait);
    }
}

impl Triggers {
    pub fn counter(&self, key: &KeyName) -> Option<Counter> {
        let stored = self.counters.iter().find(|stored| stored.key == *key)?;
        Counter::new(stored.counter).ok()
    }

    pub fn store_counter(&mut self, key: KeyName, counter: Counter) {
        let counter = counter.value();
        match self.counters.iter_mut().find(|stored| stored.key == key) {
            Some(stored) => stored.counter = counter,
            None => self.counters.push(StoredCounter { key, counter }),
        }
    }

    pub fn result(&self, transaction: TransactionId) -> Option<&StoredResult> {
        self.results.iter().find(|stored| stored.transaction == transaction)
    }

    /// A new trigger takes the place of an earlier one of its transaction, and what was begun stays begun. After the
    /// transaction's end its packet is not forwarded again, and the SM-SR hears the result once more.
    pub fn accept(&mut self, mut pending: Pending) {
        let transaction = pending.target.transaction;
        if let Some(stored) = self.results.iter_mut().find(|stored| stored.transaction == transaction) {
            stored.reported = false;
            pending.card_packet = None;
        }
        if let Some(earlier) = self.pending(transaction) {
            if earlier.forward != Forward::NotBegun {
                pending.forward = earlier.forward.clone();
            }
            (pending.validity, pending.end) = (earlier.validity, earlier.end);
        }
        self.pending.retain(|earlier| earlier.target.transaction != transaction);
        self.pending.push(pending);
    }

    pub fn pending(&self, transaction: TransactionId) -> Option<&Pending> {
        self.pending.iter().find(|pending| pending.target.transaction == transaction)
    }

    pub fn pending_mut(&mut self, transaction: TransactionId) -> Option<&mut Pending> {
        self.pending.iter_mut().find(|pending| pending.target.transaction == transaction)
    }

    /// Whether a session of this transaction may still be resumed.
    pub fn is_open(&self, transaction: TransactionId) -> bool {
        let followed = self.follow_up.as_ref().is_some_and(|target| target.transaction == transaction);
        followed || self.pending(transaction).is_some()
    }

    /// The transaction is over.
    pub fn finish(&mut self, transaction: TransactionId, result: TransactionResult) {
        let sm_sr = self.pending(transaction).map(|pending| pending.target.sm_sr.clone());
        self.pending.retain(|pending| pending.target.transaction != transaction);
        self.remember(StoredResult { transaction, result, sm_sr, reported: false });
    }

    pub fn remember(&mut self, result: StoredResult) {
        self.results.retain(|stored| stored.transaction != result.transaction);
        self.results.push(result);
        let excess = self.results.len().saturating_sub(RESULTS);
        self.results.drain(..excess);
    }

    /// What this SM-SR has not been told.
    pub fn unreported(&self, sm_sr: &str) -> Vec<(TransactionId, TransactionResult)> {
        let due = |stored: &&StoredResult| !stored.reported && stored.sm_sr.as_deref().is_none_or(|id| id == sm_sr);
        self.results.iter().filter(due).map(|stored| (stored.transaction, stored.result)).collect()
    }

    pub fn reported(&mut self, results: &[(TransactionId, TransactionResult)]) {
        for stored in &mut self.results {
            stored.reported |= results.contains(&(stored.transaction, stored.result));
        }
    }

    /// As it is to be written now.
    pub fn refresh(&mut self, moment: Moment) {
        self.pending.iter_mut().for_each(|pending| pending.refresh(moment.now.mono));
        self.written = self.written.max(moment.now.utc);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::ota::Counter;
    use crate::codec::sms::{Address, Npi, Scts, Ton};
    use crate::codec::trigger::Trigger;
    use crate::session::host_trigger::Choice;
    use crate::types::{AccessControl, ClockQuality, Now, Tar};

    const TX: TransactionId = TransactionId([7; 8]);
    const RULES: Rules = Rules {
        no_clock_spread: Duration::from_secs(3600),
        first: Duration::from_secs(30),
        longest: Duration::from_secs(3600),
        attempts: 10,
        busy_attempts: 3,
    };

    fn at(mono: u64, utc: u64, quality: ClockQuality) -> Moment {
        Moment { now: Now { mono: Duration::from_secs(mono), utc: UnixSeconds(utc) }, quality }
    }

    fn accepted(access_control: AccessControl) -> Accepted {
        Accepted {
            store: (KeyName { tar: Tar::AGENT, version: 1 }, Counter::ZERO),
            trigger: Trigger { access_control: Some(access_control), card_packet: Some(vec![1]), ..Trigger::new(TX) },
            sm_sr: Choice { id: "a".into(), path: "/admin".into() },
            originator: Address::digits(Ton::INTERNATIONAL, Npi::ISDN, "4917").unwrap(),
            scts: Scts([0; 7]),
        }
    }

    /// Through the file, and restored at another moment.
    fn restarted(triggers: &Triggers, moment: Moment, random: f64) -> Pending {
        let text = serde_json::to_string(triggers).unwrap();
        let mut triggers: Triggers = serde_json::from_str(&text).unwrap();
        let mut pending = triggers.pending.remove(0);
        RULES.restore(&mut pending, moment, random);
        pending
    }

    #[test]
    fn a_back_off_runs_on_over_a_restart_where_the_time_is_known() {
        let mut triggers = Triggers::default();
        let before = at(100, 1_000_000, ClockQuality::Nitz);
        triggers.accept(RULES.pending(&accepted(AccessControl::Backoff(600)), before, 0.5));
        assert_eq!(triggers.pending[0].due, Duration::from_secs(400));
        triggers.refresh(at(200, 1_000_100, ClockQuality::Nitz));
        let after = restarted(&triggers, at(5, 1_000_250, ClockQuality::Scts), 0.9);
        assert_eq!(after.due, Duration::from_secs(5 + 50));
    }

    #[test]
    fn without_a_clock_the_rest_of_every_wait_is_drawn_again() {
        let mut triggers = Triggers::default();
        let floor = |mono| at(mono, 1_000_000, ClockQuality::Floor);
        triggers.accept(RULES.pending(&accepted(AccessControl::Backoff(600)), floor(100), 0.5));
        assert_eq!((triggers.pending[0].received, triggers.pending[0].access_time), (None, None));
        triggers.refresh(floor(200));
        assert_eq!(restarted(&triggers, floor(5), 0.5).due, Duration::from_secs(5 + 100));
        triggers.pending[0].retry_after(Duration::from_secs(1000), floor(200));
        triggers.refresh(floor(300));
        assert_eq!(restarted(&triggers, floor(5), 0.5).due, Duration::from_secs(5 + 450));
    }

    #[test]
    fn a_busy_answer_and_the_validity_outlive_a_restart() {
        let mut triggers = Triggers::default();
        let now = at(100, 1_000_000, ClockQuality::Nitz);
        triggers.accept(RULES.pending(&accepted(AccessControl::Backoff(0)), now, 0.0));
        let pending = &mut triggers.pending[0];
        let wait = pending.backoff.after_busy(Duration::from_secs(1000), 0.5).unwrap();
        pending.retry_after(wait, now);
        pending.validity = Some(StoredWait::new(Duration::from_secs(5000), now));
        pending.end = Some(Duration::from_secs(5100));
        triggers.refresh(now);
        let mut after = restarted(&triggers, at(5, 1_000_250, ClockQuality::Nitz), 0.9);
        assert_eq!(after.due, Duration::from_secs(5 + 800));
        assert_eq!(after.end, Some(Duration::from_secs(5 + 4750)));
        assert!(after.backoff.after_busy(wait, 0.5).is_some() && after.backoff.after_busy(wait, 0.5).is_some());
        assert_eq!(after.backoff.after_busy(wait, 0.5), None, "three in all");
    }

    #[test]
    fn a_re_trigger_keeps_what_was_begun_and_a_repeat_reports_again() {
        let mut triggers = Triggers::default();
        let now = at(100, 1_000_000, ClockQuality::Nitz);
        let pending = || RULES.pending(&accepted(AccessControl::Backoff(600)), now, 0.5);
        triggers.accept(pending());
        triggers.pending[0].forward = Forward::Done { por: Some(Octets(vec![9])) };
        triggers.accept(pending());
        assert_eq!(triggers.pending.len(), 1);
        assert_eq!(triggers.pending[0].forward, Forward::Done { por: Some(Octets(vec![9])) });

        triggers.finish(TX, TransactionResult::Done);
        assert_eq!(triggers.unreported("a"), [(TX, TransactionResult::Done)]);
        assert_eq!(triggers.unreported("b"), []);
        triggers.reported(&[(TX, TransactionResult::Done)]);
        assert_eq!(triggers.unreported("a"), []);
        triggers.accept(pending());
        assert_eq!((triggers.pending[0].card_packet.clone(), triggers.unreported("a").len()), (None, 1));
    }

    #[test]
    fn the_last_32_results_are_remembered() {
        let mut triggers = Triggers::default();
        for number in 0..40 {
            triggers.finish(TransactionId([number; 8]), TransactionResult::Done);
        }
        assert_eq!(triggers.results.len(), 32);
        assert!(triggers.result(TransactionId([7; 8])).is_none() && triggers.result(TransactionId([8; 8])).is_some());
    }
}
