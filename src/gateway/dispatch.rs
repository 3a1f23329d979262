//! Feeds a route: claims the next target it may carry, has it carried, records how that ended.

use super::{
    core::Core,
    routes::{Carrier, Message},
    routing::RouteEntry,
};
use crate::{
    daemon::Shutdown,
    io::{
        clock,
        store::{
            StoreError,
            gateway::{Attempt, Claimed, Outcome, Queue, SegmentResult},
        },
    },
    session::delivery::{Refusal, RouteRules, Segments, Shape, SubmitResult, segments},
    types::mask::masked,
};
use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

/// Nothing is due sooner than this is known by: new work wakes, this only bounds the wait.
const LONGEST_WAIT: u64 = 60;
/// Between attempts to reach a store that fails.
const STORE_PAUSE: Duration = Duration::from_secs(1);
/// A route that went away while it carried a message tells so within this.
const ROUTE_PAUSE: Duration = Duration::from_secs(1);
/// What is being carried when the process is asked to stop gets this long.
const LAST_CARRY: Duration = Duration::from_secs(20);

/// One route's loop.
pub struct Dispatcher<C> {
    pub core: Arc<Core>,
    pub route: String,
    pub carrier: C,
    pub rules: RouteRules,
    pub shape: Shape,
    /// The least time from one message to the next.
    pub interval: Duration,
    /// How long before the answer to a submission a report may have come, in seconds.
    pub early_reports: u64,
}

impl<C: Carrier> Dispatcher<C> {
    /// Until shutdown.
    pub async fn run(self, shutdown: Shutdown) {
        let Some(entry) = self.core.routing.route(&self.route) else { return };
        let mut work = self.core.routing.work();
        while !shutdown.is_requested() {
            work.borrow_and_update();
            let wait = match self.next(entry, &shutdown).await {
                Ok(wait) => wait,
                Err(error) => {
                    tracing::error!(route = self.route, "cannot take the next target: {error}");
                    Some(STORE_PAUSE)
                }
            };
            let Some(wait) = wait else { continue };
            tokio::select! {
                () = shutdown.requested() => {}
                _ = work.changed() => {}
                () = clock::sleep(wait) => {}
            }
        }
    }

    /// Carries the next target, or says how long there is nothing to do.
    async fn next(&self, entry: &RouteEntry, shutdown: &Shutdown) -> Result<Option<Duration>, StoreError> {
        if !entry.is_up() {
            return Ok(Some(Duration::from_secs(LONGEST_WAIT)));
        }
        let (store, pools) = (&self.core.store, self.core.routing.claimable(entry));
        let now = clock::now().utc;
        match store.claim(pools.clone(), now, 1).await?.pop() {
            Some(target) => {
                entry.in_flight.fetch_add(1, Ordering::Relaxed);
                let pause = self.carry(target, shutdown).await;
                entry.in_flight.fetch_sub(1, Ordering::Relaxed);
                // New work does not shorten this pause.
                tokio::select! {
                    () = shutdown.requested() => {}
                    () = clock::sleep(pause.max(self.interval)) => {}
                }
                Ok(None)
            }
            None => {
                let seconds = store.next_due(pools).await?.map_or(LONGEST_WAIT, |due| due.since(now));
                Ok(Some(Duration::from_secs(seconds.clamp(1, LONGEST_WAIT))))
            }
        }
    }

    /// How long the route rests afterwards.
    async fn carry(&self, target: Claimed, shutdown: &Shutdown) -> Duration {
        let shape = target.shape.map_or(self.shape, Shape::from_code);
        let reference = u16::try_from(target.id.0 & 0xFFFF).unwrap_or_default();
        let (total, results) = match segments(&target.payload, shape, reference) {
            Ok(segments) => {
                let carried = self.carry_segments(&target, &segments);
                let late = async {
                    shutdown.requested().await;
                    clock::sleep(LAST_CARRY).await;
                };
                tokio::select! {
                    results = carried => (segments.parts.len(), results),
                    // The lease ends with the process; the target is queued as it was.
                    () = late => return Duration::ZERO,
                }
            }
            Err(error) => {
                tracing::error!(target = target.id.0, "cannot be segmented: {error}");
                (1, vec![refused(0, Refusal::Permanent, "cannot-be-segmented")])
            }
        };
        let results = self.without_alternative(&target, results).await;
        let pause = results.iter().map(|result| rest_after(&result.result)).max().unwrap_or_default();
        for result in &results {
            self.core.metrics.submitted(&self.route, &result.result);
        }
        let other_route = self.other_route(&target).await.unwrap_or(target.pool);
        let now = clock::now().utc;
        let attempt = Attempt {
            target: target.id,
            route: self.route.clone(),
            source: self.route.clone(),
            at: now,
            total,
            shape: shape.code(),
            results,
            rules: self.rules,
            early_reports_since: crate::types::UnixSeconds(now.0.saturating_sub(self.early_reports)),
            other_route,
            random: clock::random_fraction(),
        };
        self.record(attempt, &target, shutdown).await;
        pause
    }

    async fn carry_segments(&self, target: &Claimed, segments: &Segments) -> Vec<SegmentResult> {
        let numbers = target.progress.to_send(segments.parts.len());
        let message = Message {
            address: &target.address,
            pid: segments.pid,
            dcs: segments.dcs,
            segments: numbers.into_iter().filter_map(|number| Some((number, segments.parts.get(number)?))).collect(),
            validity_end: target.validity_end,
        };
        self.carrier.carry(message).await
    }

    async fn other_route(&self, target: &Claimed) -> Option<crate::io::store::gateway::PoolId> {
        let found = self.core.routing.other_route(&self.core.store, target.pool, &self.route).await;
        found.ok().flatten()
    }

    /// "Another route now" becomes "later" where there is no other.
    async fn without_alternative(&self, target: &Claimed, mut results: Vec<SegmentResult>) -> Vec<SegmentResult> {
        let other = |result: &SegmentResult| {
            matches!(result.result, SubmitResult::Refused { refusal: Refusal::OtherRoute, .. })
        };
        if results.iter().any(other) && self.other_route(target).await.is_none() {
            for result in &mut results {
                if let SubmitResult::Refused { refusal: refusal @ Refusal::OtherRoute, .. } = &mut result.result {
                    *refusal = Refusal::Later { patience: 1, at_most: None };
                }
            }
        }
        results
    }

    /// Troubles for everybody; the rest only for those who look closer, for there may be millions.
    fn log(&self, outcome: &Outcome, address: &str) {
        let (id, push, state, route) = (outcome.target.0, outcome.push.0, outcome.state.word(), &self.route);
        let to = masked(address);
        match &outcome.error {
            Some(error) => tracing::info!("target {id} of push {push} to {to} by {route}: {state}, {error}"),
            None => tracing::debug!("target {id} of push {push} to {to} by {route}: {state}"),
        }
    }

    /// What was sent must not be forgotten: the lease is kept until the store has it.
    async fn record(&self, attempt: Attempt, target: &Claimed, shutdown: &Shutdown) {
        loop {
            match self.core.store.attempted(vec![attempt.clone()]).await {
                Ok(outcomes) => {
                    outcomes.iter().for_each(|outcome| self.log(outcome, &target.address));
                    self.core.metrics.ended(&outcomes);
                    self.core.progressed();
                    if outcomes.iter().any(|outcome| !outcome.settled) {
                        self.core.routing.wake();
                    }
                    return;
                }
                Err(error) => {
                    tracing::error!(target = attempt.target.0, "cannot record an attempt: {error}");
                    if shutdown.is_requested() {
                        return;
                    }
                    clock::sleep(STORE_PAUSE).await;
                }
            }
        }
    }
}

/// A route that is going down, or that is told to slow down, would only fail again.
fn rest_after(result: &SubmitResult) -> Duration {
    match result {
        SubmitResult::Refused { refusal: Refusal::RouteDown, .. } => ROUTE_PAUSE,
        SubmitResult::Refused { refusal: Refusal::Throttled { pause }, .. } => Duration::from_secs(*pause),
        _ => Duration::ZERO,
    }
}

/// A segment that was refused before or by the network.
pub fn refused(segment: usize, refusal: Refusal, error: impl Into<String>) -> SegmentResult {
    SegmentResult {
        segment,
        result: SubmitResult::Refused { refusal, error: error.into() },
        message_id: None,
        report_keys: Vec::new(),
    }
}
