//! HTTP/1.1 as the administration session uses it (RFC 9112, GlobalPlatform Amendment B 3.3), sans-IO.
//!
//! One message at a time, with a body of known length, chunked, or (responses only) up to the end of the connection.
//! Header names keep their case: cards compare them exactly. Anything on which two readers could disagree about where
//! a message ends is refused: both lengths, a repeated length, bare CR or LF, folded lines, transfer codings other than
//! `chunked`. Not here: HTTP/1.0, upgrades, content codings, pipelining (the session answers before it reads on).

mod admin;
mod error;
mod headers;
mod message;
mod parser;
mod service;
mod start_line;
mod uri;

pub use admin::{AdminRequest, AdminResponse, CONTENT_MANAGEMENT, CONTENT_MANAGEMENT_RESPONSE, ScriptStatus};
pub use error::{Field, HttpError, Problem};
pub use headers::Headers;
pub use message::{Framing, Message, Request, Response, Transfer};
pub use parser::{Fed, Limits, Parser};
pub use service::{ServiceHeaders, ServiceStatus, put_retry_after, retry_after};
pub use start_line::{RequestLine, StartLine, StatusLine};
pub use uri::{is_relative, query_value};

#[cfg(test)]
mod tests;
