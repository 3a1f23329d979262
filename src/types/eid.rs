//! eUICC identifier: 32 decimal digits beginning with 89, check digits by ISO 7064 MOD 97-10 (SGP.02).

use super::Invalid;
use std::fmt;

/// An EID, kept as its 16 octets of plain BCD as in the `5A` object of the ECASD.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Eid([u8; 16]);

impl Eid {
    /// From the value of tag `5A`: plain BCD, not swapped.
    pub fn from_octets(octets: [u8; 16]) -> Result<Self, Invalid> {
        super::hex::encode(&octets).parse()
    }

    pub const fn octets(&self) -> &[u8; 16] {
        &self.0
    }

    /// The 32 digits in clear.
    pub fn clear(&self) -> String {
        super::hex::encode(&self.0)
    }

    /// The EID whose first 30 digits are given, with its check digits computed.
    pub fn with_check_digits(first_thirty: &str) -> Result<Self, Invalid> {
        if first_thirty.len() != 30 || !first_thirty.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(Invalid::new("EID", "expected 30 digits before the check digits"));
        }
        let check = 98 - mod_97(&format!("{first_thirty}00"));
        format!("{first_thirty}{check:02}").parse()
    }
}

fn mod_97(digits: &str) -> u32 {
    digits.bytes().fold(0, |rest, digit| (rest * 10 + u32::from(digit.wrapping_sub(b'0'))) % 97)
}

impl std::str::FromStr for Eid {
    type Err = Invalid;
    fn from_str(text: &str) -> Result<Self, Invalid> {
        if text.len() != 32 || !text.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(Invalid::new("EID", format!("expected 32 digits, found {} characters", text.chars().count())));
        }
        if !text.starts_with("89") {
            return Err(Invalid::new("EID", "expected the prefix 89"));
        }
        if mod_97(text) != 1 {
            return Err(Invalid::new("EID", "check digits (31-32) are wrong"));
        }
        let octets = super::hex::decode(text)?;
        <[u8; 16]>::try_from(octets.as_slice()).map(Self).map_err(|_| Invalid::new("EID", "expected 32 digits"))
    }
}

/// First 6 and last 2 digits.
impl fmt::Display for Eid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let clear = self.clear();
        write!(f, "{}…{}", clear.get(..6).unwrap_or(""), clear.get(30..).unwrap_or(""))
    }
}

impl fmt::Debug for Eid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Eid({self})")
    }
}

super::serde_as_text!(Eid, clear);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepts_the_public_test_eids_and_computes_their_check_digits() {
        for text in ["89049032123451234512345678901235", "89001012012341234012345678901224"] {
            let eid: Eid = text.parse().unwrap();
            assert_eq!(eid.clear(), text);
            assert_eq!(Eid::with_check_digits(&text[..30]), Ok(eid));
        }
    }

    #[test]
    fn refuses_a_changed_digit_and_prints_masked() {
        assert!("89049032123451234512345678901236".parse::<Eid>().is_err());
        let eid: Eid = "89049032123451234512345678901235".parse().unwrap();
        assert_eq!(format!("{eid} {eid:?}"), "890490…35 Eid(890490…35)");
    }
}
