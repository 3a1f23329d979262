//! From an incoming message to a trigger on the disk.

use super::core::Core;
use super::state::StoredResult;
use crate::io::clock;
use crate::io::file::FileError;
use crate::session::host_trigger::{Accepted, HostTriggers, Outcome, Refused};
use crate::types::{ClockQuality, Now, TransactionResult};
use std::sync::Arc;

/// What is pending at the same time; a trusted sender does not reach this.
const MOST_PENDING: usize = 32;

/// The receiving side of an agent.
pub struct Receipt {
    core: Arc<Core>,
    triggers: HostTriggers,
}

impl Receipt {
    /// `parts` were held before a restart.
    pub fn new(core: Arc<Core>, mut triggers: HostTriggers, parts: Vec<Vec<u8>>) -> Self {
        triggers.restore(clock::now(), parts);
        Self { core, triggers }
    }

    /// Takes in a message. When this returns `Ok`, what matters of it is on the disk and it may be deleted elsewhere.
    pub async fn handle_message(&mut self, tpdu: &[u8]) -> Result<(), FileError> {
        let now = self.core.store.moment().now;
        let counters = self.core.store.read(|state| state.clone()).await;
        let current = self.core.current_sm_sr();
        let held_before = self.triggers.held().count();
        let outcome = self.triggers.handle_deliver(now, tpdu, current, |key| counters.counter(key));
        match outcome {
            Outcome::NotForUs | Outcome::Duplicate => {}
            Outcome::Held => self.write_parts().await?,
            Outcome::Accepted(accepted) => self.accept(&accepted).await?,
            Outcome::Refused(refused) => self.refuse(now, refused).await?,
        }
        if held_before > self.triggers.held().count() {
            // After what became of them is on the disk: a part that comes back is a duplicate, a counter too low.
            self.write_parts().await?;
        }
        self.drain(now).await
    }

    /// When [`handle_timeout`](Self::handle_timeout) is due, monotonic.
    pub fn poll_timeout(&self) -> Option<std::time::Duration> {
        self.triggers.poll_timeout()
    }

    /// Gives up messages whose parts did not come.
    pub async fn handle_timeout(&mut self) -> Result<(), FileError> {
        let now = self.core.store.moment().now;
        self.triggers.handle_timeout(now);
        self.drain(now).await
    }

    async fn drain(&mut self, now: Now) -> Result<(), FileError> {
        let mut dropped = false;
        while let Some(refused) = self.triggers.poll_refused() {
            dropped = true;
            self.refuse(now, refused).await?;
        }
        if dropped { self.write_parts().await } else { Ok(()) }
    }

    async fn write_parts(&self) -> Result<(), FileError> {
        self.core.store.write_parts(self.triggers.held().map(<[u8]>::to_vec).collect()).await
    }

    /// Counter and trigger in one write, and only then anything else.
    async fn accept(&self, accepted: &Accepted) -> Result<(), FileError> {
        let core = &self.core;
        if let Some(sent) = accepted.scts.to_unix() {
            // Its sender is proved; a service centre stamps what it forwards.
            core.store.clock.learn(ClockQuality::Scts, sent, clock::now().mono);
        }
        let pending = core.rules.pending(accepted, core.store.moment(), clock::random_fraction());
        let (transaction, due) = (pending.target.transaction, pending.due);
        let (key, counter) = accepted.store;
        let repeated = core
            .store
            .update(|state| {
                state.store_counter(key, counter);
                let repeated = state.result(transaction).is_some() || state.pending(transaction).is_some();
                state.accept(pending);
                let oldest = state.pending.first().map(|pending| pending.target.transaction);
                if let Some(oldest) = oldest.filter(|_| state.pending.len() > MOST_PENDING) {
                    state.finish(oldest, TransactionResult::Expired);
                }
                repeated
            })
            .await?;
        core.metrics.trigger(if repeated { "repeated" } else { "accepted" });
        let wait = due.saturating_sub(clock::now().mono).as_secs();
        let operation = accepted.trigger.operation.map_or("any", |operation| operation.word());
        tracing::info!(%transaction, operation, sm_sr = accepted.sm_sr.id, wait, "trigger accepted");
        Ok(())
    }

    async fn refuse(&self, now: Now, refused: Refused) -> Result<(), FileError> {
        if let Some((key, counter)) = refused.store {
            let store = |state: &mut super::state::Triggers| {
                state.store_counter(key, counter);
                // A transaction that is under way, or over, keeps what is known of it.
                let unknown =
                    |transaction: &_| state.result(*transaction).is_none() && state.pending(*transaction).is_none();
                if let Some(transaction) = refused.transaction.filter(unknown) {
                    let result = TransactionResult::Rejected;
                    state.remember(StoredResult { transaction, result, sm_sr: None, reported: false });
                }
            };
            self.core.store.update(store).await?;
        }
        self.core.metrics.trigger(refused.reason.word());
        // The sender chooses how many of these there are.
        if let Some(suppressed) = self.core.log_limit.admit(now.mono, refused.sender.clear()) {
            let (sender, reason) = (&refused.sender, &refused.reason);
            tracing::warn!(%sender, suppressed, "trigger refused: {reason}");
        }
        Ok(())
    }
}
