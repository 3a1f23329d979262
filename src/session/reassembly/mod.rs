//! Parts of concatenated short messages back into payloads (TS 23.040 9.2.3.24.1 and .8).
//!
//! Parts belong together when sender, reference, width of the reference and number of parts agree. Whoever owns the
//! machine chooses what a sender is (`S`: an address, or client and address) and what it wants to keep of each part
//! until the whole is there (`T`: the index in the modem's storage, the PDU that waits for the verdict of policy).
//!
//! Rules where the standard leaves a choice:
//! * A part whose number is not 1 to total, or total is 0, is refused.
//! * The same part again with the same content is a duplicate and ignored. With **other** content it is refused and
//!   what is held stays: retransmissions are identical, so this is a reused reference or an attack, and an attacker
//!   who cannot replace parts can only spoil messages that he began.
//! * A message that is not complete in time is dropped as a whole; the time runs from its first part.
//! * A full buffer either refuses the new part or drops what is oldest, see [`WhenFull`].

mod held;

use crate::codec::DecodeError;
use crate::codec::sms::{Concatenation, Ie, UserData};
use crate::types::Now;
use held::{Assembly, Key};
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

/// What the machine may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// From the first part that arrives to the last.
    pub timeout: Duration,
    /// Parts of one message.
    pub parts: u8,
    /// Incomplete messages of one sender.
    pub messages_per_sender: usize,
    /// Senders with incomplete messages.
    pub senders: usize,
    /// Octets of payload and information elements, over all senders.
    pub octets: usize,
    pub when_full: WhenFull,
}

/// Who has to give way when a limit is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WhenFull {
    /// The new part: for owners that can tell the sender so.
    Refuse,
    /// The oldest message (of the same sender, where that sender's limit is the reason): for owners that cannot.
    DropOldest,
}

/// A part as it is handed in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part<T> {
    /// From the header, or from the `sar_` parameters of SMPP.
    pub concatenation: Concatenation,
    /// The other information elements.
    pub ies: Vec<Ie>,
    pub payload: Vec<u8>,
    pub token: T,
}

/// A whole message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message<T> {
    /// Of part 1, without the concatenation.
    pub ies: Vec<Ie>,
    pub payload: Vec<u8>,
    /// What was kept of the parts, in their order.
    pub tokens: Vec<T>,
}

/// What became of a part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome<T> {
    /// It was the last one missing, or was not concatenated at all.
    Complete(Message<T>),
    /// Held until the others arrive.
    Held,
    /// Already held with the same content: ignored, the token comes back.
    Duplicate(T),
    /// Refused; nothing of it is held.
    Rejected(Rejection, T),
}

/// Why a part was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    #[error("malformed user data header: {0}")]
    Malformed(DecodeError),
    #[error("part {sequence} of {total} does not exist")]
    Numbering { sequence: u8, total: u8 },
    #[error("the same part is already there with other content")]
    Conflict,
    #[error("{total} parts exceed the limit of {limit}")]
    TooManyParts { total: u8, limit: u8 },
    #[error("the limit of {0} is reached")]
    Full(&'static str),
}

/// A message that is given up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dropped<S, T> {
    pub sender: S,
    pub reason: DropReason,
    /// Parts that had arrived, and how many there should have been.
    pub arrived: usize,
    pub total: u8,
    /// What was kept of the parts that had arrived, in their order.
    pub tokens: Vec<T>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DropReason {
    TimedOut,
    /// It gave way to a newer one ([`WhenFull::DropOldest`]).
    Evicted,
}

/// The buffer of incomplete messages.
#[derive(Debug)]
pub struct Reassembler<S, T = ()> {
    limits: Limits,
    held: BTreeMap<Key<S>, Assembly<T>>,
    /// Deadline and serial number of each held message: the first is the oldest, as all wait equally long.
    deadlines: BTreeMap<(Duration, u64), Key<S>>,
    per_sender: BTreeMap<S, usize>,
    octets: usize,
    serial: u64,
    dropped: VecDeque<Dropped<S, T>>,
}

impl<S: Ord + Clone, T> Reassembler<S, T> {
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            held: BTreeMap::new(),
            deadlines: BTreeMap::new(),
            per_sender: BTreeMap::new(),
            octets: 0,
            serial: 0,
            dropped: VecDeque::new(),
        }
    }

    /// Takes in the user data of a message, concatenated or not.
    pub fn handle_user_data(&mut self, now: Now, sender: S, ud: &UserData, token: T) -> Outcome<T> {
        let (udh, payload) = match ud.split() {
            Ok(split) => split,
            Err(error) => return Outcome::Rejected(Rejection::Malformed(error), token),
        };
        let concatenation = match udh.concatenation() {
            Ok(concatenation) => concatenation,
            Err(error) => return Outcome::Rejected(Rejection::Malformed(error), token),
        };
        let payload = payload.to_vec();
        match concatenation {
            None => Outcome::Complete(Message { ies: udh.ies, payload, tokens: vec![token] }),
            Some(concatenation) => {
                let ies = udh.ies.into_iter().filter(|ie| !ie.is_concatenation()).collect();
                self.handle_part(now, sender, Part { concatenation, ies, payload, token })
            }
        }
    }

    /// Takes in a part. Messages whose time is over are dropped first.
    pub fn handle_part(&mut self, now: Now, sender: S, part: Part<T>) -> Outcome<T> {
        self.handle_timeout(now);
        let Concatenation { total, sequence, .. } = part.concatenation;
        if !part.concatenation.is_valid() {
            return Outcome::Rejected(Rejection::Numbering { sequence, total }, part.token);
        }
        if total > self.limits.parts {
            let limit = self.limits.parts;
            return Outcome::Rejected(Rejection::TooManyParts { total, limit }, part.token);
        }
        let key = Key::new(sender, part.concatenation);
        if let Some(same) = self.held.get(&key).and_then(|assembly| assembly.holds(&part)) {
            return match same {
                true => Outcome::Duplicate(part.token),
                false => Outcome::Rejected(Rejection::Conflict, part.token),
            };
        }
        let last_missing = self.held.get(&key).map_or(total == 1, Assembly::misses_one);
        if last_missing {
            let mut assembly = self.take(&key).unwrap_or_else(|| Assembly::new((now.mono, 0)));
            assembly.insert(part);
            return Outcome::Complete(assembly.into_message());
        }
        if let Err(rejection) = self.make_room(&key, held::octets_of(&part)) {
            return Outcome::Rejected(rejection, part.token);
        }
        self.hold(now, key, part);
        Outcome::Held
    }

    /// Drops every message whose time is over. Call it when [`poll_timeout`](Self::poll_timeout) says so.
    pub fn handle_timeout(&mut self, now: Now) {
        while let Some((_, key)) = self.deadlines.first_key_value().filter(|((deadline, _), _)| *deadline <= now.mono) {
            let key = key.clone();
            self.drop_message(&key, DropReason::TimedOut);
        }
    }

    /// When [`handle_timeout`](Self::handle_timeout) wants to be called (monotonic). May change with every part.
    pub fn poll_timeout(&self) -> Option<Duration> {
        self.deadlines.first_key_value().map(|((deadline, _), _)| *deadline)
    }

    /// A message that was given up since the last call; ask until `None` after every `handle_`.
    pub fn poll_dropped(&mut self) -> Option<Dropped<S, T>> {
        self.dropped.pop_front()
    }

    /// Incomplete messages held.
    pub fn pending(&self) -> usize {
        self.held.len()
    }

    fn hold(&mut self, now: Now, key: Key<S>, part: Part<T>) {
        self.octets = self.octets.saturating_add(held::octets_of(&part));
        if let Some(assembly) = self.held.get_mut(&key) {
            assembly.insert(part);
            return;
        }
        self.serial = self.serial.wrapping_add(1);
        let deadline = (now.mono.saturating_add(self.limits.timeout), self.serial);
        let messages = self.per_sender.entry(key.sender.clone()).or_default();
        *messages = messages.saturating_add(1);
        self.deadlines.insert(deadline, key.clone());
        let mut assembly = Assembly::new(deadline);
        assembly.insert(part);
        self.held.insert(key, assembly);
    }

    /// Makes sure that a part of this size can be held, by dropping others when allowed.
    fn make_room(&mut self, key: &Key<S>, octets: usize) -> Result<(), Rejection> {
        if octets > self.limits.octets {
            return Err(Rejection::Full("octets"));
        }
        while let Some(limit) = self.reached(key, octets) {
            // The message that the part belongs to is not given up for the part.
            let oldest = self.deadlines.values().find(|candidate| {
                let same_sender = limit != MESSAGES || candidate.sender == key.sender;
                same_sender && *candidate != key
            });
            match oldest.cloned() {
                Some(oldest) if self.limits.when_full == WhenFull::DropOldest => {
                    self.drop_message(&oldest, DropReason::Evicted);
                }
                _ => return Err(Rejection::Full(limit)),
            }
        }
        Ok(())
    }

    /// The limit that forbids to hold a part of this size.
    fn reached(&self, key: &Key<S>, octets: usize) -> Option<&'static str> {
        let messages = self.per_sender.get(&key.sender);
        let begins = !self.held.contains_key(key);
        if begins && messages.is_some_and(|messages| *messages >= self.limits.messages_per_sender) {
            Some(MESSAGES)
        } else if begins && messages.is_none() && self.per_sender.len() >= self.limits.senders {
            Some("senders")
        } else if self.octets.saturating_add(octets) > self.limits.octets {
            Some("octets")
        } else {
            None
        }
    }

    fn drop_message(&mut self, key: &Key<S>, reason: DropReason) {
        if let Some(assembly) = self.take(key) {
            let tokens = assembly.into_tokens();
            let (sender, total) = (key.sender.clone(), key.total);
            self.dropped.push_back(Dropped { sender, reason, arrived: tokens.len(), total, tokens });
        }
    }

    /// Takes a message out of all accounts.
    fn take(&mut self, key: &Key<S>) -> Option<Assembly<T>> {
        let assembly = self.held.remove(key)?;
        self.deadlines.remove(&assembly.deadline);
        self.octets = self.octets.saturating_sub(assembly.octets);
        if let Some(messages) = self.per_sender.get_mut(&key.sender) {
            *messages = messages.saturating_sub(1);
            if *messages == 0 {
                self.per_sender.remove(&key.sender);
            }
        }
        Some(assembly)
    }
}

/// The name of the one limit that counts per sender.
const MESSAGES: &str = "messages per sender";

#[cfg(test)]
mod tests;
