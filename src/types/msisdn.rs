//! Mobile subscriber ISDN number (E.164): 1 to 15 digits, the first not 0. Kept without the `+`.

use super::{Invalid, mask};
use std::fmt;

#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Msisdn(Box<str>);

impl Msisdn {
    /// The digits in clear, without `+`.
    pub fn clear(&self) -> &str {
        &self.0
    }
}

impl std::str::FromStr for Msisdn {
    type Err = Invalid;
    /// One leading `+` is taken off; blanks and hyphens are refused.
    fn from_str(text: &str) -> Result<Self, Invalid> {
        let digits = text.strip_prefix('+').unwrap_or(text);
        if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(Invalid::new("MSISDN", "expected digits only, with at most one + before them"));
        }
        if !(1..=15).contains(&digits.len()) {
            return Err(Invalid::new("MSISDN", format!("expected 1 to 15 digits, found {}", digits.len())));
        }
        if digits.starts_with('0') {
            return Err(Invalid::new("MSISDN", "expected the country code first (1-9), found 0"));
        }
        Ok(Self(digits.into()))
    }
}

impl fmt::Display for Msisdn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&mask::masked(&self.0))
    }
}

impl fmt::Debug for Msisdn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Msisdn({self})")
    }
}

super::serde_as_text!(Msisdn, clear);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_the_plus_off_and_nothing_else() {
        let msisdn: Msisdn = "+4915112345678".parse().unwrap();
        assert_eq!(msisdn.clear(), "4915112345678");
        assert_eq!(format!("{msisdn:?}"), "Msisdn(491…78)");
        for wrong in ["", "+", "++49151", "0049151", "+49 151", "1234567890123456", "49-151"] {
            assert!(wrong.parse::<Msisdn>().is_err(), "{wrong}");
        }
    }
}
