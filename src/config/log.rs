//! `[log]`: how much every daemon says.

use super::{Check, units};
use serde::{Deserialize, Serialize};
use std::time::Duration;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Log {
    /// The least important lines that are written.
    pub level: Level,
    /// Lines an outsider can trigger, per peer and `peer-interval`; what is above is counted and reported in one line.
    pub peer_lines: u32,
    #[serde(with = "units::duration")]
    pub peer_interval: Duration,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Level {
    Error,
    Warn,
    Info,
    Debug,
    Trace,
}

impl Default for Log {
    fn default() -> Self {
        Self { level: Level::Info, peer_lines: 10, peer_interval: Duration::from_secs(60) }
    }
}

impl Log {
    pub(super) fn check(&self, check: &mut Check) {
        check.range("peer-lines", self.peer_lines, 1..=10_000);
        check.duration("peer-interval", self.peer_interval, Duration::from_secs(1)..=Duration::from_secs(86_400));
    }
}
