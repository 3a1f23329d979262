//! AT dialogue, both sides: modem output to frames, results, answers and URCs; commands to bytes; and for an emulated
//! modem the way back, command lines to commands (V.250, TS 27.005, TS 27.007, vendors' habits).
//!
//! Who asked what, and how long to wait, is `session::at`; TPDUs and APDUs stay octets here.

pub mod answer;
pub mod command;
pub mod command_line;
pub mod command_reader;
pub mod describe;
pub mod error_table;
pub mod fields;
pub mod framer;
pub mod pdu;
pub mod ranges;
pub mod result;
pub mod urc;

#[cfg(test)]
pub(crate) mod transcript;
#[cfg(test)]
mod transcript_tests;

pub use answer::{Answer, prefix};
pub use command::{Builder, CommandLine, Payload};
pub use command_line::{Argument, Command, Commands, Form};
pub use command_reader::{CommandReader, Input};
pub use describe::describe_line;
pub use error_table::{CME, CMS, Class, ErrorEntry, Pace};
pub use fields::Fields;
pub use framer::{Frame, Framer};
pub use pdu::Pdu;
pub use ranges::NumberSet;
pub use result::{FinalResult, Reported};
pub use urc::{Domain, PduKind, Urc};
