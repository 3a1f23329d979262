//! The simulated eUICC (SGP.02): APDU in, APDU out.
//!
//! A [`Card`] is what a terminal sees behind its card interface: plain files, logical channels, the toolkit, and behind
//! ENVELOPE an SCP80 receiver with the ISD-R, its ISD-Ps and their profiles. It has no clock and does no I/O: time is
//! an argument, and what must survive a power cut is the [`CardState`], handed to a closure each time it has changed,
//! before anything that depends on it happens.
//!
//! Enabling or disabling a profile changes the state at once and the active subscription at the next reset, which the
//! card asks for with REFRESH: so the terminal can still carry the answer through the old subscription. Until the SM-SR
//! confirms the notification the change can be undone, see [`Card::connectivity_failed`].
//!
//! Not simulated: profile contents beyond the identity, applets, the card's own administration session over BIP
//! (a trigger for one is handed out, see [`Card::take_trigger`]), network authentication, key establishment and PUT KEY.

#![deny(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::unreachable,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::cast_possible_truncation
)]

mod change;
mod channels;
mod device;
mod download;
mod files;
mod isd_p;
mod isd_r;
mod pin;
mod script;
mod state;
mod terminal;
#[cfg(test)]
mod tests;
mod toolkit;

pub use change::{Cause, Change, Confirmation};
pub use device::{Card, CardOptions, Commit};
pub use pin::{Pin, Pins};
pub use state::{CardAlgorithm, CardKeySet, CardState, Loading, Policy, Profile, Subscription};
