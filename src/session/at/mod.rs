//! The host's end of an AT port (V.250, TS 27.005, TS 27.007): one command in flight, its answer told from URCs, the
//! prompt served, a modem that lost track brought back.
//!
//! The channel knows what each [`Request`] expects and how long that may take; what to ask, and what the answers mean for
//! a message or a card, is decided above it. Time and octets are arguments.

mod channel;
mod recovery;
mod request;
mod routing;
pub mod standard;
mod timing;

pub use channel::{AnswerLine, Busy, Channel, Completion, Event, Failure};
pub use request::{Expect, Request};
pub use timing::{Timeouts, Timing};

#[cfg(test)]
mod tests;
#[cfg(test)]
mod transcript_tests;
