//! Toolkit application reference (TS 101 220 Annex D): the three octets that address an application on the card.

use super::{Invalid, hex};
use std::fmt;

/// A TAR, e.g. `000001` = ISD-R, `BFFF16` = our agent.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Tar(pub [u8; 3]);

impl Tar {
    /// SGP.02 ISD-R.
    pub const ISD_R: Self = Self([0x00, 0x00, 0x01]);
    /// SGP.02 ECASD.
    pub const ECASD: Self = Self([0x00, 0x00, 0x02]);
    /// GlobalPlatform Amendment B administration agent.
    pub const AMENDMENT_B: Self = Self([0xB2, 0x01, 0x00]);
    /// Default TAR of `euicc-agent` (proprietary range BFxxxx).
    pub const AGENT: Self = Self([0xBF, 0xFF, 0x16]);

    /// What the public registries say of this TAR (TS 101 220 Annex D, SGP.02).
    pub fn meaning(self) -> &'static str {
        match self.0 {
            [0x00, 0x00, 0x00] => "issuer security domain (RAM)",
            [0x00, 0x00, 0x01] => "SGP.02 ISD-R",
            [0x00, 0x00, 0x02] => "SGP.02 ECASD",
            [0x00, 0x00, low] if low >= 0x10 => "SGP.02 ISD-P",
            [0x00, 1..=0xFF, _] => "SGP.02 ISD-P",
            [0xB2, 0x01, 0x00] => "Amendment B administration agent",
            [0xBF, 0xFF, 0x16] => "euicc-agent (default)",
            [0xB0, ..] => "remote file management",
            [0xBF, ..] => "proprietary",
            [0x53, 0x54, 0x4B] | [0x50, 0x53, 0x48] => "toolkit application",
            [0x50, 0x53, _] => "proprietary toolkit application",
            _ => "application",
        }
    }
}

impl fmt::Display for Tar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(&self.0).to_ascii_uppercase())
    }
}

impl fmt::Debug for Tar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Tar({self})")
    }
}

impl std::str::FromStr for Tar {
    type Err = Invalid;
    fn from_str(text: &str) -> Result<Self, Invalid> {
        let octets = hex::decode(text).map_err(|error| Invalid::new("TAR", error.problem))?;
        <[u8; 3]>::try_from(octets.as_slice()).map(Self).map_err(|_| {
            Invalid::new("TAR", format!("expected 3 octets (6 hexadecimal digits), found {}", octets.len()))
        })
    }
}

super::serde_as_text!(Tar);
