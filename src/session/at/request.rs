//! A command together with what it expects.

use super::Timing;
use crate::codec::EncodeError;
use crate::codec::at::{Builder, CommandLine, Payload};
use std::borrow::Cow;
use std::time::Duration;

/// The information response that a command has before its final result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expect {
    /// Only a final result.
    Nothing,
    /// Lines with this prefix; firmware that leaves it out is understood too.
    Prefix(Cow<'static, str>),
    /// Lines with this prefix, each followed by a PDU line.
    WithPdu(&'static str),
    /// Free text (identification): any line that is no URC.
    Text,
}

impl Expect {
    pub(super) fn prefix(&self) -> Option<&str> {
        match self {
            Self::Prefix(prefix) => Some(prefix),
            Self::WithPdu(prefix) => Some(prefix),
            Self::Nothing | Self::Text => None,
        }
    }
}

/// One command line for the channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    pub line: CommandLine,
    pub expect: Expect,
    /// Typed at the prompt.
    pub payload: Option<Payload>,
    /// Between the prompt and the payload.
    pub pause: Duration,
    pub timing: Timing,
    /// Whether a character sent meanwhile aborts it (V.250 5.6.1): network searches.
    pub abortable: bool,
}

impl Request {
    pub fn new(line: CommandLine, expect: Expect, timing: Timing) -> Self {
        Self { line, expect, payload: None, pause: Duration::ZERO, timing, abortable: false }
    }

    /// A command that has only a final result.
    pub fn plain(builder: Builder, timing: Timing) -> Result<Self, EncodeError> {
        Ok(Self::new(builder.build()?, Expect::Nothing, timing))
    }

    /// A command whose answer has this prefix.
    pub fn asking(builder: Builder, prefix: &'static str, timing: Timing) -> Result<Self, EncodeError> {
        Ok(Self::new(builder.build()?, Expect::Prefix(prefix.into()), timing))
    }

    /// `AT+X?`, answered by `+X:`.
    pub fn query(name: &'static str, timing: Timing) -> Result<Self, EncodeError> {
        Self::asking(Builder::query(name), name, timing)
    }

    /// `AT+X=?`, answered by `+X:`.
    pub fn test(name: &'static str, timing: Timing) -> Result<Self, EncodeError> {
        Self::asking(Builder::test(name), name, timing)
    }

    /// `AT+X`, answered by `+X:`.
    pub fn query_by_execute(name: &'static str, timing: Timing) -> Result<Self, EncodeError> {
        Self::asking(Builder::execute(name), name, timing)
    }

    /// `AT+X`, answered by a line of text with or without prefix.
    pub fn text(name: &'static str, timing: Timing) -> Result<Self, EncodeError> {
        Ok(Self::new(Builder::execute(name).build()?, Expect::Text, timing))
    }

    pub fn with_payload(self, payload: Payload) -> Self {
        Self { payload: Some(payload), ..self }
    }

    pub fn with_pause(self, pause: Duration) -> Self {
        Self { pause, ..self }
    }

    pub fn abortable(self) -> Self {
        Self { abortable: true, ..self }
    }
}
