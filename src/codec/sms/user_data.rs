//! TP-UDHI, TP-UDL and TP-UD together (TS 23.040 9.2.3.16, 9.2.3.23, 9.2.3.24).

use super::{Alphabet, Dcs, Udh, gsm7};
use crate::codec::cursor::Result;
use crate::codec::{DecodeError, EncodeError, Fault, Reader};

/// The user data of a TPDU, its header included.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct UserData {
    /// TP-UDHI: the octets begin with a header.
    pub udhi: bool,
    /// TP-UD; 7-bit text is packed.
    pub octets: Vec<u8>,
    /// TP-UDL where the data coding makes it count septets (header and fill bits included), else `None`.
    pub septets: Option<u8>,
}

impl UserData {
    /// Octets without a header.
    pub fn plain(octets: Vec<u8>) -> Self {
        Self { octets, ..Self::default() }
    }

    /// Octets that begin with a header, as [`Segmentation`](super::Segmentation) makes them.
    pub fn with_header(octets: Vec<u8>) -> Self {
        Self { udhi: true, octets, septets: None }
    }

    /// Header and payload; the header is empty without TP-UDHI. Not for 7-bit text, whose payload begins with fill bits.
    pub fn split(&self) -> std::result::Result<(Udh, &[u8]), DecodeError> {
        if self.udhi { Udh::split(&self.octets) } else { Ok((Udh::default(), &self.octets)) }
    }

    /// The text, when the coding is a text coding and the octets are well-formed in it.
    pub fn text(&self, dcs: Dcs) -> Option<String> {
        let (udh, payload) = self.split().ok()?;
        match (dcs.alphabet(), self.septets) {
            (Alphabet::Gsm7, Some(count)) => {
                // The text begins at the next septet boundary after the header.
                let header = if self.udhi { udh.encoded_len().saturating_mul(8).div_ceil(7) } else { 0 };
                let septets = gsm7::unpack(&self.octets, usize::from(count));
                Some(gsm7::text(septets.get(header..)?))
            }
            (Alphabet::Ucs2, None) if !dcs.is_compressed() => {
                let (pairs, rest) = payload.as_chunks::<2>();
                let units: Vec<_> = pairs.iter().map(|pair| u16::from_be_bytes(*pair)).collect();
                String::from_utf16(&units).ok().filter(|_| rest.is_empty())
            }
            _ => None,
        }
    }

    /// TP-UDL and TP-UD, which end the TPDU: octets too few or left over are refused, and so is a malformed header.
    pub(super) fn read(reader: &mut Reader<'_>, dcs: Dcs, udhi: bool, limit: usize) -> Result<Self> {
        let start = reader.offset();
        let udl = reader.u8("TP-UDL")?;
        let septets = dcs.counts_septets().then_some(udl);
        let length = octets_of(udl, septets.is_some());
        let unit = if septets.is_some() { "septets" } else { "octets" };
        reader.note("TS 23.040 9.2.3.16", || format!("{udl} {unit}"));
        if length > limit {
            return Err(reader.error_at(start, "TP-UDL", Fault::Limit { limit, found: length }));
        }
        let mut group = reader.nested(length, "TP-UD")?;
        let user_data = Self { udhi, octets: group.peek().to_vec(), septets };
        if let Some(text) = user_data.text(dcs) {
            reader.note("TS 23.040 9.2.3.24", || text);
        }
        if udhi {
            Udh::read(&mut group)?;
            group.take_rest("payload");
        }
        Ok(user_data)
    }

    /// Appends TP-UDL and TP-UD. Refuses a length that contradicts the data coding, and a malformed header.
    pub(super) fn put(&self, out: &mut Vec<u8>, dcs: Dcs, limit: usize) -> std::result::Result<(), EncodeError> {
        let found = self.octets.len();
        if found > limit {
            return Err(EncodeError::too_long("TPDU", "TP-UD", limit, found));
        }
        self.split().map_err(|error| EncodeError::new("TPDU", "TP-UD", error.to_string()))?;
        let udl = match (dcs.counts_septets(), self.septets) {
            (true, Some(septets)) if octets_of(septets, true) == found => septets,
            (false, None) => u8::try_from(found).map_err(|_| EncodeError::too_long("TPDU", "TP-UD", limit, found))?,
            _ => return Err(EncodeError::new("TPDU", "TP-UDL", "the number of septets does not fit TP-DCS and TP-UD")),
        };
        out.push(udl);
        out.extend_from_slice(&self.octets);
        Ok(())
    }
}

fn octets_of(udl: u8, septets: bool) -> usize {
    let udl = usize::from(udl);
    if septets { udl.saturating_mul(7).div_ceil(8) } else { udl }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8], dcs: Dcs, udhi: bool) -> Result<UserData> {
        let mut reader = Reader::new("TPDU", bytes);
        UserData::read(&mut reader, dcs, udhi, 140).and_then(|ud| reader.finish().map(|()| ud))
    }

    #[test]
    fn a_7_bit_length_counts_septets() {
        let bytes = [0x0A, 0xE8, 0x32, 0x9B, 0xFD, 0x46, 0x97, 0xD9, 0xEC, 0x37];
        let user_data = read(&bytes, Dcs::GSM7, false).unwrap();
        assert_eq!(user_data.text(Dcs::GSM7).as_deref(), Some("hellohello"));
        let mut out = Vec::new();
        user_data.put(&mut out, Dcs::GSM7, 140).unwrap();
        assert_eq!(out, bytes);
        assert!(user_data.put(&mut out, Dcs::OCTETS, 140).is_err());
    }

    #[test]
    fn the_text_after_a_header_begins_at_a_septet_boundary() {
        // Ports of 8 bits: 5 octets of header = 40 bits, 2 fill bits, then "hi" as septets 6 and 7.
        let mut septets = gsm7::unpack(&[0x04, 0x04, 0x02, 0xF0, 0xF1], 5);
        septets.push(0xF1 >> 3);
        septets.extend(gsm7::septets("hi").unwrap());
        let mut bytes = vec![0x08];
        bytes.extend(gsm7::pack(&septets));
        assert_eq!(read(&bytes, Dcs::GSM7, true).unwrap().text(Dcs::GSM7).as_deref(), Some("hi"));
    }

    #[test]
    fn rejects_udh_longer_than_user_data_and_lengths_that_lie() {
        assert!(read(&[0x02, 0x05, 0x00], Dcs::OCTETS, true).is_err());
        assert!(read(&[0x03, 0x05, 0x00], Dcs::OCTETS, false).is_err());
        assert!(read(&[0x01, 0x05, 0x00], Dcs::OCTETS, false).is_err());
        assert!(read(&[&[141][..], &[0; 141]].concat(), Dcs::OCTETS, false).is_err());
        assert!(UserData::with_header(vec![9, 0]).put(&mut Vec::new(), Dcs::OCTETS, 140).is_err());
    }
}
