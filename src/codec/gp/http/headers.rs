//! Header fields in their order, names with their case kept and compared without it (RFC 9110 5.1).

use super::error::Problem;
use crate::codec::EncodeError;
use crate::types::Invalid;
use std::fmt;

/// Values may carry identities: `Debug` shows only the names.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Headers(Vec<(String, String)>);

impl Headers {
    /// Appends a field. Refuses names that are no tokens and values with control or non-ASCII characters, so that no
    /// value can begin another line.
    pub fn push(&mut self, name: &str, value: &str) -> Result<(), EncodeError> {
        if name.is_empty() || !name.bytes().all(is_token) {
            return Err(EncodeError::new("HTTP", "header name", "is not a token"));
        }
        if !value.bytes().all(is_value) || value.trim_matches([' ', '\t']) != value {
            return Err(EncodeError::new("HTTP", "header value", "has characters that a value may not have"));
        }
        self.0.push((name.to_owned(), value.to_owned()));
        Ok(())
    }

    /// A line without its CRLF.
    pub(super) fn push_line(&mut self, line: &[u8]) -> Result<(), Problem> {
        if line.first().is_none_or(|first| matches!(first, b' ' | b'\t')) {
            return Err(Problem::Malformed("a header name, not a folded line"));
        }
        let colon = line.iter().position(|octet| *octet == b':');
        let (name, value) = colon.and_then(|at| line.split_at_checked(at)).ok_or(Problem::Malformed("a colon"))?;
        let value = value.get(1..).unwrap_or_default().trim_ascii();
        if name.is_empty() || !name.iter().copied().all(is_token) {
            return Err(Problem::Malformed("a token as header name"));
        }
        if !value.iter().copied().all(is_value) {
            return Err(Problem::Malformed("visible ASCII characters in a header value"));
        }
        let text = |octets: &[u8]| String::from_utf8_lossy(octets).into_owned();
        self.0.push((text(name), text(value)));
        Ok(())
    }

    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// All values of a field, in order.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.iter().filter(move |(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// The value of a field that may occur once; twice is refused, because readers disagree on which one counts.
    pub fn single(&self, name: &'static str) -> Result<Option<&str>, Invalid> {
        let mut values = self.all(name);
        match (values.next(), values.next()) {
            (value, None) => Ok(value),
            (_, Some(_)) => Err(Invalid::new(name, "occurs more than once")),
        }
    }

    /// The same, parsed.
    pub fn parsed<T: std::str::FromStr>(&self, name: &'static str) -> Result<Option<T>, Invalid>
    where
        T::Err: fmt::Display,
    {
        let parse = |text: &str| text.parse().map_err(|error: T::Err| Invalid::new(name, error.to_string()));
        self.single(name)?.map(parse).transpose()
    }

    /// Whether a list-valued field such as `Connection` names this token.
    pub fn names_token(&self, name: &str, token: &str) -> bool {
        self.all(name).flat_map(|value| value.split(',')).any(|part| part.trim().eq_ignore_ascii_case(token))
    }
}

impl fmt::Debug for Headers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter().map(|(name, _)| name)).finish()
    }
}

/// `tchar` (RFC 9110 5.6.2).
pub(super) const fn is_token(octet: u8) -> bool {
    octet.is_ascii_alphanumeric()
        || matches!(octet, b'!' | b'#'..=b'\'' | b'*' | b'+' | b'-' | b'.' | b'^'..=b'`' | b'|' | b'~')
}

const fn is_value(octet: u8) -> bool {
    matches!(octet, b'\t' | b' '..=b'~')
}
