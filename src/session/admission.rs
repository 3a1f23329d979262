//! Who gets an admin session now, and who is told to come back, and when (the "busy" of US20160286380A1).
//!
//! A part of the capacity is reserved for the highest class. Busy answers book places in the future, one after the
//! other, so that those sent away come back spread over the time their sessions will take. No clock, no chance: both
//! are arguments.

use crate::types::{ManagementMode, Operation};
use std::time::Duration;

/// Weight of the newest session in the mean length.
const SMOOTHING: f64 = 0.1;

/// How important a service request is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Request {
    pub operation: Option<Operation>,
    pub mode: ManagementMode,
    /// 0 to 3, 3 first.
    pub batch_priority: u8,
    /// Goes on with a session that had been admitted: packets of it may be under way.
    pub resumes: bool,
}

/// By the order in which they are served when there is not room for all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    Ordinary,
    /// May use the reserve.
    Preferred,
}

impl Request {
    pub const fn class(&self) -> Class {
        if self.resumes {
            return Class::Preferred;
        }
        match (self.mode, self.batch_priority, self.operation) {
            // What a terminal asks for by itself can wait for what an operator asks for.
            (ManagementMode::Pull, ..) => Class::Ordinary,
            (ManagementMode::Push, 3.., _) => Class::Preferred,
            // Short sessions that connectivity may depend on.
            (ManagementMode::Push, 2, Some(Operation::Enable | Operation::Disable | Operation::StatusChange)) => {
                Class::Preferred
            }
            _ => Class::Ordinary,
        }
    }
}

/// The answer to a service request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// [`Admission::ended`] must be called when the session is over.
    Admitted,
    /// Come back after this time.
    Busy(Duration),
}

#[derive(Debug, Clone)]
pub struct Admission {
    capacity: u32,
    /// Sessions that only [`Class::Preferred`] may take.
    reserved: u32,
    longest: Duration,
    open: u32,
    mean: f64,
    /// Until when the places that become free are promised to others (monotonic).
    booked: Duration,
}

impl Admission {
    /// `reserve` in percent of `capacity`; `longest` bounds the time a busy answer names.
    pub fn new(capacity: u32, reserve: u8, longest: Duration) -> Self {
        let reserved = u64::from(capacity) * u64::from(reserve) / 100;
        let reserved = u32::try_from(reserved).unwrap_or(capacity).min(capacity.saturating_sub(1));
        // A second is a session over a fast network; it is soon measured.
        Self { capacity: capacity.max(1), reserved, longest, open: 0, mean: 1.0, booked: Duration::ZERO }
    }

    pub const fn open(&self) -> u32 {
        self.open
    }

    /// Mean length of a session in seconds.
    pub const fn session_seconds(&self) -> f64 {
        self.mean
    }

    /// `now` is monotonic; `random` is uniform in `[0, 1)`.
    pub fn request(&mut self, now: Duration, request: &Request, random: f64) -> Verdict {
        let limit = match request.class() {
            Class::Preferred => self.capacity,
            Class::Ordinary => self.capacity.saturating_sub(self.reserved),
        };
        if self.open < limit {
            self.open = self.open.saturating_add(1);
            return Verdict::Admitted;
        }
        Verdict::Busy(self.book(now, random))
    }

    /// Each busy answer takes the next place: they become free at the rate of capacity / mean length.
    fn book(&mut self, now: Duration, random: f64) -> Duration {
        let step = Duration::try_from_secs_f64(self.mean / f64::from(self.capacity)).unwrap_or(self.longest);
        let free = now.saturating_add(step);
        let last = now.saturating_add(self.longest);
        self.booked = self.booked.saturating_add(step).max(free).min(last);
        let jitter = Duration::try_from_secs_f64(step.as_secs_f64() * random).unwrap_or_default();
        let wait = self.booked.saturating_sub(now).saturating_add(jitter).min(self.longest);
        wait.max(Duration::from_secs(1))
    }

    /// A session that was admitted is over, after this time.
    pub fn ended(&mut self, length: Duration) {
        self.open = self.open.saturating_sub(1);
        self.mean += SMOOTHING * (length.as_secs_f64() - self.mean);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ORDINARY: Request =
        Request { operation: Some(Operation::Install), mode: ManagementMode::Push, batch_priority: 1, resumes: false };
    const HOUR: Duration = Duration::from_secs(3600);

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn above_the_capacity_the_answer_is_busy_until_a_session_ends() {
        let mut admission = Admission::new(2, 0, HOUR);
        assert_eq!(admission.request(seconds(0), &ORDINARY, 0.0), Verdict::Admitted);
        assert_eq!(admission.request(seconds(0), &ORDINARY, 0.0), Verdict::Admitted);
        assert!(matches!(admission.request(seconds(0), &ORDINARY, 0.0), Verdict::Busy(_)));
        admission.ended(seconds(1));
        assert_eq!(admission.request(seconds(0), &ORDINARY, 0.0), Verdict::Admitted);
        assert_eq!(admission.open(), 2);
    }

    #[test]
    fn the_reserve_is_for_the_preferred_and_for_those_who_go_on() {
        let mut admission = Admission::new(10, 20, HOUR);
        for _ in 0..8 {
            assert_eq!(admission.request(seconds(0), &ORDINARY, 0.0), Verdict::Admitted);
        }
        assert!(matches!(admission.request(seconds(0), &ORDINARY, 0.0), Verdict::Busy(_)));
        let urgent = Request { batch_priority: 3, ..ORDINARY };
        assert_eq!(admission.request(seconds(0), &urgent, 0.0), Verdict::Admitted);
        let resumed = Request { resumes: true, ..ORDINARY };
        assert_eq!(admission.request(seconds(0), &resumed, 0.0), Verdict::Admitted);
        assert!(matches!(admission.request(seconds(0), &urgent, 0.0), Verdict::Busy(_)));
        let pull = Request { mode: ManagementMode::Pull, ..urgent };
        assert_eq!(pull.class(), Class::Ordinary);
    }

    #[test]
    fn those_sent_away_come_back_one_after_the_other() {
        let mut admission = Admission::new(2, 0, seconds(60));
        admission.open = 2;
        for _ in 0..200 {
            admission.open += 1;
            admission.ended(seconds(10));
        }
        let waits: Vec<Duration> = (0..20)
            .map(|_| match admission.request(seconds(100), &ORDINARY, 0.0) {
                Verdict::Busy(wait) => wait,
                Verdict::Admitted => panic!("there is no room"),
            })
            .collect();
        assert!(waits.is_sorted());
        // Ten seconds a session, two at a time: a place every five seconds, the sixth at about thirty.
        assert!((25..=35).contains(&waits[5].as_secs()), "{waits:?}");
        assert_eq!(waits[19], seconds(60), "no longer than configured");
    }

    #[test]
    fn a_wait_is_at_least_a_second_and_old_bookings_are_forgotten() {
        let mut admission = Admission::new(1, 0, HOUR);
        admission.open = 1;
        for _ in 0..50 {
            admission.request(seconds(0), &ORDINARY, 0.5);
        }
        let Verdict::Busy(wait) = admission.request(seconds(10_000), &ORDINARY, 0.0) else { panic!("no room") };
        assert_eq!(wait, seconds(1));
    }
}
