//! How long to wait before the next attempt.

/// Exponential back-off with jitter over half of the delay, so that targets refused together do not return together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryPolicy {
    /// Delay after the first refusal, in seconds.
    pub first: u64,
    /// No delay is longer, in seconds.
    pub longest: u64,
    /// Counted attempts before the target has failed.
    pub attempts: u32,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self { first: 30, longest: 3600, attempts: 8 }
    }
}

impl RetryPolicy {
    /// Seconds to wait after the given number of counted attempts; `patience` multiplies the first delay for errors
    /// that are known to last, `random` is uniform in `[0, 1)`.
    pub fn delay(&self, attempts: u32, patience: u64, random: f64) -> u64 {
        let doubled = 1_u64.checked_shl(attempts.saturating_sub(1)).unwrap_or(u64::MAX);
        let delay = self.first.saturating_mul(patience).saturating_mul(doubled).min(self.longest.max(1));
        jittered(delay, random)
    }
}

/// Between half of `delay` and all of it, at least one second.
fn jittered(delay: u64, random: f64) -> u64 {
    const STEPS: u64 = 1024;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a fraction of 1024 fits")]
    let step = (random.clamp(0.0, 1.0) * STEPS as f64) as u64;
    let half = delay / 2;
    let spread = u128::from(delay - half) * u128::from(step) / u128::from(STEPS);
    half.saturating_add(u64::try_from(spread).unwrap_or(u64::MAX)).max(1)
}
