//! Octets to messages, however they are cut on the way.

use super::error::{Field, HttpError, Problem};
use super::headers::Headers;
use super::message::{Framing, Message};
use super::start_line::StartLine;

/// What a peer may make us keep. A chunk size line is limited to 64 octets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Octets of the first line, with its CRLF.
    pub start_line: usize,
    /// Fields, trailers included.
    pub header_count: usize,
    /// Octets of all header and trailer lines.
    pub header_octets: usize,
    /// Octets of the body.
    pub body: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { start_line: 2048, header_count: 64, header_octets: 16 * 1024, body: 256 * 1024 }
    }
}

const CHUNK_SIZE_LINE: usize = 64;

/// What [`Parser::feed`] did.
#[derive(Debug, PartialEq, Eq)]
pub struct Fed<S> {
    /// Octets taken from the input; the rest belongs to the next message.
    pub used: usize,
    /// The message that these octets completed.
    pub message: Option<Message<S>>,
}

/// Reads the messages of one connection, one after the other. After an error it gives the same error for ever.
#[derive(Debug)]
pub struct Parser<S> {
    limits: Limits,
    phase: Phase,
    /// The line being collected.
    line: Vec<u8>,
    /// Octets of the current message so far.
    offset: usize,
    /// Where the line or body being read begins: errors name it, however the input was cut.
    mark: usize,
    header_octets: usize,
    header_count: usize,
    start: Option<S>,
    headers: Headers,
    body: Vec<u8>,
    framing: Framing,
    failed: Option<HttpError>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    StartLine,
    Headers,
    /// Octets that are still to come.
    Body(usize),
    UntilEnd,
    ChunkSize,
    Chunk(usize),
    ChunkEnd,
    Trailers,
    Complete,
}

impl<S: StartLine> Parser<S> {
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            phase: Phase::StartLine,
            line: Vec::new(),
            offset: 0,
            mark: 0,
            header_octets: 0,
            header_count: 0,
            start: None,
            headers: Headers::default(),
            body: Vec::new(),
            framing: Framing::None,
            failed: None,
        }
    }

    /// Takes octets up to the end of one message. Call again with the rest after a message was returned.
    pub fn feed(&mut self, input: &[u8]) -> Result<Fed<S>, HttpError> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        let mut used = 0;
        while let Some(rest) = input.get(used..).filter(|rest| !rest.is_empty()) {
            let taken = match self.step(rest) {
                Ok(taken) => taken,
                Err((field, problem)) => return Err(self.fail(field, problem)),
            };
            used = used.saturating_add(taken);
            if self.phase == Phase::Complete {
                return Ok(Fed { used, message: self.complete() });
            }
        }
        Ok(Fed { used, message: None })
    }

    /// The connection ended in an orderly way: the message that ends with it, if there is one.
    pub fn end_of_input(&mut self) -> Result<Option<Message<S>>, HttpError> {
        match (&self.failed, self.phase) {
            (Some(error), _) => Err(error.clone()),
            (None, Phase::UntilEnd) => Ok(self.complete()),
            (None, _) if self.is_between_messages() => Ok(None),
            (None, _) => Err(self.fail(Field::Message, Problem::Truncated)),
        }
    }

    pub fn is_between_messages(&self) -> bool {
        self.phase == Phase::StartLine && self.line.is_empty()
    }

    /// Takes at least one octet of `rest`, which is not empty.
    fn step(&mut self, rest: &[u8]) -> Result<usize, Fault> {
        let taken = match self.phase {
            Phase::Body(wanted) => {
                let taken = self.take_body(rest, wanted);
                self.phase = match wanted.saturating_sub(taken) {
                    0 => Phase::Complete,
                    left => Phase::Body(left),
                };
                taken
            }
            Phase::Chunk(wanted) => {
                let taken = self.take_body(rest, wanted);
                self.phase = match wanted.saturating_sub(taken) {
                    0 => Phase::ChunkEnd,
                    left => Phase::Chunk(left),
                };
                taken
            }
            Phase::UntilEnd => {
                let limit = self.limits.body;
                let taken = self.take_body(rest, limit.saturating_sub(self.body.len()));
                if taken < rest.len() {
                    return Err((Field::Body, Problem::Limit(limit)));
                }
                taken
            }
            _ => return self.take_line(rest),
        };
        self.offset = self.offset.saturating_add(taken);
        if self.phase == Phase::ChunkEnd {
            self.mark = self.offset;
        }
        Ok(taken)
    }

    fn take_body(&mut self, rest: &[u8], wanted: usize) -> usize {
        let taken = rest.get(..wanted).unwrap_or(rest);
        self.body.extend_from_slice(taken);
        taken.len()
    }

    fn take_line(&mut self, rest: &[u8]) -> Result<usize, Fault> {
        let end = rest.iter().position(|octet| *octet == b'\n').map(|at| at.saturating_add(1));
        let part = end.and_then(|end| rest.get(..end)).unwrap_or(rest);
        let (field, limit, before) = match self.phase {
            Phase::StartLine => (Field::StartLine, self.limits.start_line, 0),
            Phase::Headers | Phase::Trailers => (Field::Header, self.limits.header_octets, self.header_octets),
            _ => (Field::ChunkSize, CHUNK_SIZE_LINE, 0),
        };
        if before.saturating_add(self.line.len()).saturating_add(part.len()) > limit {
            return Err((field, Problem::Limit(limit)));
        }
        self.line.extend_from_slice(part);
        self.offset = self.offset.saturating_add(part.len());
        if end.is_some() {
            let line = std::mem::take(&mut self.line);
            let content = line.strip_suffix(b"\r\n").filter(|content| !content.contains(&b'\r'));
            let content = content.ok_or((field, Problem::Malformed("CR and LF together")))?;
            self.take_complete_line(field, content, line.len())?;
            self.mark = self.offset;
        }
        Ok(part.len())
    }

    fn take_complete_line(&mut self, field: Field, line: &[u8], octets: usize) -> Result<(), Fault> {
        match self.phase {
            Phase::StartLine => {
                let text = std::str::from_utf8(line).map_err(|_| (field, Problem::Malformed("ASCII")))?;
                self.start = Some(S::parse(text).map_err(|problem| (field, problem))?);
                self.phase = Phase::Headers;
            }
            Phase::Headers if line.is_empty() => self.phase = self.begin_body()?,
            Phase::Trailers if line.is_empty() => self.phase = Phase::Complete,
            Phase::Headers | Phase::Trailers => {
                self.header_octets = self.header_octets.saturating_add(octets);
                self.header_count = self.header_count.saturating_add(1);
                if self.header_count > self.limits.header_count {
                    return Err((field, Problem::Limit(self.limits.header_count)));
                }
                // Trailers are checked like headers and dropped: nothing here is allowed to come late.
                let mut trailers = Headers::default();
                let place = if self.phase == Phase::Headers { &mut self.headers } else { &mut trailers };
                place.push_line(line).map_err(|problem| (field, problem))?;
            }
            Phase::ChunkEnd if line.is_empty() => self.phase = Phase::ChunkSize,
            Phase::ChunkEnd => return Err((field, Problem::Malformed("the end of the chunk"))),
            _ => {
                let size = chunk_size(line)?;
                if size > self.limits.body.saturating_sub(self.body.len()) {
                    return Err((Field::Body, Problem::Limit(self.limits.body)));
                }
                self.phase = if size == 0 { Phase::Trailers } else { Phase::Chunk(size) };
            }
        }
        Ok(())
    }

    /// How the body is delimited (RFC 9112 6.3, without its leniencies).
    fn begin_body(&mut self) -> Result<Phase, Fault> {
        let malformed = |expected| Err((Field::Header, Problem::Malformed(expected)));
        let codings: Vec<&str> = self.headers.all("Transfer-Encoding").collect();
        let lengths: Vec<&str> = self.headers.all("Content-Length").collect();
        let bodiless = self.start.as_ref().is_some_and(StartLine::is_bodiless);
        if self.headers.all("Host").nth(1).is_some() {
            return malformed("one Host");
        }
        let (framing, phase) = match (codings.as_slice(), lengths.as_slice()) {
            ([], []) if bodiless || !S::MAY_END_WITH_CONNECTION => (Framing::None, Phase::Complete),
            ([], []) => (Framing::Connection, Phase::UntilEnd),
            ([], [length]) => match content_length(length, self.limits.body)? {
                0 => (Framing::Length, Phase::Complete),
                _ if bodiless => return malformed("no body in a response of this status"),
                length => (Framing::Length, Phase::Body(length)),
            },
            ([_], []) if bodiless => return malformed("no body in a response of this status"),
            ([coding], []) if coding.eq_ignore_ascii_case("chunked") => (Framing::Chunked, Phase::ChunkSize),
            ([_], []) => return Err((Field::Header, Problem::TransferCoding)),
            _ => return malformed("one Content-Length or one Transfer-Encoding"),
        };
        self.framing = framing;
        Ok(phase)
    }

    fn complete(&mut self) -> Option<Message<S>> {
        let start = self.start.take()?;
        let done = std::mem::replace(self, Self::new(self.limits));
        Some(Message { start, headers: done.headers, body: done.body, framing: done.framing })
    }

    fn fail(&mut self, field: Field, problem: Problem) -> HttpError {
        self.failed.insert(HttpError { field, offset: self.mark, problem }).clone()
    }
}

type Fault = (Field, Problem);

/// Digits only: no sign, no list, no blanks.
fn content_length(text: &str, limit: usize) -> Result<usize, Fault> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err((Field::Header, Problem::Malformed("decimal digits as Content-Length")));
    }
    text.parse().ok().filter(|length| *length <= limit).ok_or((Field::Body, Problem::Limit(limit)))
}

/// Hexadecimal digits; extensions after `;` are passed over (RFC 9112 7.1.1).
fn chunk_size(line: &[u8]) -> Result<usize, Fault> {
    let digits = line.split(|octet| *octet == b';').next().unwrap_or_default();
    let extension = line.get(digits.len()..).unwrap_or_default();
    let text = std::str::from_utf8(digits).unwrap_or_default();
    let well_formed = !text.is_empty()
        && text.bytes().all(|byte| byte.is_ascii_hexdigit())
        && extension.iter().all(|octet| matches!(octet, b'\t' | b' '..=b'~'));
    if !well_formed {
        return Err((Field::ChunkSize, Problem::Malformed("hexadecimal digits")));
    }
    usize::from_str_radix(text, 16).map_err(|_| (Field::Body, Problem::Limit(usize::MAX)))
}
