//! Short messages on their way to and from the SIM and the terminal: the TPDUs of TS 23.040 and what is inside them.
//!
//! [`Deliver`], [`Submit`], [`StatusReport`] and [`DeliverReport`] are the TPDUs; [`pdu`] adds the service centre
//! address that AT commands put before them. [`Udh`] is the user data header, [`Segmentation`] cuts a payload into
//! the user data of several messages; putting them together again needs memory and time, see `session::reassembly`.
//! SMS-COMMAND and SMS-SUBMIT-REPORT are not here: no modem or SMSC shows them to us.

pub mod address;
pub mod coding;
pub mod deliver;
pub mod deliver_report;
pub mod gsm7;
pub mod parameters;
pub mod pdu;
pub mod scts;
pub mod segment;
pub mod status_report;
pub mod submit;
pub mod udh;
pub mod user_data;
pub mod validity;

pub use address::{Address, Npi, Ton};
pub use coding::{Alphabet, BasebandRoute, Dcs, MessageClass, Pid, baseband_route};
pub use deliver::Deliver;
pub use deliver_report::{DeliverReport, ReportKind};
pub use parameters::Parameters;
pub use scts::{LocalTime, Scts};
pub use segment::{Reference, Segmentation};
pub use status_report::{St, StClass, StatusReport};
pub use submit::Submit;
pub use udh::{Concatenation, Ie, Ports, Udh};
pub use user_data::UserData;
pub use validity::ValidityPeriod;

/// Most octets of TP-UD in SMS-DELIVER and SMS-SUBMIT (TS 23.040 9.2.3.24).
pub const MAX_UD: usize = 140;

/// TP-MTI, bits 2 and 1 of the first octet (TS 23.040 9.2.3.1).
const MTI: u8 = 0x03;
/// TP-UDHI, the same bit in every TPDU (TS 23.040 9.2.3.23).
const UDHI: u8 = 0x40;

/// Names of the flags that are set, for traces.
fn flags(first: u8, names: &[(u8, &'static str)]) -> String {
    names.iter().filter(|(bit, _)| first & bit != 0).map(|(_, name)| *name).collect::<Vec<_>>().join(", ")
}

/// `bit` when `set`, else nothing.
const fn flag(bit: u8, set: bool) -> u8 {
    if set { bit } else { 0 }
}

#[cfg(test)]
mod tests;
