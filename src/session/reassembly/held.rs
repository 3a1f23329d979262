//! One incomplete message: its key and its parts.

use super::{Message, Part};
use crate::codec::sms::{Concatenation, Ie};
use std::collections::BTreeMap;
use std::time::Duration;

/// What the parts of one message have in common.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key<S> {
    pub(super) sender: S,
    reference: u16,
    wide: bool,
    pub(super) total: u8,
}

impl<S> Key<S> {
    pub(super) fn new(sender: S, part: Concatenation) -> Self {
        Self { sender, reference: part.reference, wide: part.wide, total: part.total }
    }
}

#[derive(Debug)]
pub(super) struct Assembly<T> {
    pub(super) deadline: (Duration, u64),
    pub(super) octets: usize,
    parts: BTreeMap<u8, Part<T>>,
}

/// What a part counts against the limit of octets.
pub(super) fn octets_of<T>(part: &Part<T>) -> usize {
    part.ies.iter().map(Ie::encoded_len).fold(part.payload.len(), usize::saturating_add)
}

impl<T> Assembly<T> {
    pub(super) fn new(deadline: (Duration, u64)) -> Self {
        Self { deadline, octets: 0, parts: BTreeMap::new() }
    }

    /// `None` when the part is not there, else whether it is there with this content.
    pub(super) fn holds(&self, part: &Part<T>) -> Option<bool> {
        let held = self.parts.get(&part.concatenation.sequence)?;
        Some(held.payload == part.payload && held.ies == part.ies)
    }

    pub(super) fn misses_one(&self) -> bool {
        let total = self.parts.values().next().map_or(0, |part| usize::from(part.concatenation.total));
        self.parts.len().saturating_add(1) == total
    }

    pub(super) fn insert(&mut self, part: Part<T>) {
        self.octets = self.octets.saturating_add(octets_of(&part));
        self.parts.insert(part.concatenation.sequence, part);
    }

    pub(super) fn into_tokens(self) -> Vec<T> {
        self.parts.into_values().map(|part| part.token).collect()
    }

    /// For a complete message.
    pub(super) fn into_message(self) -> Message<T> {
        let mut message =
            Message { ies: Vec::new(), payload: Vec::new(), tokens: Vec::with_capacity(self.parts.len()) };
        for part in self.parts.into_values() {
            if part.concatenation.sequence == 1 {
                message.ies = part.ies;
            }
            message.payload.extend(part.payload);
            message.tokens.push(part.token);
        }
        message
    }
}
