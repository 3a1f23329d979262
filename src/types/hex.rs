//! Hexadecimal text: lower case without separators on output; any case and blanks on input.

use super::Invalid;

const DIGITS: &[u8; 16] = b"0123456789abcdef";

/// Octets as lower-case hexadecimal text.
pub fn encode(octets: &[u8]) -> String {
    let mut text = String::with_capacity(octets.len().saturating_mul(2));
    for octet in octets {
        for nibble in [octet >> 4, octet & 0x0F] {
            text.push(char::from(DIGITS.get(usize::from(nibble)).copied().unwrap_or(b'?')));
        }
    }
    text
}

/// Hexadecimal text to octets. Blanks, tabs and line ends between digits are ignored.
pub fn decode(text: &str) -> Result<Vec<u8>, Invalid> {
    let mut octets = Vec::with_capacity(text.len() / 2);
    let mut high: Option<u8> = None;
    for (position, character) in text.char_indices() {
        if character.is_ascii_whitespace() {
            continue;
        }
        let Some(nibble) = character.to_digit(16).and_then(|digit| u8::try_from(digit).ok()) else {
            return Err(Invalid::new("hex", format!("character {} is not a hexadecimal digit", position + 1)));
        };
        match high.take() {
            None => high = Some(nibble << 4),
            Some(upper) => octets.push(upper | nibble),
        }
    }
    match high {
        None => Ok(octets),
        Some(_) => Err(Invalid::new("hex", "odd number of digits, the last octet is incomplete")),
    }
}

/// Octets that are written as hexadecimal text in files and APIs; `Debug` shows only how many they are.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Octets(pub Vec<u8>);

impl std::fmt::Debug for Octets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} octets", self.0.len())
    }
}

impl serde::Serialize for Octets {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&encode(&self.0))
    }
}

impl<'de> serde::Deserialize<'de> for Octets {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        decode(&text).map(Self).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_it_writes_and_ignores_blanks() {
        assert_eq!(decode("00 aF\nfe").unwrap(), [0x00, 0xAF, 0xFE]);
        assert_eq!(encode(&[0x00, 0xAF, 0xFE]), "00affe");
    }

    #[test]
    fn names_the_position_of_a_wrong_digit() {
        assert_eq!(decode("00x1").unwrap_err().to_string(), "hex: character 3 is not a hexadecimal digit");
        assert!(decode("123").unwrap_err().to_string().contains("odd number"));
    }
}
