//! The one cursor of all binary codecs.
//!
//! A reader belongs to a structure (for its errors), knows its place in the outermost input, hands out nested readers
//! for length-delimited parts, and checks at the end that nothing is left over. With a [`Trace`] it records each field;
//! [`note`](Reader::note) adds meaning and clause, and costs nothing without a trace.

use super::{DecodeError, Fault, Span, Trace};
use std::borrow::Cow;

#[derive(Debug, Clone)]
pub struct Reader<'a> {
    structure: &'static str,
    rest: &'a [u8],
    offset: usize,
    depth: usize,
    trace: Option<&'a Trace>,
}

pub type Result<T> = std::result::Result<T, DecodeError>;

impl<'a> Reader<'a> {
    pub fn new(structure: &'static str, bytes: &'a [u8]) -> Self {
        Self { structure, rest: bytes, offset: 0, depth: 0, trace: None }
    }

    pub fn traced(structure: &'static str, bytes: &'a [u8], trace: &'a Trace) -> Self {
        Self { trace: Some(trace), ..Self::new(structure, bytes) }
    }

    /// The same place, read as another structure: its name goes into errors from here on.
    pub fn structure(mut self, structure: &'static str) -> Self {
        self.structure = structure;
        self
    }

    /// A reader over other octets that stand for a part of this input, e.g. the plaintext of a ciphered part that
    /// begins at `offset`. Spans appear one level below this reader.
    pub fn substitute<'b>(&self, structure: &'static str, bytes: &'b [u8], offset: usize) -> Reader<'b>
    where
        'a: 'b,
    {
        Reader { structure, rest: bytes, offset, depth: self.depth + 1, trace: self.trace }
    }

    pub fn structure_name(&self) -> &'static str {
        self.structure
    }

    /// Offset of the next octet from the start of the outermost input.
    pub fn offset(&self) -> usize {
        self.offset
    }

    pub fn remaining(&self) -> usize {
        self.rest.len()
    }

    pub fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// What has not been read yet, without reading it.
    pub fn peek(&self) -> &'a [u8] {
        self.rest
    }

    pub fn peek_u8(&self) -> Option<u8> {
        self.rest.first().copied()
    }

    /// The next `length` octets.
    pub fn take(&mut self, length: usize, field: impl Into<Cow<'static, str>>) -> Result<&'a [u8]> {
        let start = self.offset;
        match self.advance(length) {
            Some(taken) => {
                if self.trace.is_some() {
                    self.record(field.into(), start, taken);
                }
                Ok(taken)
            }
            None => Err(self.error(field, Fault::Truncated { needed: length, available: self.rest.len() })),
        }
    }

    fn advance(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(length)?;
        self.rest = rest;
        self.offset = self.offset.saturating_add(length);
        Some(taken)
    }

    /// All octets up to the end of this reader.
    pub fn take_rest(&mut self, field: impl Into<Cow<'static, str>>) -> &'a [u8] {
        let start = self.offset;
        let taken = std::mem::take(&mut self.rest);
        self.offset = self.offset.saturating_add(taken.len());
        if self.trace.is_some() && !taken.is_empty() {
            self.record(field.into(), start, taken);
        }
        taken
    }

    pub fn array<const N: usize>(&mut self, field: impl Into<Cow<'static, str>>) -> Result<[u8; N]> {
        let taken = self.take(N, field)?;
        let mut array = [0; N];
        array.copy_from_slice(taken);
        Ok(array)
    }

    pub fn u8(&mut self, field: impl Into<Cow<'static, str>>) -> Result<u8> {
        self.array::<1>(field).map(|[octet]| octet)
    }

    /// Two octets, big-endian.
    pub fn u16(&mut self, field: impl Into<Cow<'static, str>>) -> Result<u16> {
        self.array(field).map(u16::from_be_bytes)
    }

    /// Four octets, big-endian.
    pub fn u32(&mut self, field: impl Into<Cow<'static, str>>) -> Result<u32> {
        self.array(field).map(u32::from_be_bytes)
    }

    /// Eight octets, big-endian.
    pub fn u64(&mut self, field: impl Into<Cow<'static, str>>) -> Result<u64> {
        self.array(field).map(u64::from_be_bytes)
    }

    /// A reader over the next `length` octets, which appear as a group named `field` in the trace.
    pub fn nested(&mut self, length: usize, field: impl Into<Cow<'static, str>>) -> Result<Reader<'a>> {
        let offset = self.offset;
        let bytes = self.take(length, field)?;
        Ok(Self { structure: self.structure, rest: bytes, offset, depth: self.depth + 1, trace: self.trace })
    }

    /// A copy that leaves no trace, to look ahead.
    pub(super) fn untraced(&self) -> Self {
        Self { trace: None, ..self.clone() }
    }

    /// Passes over octets that are already part of a recorded group.
    pub(super) fn skip(&mut self, length: usize) {
        let _ = self.advance(length);
    }

    /// Adds meaning and clause to the field just read by this reader.
    pub fn note(&self, clause: &'static str, meaning: impl FnOnce() -> String) {
        if let Some(trace) = self.trace {
            trace.amend(self.depth, |span| {
                span.meaning = meaning();
                span.clause = clause;
            });
        }
    }

    /// Renames the field just read by this reader, when its name is known only now, and explains it.
    pub fn label(&self, name: impl Into<Cow<'static, str>>, clause: &'static str, meaning: impl FnOnce() -> String) {
        if let Some(trace) = self.trace {
            trace.amend(self.depth, |span| span.name = name.into());
            self.note(clause, meaning);
        }
    }

    /// Nothing may be left over.
    pub fn finish(&self) -> Result<()> {
        match self.rest.len() {
            0 => Ok(()),
            extra => Err(self.error("end", Fault::Trailing { extra })),
        }
    }

    /// An error at the current place.
    pub fn error(&self, field: impl Into<Cow<'static, str>>, fault: Fault) -> DecodeError {
        DecodeError::new(self.structure, field, self.offset, fault)
    }

    /// An error at an offset noted earlier.
    pub fn error_at(&self, offset: usize, field: impl Into<Cow<'static, str>>, fault: Fault) -> DecodeError {
        DecodeError::new(self.structure, field, offset, fault)
    }

    /// A forbidden value at an offset noted earlier.
    pub fn value_error(
        &self,
        offset: usize,
        field: impl Into<Cow<'static, str>>,
        expected: impl Into<Cow<'static, str>>,
        found: impl std::fmt::Display,
    ) -> DecodeError {
        self.error_at(offset, field, Fault::Value { expected: expected.into(), found: found.to_string() })
    }

    fn record(&self, name: Cow<'static, str>, offset: usize, raw: &[u8]) {
        if let Some(trace) = self.trace {
            let span = Span { depth: self.depth, name, offset, raw: raw.to_vec(), meaning: String::new(), clause: "" };
            trace.push(span);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_names_structure_field_and_offset() {
        let mut reader = Reader::new("PACKET", &[0, 2, 9]);
        assert_eq!(reader.u16("CPL"), Ok(2));
        let error = reader.u16("CHL").unwrap_err();
        assert_eq!(error.to_string(), "PACKET, CHL at offset 2: expected 2 octets, 1 left");
        assert_eq!(
            reader.finish().unwrap_err().to_string(),
            "PACKET, end at offset 2: expected the end, 1 octets left"
        );
    }

    #[test]
    fn the_trace_shows_groups_before_their_members_with_outer_offsets() {
        let trace = Trace::new();
        let mut reader = Reader::traced("PACKET", &[2, 7, 8], &trace);
        let length = reader.u8("length").unwrap();
        let mut inner = reader.nested(usize::from(length), "body").unwrap();
        inner.u8("first").unwrap();
        inner.note("clause 1", || "seven".into());
        inner.take_rest("second");
        reader.note("clause 2", || "the body".into());
        let spans = trace.into_spans();
        let shape: Vec<_> = spans.iter().map(|s| (s.depth, s.name.as_ref(), s.offset, s.meaning.as_str())).collect();
        assert_eq!(
            shape,
            [(0, "length", 0, ""), (0, "body", 1, "the body"), (1, "first", 1, "seven"), (1, "second", 2, "")]
        );
    }
}
