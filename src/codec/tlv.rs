//! BER-TLV (ISO 7816-4 5.2.2, TS 101 220 7.1.2) and comprehension TLV (TS 101 220 7.1.1) objects.
//!
//! Definite lengths of up to four octets in all; tags of up to three octets, kept as the number their octets form
//! (`9F70`, `7F21`). The indefinite form exists only in expanded remote scripts and is handled there.

use super::cursor::Result;
use super::{EncodeError, Fault, Reader};

/// An object read from a [`Reader`]: its tag and a reader over its value.
#[derive(Debug, Clone)]
pub struct Tlv<'a> {
    pub tag: u32,
    /// Offset of the tag from the start of the outermost input.
    pub offset: usize,
    pub value: Reader<'a>,
}

impl<'a> Tlv<'a> {
    /// The value's octets, without reading them.
    pub fn octets(&self) -> &'a [u8] {
        self.value.peek()
    }
}

impl<'a> Reader<'a> {
    /// A BER tag of one to three octets.
    pub fn ber_tag(&mut self) -> Result<u32> {
        let start = self.offset();
        let rest = self.peek();
        let count = match rest {
            [first, ..] if first & 0x1F != 0x1F => 1,
            [_, second, ..] if second & 0x80 == 0 => 2,
            [_, _, third, ..] if third & 0x80 == 0 => 3,
            [_, _, _, ..] => return Err(self.value_error(start, "tag", "a tag of at most 3 octets", "a longer one")),
            _ => rest.len().saturating_add(1),
        };
        let octets = self.take(count, "tag")?;
        Ok(octets.iter().fold(0, |tag, octet| tag << 8 | u32::from(*octet)))
    }

    /// A definite BER length: 00-7F, `81 xx`, `82 xx xx` or `83 xx xx xx`. Longer forms than necessary are accepted.
    pub fn ber_length(&mut self) -> Result<usize> {
        let start = self.offset();
        let first = self.u8("length")?;
        let count = match first {
            0x00..=0x7F => return Ok(usize::from(first)),
            0x81..=0x83 => usize::from(first & 0x0F),
            _ => return Err(self.value_error(start, "length", "00-7F or 81-83", format_args!("{first:02X}"))),
        };
        let octets = self.take(count, "length")?;
        Ok(octets.iter().fold(0, |length, octet| length << 8 | usize::from(*octet)))
    }

    /// A BER-TLV object. In the trace it is one group; [`label`](Reader::label) names it once the tag is known.
    pub fn ber_tlv(&mut self) -> Result<Tlv<'a>> {
        self.object(|header| header.ber_tag())
    }

    /// A comprehension TLV object. Bit 8 of the tag (comprehension required) is masked out; see
    /// [`comprehension_required`].
    pub fn comprehension_tlv(&mut self) -> Result<Tlv<'a>> {
        self.object(|header| match header.peek() {
            [0x7F, ..] => {
                let [_, high, low] = header.array::<3>("tag")?;
                Ok(u32::from(u16::from_be_bytes([high & 0x7F, low])))
            }
            _ => Ok(u32::from(header.u8("tag")? & 0x7F)),
        })
    }

    fn object(&mut self, tag: impl FnOnce(&mut Self) -> Result<u32>) -> Result<Tlv<'a>> {
        let offset = self.offset();
        let mut header = self.untraced();
        let tag = tag(&mut header)?;
        let length = header.ber_length()?;
        if length > header.remaining() {
            return Err(header.error(tag_name(tag), Fault::Truncated { needed: length, available: header.remaining() }));
        }
        let header_length = header.offset() - offset;
        let mut group = self.nested(header_length.saturating_add(length), tag_name(tag))?;
        group.skip(header_length);
        Ok(Tlv { tag, offset, value: group })
    }
}

/// Whether the object's tag asks the receiver to understand it (TS 101 220 7.1.1.1).
pub fn comprehension_required(first_tag_octet: u8) -> bool {
    first_tag_octet & 0x80 != 0
}

/// `tag 84`, for errors and for groups that get no better name.
pub fn tag_name(tag: u32) -> String {
    if tag > 0xFF { format!("tag {tag:04X}") } else { format!("tag {tag:02X}") }
}

/// Appends a BER length in its shortest form.
pub fn put_length(out: &mut Vec<u8>, length: usize) -> std::result::Result<(), EncodeError> {
    let octets = u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes();
    match (length, octets) {
        (0..=0x7F, [.., low]) => out.push(low),
        (0x80..=0xFF, [.., low]) => out.extend([0x81, low]),
        (0x100..=0xFFFF, [.., high, low]) => out.extend([0x82, high, low]),
        (0x1_0000..=0xFF_FFFF, [_, high, middle, low]) => out.extend([0x83, high, middle, low]),
        _ => return Err(EncodeError::too_long("TLV", "value", 0xFF_FFFF, length)),
    }
    Ok(())
}

/// Appends a tag of one to three octets as the number its octets form.
pub fn put_tag(out: &mut Vec<u8>, tag: u32) {
    let octets = tag.to_be_bytes();
    let leading = octets.iter().take(3).take_while(|octet| **octet == 0).count();
    out.extend(octets.iter().skip(leading));
}

/// Appends an object.
pub fn put(out: &mut Vec<u8>, tag: u32, value: &[u8]) -> std::result::Result<(), EncodeError> {
    put_tag(out, tag);
    put_length(out, value.len())?;
    out.extend_from_slice(value);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::Trace;

    #[test]
    fn lengths_and_tags_of_every_form_survive_the_round_trip() {
        for (tag, length) in
            [(0x81, 0), (0x84, 0x7F), (0x9F70, 0x80), (0x7F21, 0xFF), (0xBF30, 0x100), (0xE1, 0x1_0000)]
        {
            let mut out = Vec::new();
            put(&mut out, tag, &vec![7; length]).unwrap();
            let mut reader = Reader::new("TLV", &out);
            let tlv = reader.ber_tlv().unwrap();
            assert_eq!((tlv.tag, tlv.octets().len()), (tag, length));
            reader.finish().unwrap();
        }
    }

    #[test]
    fn a_comprehension_tag_is_masked_and_the_group_is_named_by_the_caller() {
        let trace = Trace::new();
        let mut reader = Reader::traced("TLV", &[0x8B, 0x01, 0x55], &trace);
        let mut tlv = reader.comprehension_tlv().unwrap();
        reader.label("SMS TPDU", "TS 102 223 8.13", String::new);
        assert_eq!((tlv.tag, tlv.offset), (0x0B, 0));
        tlv.value.u8("first octet").unwrap();
        let spans = trace.into_spans();
        assert_eq!((spans[0].name.as_ref(), spans[0].raw.as_slice()), ("SMS TPDU", &[0x8B, 0x01, 0x55][..]));
        assert_eq!((spans[1].offset, spans[1].depth), (2, 1));
    }

    #[test]
    fn a_value_longer_than_its_container_is_refused_at_its_place() {
        let error = Reader::new("TLV", &[0x84, 0x05, 0x01]).ber_tlv().unwrap_err();
        assert_eq!(error.to_string(), "TLV, tag 84 at offset 2: expected 5 octets, 1 left");
        assert!(Reader::new("TLV", &[0x84, 0x80]).ber_tlv().is_err());
        assert!(Reader::new("TLV", &[0x1F, 0x81]).ber_tlv().is_err());
    }
}
