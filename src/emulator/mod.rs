//! `modem-emulator`: modems on ptys, the network they share, and a card behind each.

pub mod cards;
pub mod modem;
pub mod network;
pub mod world;
