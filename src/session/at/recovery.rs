//! Back to a known state after a command was given up: ESC CR, a pause, then AT until OK, and silence after it.

use super::channel::{Channel, Event, State};
use crate::codec::at::FinalResult;
use crate::types::Now;
use std::time::Duration;

/// `AT` is tried this often.
const PROBES: u8 = 3;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// ESC CR is out; late answers are let pass.
    Flush,
    /// `AT` is out, for the n-th time.
    Probe(u8),
    /// OK came. It may have been the late one of the command given up, so the probe's own gets time to come.
    Settle,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Recovery {
    pub(super) step: Step,
    pub(super) deadline: Duration,
}

impl Channel {
    pub(super) fn recovery_timeout(&mut self, now: Now) {
        let State::Recovering(recovery) = &self.state else { return };
        match recovery.step {
            Step::Flush => self.probe(now, 1),
            Step::Probe(PROBES..) => {
                self.state = State::Idle;
                self.report(Event::Dead);
            }
            Step::Probe(attempt) => self.probe(now, attempt.saturating_add(1)),
            Step::Settle => {
                self.state = State::Idle;
                self.report(Event::Recovered);
            }
        }
    }

    fn probe(&mut self, now: Now, attempt: u8) {
        let deadline = now.mono.saturating_add(self.timeouts.control);
        self.state = State::Recovering(Recovery { step: Step::Probe(attempt), deadline });
        self.send(b"AT\r".to_vec());
    }

    /// A final result during recovery. Errors are late ones, or answers to what the modem took for a command.
    pub(super) fn recovery_result(&mut self, now: Now, result: &FinalResult) {
        let settle = now.mono.saturating_add(self.timeouts.settle);
        if let State::Recovering(recovery) = &mut self.state
            && matches!(recovery.step, Step::Probe(_) | Step::Settle)
            && result.is_success()
        {
            *recovery = Recovery { step: Step::Settle, deadline: settle };
        }
    }
}
