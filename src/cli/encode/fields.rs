//! How the fields of a recipe are written: hexadecimal octets, numbers in decimal or `0x`, words.

use crate::types::hex;
use serde::de::{Deserialize, DeserializeOwned, Deserializer, Error};
use serde_json::Value;

/// Octets as hexadecimal text.
#[derive(Debug, Clone, Default)]
pub struct Hex(pub Vec<u8>);

/// Exactly `N` octets as hexadecimal text.
#[derive(Debug, Clone, Copy)]
pub struct HexArray<const N: usize>(pub [u8; N]);

/// A number, as a JSON number or as text in decimal or with `0x`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Number<T>(pub T);

impl<'de> Deserialize<'de> for Hex {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        hex::decode(&String::deserialize(deserializer)?).map(Self).map_err(D::Error::custom)
    }
}

impl<'de, const N: usize> Deserialize<'de> for HexArray<N> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let octets = Hex::deserialize(deserializer)?.0;
        let found = octets.len();
        octets.try_into().map(Self).map_err(|_| D::Error::custom(format!("expected {N} octets, found {found}")))
    }
}

impl<'de, T: TryFrom<u64>> Deserialize<'de> for Number<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        let number = match &value {
            Value::Number(number) => number.as_u64(),
            Value::String(text) => match text.strip_prefix("0x") {
                Some(digits) => u64::from_str_radix(digits, 16).ok(),
                None => text.parse().ok(),
            },
            _ => None,
        };
        let number = number.ok_or_else(|| D::Error::custom("expected a number, in decimal or as 0x…"))?;
        T::try_from(number).map(Self).map_err(|_| D::Error::custom(format!("{number} does not fit")))
    }
}

/// The recipe's fields, or the problem led by the path of the field that has it.
pub fn read<T: DeserializeOwned>(fields: Value) -> Result<T, String> {
    serde_path_to_error::deserialize(fields).map_err(|error| match error.path().to_string().as_str() {
        "." => error.inner().to_string(),
        path => format!("{path}: {}", error.inner()),
    })
}
