//! The metrics of a process: OpenMetrics text, every name under `euicc_push_`.
//!
//! Names follow the base units (`_seconds`, `_total`); labels are bounded (route, state, cause), never an identity.

use prometheus_client::{
    encoding::text::encode,
    metrics::{gauge::Gauge, info::Info},
    registry::{Metric, Registry},
};
use std::sync::{Arc, Mutex};

/// `Content-Type` of [`Metrics::text`].
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Clones share one registry.
#[derive(Debug, Clone)]
pub struct Metrics {
    registry: Arc<Mutex<Registry>>,
    /// 1 = the last reload of the configuration took effect.
    pub(super) config_last_reload_successful: Gauge,
}

impl Metrics {
    pub fn new() -> Self {
        let mut registry = Registry::with_prefix("euicc_push");
        registry.register("build", "Version of the program", Info::new([("version", env!("CARGO_PKG_VERSION"))]));
        let config_last_reload_successful = Gauge::default();
        config_last_reload_successful.set(1);
        registry.register(
            "config_last_reload_successful",
            "Whether the last reload of the configuration took effect",
            config_last_reload_successful.clone(),
        );
        Self { registry: Arc::new(Mutex::new(registry)), config_last_reload_successful }
    }

    /// Registers `metric` (a clone; the caller keeps its own) without the prefix and without `_total`. Returns it.
    pub fn register<M: Metric + Clone>(&self, name: &str, help: &str, metric: M) -> M {
        self.registry().register(name, help, metric.clone());
        metric
    }

    /// What a scrape is answered with.
    pub fn text(&self) -> String {
        let mut text = String::new();
        // Writing into a String does not fail.
        let _ = encode(&mut text, &self.registry());
        text
    }

    fn registry(&self) -> std::sync::MutexGuard<'_, Registry> {
        self.registry.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use prometheus_client::metrics::counter::Counter;

    #[test]
    fn names_have_the_prefix_and_counters_their_suffix() {
        let metrics = Metrics::new();
        let resets: Counter = metrics.register("modem_resets", "Resets of modems", Counter::default());
        resets.inc();
        let text = metrics.text();
        assert!(text.contains("\neuicc_push_modem_resets_total 1\n"), "{text}");
        assert!(text.contains("euicc_push_build_info{version="), "{text}");
        assert!(text.contains("\neuicc_push_config_last_reload_successful 1\n"), "{text}");
        assert!(text.ends_with("# EOF\n"), "{text}");
    }
}
