//! The agent's metrics. Labels are words of ours, never of a sender.

use crate::daemon::Metrics;
use crate::types::TransactionResult;
use prometheus_client::metrics::{counter::Counter, family::Family, gauge::Gauge};

type Labels = [(&'static str, &'static str); 1];

/// Clones share the numbers.
#[derive(Debug, Clone)]
pub struct AgentMetrics {
    triggers: Family<Labels, Counter>,
    transactions: Family<Labels, Counter>,
    connections: Family<Labels, Counter>,
    packets: Family<Labels, Counter>,
    pending: Gauge,
}

fn register<M: prometheus_client::registry::Metric + Clone + Default>(metrics: &Metrics, name: &str, help: &str) -> M {
    metrics.register(name, help, M::default())
}

impl AgentMetrics {
    pub fn new(metrics: &Metrics) -> Self {
        Self {
            triggers: register(metrics, "agent_trigger", "Host triggers, by what became of them at receipt"),
            transactions: register(metrics, "agent_transaction", "Transactions that ended, by result"),
            connections: register(metrics, "agent_connection", "Attempts to reach the SM-SR, by result"),
            packets: register(metrics, "agent_packet", "Packets delivered to the eUICC, by its answer"),
            pending: register(metrics, "agent_pending", "Triggers that wait or are worked on"),
        }
    }

    pub fn trigger(&self, result: &'static str) {
        self.triggers.get_or_create(&[("result", result)]).inc();
    }

    pub fn transaction(&self, result: TransactionResult) {
        self.transactions.get_or_create(&[("result", result.word())]).inc();
    }

    pub fn connection(&self, result: &'static str) {
        self.connections.get_or_create(&[("result", result)]).inc();
    }

    pub fn packet(&self, result: &'static str) {
        self.packets.get_or_create(&[("result", result)]).inc();
    }

    pub fn pending(&self, number: usize) {
        self.pending.set(i64::try_from(number).unwrap_or(i64::MAX));
    }
}
