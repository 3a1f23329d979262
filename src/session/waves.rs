//! In which portions a batch goes out, and with which access control: both follow the load of the SM-SR.
//!
//! Each wave is signed just before it is pushed. Its size is bounded by what the gateway takes and by the sessions that
//! are free; the back-off in its triggers spreads the calls of those it wakes.

use crate::types::AccessControl;

/// What is known when a wave is planned.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Situation {
    /// Admin sessions that can be open at the same time.
    pub capacity: u32,
    /// Admin sessions that are open.
    pub sessions: u32,
    /// Terminals that were triggered and have not called yet, and those sent away busy.
    pub expected: u64,
    /// Triggers that the gateway has accepted and not yet sent.
    pub unsent: u64,
    /// Triggers that the gateway sends in a second; `None` until it is measured.
    pub rate: Option<f64>,
    /// Mean length of a session in seconds.
    pub session_seconds: f64,
}

/// A load and the back-off timer, in seconds, that it asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LoadStep {
    /// Percent.
    pub load: u32,
    pub backoff: u32,
}

/// The gateway is given what it can send within this many seconds: more would be signed long before it goes out.
const LEAD_SECONDS: f64 = 60.0;
/// Waves are not smaller than this because of a slow gateway: each costs a request.
const SMALLEST: u64 = 16;
/// A spread this long is the longest that is computed.
const LONGEST_SPREAD: u32 = 7 * 86_400;

impl Situation {
    /// Sessions and queue against capacity, in percent; may exceed 100.
    pub fn load(&self) -> u32 {
        let busy = u64::from(self.sessions).saturating_add(self.expected);
        let percent = busy.saturating_mul(100) / u64::from(self.capacity.max(1));
        u32::try_from(percent).unwrap_or(u32::MAX)
    }

    /// Targets of the next wave, at most `largest`; 0 = not now.
    pub fn wave(&self, largest: u32) -> u32 {
        let Some(rate) = self.rate else { return largest };
        #[expect(clippy::cast_possible_truncation, reason = "a float to integer cast saturates")]
        #[expect(clippy::cast_sign_loss, reason = "a float to integer cast saturates")]
        let lead = (rate * LEAD_SECONDS) as u64;
        let room = lead.max(SMALLEST).saturating_sub(self.unsent);
        u32::try_from(room).unwrap_or(u32::MAX).min(largest)
    }

    /// The back-off for a wave of `targets`: from the table, or, where it is empty, so that those who are expected find
    /// a free session. `None`: connect at once.
    pub fn access_control(&self, table: &[LoadStep], targets: u64) -> Option<AccessControl> {
        let expected = self.expected.saturating_add(targets);
        let backoff = if table.is_empty() {
            self.spread(expected)
        } else {
            let after = Self { expected, ..*self }.load();
            table.iter().filter(|step| step.load <= after).max_by_key(|step| step.load).map_or(0, |step| step.backoff)
        };
        (backoff > 0).then_some(AccessControl::Backoff(backoff))
    }

    /// Seconds over which so many calls keep the free sessions busy; 0 when there is room for all at once.
    fn spread(&self, calls: u64) -> u32 {
        let free = self.capacity.saturating_sub(self.sessions).max(1);
        if calls <= u64::from(free) {
            return 0;
        }
        let seconds = calls as f64 * self.session_seconds.max(0.0) / f64::from(free);
        #[expect(clippy::cast_possible_truncation, reason = "a float to integer cast saturates")]
        #[expect(clippy::cast_sign_loss, reason = "a float to integer cast saturates")]
        let seconds = seconds.ceil() as u32;
        seconds.min(LONGEST_SPREAD)
    }
}

/// Seconds within which the last terminal calls that gets a trigger with this access control now.
pub fn spread_seconds(control: Option<AccessControl>, now: crate::types::UnixSeconds) -> u64 {
    match control {
        None => 0,
        Some(AccessControl::Backoff(seconds) | AccessControl::WindowFromReceipt(seconds)) => u64::from(seconds),
        Some(AccessControl::Window { end, .. }) => end.since(now),
        Some(AccessControl::At(at)) => at.since(now),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::UnixSeconds;

    const IDLE: Situation =
        Situation { capacity: 100, sessions: 0, expected: 0, unsent: 0, rate: None, session_seconds: 10.0 };

    #[test]
    fn load_counts_open_sessions_and_those_who_will_come() {
        assert_eq!(IDLE.load(), 0);
        assert_eq!(Situation { sessions: 30, expected: 20, ..IDLE }.load(), 50);
        assert_eq!(Situation { capacity: 0, expected: 2, ..IDLE }.load(), 200);
    }

    #[test]
    fn the_table_speaks_of_the_load_that_the_wave_itself_causes() {
        let table = [LoadStep { load: 50, backoff: 1800 }, LoadStep { load: 60, backoff: 2400 }];
        assert_eq!(IDLE.access_control(&table, 49), None);
        assert_eq!(IDLE.access_control(&table, 50), Some(AccessControl::Backoff(1800)));
        assert_eq!(IDLE.access_control(&table, 5000), Some(AccessControl::Backoff(2400)));
    }

    #[test]
    fn without_a_table_the_spread_keeps_the_free_sessions_busy() {
        assert_eq!(IDLE.access_control(&[], 100), None);
        assert_eq!(IDLE.access_control(&[], 1000), Some(AccessControl::Backoff(100)));
        let half = Situation { sessions: 50, expected: 500, ..IDLE };
        assert_eq!(half.access_control(&[], 500), Some(AccessControl::Backoff(200)));
        assert_eq!(IDLE.access_control(&[], u64::MAX), Some(AccessControl::Backoff(LONGEST_SPREAD)));
    }

    #[test]
    fn a_wave_is_what_the_gateway_sends_in_a_minute_less_what_it_still_has() {
        assert_eq!(IDLE.wave(1000), 1000);
        let measured = Situation { rate: Some(2.0), ..IDLE };
        assert_eq!(measured.wave(1000), 120);
        assert_eq!(Situation { unsent: 100, ..measured }.wave(1000), 20);
        assert_eq!(Situation { unsent: 500, ..measured }.wave(1000), 0);
        assert_eq!(Situation { rate: Some(0.0), ..IDLE }.wave(1000), 16);
        assert_eq!(Situation { rate: Some(1e30), ..IDLE }.wave(1000), 1000);
    }

    #[test]
    fn the_spread_of_a_point_in_time_is_the_way_to_it() {
        let now = UnixSeconds(1000);
        assert_eq!(spread_seconds(None, now), 0);
        assert_eq!(spread_seconds(Some(AccessControl::At(UnixSeconds(1300))), now), 300);
        let window = AccessControl::Window { start: UnixSeconds(900), end: UnixSeconds(1100) };
        assert_eq!(spread_seconds(Some(window), now), 100);
        assert_eq!(spread_seconds(Some(window), UnixSeconds(5000)), 0);
    }
}
