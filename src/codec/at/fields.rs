//! The parameters of an answer or URC, read in order through the one cursor (V.250 5.4.2, TS 27.007 4).
//!
//! The grammar is nom's; the cursor gives the error its place and the trace its span. Empty parameters are `None`,
//! quotes are optional everywhere because firmware forgets them, parameters of later releases may follow.

use super::ranges::{NumberSet, name_list, number_set};
use crate::codec::{DecodeError, Fault, Reader};
use nom::branch::alt;
use nom::bytes::complete::{tag, take_till, take_while};
use nom::sequence::delimited;
use nom::{IResult, Parser};
use std::borrow::Cow;
use std::str::FromStr;

/// The parameters after `+NAME:`, one after the other.
#[derive(Debug)]
pub struct Fields<'r, 'a> {
    reader: &'r mut Reader<'a>,
    clause: &'static str,
    started: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Token<'a> {
    Quoted(&'a [u8]),
    Group(&'a [u8]),
    Bare(&'a [u8]),
}

fn quoted(input: &[u8]) -> IResult<&[u8], Token<'_>> {
    delimited(tag(&b"\""[..]), take_till(|byte| byte == b'"'), tag(&b"\""[..])).map(Token::Quoted).parse(input)
}

fn group(input: &[u8]) -> IResult<&[u8], Token<'_>> {
    delimited(tag(&b"("[..]), take_till(|byte| byte == b')'), tag(&b")"[..])).map(Token::Group).parse(input)
}

fn bare(input: &[u8]) -> IResult<&[u8], Token<'_>> {
    take_till(|byte| byte == b',').map(|text: &[u8]| Token::Bare(text.trim_ascii_end())).parse(input)
}

fn token(input: &[u8]) -> IResult<&[u8], Token<'_>> {
    alt((quoted, group, bare)).parse(input)
}

fn blanks(input: &[u8]) -> IResult<&[u8], &[u8]> {
    take_while(|byte| byte == b' ').parse(input)
}

impl<'a> Token<'a> {
    fn text(self) -> &'a [u8] {
        match self {
            Self::Quoted(text) | Self::Group(text) | Self::Bare(text) => text,
        }
    }

    /// Octets of the token on the wire.
    fn wire_length(self) -> usize {
        match self {
            Self::Bare(text) => text.len(),
            Self::Quoted(text) | Self::Group(text) => text.len().saturating_add(2),
        }
    }
}

impl<'r, 'a> Fields<'r, 'a> {
    /// Fields that begin where the reader stands; `clause` goes into the trace.
    pub(super) fn new(reader: &'r mut Reader<'a>, clause: &'static str) -> Self {
        Self { reader, clause, started: false }
    }

    fn skip_blanks(&mut self) {
        if let Ok((_, taken)) = blanks(self.reader.peek()) {
            self.reader.skip(taken.len());
        }
    }

    /// The next parameter on the wire; `None` when it is empty or not there.
    fn next(&mut self, field: &'static str) -> Result<Option<Token<'a>>, DecodeError> {
        self.skip_blanks();
        if self.started {
            match self.reader.peek_u8() {
                None => return Ok(None),
                Some(b',') => self.reader.skip(1),
                Some(other) => return Err(self.wrong(field, "a comma", &[other])),
            }
            self.skip_blanks();
        }
        self.started = true;
        let Ok((_, token)) = token(self.reader.peek()) else { return Ok(None) };
        if token == Token::Bare(b"") {
            return Ok(None);
        }
        self.reader.take(token.wire_length(), field)?;
        self.reader.note(self.clause, String::new);
        Ok(Some(token))
    }

    fn wrong(&self, field: &'static str, expected: &'static str, found: &[u8]) -> DecodeError {
        let found = String::from_utf8_lossy(found).chars().take(40).collect::<String>();
        self.reader.value_error(self.reader.offset(), field, expected, format!("`{found}`"))
    }

    fn missing(&self, field: &'static str) -> DecodeError {
        self.reader.error(field, Fault::Missing)
    }

    /// A decimal number, quoted or not.
    pub(super) fn number<T: FromStr>(&mut self, field: &'static str) -> Result<Option<T>, DecodeError> {
        let Some(token) = self.next(field)? else { return Ok(None) };
        let text = token.text().trim_ascii();
        let number = std::str::from_utf8(text).ok().and_then(|text| text.parse().ok());
        number.map(Some).ok_or_else(|| self.wrong(field, "a decimal number in range", text))
    }

    pub(super) fn required_number<T: FromStr>(&mut self, field: &'static str) -> Result<T, DecodeError> {
        self.number(field)?.ok_or_else(|| self.missing(field))
    }

    /// A number written in hexadecimal, e.g. an area code or a cell identity.
    pub(super) fn hex_number(&mut self, field: &'static str) -> Result<Option<u32>, DecodeError> {
        let Some(token) = self.next(field)? else { return Ok(None) };
        let text = token.text().trim_ascii();
        if text.is_empty() {
            return Ok(None);
        }
        let number = std::str::from_utf8(text).ok().and_then(|text| u32::from_str_radix(text, 16).ok());
        number.map(Some).ok_or_else(|| self.wrong(field, "a hexadecimal number of at most 8 digits", text))
    }

    /// A string, quoted or not; octets that are not UTF-8 are replaced.
    pub(super) fn text(&mut self, field: &'static str) -> Result<Option<String>, DecodeError> {
        Ok(self.next(field)?.map(|token| String::from_utf8_lossy(token.text().trim_ascii()).into_owned()))
    }

    pub(super) fn required_text(&mut self, field: &'static str) -> Result<String, DecodeError> {
        self.text(field)?.ok_or_else(|| self.missing(field))
    }

    /// Octets in hexadecimal, quoted or not.
    pub(super) fn octets(&mut self, field: &'static str) -> Result<Option<Vec<u8>>, DecodeError> {
        let Some(text) = self.text(field)? else { return Ok(None) };
        match crate::types::hex::decode(&text) {
            Ok(octets) => Ok(Some(octets)),
            Err(error) => Err(self.reader.error(
                field,
                Fault::Value { expected: Cow::Borrowed("pairs of hexadecimal digits"), found: error.problem },
            )),
        }
    }

    /// A set of numbers of a test answer: `(0-3,5)`, `(1)`, `1`.
    pub(super) fn numbers(&mut self, field: &'static str) -> Result<Option<NumberSet>, DecodeError> {
        let Some(token) = self.next(field)? else { return Ok(None) };
        number_set(token.text()).map(Some).ok_or_else(|| self.wrong(field, "numbers and ranges", token.text()))
    }

    /// A list of names of a test answer: `("ME","SM")`.
    pub(super) fn names(&mut self, field: &'static str) -> Result<Option<Vec<String>>, DecodeError> {
        Ok(self.next(field)?.map(|token| name_list(token.text())))
    }

    /// Whether anything follows, and whether it is in quotes or empty: tells read answers from URCs.
    pub(super) fn is_at_end(&mut self) -> bool {
        self.skip_blanks();
        self.reader.is_empty()
    }

    /// Explains the parameter just read.
    pub(super) fn meaning(&self, meaning: impl FnOnce() -> String) {
        self.reader.note(self.clause, meaning);
    }

    /// Whatever follows as further parameters, for the trace.
    pub(super) fn further(&mut self) {
        while !self.is_at_end() {
            let before = self.reader.remaining();
            if self.next("further parameter").is_err() || self.reader.remaining() == before {
                self.reader.take_rest("rest");
            }
        }
    }
}
