//! Application identifiers (ISO 7816-4 8.2.1.2) and those of SGP.02.

use crate::codec::cursor::Result as Read;
use crate::codec::{EncodeError, Reader, tlv};
use crate::types::{Invalid, Tar, hex};
use std::fmt;

/// RID of the GSM Association for the eUICC (SGP.02).
const RID_GSMA: [u8; 5] = [0xA0, 0x00, 0x00, 0x05, 0x59];
/// What all AIDs of SGP.02 begin with: the RID, then PIX `1010 FFFFFFFF 89`.
const SGP02: [u8; 12] = [0xA0, 0x00, 0x00, 0x05, 0x59, 0x10, 0x10, 0xFF, 0xFF, 0xFF, 0xFF, 0x89];
const STRUCTURE: &str = "AID";

/// An AID: 5 to 16 octets, of which the first 5 are the RID.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Aid {
    octets: [u8; 16],
    length: u8,
}

impl Aid {
    pub const ISD_R: Self = Self::sgp02(0x00_00_01);
    pub const ECASD: Self = Self::sgp02(0x00_00_02);
    /// Executable load file from which ISD-Ps are made.
    pub const ISD_P_LOAD_FILE: Self = Self::sgp02(0x00_00_0D);
    /// Executable module from which ISD-Ps are made.
    pub const ISD_P_MODULE: Self = Self::sgp02(0x00_00_0E);
    /// TAR values that ISD-Ps may have (SGP.02).
    pub const ISD_P_TARS: std::ops::RangeInclusive<u16> = 0x0010..=0xFFFF;

    /// The AID of the security domain of this TAR: the common part, the TAR, then 00 (SGP.02).
    const fn sgp02(tar: u32) -> Self {
        let [_, first, second, third] = tar.to_be_bytes();
        let [a, b, c, d, e, f, g, h, i, j, k, l] = SGP02;
        Self { octets: [a, b, c, d, e, f, g, h, i, j, k, l, first, second, third, 0x00], length: 16 }
    }

    /// The ISD-P of this TAR, `0010` to `FFFF`.
    pub fn isd_p(tar: u16) -> Option<Self> {
        Self::ISD_P_TARS.contains(&tar).then(|| Self::sgp02(u32::from(tar)))
    }

    pub fn new(octets: &[u8]) -> Result<Self, Invalid> {
        let mut padded = [0; 16];
        let length = u8::try_from(octets.len()).unwrap_or(u8::MAX);
        match padded.get_mut(..octets.len()) {
            Some(place) if octets.len() >= RID_GSMA.len() => place.copy_from_slice(octets),
            _ => return Err(Invalid::new(STRUCTURE, format!("expected 5 to 16 octets, found {}", octets.len()))),
        }
        Ok(Self { octets: padded, length })
    }

    pub fn octets(&self) -> &[u8] {
        self.octets.get(..usize::from(self.length)).unwrap_or(&self.octets)
    }

    /// The RID, and the PIX (which may be empty).
    pub fn rid_and_pix(&self) -> (&[u8], &[u8]) {
        self.octets().split_at_checked(RID_GSMA.len()).unwrap_or((self.octets(), &[]))
    }

    /// Octets 13 to 15 of a 16-octet AID (TS 101 220, SGP.02); shorter ones carry none.
    pub fn tar(&self) -> Option<Tar> {
        match (self.length, self.octets) {
            (16, [.., first, second, third, _]) => Some(Tar([first, second, third])),
            _ => None,
        }
    }

    /// Whether this is an ISD-P of SGP.02.
    pub fn is_isd_p(&self) -> bool {
        match self.tar() {
            Some(Tar([0, high, low])) => Self::isd_p(u16::from_be_bytes([high, low])) == Some(*self),
            _ => false,
        }
    }

    /// Whole input of `reader` as an AID.
    pub fn read(reader: &mut Reader<'_>) -> Read<Self> {
        let start = reader.offset();
        let octets = reader.take_rest(STRUCTURE);
        let aid = Self::new(octets)
            .map_err(|_| reader.value_error(start, STRUCTURE, "5 to 16 octets", format_args!("{}", octets.len())))?;
        reader.note("SGP.02, ISO 7816-4 8.2.1.2", || aid.meaning().to_owned());
        Ok(aid)
    }

    /// Appends `4F L AID`.
    pub fn put(&self, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        tlv::put(out, 0x4F, self.octets())
    }

    pub fn meaning(&self) -> &'static str {
        match *self {
            Self::ISD_R => "ISD-R",
            Self::ECASD => "ECASD",
            Self::ISD_P_LOAD_FILE => "ISD-P load file",
            Self::ISD_P_MODULE => "ISD-P module",
            _ if self.is_isd_p() => "ISD-P",
            _ => "application",
        }
    }
}

/// Upper-case hexadecimal digits.
impl fmt::Display for Aid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.octets()).to_ascii_uppercase())
    }
}

impl fmt::Debug for Aid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Aid({self})")
    }
}

impl std::str::FromStr for Aid {
    type Err = Invalid;
    fn from_str(text: &str) -> Result<Self, Invalid> {
        Self::new(&hex::decode(text).map_err(|error| Invalid::new(STRUCTURE, error.problem))?)
    }
}

impl serde::Serialize for Aid {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&hex::encode(self.octets()))
    }
}

impl<'de> serde::Deserialize<'de> for Aid {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_constants_are_those_of_sgp02() {
        assert_eq!(Aid::ISD_R.to_string(), "A0000005591010FFFFFFFF8900000100");
        assert_eq!(Aid::ECASD.to_string(), "A0000005591010FFFFFFFF8900000200");
        assert_eq!(Aid::ISD_P_LOAD_FILE.to_string(), "A0000005591010FFFFFFFF8900000D00");
        assert_eq!(Aid::ISD_P_MODULE.to_string(), "A0000005591010FFFFFFFF8900000E00");
        assert_eq!(Aid::isd_p(0x10).unwrap().to_string(), "A0000005591010FFFFFFFF8900001000");
        assert_eq!(Aid::isd_p(0x0F), None);
    }

    #[test]
    fn only_isd_ps_are_isd_ps() {
        assert!(Aid::isd_p(0xFFFF).unwrap().is_isd_p());
        assert!(!Aid::ISD_R.is_isd_p() && !Aid::ISD_P_MODULE.is_isd_p());
        let other: Aid = "A0000005591010FFFFFFFF8900001001".parse().unwrap();
        assert!(!other.is_isd_p());
    }

    #[test]
    fn refuses_fewer_than_5_and_more_than_16_octets() {
        assert!(Aid::new(&[0xA0; 4]).is_err());
        assert!(Aid::new(&[0xA0; 17]).is_err());
        let short = Aid::new(&[0xA0; 5]).unwrap();
        assert_eq!((short.tar(), short.rid_and_pix()), (None, (&[0xA0; 5][..], &[][..])));
    }
}
