//! Relative references with a query, the only URIs in an administration session.

use super::start_line::is_target;
use crate::types::Invalid;

/// Whether a Next-URI stays on this server: a path that begins with a single `/`.
///
/// `//host/` would name another server, and a backslash is read as a slash by some clients.
pub fn is_relative(uri: &str) -> bool {
    is_target(uri) && !uri.starts_with("//") && !uri.contains(['\\', '#'])
}

/// The value of a query parameter that may occur once. Nothing is percent-decoded: our values need no encoding.
pub fn query_value<'a>(uri: &'a str, name: &'static str) -> Result<Option<&'a str>, Invalid> {
    let Some((_, query)) = uri.split_once('?') else { return Ok(None) };
    let mut values = query.split('&').filter_map(|pair| pair.split_once('=')).filter(|(found, _)| *found == name);
    match (values.next(), values.next()) {
        (value, None) => Ok(value.map(|(_, value)| value)),
        (_, Some(_)) => Err(Invalid::new(name, "occurs more than once in the query")),
    }
}
