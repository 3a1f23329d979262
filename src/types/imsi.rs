//! International mobile subscription identity (ITU-T E.212, TS 23.003 2.2): 14 or 15 digits, country code first.

use super::{Invalid, mask};
use std::fmt;

#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Imsi(Box<str>);

impl Imsi {
    /// The digits in clear.
    pub fn clear(&self) -> &str {
        &self.0
    }
}

impl std::str::FromStr for Imsi {
    type Err = Invalid;
    fn from_str(text: &str) -> Result<Self, Invalid> {
        if !text.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(Invalid::new("IMSI", "expected digits only"));
        }
        if !(14..=15).contains(&text.len()) {
            return Err(Invalid::new("IMSI", format!("expected 15 digits (14 occur), found {}", text.len())));
        }
        Ok(Self(text.into()))
    }
}

impl fmt::Display for Imsi {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&mask::masked(&self.0))
    }
}

impl fmt::Debug for Imsi {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Imsi({self})")
    }
}

super::serde_as_text!(Imsi, clear);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_14_or_15_digits_and_prints_masked() {
        let imsi: Imsi = "262011234567890".parse().unwrap();
        assert_eq!(format!("{imsi} {imsi:?}"), "26201…90 Imsi(26201…90)");
        assert!("26201123456789".parse::<Imsi>().is_ok());
        for wrong in ["", "12345", "+001010123456789", "0010101234567890", "00101012345678a"] {
            assert!(wrong.parse::<Imsi>().is_err(), "{wrong}");
        }
    }
}
