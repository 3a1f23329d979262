//! How long to wait before the next attempt.

/// Exponential back-off with jitter, so that targets refused together do not return together.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RetryPolicy {
    /// Delay after the first refusal, in seconds.
    pub first: u64,
    /// The delay doubles up to this, in seconds.
    pub longest: u64,
    /// The delay is drawn between (1 - jitter) and (1 + jitter) times its value.
    pub jitter: f64,
    /// Counted attempts before the target has failed.
    pub attempts: u32,
}

impl RetryPolicy {
    /// Seconds to wait after the given number of counted attempts, at least one; `patience` multiplies the first delay
    /// for errors that are known to last, `random` is uniform in `[0, 1)`.
    pub fn delay(&self, attempts: u32, patience: u64, random: f64) -> u64 {
        let doubled = 1_u64.checked_shl(attempts.saturating_sub(1)).unwrap_or(u64::MAX);
        let delay = self.first.saturating_mul(patience).saturating_mul(doubled).min(self.longest);
        let factor = 1.0 + self.jitter * (2.0 * random - 1.0);
        #[expect(clippy::cast_possible_truncation, reason = "a float to integer cast saturates")]
        let drawn = (delay as f64 * factor).round() as u64;
        drawn.max(1)
    }
}
