//! First line of a message (RFC 9112 3 and 4).

use super::error::Problem;
use super::headers::is_token;
use crate::codec::EncodeError;
use std::fmt;

pub(super) const VERSION: &str = "HTTP/1.1";
const MALFORMED: Problem = Problem::Malformed("visible ASCII characters between single spaces");

/// What requests and responses differ in.
pub trait StartLine: Sized + Clone + PartialEq + fmt::Debug {
    /// A body may end with the connection (RFC 9112 6.3).
    const MAY_END_WITH_CONNECTION: bool;

    /// The line without its CRLF.
    fn parse(line: &str) -> Result<Self, Problem>;

    fn to_line(&self) -> Result<String, EncodeError>;

    /// Messages of this kind never have a body.
    fn is_bodiless(&self) -> bool;
}

/// The target may carry an EID (`msg=`): `Debug` shows only its path.
#[derive(Clone, PartialEq, Eq)]
pub struct RequestLine {
    pub method: String,
    /// Origin form only: a path that begins with `/`, and a query.
    pub target: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatusLine {
    pub status: u16,
    pub reason: String,
}

impl StartLine for RequestLine {
    const MAY_END_WITH_CONNECTION: bool = false;

    fn parse(line: &str) -> Result<Self, Problem> {
        let mut parts = line.split(' ');
        let (Some(method), Some(target), Some(version), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(Problem::Malformed("method, target and version between single spaces"));
        };
        version_is_known(version)?;
        if method.is_empty() || !method.bytes().all(is_token) {
            return Err(Problem::Malformed("a token as method"));
        }
        if !is_target(target) {
            return Err(Problem::Malformed("a target that begins with / and has visible ASCII characters"));
        }
        Ok(Self { method: method.to_owned(), target: target.to_owned() })
    }

    fn to_line(&self) -> Result<String, EncodeError> {
        let line = format!("{} {} {VERSION}", self.method, self.target);
        match Self::parse(&line) {
            Ok(_) => Ok(line),
            Err(_) => Err(EncodeError::new("HTTP", "request line", "method or target has a forbidden character")),
        }
    }

    fn is_bodiless(&self) -> bool {
        false
    }
}

impl StartLine for StatusLine {
    const MAY_END_WITH_CONNECTION: bool = true;

    fn parse(line: &str) -> Result<Self, Problem> {
        let (version, rest) = line.split_once(' ').ok_or(MALFORMED)?;
        version_is_known(version)?;
        let (digits, reason) = rest.split_once(' ').unwrap_or((rest, ""));
        let three = digits.len() == 3 && digits.bytes().all(|byte| byte.is_ascii_digit());
        let status = digits.parse().ok().filter(|status| three && (100..600).contains(status));
        let status = status.ok_or(Problem::Malformed("a status code of three digits"))?;
        if !reason.bytes().all(|byte| matches!(byte, b' '..=b'~' | b'\t')) {
            return Err(MALFORMED);
        }
        Ok(Self { status, reason: reason.to_owned() })
    }

    fn to_line(&self) -> Result<String, EncodeError> {
        let line = format!("{VERSION} {} {}", self.status, self.reason);
        match Self::parse(&line) {
            Ok(_) => Ok(line),
            Err(_) => {
                Err(EncodeError::new("HTTP", "status line", "status is not 100 to 599, or a forbidden character"))
            }
        }
    }

    fn is_bodiless(&self) -> bool {
        matches!(self.status, 100..=199 | 204 | 304)
    }
}

fn version_is_known(version: &str) -> Result<(), Problem> {
    match version {
        VERSION => Ok(()),
        _ if version.starts_with("HTTP/") => Err(Problem::Version),
        _ => Err(Problem::Malformed("HTTP/1.1")),
    }
}

pub(super) fn is_target(target: &str) -> bool {
    target.starts_with('/') && target.bytes().all(|byte| byte.is_ascii_graphic())
}

impl fmt::Debug for RequestLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.target.split('?').next().unwrap_or_default();
        write!(f, "{} {path}", self.method)
    }
}
