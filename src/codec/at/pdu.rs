//! The PDU line that follows +CMT, +CDS, +CMGR and +CMGL (TS 27.005 3.1): service centre address, then TPDU.

use crate::codec::{DecodeError, Fault, Reader};
use crate::types::hex;

/// A PDU as stored or routed by a modem.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pdu {
    /// Type and digits of the service centre address; empty when the length octet is 0.
    pub service_centre: Vec<u8>,
    /// What TS 23.040 calls the TPDU; its content is not read here.
    pub tpdu: Vec<u8>,
}

/// A TPDU has at most 12 octets of address before 164 octets (TS 23.040 9.2.3.24).
const LONGEST: usize = 176;

impl Pdu {
    /// Reads the hexadecimal line; `length` is the number of TPDU octets that the header promised.
    pub fn decode(line: &[u8], length: usize) -> Result<Self, DecodeError> {
        let wrong = |expected: &'static str, found: String| {
            DecodeError::new("PDU", "hexadecimal digits", 0, Fault::Value { expected: expected.into(), found })
        };
        let text = std::str::from_utf8(line).map_err(|_| wrong("ASCII", "other octets".into()))?;
        if text.len() > LONGEST * 2 + 16 {
            return Err(DecodeError::new("PDU", "line", 0, Fault::Limit { limit: LONGEST * 2, found: text.len() }));
        }
        let octets = hex::decode(text).map_err(|error| wrong("pairs of hexadecimal digits", error.problem))?;
        let mut reader = Reader::new("PDU", &octets);
        let pdu = Self::read(&mut reader)?;
        if pdu.tpdu.len() != length {
            let fault = Fault::Length { expected: length.to_string().into(), found: pdu.tpdu.len() };
            return Err(DecodeError::new("PDU", "TPDU", 1, fault));
        }
        Ok(pdu)
    }

    /// Reads the octets of the line.
    pub fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let length = reader.u8("SCA length")?;
        let service_centre = reader.take(usize::from(length), "SCA")?.to_vec();
        reader.note("TS 24.011 8.2.5.2", || "service centre address".into());
        let tpdu = reader.take_rest("TPDU").to_vec();
        if tpdu.is_empty() {
            return Err(reader.error("TPDU", Fault::Missing));
        }
        Ok(Self { service_centre, tpdu })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splits_the_service_centre_from_the_tpdu() {
        let pdu = Pdu::decode(b"07911326040000F006010b91", 4).unwrap();
        assert_eq!(pdu.service_centre.len(), 7);
        assert_eq!(pdu.tpdu, [0x06, 0x01, 0x0B, 0x91]);
        assert_eq!(Pdu::decode(b"000601", 2).unwrap().service_centre, [0; 0]);
    }

    #[test]
    fn says_why_a_pdu_cannot_be_read() {
        for (line, length, reason) in [
            (b"000".as_slice(), 1, "odd number"),
            (b"00zz", 1, "not a hexadecimal digit"),
            (b"000601", 3, "expected a length of 3, found 2"),
            (b"09911326", 4, "expected 9 octets"),
            (b"00", 0, "TPDU at offset 1: is missing"),
            (&[b'0'; 400], 1, "exceeds the limit"),
        ] {
            let error = Pdu::decode(line, length).unwrap_err().to_string();
            assert!(error.contains(reason), "{error}");
        }
    }
}
