//! KIc and KID: which key of the set, and which algorithm (TS 102 225 5.1.2, 5.1.3).
//!
//! The key's length is not on the wire: nibble 2 is AES with whatever length the stored key has.

use std::fmt;

/// Key and algorithm for ciphering: b8-b5 key version (0 = implicit), b4-b1 algorithm.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Kic(pub u8);

/// Key and algorithm for RC/CC/DS: b8-b5 key version (0 = implicit), b4-b1 algorithm, read by the kind of integrity.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Kid(pub u8);

/// A block cipher as KIc and KID name it; with a KID it is CBC-MAC for the DES family and CMAC for AES.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Algorithm {
    /// Known to both sides without being named.
    Implicit,
    /// Single DES in CBC mode; obsolete.
    Des,
    Aes,
    Proprietary,
    /// 3DES in outer CBC mode with two keys.
    TripleDes2,
    /// 3DES in outer CBC mode with three keys.
    TripleDes3,
    /// Single DES in ECB mode; obsolete, KIc only.
    DesEcb,
    Reserved(u8),
}

/// The redundancy check a KID names when the SPI asks for RC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RedundancyCheck {
    Crc16,
    Crc32,
}

impl Algorithm {
    const fn from_nibble(octet: u8) -> Self {
        match octet & 0x0F {
            0x0 => Self::Implicit,
            0x1 => Self::Des,
            0x2 => Self::Aes,
            0x3 => Self::Proprietary,
            0x5 => Self::TripleDes2,
            0x9 => Self::TripleDes3,
            0xD => Self::DesEcb,
            other => Self::Reserved(other),
        }
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Implicit => f.write_str("implicit"),
            Self::Des => f.write_str("DES CBC"),
            Self::Aes => f.write_str("AES"),
            Self::Proprietary => f.write_str("proprietary"),
            Self::TripleDes2 => f.write_str("3DES with 2 keys"),
            Self::TripleDes3 => f.write_str("3DES with 3 keys"),
            Self::DesEcb => f.write_str("DES ECB"),
            Self::Reserved(nibble) => write!(f, "reserved ({nibble:X})"),
        }
    }
}

impl Kic {
    pub const fn version(self) -> u8 {
        self.0 >> 4
    }

    pub const fn algorithm(self) -> Algorithm {
        Algorithm::from_nibble(self.0)
    }

    pub fn meaning(self) -> String {
        format!("key version {}, {}", self.version(), self.algorithm())
    }
}

impl Kid {
    pub const fn version(self) -> u8 {
        self.0 >> 4
    }

    /// The algorithm of a CC.
    pub const fn algorithm(self) -> Algorithm {
        match Algorithm::from_nibble(self.0) {
            Algorithm::DesEcb => Algorithm::Reserved(0xD),
            algorithm => algorithm,
        }
    }

    /// The algorithm of an RC, `None` when the nibble names none that is known.
    pub const fn redundancy_check(self) -> Option<RedundancyCheck> {
        match self.0 & 0x0F {
            0x1 => Some(RedundancyCheck::Crc16),
            0x5 => Some(RedundancyCheck::Crc32),
            _ => None,
        }
    }

    /// What the octet says under this kind of integrity.
    pub fn meaning(self, integrity: super::Integrity) -> String {
        let algorithm = match (integrity, self.redundancy_check()) {
            (super::Integrity::None, _) => return format!("key version {}, not used", self.version()),
            (super::Integrity::RedundancyCheck, Some(RedundancyCheck::Crc16)) => "CRC-16".to_string(),
            (super::Integrity::RedundancyCheck, Some(RedundancyCheck::Crc32)) => "CRC-32".to_string(),
            _ => self.algorithm().to_string(),
        };
        format!("key version {}, {algorithm}", self.version())
    }
}

impl fmt::Debug for Kic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Kic({:02X})", self.0)
    }
}

impl fmt::Debug for Kid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Kid({:02X})", self.0)
    }
}
