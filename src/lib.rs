//! `euicc-push`: batch management of M2M eUICCs, from the push request to the result lists.
//!
//! The house, top to bottom; a layer imports only the layers below it (`tests/it/layering.rs` holds this):
//!
//! | layer | responsibility |
//! |---|---|
//! | `cli` | the roles a person or a service manager starts; roles never import each other |
//! | `daemon` | what all daemons share: configuration file, log, readiness, signals, metrics, exit status |
//! | `io` | sockets, ttys, files, clocks, randomness: nowhere else |
//! | [`card`] | the simulated eUICC: APDU in, APDU out |
//! | [`session`] | sans-IO state machines: time, randomness and bytes are arguments |
//! | [`config`] | the serde structures of every role, their defaults and their check |
//! | [`codec`] | bytes to values and back; no clock, no I/O, no logging |
//! | [`types`] | validated values: identities, operations, secrets |
//!
//! `docs/architecture.md` tells the same with pictures.

pub mod card;
pub mod codec;
pub mod config;
pub mod session;
pub mod types;

#[cfg(feature = "daemon")]
pub mod daemon;
#[cfg(feature = "io")]
pub mod io;

#[cfg(feature = "agent")]
pub mod agent;
#[cfg(feature = "cli")]
pub mod cli;
#[cfg(feature = "demo")]
pub mod demo;
#[cfg(feature = "emulator")]
pub mod emulator;
#[cfg(feature = "gateway")]
pub mod gateway;
#[cfg(feature = "smsr")]
pub mod smsr;
