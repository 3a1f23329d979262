//! What `euicc encode` can build. Each recipe reads its fields strictly and hands them to the codec's encoder.

mod card;

use super::fields::read;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// A structure that can be built by name. Some need several lines: one per short message.
pub struct Recipe {
    pub name: &'static str,
    /// Its fields, for `--help`.
    pub keys: &'static str,
    pub build: fn(Value) -> Result<Vec<String>, String>,
}

/// In the order of `--help`.
pub const RECIPES: &[Recipe] = &[
    Recipe { name: "apdu", keys: "cla ins [p1] [p2] [data] [le]", build: |fields| hex_of(fields, card::Apdu::encode) },
    Recipe {
        name: "script",
        keys: "form=definite|indefinite apdus=[..] [chaining=first-delete-on-reset|first-keep-on-reset|subsequent|last]",
        build: |fields| hex_of(fields, card::Script::encode),
    },
    Recipe { name: "compact-script", keys: "apdus=[..]", build: |fields| hex_of(fields, card::CompactScript::encode) },
];

fn hex_of<T: DeserializeOwned, E: std::fmt::Display>(
    fields: Value,
    encode: impl FnOnce(T) -> Result<Vec<u8>, E>,
) -> Result<Vec<String>, String> {
    let octets = encode(read(fields)?).map_err(|error| error.to_string())?;
    Ok(vec![crate::types::hex::encode(&octets)])
}
