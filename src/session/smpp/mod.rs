//! SMPP sessions, sans-IO: the ESME's end and the SMSC's end (SMPP 3.4 section 2).
//!
//! [`Session`] is one connection: bytes in, bytes out, named timers, events typed by what its owner must do. It never
//! has more unanswered messages than its window, answers what needs no decision, and turns every request into exactly
//! one [`Outcome`]. [`rate`] limits submissions per second.
//! Connecting, reconnecting and TLS are of `io`.

mod event;
mod inbound;
pub mod rate;
mod rules;
mod session;
mod timers;

#[cfg(test)]
mod rig;
#[cfg(test)]
mod tests;

pub use event::{CloseReason, Event, Oddity, Outcome, Reconnect, RequestId, SendError};
pub use rules::{RULES, Role, Rule, State, States};
pub use session::{Config, Session};
pub use timers::{TIMERS, Timer, TimerRow, Timers};
