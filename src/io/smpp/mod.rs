//! SMPP sessions over connections: one [`Driver`] moves the octets of one [`Session`](crate::session::smpp::Session), of
//! either end, and turns its calls and events into channels.
//!
//! Reading stops while the session or its owner is behind, and a peer that takes nothing is given up after a time.
//! Connecting is [`connect`]; whether and when to connect again is the caller's decision.

mod connection;
mod driver;
#[cfg(test)]
mod tests;

pub use connection::{ConnectError, Remote, connect};
pub use driver::{Driver, Events, Link, Settled};
