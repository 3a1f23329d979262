//! `[metrics]`: where each daemon serves OpenMetrics text without TLS; only to its own host.
//!
//! Gateway and SM-SR serve `/metrics` on their API as well, whatever stands here.

use super::Check;
use crate::types::ListenAddress;
use serde::{Deserialize, Serialize};

/// One optional listener per daemon, so that several can share one file.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Metrics {
    pub gateway: Option<ListenAddress>,
    pub agent: Option<ListenAddress>,
    pub smsr: Option<ListenAddress>,
    pub emulator: Option<ListenAddress>,
}

impl Metrics {
    pub(super) fn check(&self, check: &mut Check) {
        check.local("gateway", self.gateway.as_ref());
        check.local("agent", self.agent.as_ref());
        check.local("smsr", self.smsr.as_ref());
        check.local("emulator", self.emulator.as_ref());
    }
}
