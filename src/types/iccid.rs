//! Integrated circuit card identifier (ITU-T E.118): 19 or 20 digits beginning with 89, the last a Luhn digit.

use super::{Invalid, luhn, mask};
use std::fmt;

#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Iccid(Box<str>);

impl Iccid {
    /// From EF_ICCID, or tag `5A` of a profile: ten octets of swapped BCD, `F` fills the last semi-octet.
    pub fn from_octets(octets: [u8; 10]) -> Result<Self, Invalid> {
        let nibbles: Vec<u8> = octets.iter().flat_map(|octet| [octet & 0x0F, octet >> 4]).collect();
        let text: Option<String> = nibbles
            .strip_suffix(&[0x0F])
            .unwrap_or(&nibbles)
            .iter()
            .map(|nibble| char::from_digit(u32::from(*nibble), 10))
            .collect();
        text.ok_or_else(|| Invalid::new("ICCID", "expected decimal digits in every semi-octet"))?.parse()
    }

    /// The coding of EF_ICCID.
    pub fn octets(&self) -> [u8; 10] {
        let mut octets = [0xFF; 10];
        for (octet, pair) in octets.iter_mut().zip(self.0.as_bytes().chunks(2)) {
            let low = pair.first().map_or(0x0F, |digit| digit & 0x0F);
            let high = pair.get(1).map_or(0x0F, |digit| digit & 0x0F);
            *octet = high << 4 | low;
        }
        octets
    }

    /// The digits in clear.
    pub fn clear(&self) -> &str {
        &self.0
    }

    /// What to tell a person about an identifier that is accepted although it is unusual: 20 digits without a valid
    /// Luhn digit are in the field.
    pub fn warning(&self) -> Option<&'static str> {
        (!luhn::is_valid(&self.0)).then_some("ICCID: the 20th digit is not a Luhn digit")
    }

    /// The ICCID whose first 18 or 19 digits are given, with its Luhn digit computed.
    pub fn with_check_digit(digits: &str) -> Result<Self, Invalid> {
        format!("{digits}{}", luhn::check_digit(digits)).parse()
    }
}

impl std::str::FromStr for Iccid {
    type Err = Invalid;
    fn from_str(text: &str) -> Result<Self, Invalid> {
        if !text.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(Invalid::new("ICCID", "expected digits only"));
        }
        if !(19..=20).contains(&text.len()) {
            return Err(Invalid::new("ICCID", format!("expected 19 or 20 digits, found {}", text.len())));
        }
        if !text.starts_with("89") {
            return Err(Invalid::new("ICCID", "expected the prefix 89"));
        }
        if text.len() == 19 && !luhn::is_valid(text) {
            return Err(Invalid::new("ICCID", "the last digit is not the Luhn digit of the others"));
        }
        Ok(Self(text.into()))
    }
}

impl fmt::Display for Iccid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&mask::masked(&self.0))
    }
}

impl fmt::Debug for Iccid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Iccid({self})")
    }
}

super::serde_as_text!(Iccid, clear);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_coding_is_swapped_and_filled() {
        let iccid: Iccid = "8949000000000000018".parse().unwrap();
        assert_eq!(super::super::hex::encode(&iccid.octets()), "989400000000000010f8");
        assert_eq!(Iccid::from_octets(iccid.octets()), Ok(iccid.clone()));
        assert_eq!(Iccid::with_check_digit("894900000000000001"), Ok(iccid));
        assert!(Iccid::from_octets([0xFF; 10]).is_err());
        assert!(Iccid::from_octets([0x98, 0xA4, 0, 0, 0, 0, 0, 0, 0x10, 0xF8]).is_err());
    }

    #[test]
    fn twenty_digits_without_luhn_digit_are_accepted_with_a_warning() {
        let wrong: Iccid = "89490000000000001236".parse().unwrap();
        assert!(wrong.warning().is_some());
        assert_eq!(Iccid::from_octets(wrong.octets()), Ok(wrong));
        let right = Iccid::with_check_digit("8949000000000000123").unwrap();
        assert_eq!((right.clear().len(), right.warning()), (20, None));
        assert!("8949000000000000011".parse::<Iccid>().is_err());
    }
}
