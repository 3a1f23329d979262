//! The channel's state: idle, a command running through its phases, or recovery.

use super::recovery::{Recovery, Step};
use super::{Request, Timeouts, Timing};
use crate::codec::at::command::ESC;
use crate::codec::at::{FinalResult, Frame, Framer, PduKind, Urc};
use crate::types::Now;
use std::collections::VecDeque;
use std::time::Duration;

/// One line of an information response, and the PDU line after it where there is one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnswerLine {
    pub text: Vec<u8>,
    pub pdu: Option<Vec<u8>>,
}

/// Why a command did not end with OK.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// The modem's own word.
    #[error("{0}")]
    Refused(FinalResult),
    /// No final result in time. With `outcome_unknown` the modem may have done it all the same.
    #[error("no answer in time")]
    Timeout { outcome_unknown: bool },
    /// `>` did not come; nothing was sent.
    #[error("the modem did not prompt for the message")]
    PromptLost,
    /// [`Channel::abort`] was called.
    #[error("aborted")]
    Aborted,
    /// The port went away meanwhile.
    #[error("the port was lost")]
    Lost { outcome_unknown: bool },
}

/// A command has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Completion {
    /// The information response, also the part that came before a failure.
    pub lines: Vec<AnswerLine>,
    /// OK or CONNECT, or why not.
    pub outcome: Result<FinalResult, Failure>,
}

/// What the channel reports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The command submitted last has ended. After a time-out, [`Recovered`](Self::Recovered) or [`Dead`](Self::Dead) follows.
    Completed(Completion),
    Urc(Urc),
    /// +CMT, +CDS or +CBM with its PDU line, not decoded yet: a broken one has to be acknowledged too.
    Pdu {
        kind: PduKind,
        length: usize,
        line: Vec<u8>,
    },
    /// The modem answers again; commands may be submitted.
    Recovered,
    /// It does not: the port should be closed and opened anew.
    Dead,
    /// An answer that belongs to no running command, e.g. the late one of a command given up.
    Unclaimed(String),
    /// The modem echoes commands.
    Echo,
    /// A line beyond the framer's limit was dropped.
    Overlong,
}

/// Another command is running, or recovery is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the AT channel is busy")]
pub struct Busy;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    Answer,
    AwaitPrompt,
    /// The prompt is there; the PDU follows after a pause.
    PromptPause,
    PayloadSent,
}

#[derive(Debug, Clone)]
pub(super) struct Running {
    pub(super) request: Request,
    pub(super) phase: Phase,
    pub(super) deadline: Duration,
    pub(super) lines: Vec<AnswerLine>,
    pub(super) aborted: bool,
}

#[derive(Debug, Clone)]
pub(super) enum State {
    Idle,
    Running(Box<Running>),
    Recovering(Recovery),
}

/// The host's end of one AT port.
#[derive(Debug, Clone)]
pub struct Channel {
    pub(super) state: State,
    pub(super) timeouts: Timeouts,
    framer: Framer,
    output: VecDeque<Vec<u8>>,
    events: VecDeque<Event>,
    /// A URC header whose PDU line is still to come.
    pub(super) pdu_pending: Option<(PduKind, usize)>,
}

impl Channel {
    pub fn new(timeouts: Timeouts) -> Self {
        Self {
            state: State::Idle,
            timeouts,
            framer: Framer::default(),
            output: VecDeque::new(),
            events: VecDeque::new(),
            pdu_pending: None,
        }
    }

    pub fn is_idle(&self) -> bool {
        matches!(self.state, State::Idle)
    }

    /// Starts a command. Its end is an [`Event::Completed`].
    pub fn submit(&mut self, now: Now, request: Request) -> Result<(), Busy> {
        if !self.is_idle() {
            return Err(Busy);
        }
        self.send(request.line.to_wire());
        let (phase, timing) = match request.payload {
            Some(_) => (Phase::AwaitPrompt, Timing::Prompt),
            None => (Phase::Answer, request.timing),
        };
        let deadline = now.mono.saturating_add(self.timeouts.limit(timing));
        self.state = State::Running(Box::new(Running { request, phase, deadline, lines: Vec::new(), aborted: false }));
        Ok(())
    }

    /// Brings modem and host to a known state first: after a port was opened the modem may wait at a prompt, or be in
    /// the middle of a line. Ends with [`Event::Recovered`] or [`Event::Dead`].
    pub fn resynchronise(&mut self, now: Now) {
        if self.is_idle() {
            self.recover(now);
        }
    }

    /// Aborts the running command if it can be aborted; it then ends as [`Failure::Aborted`].
    pub fn abort(&mut self, now: Now) {
        let limit = now.mono.saturating_add(self.timeouts.control);
        if let State::Running(running) = &mut self.state
            && running.request.abortable
            && !running.aborted
        {
            running.aborted = true;
            running.deadline = running.deadline.min(limit);
            self.send(b"\r".to_vec());
        }
    }

    /// Takes octets from the port. Poll output and events afterwards.
    pub fn handle_input(&mut self, now: Now, bytes: &[u8]) {
        let mut framer = std::mem::take(&mut self.framer);
        framer.feed(bytes, |frame| match frame {
            Frame::Line(line) => self.on_line(now, line),
            Frame::Prompt => self.on_prompt(now),
            Frame::Overlong => self.report(Event::Overlong),
        });
        self.framer = framer;
    }

    /// The time of [`poll_timeout`](Self::poll_timeout) has come. Poll output and events afterwards.
    pub fn handle_timeout(&mut self, now: Now) {
        if self.poll_timeout().is_none_or(|deadline| deadline > now.mono) {
            return;
        }
        match &mut self.state {
            State::Idle => {}
            State::Recovering(_) => self.recovery_timeout(now),
            State::Running(running) => match (running.phase, &running.request.payload) {
                (Phase::PromptPause, Some(_)) => self.send_payload(now),
                (Phase::AwaitPrompt, _) => self.give_up(now, Failure::PromptLost),
                _ if running.aborted => self.give_up(now, Failure::Aborted),
                _ => self.give_up(now, Failure::Timeout { outcome_unknown: true }),
            },
        }
    }

    /// When [`handle_timeout`](Self::handle_timeout) wants to be called, on the monotonic clock. Ask again after
    /// every other call.
    pub fn poll_timeout(&self) -> Option<Duration> {
        match &self.state {
            State::Idle => None,
            State::Running(running) => Some(running.deadline),
            State::Recovering(recovery) => Some(recovery.deadline),
        }
    }

    /// The next octets to be written, each in one write.
    pub fn poll_output(&mut self) -> Option<Vec<u8>> {
        self.output.pop_front()
    }

    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// The port is gone: a running command ends, incomplete input is forgotten.
    pub fn handle_lost(&mut self) {
        self.framer.clear();
        self.output.clear();
        self.pdu_pending = None;
        if let State::Running(running) = std::mem::replace(&mut self.state, State::Idle) {
            let outcome_unknown = matches!(running.phase, Phase::Answer | Phase::PayloadSent);
            let outcome = Err(Failure::Lost { outcome_unknown });
            self.report(Event::Completed(Completion { lines: running.lines, outcome }));
        }
    }

    pub(super) fn send(&mut self, bytes: Vec<u8>) {
        self.output.push_back(bytes);
    }

    pub(super) fn report(&mut self, event: Event) {
        self.events.push_back(event);
    }

    fn on_prompt(&mut self, now: Now) {
        match &mut self.state {
            State::Running(running) if running.phase == Phase::AwaitPrompt => {
                running.phase = Phase::PromptPause;
                running.deadline = now.mono.saturating_add(running.request.pause);
                if running.request.pause.is_zero() {
                    self.send_payload(now);
                }
            }
            // A second prompt, or `>` in what the modem echoes of the PDU.
            State::Running(running) if running.request.payload.is_some() => {}
            // The modem waits for a PDU that nobody wants to send: what came next would be taken for it.
            _ => self.send(vec![ESC]),
        }
    }

    fn send_payload(&mut self, now: Now) {
        let State::Running(running) = &mut self.state else { return };
        let Some(payload) = &running.request.payload else { return };
        let wire = payload.to_wire();
        running.phase = Phase::PayloadSent;
        running.deadline = now.mono.saturating_add(self.timeouts.limit(running.request.timing));
        self.send(wire);
    }

    /// The running command ends with the modem's word.
    pub(super) fn finish(&mut self, result: FinalResult) {
        let State::Running(running) = std::mem::replace(&mut self.state, State::Idle) else { return };
        let outcome = match running.phase {
            _ if running.aborted => Err(Failure::Aborted),
            _ if !result.is_success() => Err(Failure::Refused(result)),
            // OK without a prompt: the modem did not take the message.
            Phase::AwaitPrompt | Phase::PromptPause => Err(Failure::PromptLost),
            Phase::Answer | Phase::PayloadSent => Ok(result),
        };
        self.report(Event::Completed(Completion { lines: running.lines, outcome }));
    }

    /// The running command ends without the modem's word; where modem and host stand must be found out first.
    fn give_up(&mut self, now: Now, failure: Failure) {
        let State::Running(running) = std::mem::replace(&mut self.state, State::Idle) else { return };
        self.report(Event::Completed(Completion { lines: running.lines, outcome: Err(failure) }));
        self.recover(now);
    }

    fn recover(&mut self, now: Now) {
        let deadline = now.mono.saturating_add(self.timeouts.settle);
        self.state = State::Recovering(Recovery { step: Step::Flush, deadline });
        // ESC leaves a prompt that may have come unseen, CR ends what may have been taken for a command.
        self.send(vec![ESC, b'\r']);
    }
}
