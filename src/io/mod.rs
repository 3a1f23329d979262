//! The only place with sockets, ttys, files, clocks and randomness. Constructors take their own parameter structs.

pub mod clock;
pub mod file;
pub mod listener;
#[cfg(feature = "pki")]
pub mod pki;
#[cfg(test)]
pub mod scratch;
pub mod secret_file;
#[cfg(feature = "store")]
pub mod store;
pub mod text_server;
#[cfg(feature = "tls")]
pub mod tls;
