//! Bodies of requests: JSON whose faults name the field and no value, for values may be identities and keys.

use super::invalid;
use crate::io::http_server::Problem;
use serde::de::DeserializeOwned;

pub(super) fn read<T: DeserializeOwned>(body: &[u8], remedy: &str) -> Result<T, Problem> {
    let mut deserializer = serde_json::Deserializer::from_slice(body);
    let fault = |path: String, error: &serde_json::Error| {
        let field = if matches!(path.as_str(), "." | "?") { "body".to_string() } else { path };
        invalid(field, without_values(&error.to_string()), remedy)
    };
    let value = serde_path_to_error::deserialize(&mut deserializer)
        .map_err(|error| fault(error.path().to_string(), error.inner()))?;
    deserializer.end().map_err(|error| fault(".".into(), &error))?;
    Ok(value)
}

/// serde quotes a value of the wrong type: `invalid type: string "4915...", expected u64`.
fn without_values(message: &str) -> String {
    let kinds = ["string", "integer", "floating point", "boolean"];
    let rest = message.strip_prefix("invalid type: ").or_else(|| message.strip_prefix("invalid value: "));
    let Some(rest) = rest else { return message.into() };
    let kind = kinds.iter().find(|kind| rest.starts_with(*kind));
    match (kind, rest.rsplit_once(", expected ")) {
        (Some(kind), Some((_, expected))) => format!("found a {kind}, expected {expected}"),
        _ => message.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_name_the_field_and_no_value() {
        #[derive(Debug, serde::Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Request {
            #[serde(rename = "validity")]
            _validity: u64,
        }
        let fault = |text: &str| read::<Request>(text.as_bytes(), "x").unwrap_err();
        let wrong = fault(r#"{"validity":"4915123"}"#);
        assert_eq!((wrong.field.as_deref(), wrong.detail.contains("4915123")), (Some("validity"), false));
        assert!(fault(r#"{"validty":1}"#).detail.starts_with("unknown field `validty`"));
        assert_eq!(fault("{").field.as_deref(), Some("body"));
        assert!(fault(r#"{"validity":1} x"#).detail.starts_with("trailing"));
    }
}
