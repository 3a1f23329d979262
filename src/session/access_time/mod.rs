//! The access time point: when the terminal calls its SM-SR after a trigger (US20160286380A1).
//!
//! It is drawn once, at receipt, and waited for on the monotonic clock. What is persisted is the point in UTC, for
//! terminals that know the time after a power loss, and the wait that was left, for those that do not. Whoever missed
//! its point draws a new one: an outage must not end in a stampede.

use super::draw;
use crate::types::{AccessControl, ClockQuality, Now, UnixSeconds};
use serde::{Deserialize, Serialize};
use std::time::Duration;

#[cfg(test)]
mod tests;

/// What drawing depends on besides the trigger.
#[derive(Debug, Clone, Copy)]
pub struct Circumstances {
    pub now: Now,
    /// What `now.utc` is worth.
    pub clock: ClockQuality,
    /// Uniform in `[0, 1)`.
    pub random: f64,
    /// Spread of "connect at this time" on a terminal that does not know the time, or has missed it.
    pub no_clock_spread: Duration,
}

/// A drawn access time point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AccessTime {
    /// On the monotonic clock.
    due: Duration,
    /// The same point in UTC, when the clock was usable.
    utc: Option<UnixSeconds>,
    /// How a missed point is drawn again.
    again: Again,
}

/// A point as it is persisted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct StoredAccessTime {
    /// The point; absent when it was drawn without a usable clock.
    pub deadline: Option<UnixSeconds>,
    /// Seconds that were left when this was written, rounded up.
    pub remaining: u64,
    again: Again,
}

/// Within what a missed point is drawn again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Again {
    /// End of the window: until then what is left of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    end: Option<UnixSeconds>,
    /// Afterwards, and where there is no end: this many seconds from now.
    spread: u64,
}

impl AccessTime {
    /// Draws the point for a trigger that came in now. Without access control it is now.
    pub fn draw(control: Option<AccessControl>, at: Circumstances) -> Self {
        let usable = at.clock.is_usable();
        let within = |seconds: u64| draw::below(Duration::from_secs(seconds), at.random);
        let spread = at.no_clock_spread.as_secs();
        let (wait, again) = match control {
            None => (Duration::ZERO, Again { end: None, spread: 0 }),
            Some(AccessControl::Backoff(seconds) | AccessControl::WindowFromReceipt(seconds)) => {
                let spread = u64::from(seconds);
                (within(spread), Again { end: None, spread })
            }
            Some(AccessControl::Window { start, end }) => {
                let again = Again { end: Some(end), spread: end.since(start) };
                let wait = match (usable, at.now.utc < start) {
                    (false, _) => within(again.spread),
                    (true, true) => Duration::from_secs(start.since(at.now.utc)).saturating_add(within(again.spread)),
                    (true, false) => again.wait(at),
                };
                (wait, again)
            }
            Some(AccessControl::At(point)) if usable => {
                (Duration::from_secs(point.since(at.now.utc)), Again { end: None, spread })
            }
            Some(AccessControl::At(_)) => (within(spread), Again { end: None, spread }),
        };
        Self::after(wait, again, at)
    }

    /// The point after a restart. With a usable clock it is the one that was drawn, or a new one if that has passed;
    /// without one nobody knows how long the power was off, and it is drawn again in what was left.
    pub fn restore(stored: &StoredAccessTime, at: Circumstances) -> Self {
        let wait = match stored.deadline.filter(|_| at.clock.is_usable()) {
            Some(deadline) if deadline > at.now.utc => Duration::from_secs(deadline.since(at.now.utc)),
            Some(_) => stored.again.wait(at),
            None => draw::below(Duration::from_secs(stored.remaining), at.random),
        };
        Self::after(wait, stored.again, at)
    }

    fn after(wait: Duration, again: Again, at: Circumstances) -> Self {
        // Rounded up: the terminal is never before its window because of a cut-off fraction.
        let utc = at.clock.is_usable().then(|| at.now.utc.saturating_add(whole_seconds(wait)));
        Self { due: at.now.mono.saturating_add(wait), utc, again }
    }

    pub fn stored(&self, now: Now) -> StoredAccessTime {
        StoredAccessTime { deadline: self.utc, remaining: whole_seconds(self.remaining(now)), again: self.again }
    }

    /// On the monotonic clock, for `poll_timeout`.
    pub fn due(&self) -> Duration {
        self.due
    }

    pub fn is_due(&self, now: Now) -> bool {
        now.mono >= self.due
    }

    pub fn remaining(&self, now: Now) -> Duration {
        self.due.saturating_sub(now.mono)
    }

    /// The point in UTC; `None` when it was drawn without a usable clock.
    pub fn utc(&self) -> Option<UnixSeconds> {
        self.utc
    }

    /// Within what this terminal's crowd was spread: also the longest wait between its attempts to connect.
    pub fn spread(&self) -> Duration {
        Duration::from_secs(self.again.spread)
    }
}

impl Again {
    fn wait(self, at: Circumstances) -> Duration {
        let left = self.end.map_or(0, |end| end.since(at.now.utc));
        draw::below(Duration::from_secs(if left > 0 { left } else { self.spread }), at.random)
    }
}

fn whole_seconds(duration: Duration) -> u64 {
    duration.as_secs().saturating_add(u64::from(duration.subsec_nanos() > 0))
}
