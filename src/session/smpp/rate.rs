//! Transactions per second on one link: an even spacing (GCRA) that gives way when the SMSC says so.
//!
//! ESME_RTHROTTLED and ESME_RMSGQFUL halve the rate and stop the whole link for at least a second; each second of
//! quiet after that adds a part of the configured rate until it is reached again.

use crate::codec::smpp::CommandStatus;
use std::time::Duration;

/// How late timers fire.
const GRANULARITY: Duration = Duration::from_millis(5);

/// What a link is allowed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RateConfig {
    /// Messages per second; at least [`FLOOR`](Self::FLOOR).
    pub per_second: f64,
    /// Messages that may go at once after a pause; at least 1.
    pub burst: u32,
    /// How long the link stops when it is throttled.
    pub pause: Duration,
    /// What a second without throttling gives back, as a part of `per_second`.
    pub growth: f64,
}

impl RateConfig {
    /// No link is slowed further down than this, in messages per second.
    pub const FLOOR: f64 = 0.1;

    pub fn new(per_second: f64) -> Self {
        Self { per_second, burst: 1, pause: Duration::from_secs(1), growth: 0.05 }
    }

    fn ceiling(&self) -> f64 {
        // `max` also takes the place of a NaN.
        self.per_second.max(Self::FLOOR)
    }
}

/// The limiter of one link. Times are of the monotonic clock.
#[derive(Debug, Clone)]
pub struct RateLimiter {
    config: RateConfig,
    /// Messages per second at present.
    rate: f64,
    /// GCRA's theoretical arrival time of the next message.
    next: Duration,
    /// Nothing goes before.
    paused_until: Duration,
    /// Since when the rate has not been changed.
    steady_since: Duration,
}

impl RateLimiter {
    pub fn new(config: RateConfig, now: Duration) -> Self {
        Self { config, rate: config.ceiling(), next: now, paused_until: now, steady_since: now }
    }

    /// Messages per second at present.
    pub fn rate(&self) -> f64 {
        self.rate
    }

    fn interval(&self) -> Duration {
        Duration::try_from_secs_f64(1.0 / self.rate).unwrap_or(Duration::from_secs(10))
    }

    /// When the next message may go; not after `now` means at once.
    pub fn ready_at(&self) -> Duration {
        let tolerance = self.interval().saturating_mul(self.config.burst.max(1).saturating_sub(1));
        self.next.saturating_sub(tolerance).max(self.paused_until)
    }

    /// Takes the place of one message, if one may go now.
    pub fn try_take(&mut self, now: Duration) -> bool {
        self.grow(now);
        if self.ready_at() > now {
            return false;
        }
        // A timer that fires late must not cost throughput; a real pause is not made up.
        self.next = self.next.max(now.saturating_sub(GRANULARITY)).saturating_add(self.interval());
        true
    }

    /// Looks at the status of every response. Answers that throttle, also those of messages sent before the rate was
    /// halved, stop the link again but halve the rate once per pause.
    pub fn answered(&mut self, now: Duration, status: CommandStatus) {
        if !status.slows_link() {
            return;
        }
        self.grow(now);
        let pause = self.config.pause.max(Duration::from_secs(1));
        if now >= self.paused_until {
            self.rate = (self.rate / 2.0).max(RateConfig::FLOOR);
        }
        self.paused_until = self.paused_until.max(now.saturating_add(pause));
        self.next = self.next.max(self.paused_until);
        self.steady_since = self.paused_until;
    }

    /// Additive growth, in whole seconds.
    fn grow(&mut self, now: Duration) {
        let seconds = now.saturating_sub(self.steady_since).as_secs();
        if seconds == 0 {
            return;
        }
        let step = self.config.growth.clamp(0.001, 1.0) * self.config.ceiling();
        let steps = u32::try_from(seconds).unwrap_or(u32::MAX);
        self.rate = (self.rate + step * f64::from(steps)).min(self.config.ceiling());
        self.steady_since = self.steady_since.saturating_add(Duration::from_secs(seconds));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const THROTTLED: CommandStatus = CommandStatus::RTHROTTLED;

    fn millis(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    /// Messages sent from `from` on in `length`, trying every millisecond.
    fn sent(limiter: &mut RateLimiter, from: u64, length: u64) -> usize {
        (from..from + length).filter(|now| limiter.try_take(millis(*now))).count()
    }

    #[test]
    fn messages_are_spaced_evenly() {
        let mut limiter = RateLimiter::new(RateConfig::new(10.0), millis(0));
        assert!(limiter.try_take(millis(0)));
        assert!(!limiter.try_take(millis(99)));
        assert_eq!(limiter.ready_at(), millis(100));
        assert_eq!(sent(&mut limiter, 100, 1000), 10);
    }

    #[test]
    fn a_burst_is_saved_up_but_not_exceeded() {
        let config = RateConfig { burst: 5, ..RateConfig::new(10.0) };
        let mut limiter = RateLimiter::new(config, millis(0));
        assert_eq!((0..20).filter(|_| limiter.try_take(millis(60_000))).count(), 5);
        assert!(!limiter.try_take(millis(60_090)));
        assert!(limiter.try_take(millis(60_100)));
    }

    #[test]
    fn throttling_halves_once_and_stops_the_link_for_a_second() {
        let mut limiter = RateLimiter::new(RateConfig::new(100.0), millis(0));
        limiter.answered(millis(500), THROTTLED);
        limiter.answered(millis(600), CommandStatus::RMSGQFUL);
        limiter.answered(millis(700), CommandStatus::RSYSERR);
        assert!((limiter.rate() - 50.0).abs() < 1e-9, "{}", limiter.rate());
        assert_eq!(sent(&mut limiter, 500, 1100), 0);
        assert_eq!(limiter.ready_at(), millis(1600));
        limiter.answered(millis(1700), THROTTLED);
        assert!((limiter.rate() - 25.0).abs() < 1e-9, "{}", limiter.rate());
    }

    #[test]
    fn the_rate_grows_back_by_steps_and_stops_at_its_limit() {
        let mut limiter = RateLimiter::new(RateConfig::new(100.0), millis(0));
        limiter.answered(millis(0), THROTTLED);
        assert_eq!(sent(&mut limiter, 1000, 1000), 50);
        let second = sent(&mut limiter, 2000, 1000);
        assert!((54..=57).contains(&second), "{second}");
        sent(&mut limiter, 3000, 20_000);
        assert!((limiter.rate() - 100.0).abs() < 1e-9);
        let full = sent(&mut limiter, 23_000, 1000);
        assert!((99..=101).contains(&full), "{full}");
    }

    #[test]
    fn endless_throttling_leaves_the_floor() {
        let mut limiter = RateLimiter::new(RateConfig::new(2.0), millis(0));
        for round in 0..100 {
            limiter.answered(millis(round * 1000), THROTTLED);
        }
        assert!(limiter.rate() >= RateConfig::FLOOR);
        assert!(limiter.try_take(millis(200_000)));
    }

    #[test]
    fn nonsense_rates_are_raised_to_the_floor() {
        for per_second in [0.0, -1.0, f64::NAN] {
            let mut limiter = RateLimiter::new(RateConfig::new(per_second), millis(0));
            assert!(limiter.try_take(millis(0)), "{per_second}");
            assert!(!limiter.try_take(millis(9_990)), "{per_second}");
            assert!(limiter.try_take(millis(10_000)), "{per_second}");
        }
    }
}
