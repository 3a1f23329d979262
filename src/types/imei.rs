//! International mobile equipment identity (TS 23.003 6.2.1): 15 digits, the last a Luhn digit.

use super::{Invalid, luhn, mask};
use std::fmt;

#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Imei(Box<str>);

impl Imei {
    /// The digits in clear.
    pub fn clear(&self) -> &str {
        &self.0
    }
}

impl std::str::FromStr for Imei {
    type Err = Invalid;
    fn from_str(text: &str) -> Result<Self, Invalid> {
        if text.len() != 15 || !text.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(Invalid::new("IMEI", format!("expected 15 digits, found {} characters", text.chars().count())));
        }
        if !luhn::is_valid(text) {
            return Err(Invalid::new("IMEI", "the last digit is not the Luhn digit of the others"));
        }
        Ok(Self(text.into()))
    }
}

impl fmt::Display for Imei {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&mask::masked(&self.0))
    }
}

impl fmt::Debug for Imei {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Imei({self})")
    }
}

super::serde_as_text!(Imei, clear);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_digit_is_checked() {
        let imei: Imei = "490154203237518".parse().unwrap();
        assert_eq!((imei.clear(), imei.to_string().as_str()), ("490154203237518", "49015…18"));
        for wrong in ["490154203237519", "49015420323751", "4901542032375180", "49015420323751x"] {
            assert!(wrong.parse::<Imei>().is_err(), "{wrong}");
        }
    }
}
