//! The keys under which a message_id can be found again when the receipt writes it differently.
//!
//! submit_sm_resp may give hexadecimal and the receipt decimal or the reverse, zero-padded, in another letter case.
//! The raw id is always kept; nothing is stripped from it.

/// How a link's SMSC writes its ids, when that is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum IdBase {
    /// Compared as text, then as a number in either base when that is unambiguous.
    #[default]
    Unknown,
    Decimal,
    Hexadecimal,
}

/// One id in every form that may be compared.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct MessageIdKeys {
    pub raw: String,
    /// Without regard to letter case.
    pub folded: String,
    /// The id read as a decimal number, when it is one.
    pub decimal: Option<u128>,
    /// The id read as a hexadecimal number, when it is one.
    pub hexadecimal: Option<u128>,
}

impl MessageIdKeys {
    pub fn new(id: &str) -> Self {
        let number = |radix| {
            let digits = !id.is_empty() && id.chars().all(|character| character.is_digit(radix));
            digits.then(|| u128::from_str_radix(id, radix).ok()).flatten()
        };
        Self { raw: id.into(), folded: id.to_ascii_lowercase(), decimal: number(10), hexadecimal: number(16) }
    }

    /// The number that the id is in a known base.
    pub fn number(&self, base: IdBase) -> Option<u128> {
        match base {
            IdBase::Unknown => None,
            IdBase::Decimal => self.decimal,
            IdBase::Hexadecimal => self.hexadecimal,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn padding_case_and_base_differ_in_the_raw_id_only() {
        let (padded, hex) = (MessageIdKeys::new("0000123456"), MessageIdKeys::new("1E240"));
        assert_eq!(padded.decimal, hex.number(IdBase::Hexadecimal));
        assert_eq!(MessageIdKeys::new("Ab-01").folded, "ab-01");
        assert_eq!(padded.raw, "0000123456");
    }

    #[test]
    fn what_is_no_number_has_no_number() {
        for id in ["", "+12", "1f2e3d4c-0000-1000-8000-00805f9b34fb", "é"] {
            let keys = MessageIdKeys::new(id);
            assert_eq!((keys.decimal, keys.hexadecimal), (None, None), "{id}");
        }
        assert_eq!(MessageIdKeys::new(&"f".repeat(33)).hexadecimal, None);
    }
}
