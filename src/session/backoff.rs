//! How long the agent waits before it tries the SM-SR again.
//!
//! After TCP and TLS failures: decorrelated jitter, each wait drawn between the first one and three times the one
//! before. After a busy answer: the time it named plus up to a tenth, so that those told the same time do not come
//! back together.

use super::draw;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Waits of one trigger. It is part of the persisted state: a restart does not begin again with short waits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Backoff {
    /// The shortest wait, whole seconds.
    first: u64,
    /// The longest wait.
    longest: u64,
    previous: u64,
    /// Busy answers that may still come.
    busy_left: u32,
}

impl Backoff {
    /// `spread` is that of the trigger's access control: those who were meant to come within it come back within it,
    /// after `first` at least and `longest` at most. A spread that is not longer than `first` leaves no room to draw
    /// in, and counts as none. Fractions of a second are cut off.
    pub fn new(first: Duration, longest: Duration, spread: Duration, busy_attempts: u32) -> Self {
        let first = first.as_secs().max(1);
        let spread = if spread.as_secs() > first { spread } else { longest };
        let longest = longest.min(spread).as_secs().max(first);
        Self { first, longest, previous: first, busy_left: busy_attempts }
    }

    /// The wait after a failed connection; `random` is uniform in `[0, 1)`.
    pub fn after_failure(&mut self, random: f64) -> Duration {
        let (low, high) = (Duration::from_secs(self.first), Duration::from_secs(self.previous.saturating_mul(3)));
        let wait = draw::between(low, high, random).min(Duration::from_secs(self.longest));
        self.previous = wait.as_secs().max(self.first);
        wait
    }

    /// The wait after a busy answer that named this time; `None` when it was one busy answer too many.
    pub fn after_busy(&mut self, retry_after: Duration, random: f64) -> Option<Duration> {
        self.busy_left = self.busy_left.checked_sub(1)?;
        Some(retry_after.saturating_add(draw::below(retry_after / 10, random)))
    }

    /// The SM-SR was reached: failures from here on are new ones.
    pub fn reached(&mut self) {
        self.previous = self.first;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn backoff() -> Backoff {
        Backoff::new(seconds(30), seconds(3600), seconds(600), 2)
    }

    #[test]
    fn waits_lie_between_the_first_and_three_times_the_one_before_and_end_at_the_spread() {
        let almost_one = 1.0 - f64::EPSILON;
        let mut slow = backoff();
        let waits: Vec<u64> = (0..6).map(|_| slow.after_failure(almost_one).as_secs()).collect();
        assert_eq!(waits, [89, 266, 600, 600, 600, 600]);
        assert_eq!(slow.after_failure(0.0), seconds(30));
        slow.after_failure(almost_one);
        slow.reached();
        assert_eq!(slow, backoff());
    }

    #[test]
    fn those_told_to_connect_at_once_are_still_drawn_apart() {
        for spread in [0, 30] {
            let mut backoff = Backoff::new(seconds(30), seconds(3600), seconds(spread), 1);
            assert_eq!(backoff.after_failure(0.5), seconds(60));
            assert_eq!(backoff.after_failure(0.5), seconds(105));
        }
        let mut fixed = Backoff::new(seconds(30), seconds(10), seconds(600), 1);
        assert_eq!(fixed.after_failure(0.9), seconds(30));
    }

    #[test]
    fn a_busy_answer_is_obeyed_plus_up_to_a_tenth_and_only_so_often() {
        let mut backoff = backoff();
        assert_eq!(backoff.after_busy(seconds(1000), 0.0), Some(seconds(1000)));
        assert_eq!(backoff.after_busy(seconds(1000), 0.5), Some(seconds(1050)));
        assert_eq!(backoff.after_busy(seconds(1000), 0.5), None);
        let longest = Backoff::new(seconds(1), seconds(1), seconds(1), 1).after_busy(seconds(100), 1.0).unwrap();
        assert!(longest >= seconds(109) && longest < seconds(110));
    }

    #[test]
    fn the_waits_survive_a_restart() {
        let mut before = backoff();
        before.after_failure(0.9);
        before.after_busy(seconds(10), 0.0);
        let text = serde_json::to_string(&before).unwrap();
        let mut after: Backoff = serde_json::from_str(&text).unwrap();
        assert_eq!(after.after_failure(0.5), before.after_failure(0.5));
        assert_eq!(after, before);
    }
}
