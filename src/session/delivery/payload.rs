//! What a target is to be sent.

use std::fmt;

words! {
    /// Where a payload is meant to end up, which decides PID, DCS and user data header.
    Form {
        /// The agent on the terminal's host: application port, PID 00, DCS 04.
        Host = 0 "host",
        /// The eUICC, through the baseband: `70 00`, PID 7F, DCS F6.
        Sim = 1 "sim",
        /// The client says everything itself.
        Raw = 2 "raw",
    }
}

/// A payload as accepted: the octets do not change until it has been delivered.
#[derive(Clone, PartialEq, Eq)]
pub enum Payload {
    /// A whole SCP80 packet (CPL first) for an application port of the host.
    Host { packet: Vec<u8>, port: u16 },
    /// A whole SCP80 packet (CPL first) for the card.
    Sim { packet: Vec<u8> },
    /// User data after the header, and the header without its length octet.
    Raw { user_data: Vec<u8>, pid: u8, dcs: u8, udh: Vec<u8> },
}

impl Payload {
    pub const fn form(&self) -> Form {
        match self {
            Self::Host { .. } => Form::Host,
            Self::Sim { .. } => Form::Sim,
            Self::Raw { .. } => Form::Raw,
        }
    }

    /// The octets without any header.
    pub fn data(&self) -> &[u8] {
        match self {
            Self::Host { packet, .. } | Self::Sim { packet } => packet,
            Self::Raw { user_data, .. } => user_data,
        }
    }
}

/// Without the octets: they may carry commands under a client's keys.
impl fmt::Debug for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Payload({}, {} octets)", self.form().word(), self.data().len())
    }
}
