//! Bytes to values and back. No clock, no I/O, no logging; wire data never panics.
//!
//! Every binary decoder reads through one [`Reader`], which names structure, field and offset in its errors and,
//! when asked, leaves a [`Trace`] of what it read: that trace is what `euicc decode` prints. Encoders append to a
//! `Vec<u8>` and refuse what does not fit with an [`EncodeError`]; nothing is truncated silently.

#![deny(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::unreachable,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::cast_possible_truncation
)]

pub mod apdu;
pub mod at;
pub mod cat;
pub mod cursor;
pub mod error;
pub mod gp;
pub mod ota;
pub mod smpp;
pub mod sms;
pub mod tlv;
pub mod trace;
pub mod trigger;

pub use cursor::Reader;
pub use error::{DecodeError, EncodeError, Fault};
pub use trace::{Span, Trace};
