//! An agent with a simulated eUICC, and an SM-SR over TLS on the loopback.

pub mod cut;
mod device;
mod refusals;
mod rig;
mod sessions;
mod sm_sr;
