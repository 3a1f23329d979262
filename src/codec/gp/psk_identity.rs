//! PSK identity of SCP81 as SGP.02 builds it: a TLV object, sent as hexadecimal text.

use super::Aid;
use crate::codec::cursor::Result as Read;
use crate::codec::{DecodeError, EncodeError, Fault, Reader, tlv};
use crate::types::{Eid, Invalid, hex};

const STRUCTURE: &str = "PSK identity";
/// Only known format (SGP.02): `80 01 02`.
const FORMAT: u8 = 0x02;

/// Which key of which eUICC a TLS handshake is about. Key versions of SCP81 are 40-4F.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PskIdentity {
    pub eid: Eid,
    pub isd_r: Aid,
    pub key_id: u8,
    pub key_version: u8,
}

impl PskIdentity {
    pub fn encode(&self) -> Result<Vec<u8>, EncodeError> {
        let mut out = vec![0x80, 0x01, FORMAT];
        tlv::put(&mut out, 0x81, self.eid.octets())?;
        self.isd_r.put(&mut out)?;
        tlv::put(&mut out, 0x82, &[self.key_id])?;
        tlv::put(&mut out, 0x83, &[self.key_version])?;
        Ok(out)
    }

    /// The identity as it appears in the handshake: upper-case hexadecimal text. It carries the EID.
    pub fn clear(&self) -> Result<String, EncodeError> {
        Ok(hex::encode(&self.encode()?).to_ascii_uppercase())
    }

    /// The text of the handshake, either case.
    pub fn from_text(text: &str) -> Result<Self, Invalid> {
        let octets = hex::decode(text).map_err(|error| Invalid::new(STRUCTURE, error.problem))?;
        Self::decode(&octets).map_err(|error| Invalid::new(STRUCTURE, error.to_string()))
    }

    pub fn decode(bytes: &[u8]) -> Read<Self> {
        let mut reader = Reader::new(STRUCTURE, bytes);
        let identity = Self::read(&mut reader)?;
        reader.finish()?;
        Ok(identity)
    }

    pub fn read(reader: &mut Reader<'_>) -> Read<Self> {
        let mut format = object(reader, 0x80, "format")?;
        let start = format.offset();
        let found = format.u8("format")?;
        if found != FORMAT {
            return Err(format.value_error(start, "format", "02", format_args!("{found:02X}")));
        }
        format.finish()?;
        let mut eid = object(reader, 0x81, "EID")?;
        let eid = super::ecasd::read_eid(&mut eid)?;
        let isd_r = Aid::read(&mut object(reader, 0x4F, "ISD-R AID")?)?;
        let key_id = octet(object(reader, 0x82, "key id")?)?;
        let key_version = octet(object(reader, 0x83, "key version")?)?;
        Ok(Self { eid, isd_r, key_id, key_version })
    }
}

fn object<'a>(reader: &mut Reader<'a>, tag: u32, name: &'static str) -> Result<Reader<'a>, DecodeError> {
    let object = reader.ber_tlv()?;
    reader.label(name, "SGP.02", String::new);
    if object.tag != tag {
        return Err(reader.error_at(object.offset, name, Fault::Missing));
    }
    Ok(object.value)
}

fn octet(mut reader: Reader<'_>) -> Read<u8> {
    let octet = reader.u8("value")?;
    reader.finish()?;
    Ok(octet)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_is_read_in_either_case() {
        let identity = PskIdentity {
            eid: "89049032123451234512345678901235".parse().unwrap(),
            isd_r: Aid::ISD_R,
            key_id: 1,
            key_version: 0x40,
        };
        let text = identity.clear().unwrap();
        assert_eq!(PskIdentity::from_text(&text), Ok(identity));
        assert_eq!(PskIdentity::from_text(&text.to_lowercase()), Ok(identity));
        assert!(PskIdentity::from_text(&text.replacen("800102", "800101", 1)).is_err());
        assert!(PskIdentity::from_text(text.strip_suffix("40").unwrap()).is_err());
    }
}
