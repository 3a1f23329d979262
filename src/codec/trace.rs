//! The record that a [`Reader`](super::Reader) leaves of what it read: the source of every decode tree.

use std::borrow::Cow;
use std::cell::RefCell;

/// One field or group, in the order of the bytes; groups precede their members, which are one deeper.
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

    pub fn into_spans(self) -> Vec<Span> {
        self.spans.into_inner()
    }
}
