//! The service centre address before a TPDU in the AT commands' PDU mode (TS 27.005 3.1).
//!
//! Its length counts octets including the type of address; 00 is the service centre that the terminal has stored.
//! The `<length>` of the AT commands counts the TPDU alone.

use super::Address;
use crate::codec::cursor::Result;
use crate::codec::{DecodeError, Reader};

/// The service centre address, `None` when it is the stored one. What the reader has left is the TPDU.
pub fn read_sca(reader: &mut Reader<'_>) -> Result<Option<Address>> {
    let length = usize::from(reader.peek_u8().unwrap_or(0));
    let mut group = reader.nested(length.saturating_add(1), "SCA")?;
    group.u8("length")?;
    if length == 0 {
        reader.note("TS 27.005 3.1", || "the stored service centre".to_string());
        return Ok(None);
    }
    let address = Address::read_to_end(&mut group)?;
    reader.note("TS 27.005 3.1", || address.in_words());
    Ok(Some(address))
}

/// Service centre address and TPDU.
pub fn split(bytes: &[u8]) -> std::result::Result<(Option<Address>, &[u8]), DecodeError> {
    let mut reader = Reader::new("PDU", bytes);
    let sca = read_sca(&mut reader)?;
    Ok((sca, reader.peek()))
}

/// The inverse of [`split`]: `None` leaves the choice to the terminal.
pub fn build(sca: Option<&Address>, tpdu: &[u8]) -> Vec<u8> {
    let address = sca.map(Address::encode_to_end).unwrap_or_default();
    let mut out = Vec::with_capacity(address.len().saturating_add(tpdu.len()).saturating_add(1));
    // At most 11 octets, by construction of an address.
    out.push(u8::try_from(address.len()).unwrap_or(0));
    out.extend(address);
    out.extend_from_slice(tpdu);
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::sms::{Npi, Ton};

    #[test]
    fn the_length_of_the_service_centre_address_counts_octets() {
        let sca = Address::digits(Ton::INTERNATIONAL, Npi::ISDN, "491710760000").unwrap();
        let pdu = build(Some(&sca), &[0x04, 0x00]);
        assert_eq!(pdu, [0x07, 0x91, 0x94, 0x71, 0x01, 0x67, 0x00, 0x00, 0x04, 0x00]);
        assert_eq!(split(&pdu), Ok((Some(sca), &[0x04, 0x00][..])));
    }

    #[test]
    fn zero_is_the_stored_service_centre_and_a_long_one_is_refused() {
        assert_eq!(build(None, &[1]), [0, 1]);
        assert_eq!(split(&[0, 1]), Ok((None, &[1][..])));
        assert!(split(&[0x0C, 0x91, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]).is_err());
        assert!(split(&[0x07, 0x91]).is_err());
        assert!(split(&[]).is_err());
    }
}
