//! Transaction id of a trigger: one per (batch, target); a re-trigger keeps it.

use super::{Invalid, hex};
use std::fmt;

/// Eight octets, written as 16 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TransactionId(pub [u8; 8]);

impl fmt::Display for TransactionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(&self.0))
    }
}

impl fmt::Debug for TransactionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TransactionId({self})")
    }
}

impl std::str::FromStr for TransactionId {
    type Err = Invalid;
    fn from_str(text: &str) -> Result<Self, Invalid> {
        let wrong = || Invalid::new("transaction id", "expected 16 hexadecimal digits");
        if text.len() != 16 {
            return Err(wrong());
        }
        let octets = hex::decode(text).map_err(|_| wrong())?;
        <[u8; 8]>::try_from(octets.as_slice()).map(Self).map_err(|_| wrong())
    }
}

super::serde_as_text!(TransactionId);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_exactly_sixteen_digits() {
        let id: TransactionId = "00112233445566fF".parse().unwrap();
        assert_eq!(id.to_string(), "00112233445566ff");
        for text in ["", "0011", "00112233445566ff00", "00112233445566 f", "0011223344556 6f"] {
            assert!(text.parse::<TransactionId>().is_err(), "{text}");
        }
    }
}
