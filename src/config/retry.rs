//! Waiting before the next attempt: doubling from `first` to `longest`, with jitter.

use super::{Check, units};
use serde::{Deserialize, Serialize};
use std::time::Duration;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Retry {
    /// Wait after the first failure.
    #[serde(with = "units::duration")]
    pub first: Duration,
    /// The wait doubles up to this.
    #[serde(with = "units::duration")]
    pub longest: Duration,
    /// Each wait is drawn between (1 - jitter) and (1 + jitter) times its value.
    pub jitter: f64,
    /// Attempts in all; then the failure is final.
    pub attempts: u32,
}

impl Default for Retry {
    fn default() -> Self {
        Self { first: Duration::from_secs(30), longest: Duration::from_secs(3600), jitter: 0.2, attempts: 10 }
    }
}

impl Retry {
    pub(super) fn check(&self, check: &mut Check) {
        check.duration("first", self.first, Duration::from_millis(100)..=Duration::from_secs(86_400));
        check.duration("longest", self.longest, self.first..=Duration::from_secs(7 * 86_400));
        check.range("jitter", self.jitter, 0.0..=0.9);
        check.range("attempts", self.attempts, 1..=1_000);
    }
}
