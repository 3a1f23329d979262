//! One AT port: what has been typed, the settings of V.250 that belong to a port, and the octets that go out.

use super::call::{Failure, PayloadFor};
use crate::codec::DecodeError;
use crate::codec::at::{CME, CMS, Command, CommandReader};
use std::collections::VecDeque;

/// Longest line or payload.
const LINE_LIMIT: usize = 2048;
/// Octets and URCs kept while a command is being executed.
const HELD_LIMIT: usize = 64 * 1024;
const URC_LIMIT: usize = 200;

/// E, V, Q and +CMEE.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Settings {
    pub(super) echo: bool,
    pub(super) verbose: bool,
    pub(super) quiet: bool,
    pub(super) cmee: u8,
}

impl Settings {
    /// After power-up, ATZ and AT&F.
    pub(super) const FACTORY: Self = Self { echo: true, verbose: true, quiet: false, cmee: 0 };
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    Idle,
    /// A line is being executed.
    Busy,
    Prompt(PayloadFor),
}

#[derive(Debug)]
pub(super) struct Port {
    pub(super) reader: CommandReader,
    pub(super) settings: Settings,
    pub(super) state: State,
    /// Commands of the line that are still to be executed.
    pub(super) commands: VecDeque<Result<Command, DecodeError>>,
    /// Typed while a command was being executed.
    pub(super) held: VecDeque<u8>,
    urcs: VecDeque<String>,
    /// The rest of this line's output is lost.
    pub(super) muted: bool,
    output: Vec<u8>,
}

impl Port {
    pub(super) fn new() -> Self {
        Self {
            reader: CommandReader::new(LINE_LIMIT),
            settings: Settings::FACTORY,
            state: State::Idle,
            commands: VecDeque::new(),
            held: VecDeque::new(),
            urcs: VecDeque::new(),
            muted: false,
            output: Vec::new(),
        }
    }

    pub(super) fn take_output(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.output)
    }

    pub(super) fn hold(&mut self, octet: u8) {
        if self.held.len() < HELD_LIMIT {
            self.held.push_back(octet);
        }
    }

    pub(super) fn echo(&mut self, octet: u8) {
        if self.settings.echo {
            self.output.push(octet);
        }
    }

    fn put(&mut self, text: &str) {
        if !self.muted {
            self.output.extend_from_slice(text.as_bytes());
        }
    }

    /// An information line (V.250 5.7.1).
    pub(super) fn information(&mut self, text: &str) {
        if self.settings.verbose {
            self.put("\r\n");
        }
        self.put(text);
        self.put("\r\n");
    }

    pub(super) fn prompt(&mut self, payload: PayloadFor) {
        self.put("\r\n> ");
        self.state = State::Prompt(payload);
        self.reader.enter_prompt();
    }

    /// An unsolicited result; it waits for the end of a line that is being executed.
    pub(super) fn urc(&mut self, text: &str) {
        if self.state == State::Idle {
            self.information(text);
        } else if self.urcs.len() < URC_LIMIT {
            self.urcs.push_back(text.to_string());
        }
    }

    /// Ends the line with its final result.
    pub(super) fn finish(&mut self, result: Result<(), Failure>) {
        let (text, code) = match result {
            Ok(()) => ("OK".to_string(), Some(0)),
            Err(failure) => self.failure(failure),
        };
        let silent = self.settings.quiet || text.is_empty();
        match code {
            _ if silent => {}
            // Extended codes have no numeric form (TS 27.007 9.1).
            Some(code) if !self.settings.verbose => self.put(&format!("{code}\r")),
            _ => self.information(&text),
        }
        self.commands.clear();
        self.muted = false;
        self.state = State::Idle;
        for urc in std::mem::take(&mut self.urcs) {
            self.information(&urc);
        }
    }

    fn failure(&self, failure: Failure) -> (String, Option<u8>) {
        let named = |prefix: &str, code: u16, name: &str| match self.settings.cmee {
            2 => (format!("{prefix} ERROR: {name}"), None),
            _ => (format!("{prefix} ERROR: {code}"), None),
        };
        match failure {
            Failure::Error => ("ERROR".to_string(), Some(4)),
            Failure::Cme(_) if self.settings.cmee == 0 => ("ERROR".to_string(), Some(4)),
            Failure::Cme(code) => named("+CME", code, &CME.of(code).name),
            Failure::Cms(code) => named("+CMS", code, &CMS.of(code).name),
            Failure::Text(text) => (text, None),
            Failure::Silence => (String::new(), None),
        }
    }
}
