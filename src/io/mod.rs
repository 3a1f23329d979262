//! The only place with sockets, ttys, files, clocks and randomness. Constructors take their own parameter structs.

pub mod clock;
#[cfg(feature = "store")]
pub mod store;
