//! Redundancy checks (TS 102 225 5.1.3.2). They detect accidents, they prove nothing.

/// CRC-32 of ISO 13239, as in zlib.
pub fn crc_32(parts: &[&[u8]]) -> u32 {
    !reflected(parts, 0xEDB8_8320, u32::MAX)
}

/// CRC-16 of ISO 13239 (X.25).
pub fn crc_16(parts: &[&[u8]]) -> u16 {
    let [.., high, low] = reflected(parts, 0x8408, 0xFFFF).to_be_bytes();
    !u16::from_be_bytes([high, low])
}

/// Bit by bit, least significant first: packets are short and checks rare, a table is not worth its space.
fn reflected(parts: &[&[u8]], polynomial: u32, start: u32) -> u32 {
    parts.iter().flat_map(|part| part.iter()).fold(start, |register, octet| {
        (0..8).fold(register ^ u32::from(*octet), |register, _| match register & 1 {
            0 => register >> 1,
            _ => register >> 1 ^ polynomial,
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_check_values_of_the_crc_catalogue_are_met() {
        assert_eq!(crc_32(&[b"1234", b"56789"]), 0xCBF4_3926);
        assert_eq!(crc_16(&[b"12345", b"6789"]), 0x906E);
    }
}
