//! SCP80 secured packets as carried by SMS (TS 102 225, TS 31.115): command packets, response packets (PoR), and the
//! cryptography between them.
//!
//! A packet begins with its length field (CPL or RPL); UDH and segmentation belong to [`sms`](super::sms). Reading has
//! two steps, and only the second needs keys: [`UnverifiedCommand`] and [`UnverifiedResponse`] show what everybody may
//! see, their `verify` deciphers and checks. Who is addressed, which counter is stored and what is answered is decided
//! in `session::scp80`. Not done: digital signatures, DES in ECB mode, transports other than SMS.

pub mod algorithm;
mod cipher;
pub mod command;
pub mod counter;
pub mod crc;
pub mod header;
pub mod keys;
pub mod rejection;
pub mod response;
mod sealing;
pub mod spi;
pub mod status;

pub use algorithm::{Algorithm, Kic, Kid};
pub use command::CommandPacket;
pub use counter::{Counter, CounterDecision};
pub use header::{CommandHeader, UnverifiedCommand};
pub use keys::{CcLength, KeyFamily, KeySet};
pub use rejection::Rejection;
pub use response::{Proof, ReceivedResponse, ResponsePacket, UnverifiedResponse};
pub use spi::{CounterMode, Integrity, MinimumSecurity, PorRequest, Spi};
pub use status::{ResponseStatus, RetryClass};

#[cfg(test)]
mod tests;
