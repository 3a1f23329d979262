//! Failures by what the caller has to do.

use crate::codec::at::{ErrorEntry, FinalResult, Pace};
use crate::session::at::Failure;

/// What the modem, or the way to it, reported.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text}")]
pub struct Cause {
    /// The +CMS ERROR number.
    pub cms: Option<u16>,
    /// The +CME ERROR number.
    pub cme: Option<u16>,
    /// In words, with the number where there is one.
    pub text: String,
}

impl Cause {
    pub(super) fn new(text: impl Into<String>) -> Self {
        Self { cms: None, cme: None, text: text.into() }
    }
}

impl From<&FinalResult> for Cause {
    fn from(result: &FinalResult) -> Self {
        Self { cms: result.cms(), cme: result.cme(), text: result.to_string() }
    }
}

/// When to try again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pacing {
    pub pace: Pace,
    /// After so many failures of this kind the message will not go through.
    pub at_most: Option<u8>,
}

impl Pacing {
    pub(super) const USUAL: Self = Self { pace: Pace::Usual, at_most: None };

    pub(super) fn of(entry: &ErrorEntry) -> Self {
        Self { pace: entry.pace, at_most: entry.then.map(|(limit, _)| limit) }
    }
}

/// Why a message was not sent, or may not have been.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// This message will never be taken.
    #[error("the message is refused for good: {0}")]
    Permanent(Cause),
    /// It was not sent; the same octets may be sent later.
    #[error("not sent, to be tried again: {0}")]
    RetryLater(Cause, Pacing),
    /// This SIM or modem cannot send now and needs attention; another route may.
    #[error("this route needs attention: {0}")]
    OtherRoute(Cause),
    /// It was not sent; the modem is being opened or initialised anew.
    #[error("the modem is down: {0}")]
    ModemDown(Cause),
    /// It may have been sent: not to be repeated at once.
    #[error("whether the message was sent is unknown: {0}")]
    OutcomeUnknown(Cause),
}

/// Why a command for the card had no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CommandError {
    /// The modem is not there; nothing was sent.
    #[error("the modem is down")]
    Down,
    #[error(transparent)]
    Failed(#[from] Failure),
    /// The command could not be written down.
    #[error(transparent)]
    Unsendable(#[from] crate::codec::EncodeError),
}

impl CommandError {
    /// Whether the modem may have carried out the command all the same.
    pub fn outcome_unknown(&self) -> bool {
        matches!(
            self,
            Self::Failed(Failure::Timeout { outcome_unknown: true } | Failure::Lost { outcome_unknown: true })
        )
    }

    /// The modem's own refusal.
    pub fn refusal(&self) -> Option<&FinalResult> {
        match self {
            Self::Failed(Failure::Refused(result)) => Some(result),
            _ => None,
        }
    }
}
