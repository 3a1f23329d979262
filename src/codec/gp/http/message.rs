//! A message, and its octets (RFC 9112).

use super::headers::Headers;
use super::start_line::{RequestLine, StartLine, StatusLine};
use crate::codec::EncodeError;
use std::fmt;

/// A request or a response. `Debug` shows no header values and no body.
#[derive(Clone, PartialEq, Eq)]
pub struct Message<S> {
    pub start: S,
    /// Without `Content-Length` and `Transfer-Encoding` when it is to be written.
    pub headers: Headers,
    pub body: Vec<u8>,
    /// How a received body was delimited; not looked at when writing.
    pub framing: Framing,
}

pub type Request = Message<RequestLine>;
pub type Response = Message<StatusLine>;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Framing {
    /// There was no body.
    #[default]
    None,
    Length,
    Chunked,
    /// The body ended with the connection; only the transport knows whether that was an orderly end.
    Connection,
}

/// How a body is to be delimited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transfer {
    /// `Content-Length`
    Length,
    /// `Transfer-Encoding: chunked` in chunks of at most this many octets.
    Chunked(usize),
}

impl Request {
    pub fn post(target: impl Into<String>) -> Self {
        Self::new(RequestLine { method: "POST".into(), target: target.into() })
    }
}

impl Response {
    pub fn with_status(status: u16) -> Self {
        Self::new(StatusLine { status, reason: reason(status).into() })
    }
}

impl<S: StartLine> Message<S> {
    fn new(start: S) -> Self {
        Self { start, headers: Headers::default(), body: Vec::new(), framing: Framing::None }
    }

    /// Whether the sender closes the connection after this message.
    pub fn closes(&self) -> bool {
        self.headers.names_token("Connection", "close")
    }

    pub fn encode(&self, transfer: Transfer) -> Result<Vec<u8>, EncodeError> {
        if self.headers.iter().any(|(name, _)| is_framing_header(name)) {
            return Err(EncodeError::new("HTTP", "headers", "the body's length is written by the encoder alone"));
        }
        let bodiless = self.start.is_bodiless();
        if bodiless && !self.body.is_empty() {
            return Err(EncodeError::new("HTTP", "body", "a response of this status has none"));
        }
        let mut head = self.start.to_line()?;
        head.push_str("\r\n");
        let mut field = |name: &str, value: &str| {
            for part in [name, ": ", value, "\r\n"] {
                head.push_str(part);
            }
        };
        self.headers.iter().for_each(|(name, value)| field(name, value));
        match transfer {
            _ if bodiless => {}
            Transfer::Length => field("Content-Length", &self.body.len().to_string()),
            Transfer::Chunked(_) if self.body.is_empty() => field("Content-Length", "0"),
            Transfer::Chunked(_) => field("Transfer-Encoding", "chunked"),
        }
        head.push_str("\r\n");
        let mut out = head.into_bytes();
        match transfer {
            Transfer::Chunked(size) if !self.body.is_empty() => put_chunks(&mut out, &self.body, size.max(1)),
            _ => out.extend_from_slice(&self.body),
        }
        Ok(out)
    }
}

fn is_framing_header(name: &str) -> bool {
    ["Content-Length", "Transfer-Encoding"].iter().any(|known| name.eq_ignore_ascii_case(known))
}

fn put_chunks(out: &mut Vec<u8>, body: &[u8], size: usize) {
    for chunk in body.chunks(size) {
        out.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
        out.extend_from_slice(chunk);
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(b"0\r\n\r\n");
}

/// Reason phrases of the status codes that an administration session uses (RFC 9110 15).
const fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        204 => "No Content",
        400 => "Bad Request",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        409 => "Conflict",
        413 => "Content Too Large",
        414 => "URI Too Long",
        431 => "Request Header Fields Too Large",
        500 => "Internal Server Error",
        501 => "Not Implemented",
        503 => "Service Unavailable",
        505 => "HTTP Version Not Supported",
        _ => "",
    }
}

impl<S: fmt::Debug> fmt::Debug for Message<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Message")
            .field("start", &self.start)
            .field("headers", &self.headers)
            .field("body octets", &self.body.len())
            .field("framing", &self.framing)
            .finish()
    }
}
