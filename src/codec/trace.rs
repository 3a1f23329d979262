//! The record that a [`Reader`](super::Reader) leaves of what it read: the source of every decode tree.

use std::borrow::Cow;
use std::cell::RefCell;

/// One field or group; the members of a group are one deeper.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    pub depth: usize,
    /// Name in the standard's spelling.
    pub name: Cow<'static, str>,
    /// From the start of the outermost input; for deciphered octets, the place of their ciphertext.
    pub offset: usize,
    pub raw: Vec<u8>,
    /// What the octets say, in words. Empty when the name and the octets say it all.
    pub meaning: String,
    /// Where that is written: `TS 23.040 9.2.3.9`.
    pub clause: &'static str,
}

/// Collects spans; shared by a reader and the readers nested in it.
#[derive(Debug, Default)]
pub struct Trace {
    spans: RefCell<Vec<Span>>,
}

impl Trace {
    pub fn new() -> Self {
        Self::default()
    }

    pub(super) fn push(&self, span: Span) {
        self.spans.borrow_mut().push(span);
    }

    /// Lets `change` complete the latest span of this depth.
    pub(super) fn amend(&self, depth: usize, change: impl FnOnce(&mut Span)) {
        if let Some(span) = self.spans.borrow_mut().iter_mut().rev().find(|span| span.depth == depth) {
            change(span);
        }
    }

    /// The spans in the order of their octets, groups before their members.
    ///
    /// A part that could be read only after its surroundings (a packet's content once it is deciphered) comes out where
    /// it belongs. Fields without octets are left out: they have no place of their own.
    pub fn into_spans(self) -> Vec<Span> {
        let mut spans = self.spans.into_inner();
        spans.retain(|span| !span.raw.is_empty());
        spans.sort_by_key(|span| (span.offset, span.depth));
        spans
    }
}
