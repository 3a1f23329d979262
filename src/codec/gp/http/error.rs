//! Why a message cannot be read, and what a server answers to that.

use std::fmt;

/// What is wrong where. After it the place of the next message is unknown: answer with [`status`](Self::status) if
/// it was a request, then close.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("HTTP, {field} at offset {offset}: {problem}")]
pub struct HttpError {
    pub field: Field,
    /// Where the faulty line or body begins, counted from the start of this message.
    pub offset: usize,
    pub problem: Problem,
}

/// The part of a message that is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Field {
    StartLine,
    Header,
    ChunkSize,
    Body,
    /// The message as a whole.
    Message,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    #[error("expected {0}")]
    Malformed(&'static str),
    #[error("exceeds the limit of {0}")]
    Limit(usize),
    #[error("transfer codings other than chunked are not supported")]
    TransferCoding,
    #[error("versions other than HTTP/1.1 are not supported")]
    Version,
    #[error("the connection ended too early")]
    Truncated,
}

impl HttpError {
    /// Status code for the answer (RFC 9110 15.5, 15.6; RFC 6585 5).
    pub const fn status(&self) -> u16 {
        match (&self.problem, self.field) {
            (Problem::Limit(_), Field::StartLine) => 414,
            (Problem::Limit(_), Field::Header) => 431,
            (Problem::Limit(_), _) => 413,
            (Problem::TransferCoding, _) => 501,
            (Problem::Version, _) => 505,
            _ => 400,
        }
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::StartLine => "start line",
            Self::Header => "header",
            Self::ChunkSize => "chunk size",
            Self::Body => "body",
            Self::Message => "message",
        })
    }
}
