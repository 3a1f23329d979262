//! Whose line is it: the running command's answer, its final result, an echo, or a URC in the middle of all that.

use super::channel::{AnswerLine, Channel, Event, Phase, Running, State};
use super::request::Expect;
use crate::codec::at::answer::Registration;
use crate::codec::at::{Domain, FinalResult, Urc, prefix, urc};
use crate::types::Now;

/// A command with more answer lines than this is answered by a modem gone wild.
const MOST_LINES: usize = 4096;

impl Channel {
    pub(super) fn on_line(&mut self, now: Now, line: &[u8]) {
        // Echoes bring ESC and Ctrl-Z with them.
        let line = trim_controls(line);
        if line.is_empty() || self.is_echo(line) {
            return;
        }
        if let Some(result) = self.final_result(line) {
            match self.state {
                State::Running(_) => self.finish(result),
                State::Recovering(_) => self.recovery_result(now, &result),
                State::Idle => self.report(Event::Unclaimed(result.to_string())),
            }
            return;
        }
        if urc::never_answers(line) {
            return self.on_urc(line);
        }
        if prefix(line).is_none()
            && let Some((kind, length)) = self.pdu_pending.take()
        {
            return self.report(Event::Pdu { kind, length, line: line.to_vec() });
        }
        match &mut self.state {
            State::Running(running) if running.claims(line) => {
                running.take(line);
                // The network has the message: what is left is the modem's OK.
                if running.phase == Phase::PayloadSent && prefix(line) == running.request.expect.prefix() {
                    let limit = now.mono.saturating_add(self.timeouts.final_result);
                    running.deadline = running.deadline.min(limit);
                }
            }
            State::Recovering(_) => self.report(Event::Unclaimed(String::from_utf8_lossy(line).into_owned())),
            _ => self.on_urc(line),
        }
    }

    fn on_urc(&mut self, line: &[u8]) {
        match Urc::parse(line) {
            Urc::PduFollows { kind, length } => self.pdu_pending = Some((kind, length)),
            // An answer that came after its command was given up, and text that nobody asked for.
            Urc::Vendor(text) if prefix(line).is_none() && !urc::never_answers(line) => {
                self.report(Event::Unclaimed(text));
            }
            urc => self.report(Event::Urc(urc)),
        }
    }

    fn final_result(&self, line: &[u8]) -> Option<FinalResult> {
        FinalResult::parse(line).or_else(|| match &self.state {
            // Before ATV1 has taken effect results are digits; only commands without an answer can tell them apart.
            State::Running(running) if running.request.expect == Expect::Nothing => FinalResult::numeric(line),
            _ => None,
        })
    }

    fn is_echo(&mut self, line: &[u8]) -> bool {
        let State::Running(running) = &self.state else { return line.eq_ignore_ascii_case(b"AT") };
        let command = line.eq_ignore_ascii_case(running.request.line.as_str().as_bytes());
        let payload = running.phase == Phase::PayloadSent
            && running.request.payload.as_ref().is_some_and(|payload| payload.as_str().as_bytes() == line);
        // The command that turns it off is echoed itself.
        if command && !line.starts_with(b"ATE0") {
            self.report(Event::Echo);
        }
        command || payload
    }
}

impl Running {
    /// Whether a line that is neither final nor certainly a URC belongs to the answer.
    fn claims(&self, line: &[u8]) -> bool {
        let Some(found) = prefix(line) else { return true };
        let is_registration = Domain::from_prefix(&found.to_ascii_uppercase()).is_some();
        match &self.request.expect {
            Expect::Prefix(expected) if expected.eq_ignore_ascii_case(found) => {
                !is_registration || !Registration::is_urc_form(line)
            }
            Expect::WithPdu(expected) => expected.eq_ignore_ascii_case(found),
            Expect::Text => !is_registration && !["+CPIN", "+CUSATS"].contains(&found),
            Expect::Prefix(_) | Expect::Nothing => false,
        }
    }

    fn take(&mut self, line: &[u8]) {
        if let Expect::WithPdu(_) = self.request.expect
            && prefix(line).is_none()
            && let Some(last @ AnswerLine { pdu: None, .. }) = self.lines.last_mut()
        {
            last.pdu = Some(line.to_vec());
        } else if self.lines.len() < MOST_LINES {
            self.lines.push(AnswerLine { text: line.to_vec(), pdu: None });
        }
    }
}

fn trim_controls(mut line: &[u8]) -> &[u8] {
    while let [first, rest @ ..] = line
        && *first <= b' '
    {
        line = rest;
    }
    while let [rest @ .., last] = line
        && *last <= b' '
    {
        line = rest;
    }
    line
}
