//! Joins delivery receipts with the messages they are about, tolerantly, as a pure data structure.
//!
//! A receipt may come before its submit_sm_resp, twice, on another bind, days later, and may write the id in another
//! base, case or padding. What is found is decided in this order: the raw id; without regard to case; as a number in the
//! link's base; as a number in either base, only if that is one message and the destination agrees. Receipts that find
//! nothing are kept for a time, within a limit, and looked at again with every new id.
//!
//! One store serves all binds of one account at one SMSC.

use crate::codec::smpp::{DeliveryReceipt, IdBase, MessageIdKeys};
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::hash::Hash;
use std::time::Duration;

/// How the SMSC of this account writes ids, and what is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReceiptConfig {
    /// Of the ids in submit_sm_resp.
    pub response_base: IdBase,
    /// Of the ids in receipts.
    pub receipt_base: IdBase,
    /// How long a message waits for its final receipt.
    pub keep_messages: Duration,
    /// How long a receipt waits for its message.
    pub keep_orphans: Duration,
    /// Messages that are kept at most; the oldest give way.
    pub max_messages: usize,
    /// Receipts without a message that are kept at most; the oldest give way.
    pub max_orphans: usize,
}

impl Default for ReceiptConfig {
    fn default() -> Self {
        Self {
            response_base: IdBase::Unknown,
            receipt_base: IdBase::Unknown,
            keep_messages: Duration::from_secs(3 * 86_400),
            keep_orphans: Duration::from_secs(3600),
            max_messages: 100_000,
            max_orphans: 2_000,
        }
    }
}

/// A receipt that found its message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Matched<K> {
    /// What the owner calls the message.
    pub key: K,
    pub receipt: DeliveryReceipt,
    /// A final receipt came before: nothing changes.
    pub duplicate: bool,
}

/// What became of a receipt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found<K> {
    Message(Matched<K>),
    /// Kept until its message comes; answer it with status 0 all the same.
    Kept,
    /// It names no message and cannot be kept for one.
    WithoutId,
}

#[derive(Debug, Clone)]
struct Message<K> {
    key: K,
    keys: MessageIdKeys,
    destination: String,
    since: Duration,
    settled: bool,
}

#[derive(Debug, Clone)]
struct Orphan {
    keys: MessageIdKeys,
    destination: String,
    receipt: DeliveryReceipt,
    since: Duration,
}

/// Messages in the order in which they were accepted, with indexes over every form of their ids. Times are of the
/// monotonic clock.
#[derive(Debug, Clone)]
pub struct ReceiptStore<K> {
    config: ReceiptConfig,
    messages: BTreeMap<u64, Message<K>>,
    next: u64,
    raw: HashMap<String, Vec<u64>>,
    folded: HashMap<String, Vec<u64>>,
    /// By the number in decimal and in hexadecimal.
    numbers: [HashMap<u128, Vec<u64>>; 2],
    orphans: VecDeque<Orphan>,
}

fn add<T: Eq + Hash>(index: &mut HashMap<T, Vec<u64>>, key: T, place: u64) {
    index.entry(key).or_default().push(place);
}

fn drop_from<T: Eq + Hash>(index: &mut HashMap<T, Vec<u64>>, key: &T, place: u64) {
    if let Some(places) = index.get_mut(key) {
        places.retain(|other| *other != place);
        if places.is_empty() {
            index.remove(key);
        }
    }
}

/// Whether any form of the ids agrees: what [`ReceiptStore::find`] could possibly accept.
fn may_be_same(one: &MessageIdKeys, other: &MessageIdKeys) -> bool {
    let numbers = |keys: &MessageIdKeys| [keys.decimal, keys.hexadecimal];
    let same_number = || numbers(one).into_iter().flatten().any(|number| numbers(other).contains(&Some(number)));
    one.folded == other.folded || same_number()
}

/// The last eight characters decide: SMSCs add and drop plus signs, zeros and country codes.
fn same_destination(one: &str, other: &str) -> bool {
    let tail = |text: &str| text.chars().rev().take(8).collect::<String>();
    !one.is_empty() && tail(one) == tail(other)
}

impl<K: Clone> ReceiptStore<K> {
    pub fn new(config: ReceiptConfig) -> Self {
        Self {
            config,
            messages: BTreeMap::new(),
            next: 0,
            raw: HashMap::new(),
            folded: HashMap::new(),
            numbers: [HashMap::new(), HashMap::new()],
            orphans: VecDeque::new(),
        }
    }

    /// Messages that wait for a receipt.
    pub fn messages(&self) -> usize {
        self.messages.len()
    }

    /// Receipts that wait for their message.
    pub fn orphans(&self) -> usize {
        self.orphans.len()
    }

    /// A submit_sm_resp came: `id` is its message_id, `destination` the address it was sent to. Returns the receipts
    /// that were earlier than this, oldest first.
    pub fn accepted(&mut self, now: Duration, key: K, id: &str, destination: &str) -> Vec<Matched<K>> {
        self.expire(now);
        let keys = MessageIdKeys::new(id);
        let place = self.next;
        self.next = self.next.saturating_add(1);
        add(&mut self.raw, keys.raw.clone(), place);
        add(&mut self.folded, keys.folded.clone(), place);
        for (index, number) in self.numbers.iter_mut().zip([keys.decimal, keys.hexadecimal]) {
            if let Some(number) = number {
                add(index, number, place);
            }
        }
        let destination = destination.to_string();
        self.messages.insert(place, Message { key, keys, destination, since: now, settled: false });
        if self.messages.len() > self.config.max_messages.max(1) {
            self.drop_oldest();
        }
        self.rematch(place)
    }

    /// A receipt came, on whatever bind; `destination` is the address its message was sent to (its source_addr).
    pub fn receipt(&mut self, now: Duration, receipt: DeliveryReceipt, destination: &str) -> Found<K> {
        self.expire(now);
        let Some(id) = receipt.message_id.as_deref() else { return Found::WithoutId };
        let keys = MessageIdKeys::new(id);
        if let Some(place) = self.find(&keys, destination)
            && let Some(matched) = self.settle(place, receipt.clone())
        {
            return Found::Message(matched);
        }
        if self.orphans.len() >= self.config.max_orphans.max(1) {
            self.orphans.pop_front();
        }
        self.orphans.push_back(Orphan { keys, destination: destination.into(), receipt, since: now });
        Found::Kept
    }

    /// Drops what has waited long enough. Also done with every message and receipt.
    pub fn expire(&mut self, now: Duration) {
        let over = |since: Duration, keep: Duration| now.saturating_sub(since) >= keep;
        while self.messages.first_key_value().is_some_and(|(_, first)| over(first.since, self.config.keep_messages)) {
            self.drop_oldest();
        }
        while self.orphans.front().is_some_and(|orphan| over(orphan.since, self.config.keep_orphans)) {
            self.orphans.pop_front();
        }
    }

    fn drop_oldest(&mut self) {
        let Some((place, message)) = self.messages.pop_first() else { return };
        drop_from(&mut self.raw, &message.keys.raw, place);
        drop_from(&mut self.folded, &message.keys.folded, place);
        for (index, number) in self.numbers.iter_mut().zip([message.keys.decimal, message.keys.hexadecimal]) {
            if let Some(number) = number {
                drop_from(index, &number, place);
            }
        }
    }

    fn settle(&mut self, place: u64, receipt: DeliveryReceipt) -> Option<Matched<K>> {
        let message = self.messages.get_mut(&place)?;
        let duplicate = message.settled;
        message.settled |= receipt.is_final();
        Some(Matched { key: message.key.clone(), receipt, duplicate })
    }

    fn find(&self, keys: &MessageIdKeys, destination: &str) -> Option<u64> {
        let by_text = self.raw.get(&keys.raw).or_else(|| self.folded.get(&keys.folded));
        // An SMSC that restarts its numbering repeats ids: the destination decides, else the latest.
        if let Some(places) = by_text {
            return self.with_destination(places, destination).last().or_else(|| places.last().copied());
        }
        let [decimal, hexadecimal] = &self.numbers;
        let index = match self.config.response_base {
            IdBase::Decimal => Some(decimal),
            IdBase::Hexadecimal => Some(hexadecimal),
            IdBase::Unknown => None,
        };
        if let (Some(index), Some(number)) = (index, keys.number(self.config.receipt_base)) {
            let places = index.get(&number)?;
            return self.with_destination(places, destination).last().or_else(|| places.last().copied());
        }
        self.find_in_both_bases(keys, destination)
    }

    fn find_in_both_bases(&self, keys: &MessageIdKeys, destination: &str) -> Option<u64> {
        let mut candidates: Vec<u64> = Vec::new();
        for number in [keys.decimal, keys.hexadecimal].into_iter().flatten() {
            for places in self.numbers.iter().filter_map(|index| index.get(&number)) {
                candidates.extend(places);
            }
        }
        candidates.sort_unstable();
        candidates.dedup();
        match candidates.as_slice() {
            [place] => self.with_destination(&[*place], destination).next(),
            _ => None,
        }
    }

    fn with_destination<'a>(&'a self, places: &'a [u64], destination: &'a str) -> impl Iterator<Item = u64> + 'a {
        let agrees = move |place: &u64| {
            self.messages.get(place).is_some_and(|message| same_destination(&message.destination, destination))
        };
        places.iter().copied().filter(agrees)
    }

    /// Orphans that find the message which has just come.
    fn rematch(&mut self, place: u64) -> Vec<Matched<K>> {
        let Some(message) = self.messages.get(&place) else { return Vec::new() };
        if !self.orphans.iter().any(|orphan| may_be_same(&orphan.keys, &message.keys)) {
            return Vec::new();
        }
        let orphans = std::mem::take(&mut self.orphans);
        let mut matched = Vec::new();
        for orphan in orphans {
            let found = self.find(&orphan.keys, &orphan.destination) == Some(place);
            match found.then(|| self.settle(place, orphan.receipt.clone())).flatten() {
                Some(message) => matched.push(message),
                None => self.orphans.push_back(orphan),
            }
        }
        matched
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::smpp::MessageState;

    const NUMBER: &str = "4915112345678";

    fn store(response_base: IdBase, receipt_base: IdBase) -> ReceiptStore<u32> {
        ReceiptStore::new(ReceiptConfig {
            response_base,
            receipt_base,
            max_messages: 3,
            max_orphans: 3,
            ..Default::default()
        })
    }

    fn receipt(id: &str, state: MessageState) -> DeliveryReceipt {
        DeliveryReceipt { message_id: Some(id.into()), state: Some(state), ..Default::default() }
    }

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn key(found: Found<u32>) -> Option<u32> {
        match found {
            Found::Message(matched) => Some(matched.key),
            _ => None,
        }
    }

    #[test]
    fn ids_match_raw_then_folded_then_as_numbers() {
        use IdBase::{Decimal, Hexadecimal, Unknown};
        for (accepted, reported, response_base, receipt_base, found) in [
            ("abc", "abc", Unknown, Unknown, true),
            ("1F2E-3D", "1f2e-3d", Unknown, Unknown, true),
            ("1e240", "123456", Hexadecimal, Decimal, true),
            ("1E240", "0000123456", Unknown, Unknown, true),
            ("123456", "0x1e240", Unknown, Unknown, false),
            ("0000123456", "1e240", Decimal, Hexadecimal, true),
            ("0000123456", "123456", Decimal, Decimal, true),
            // With both bases known there is no guessing.
            ("10", "16", Decimal, Decimal, false),
            ("abc", "abd", Unknown, Unknown, false),
        ] {
            let mut store = store(response_base, receipt_base);
            store.accepted(seconds(0), 1, accepted, NUMBER);
            let result = store.receipt(seconds(1), receipt(reported, MessageState::DELIVERED), NUMBER);
            assert_eq!(key(result).is_some(), found, "{accepted} {reported}");
        }
    }

    #[test]
    fn numbers_in_an_unknown_base_need_one_candidate_and_its_destination() {
        let mut store = store(IdBase::Unknown, IdBase::Unknown);
        store.accepted(seconds(0), 1, "1E240", NUMBER);
        assert_eq!(store.receipt(seconds(1), receipt("123456", MessageState::DELIVERED), "4915199999999"), Found::Kept);
        assert_eq!(
            key(store.receipt(seconds(1), receipt("123456", MessageState::DELIVERED), "+4915112345678")),
            Some(1)
        );
        // 0001e240 in hexadecimal is the first message, in no base the second; 123456 in decimal is both.
        store.accepted(seconds(2), 2, "00123456", NUMBER);
        assert_eq!(store.receipt(seconds(3), receipt("0123456", MessageState::DELIVERED), NUMBER), Found::Kept);
    }

    #[test]
    fn a_repeated_id_belongs_to_the_same_destination_or_the_latest_message() {
        let mut store = store(IdBase::Unknown, IdBase::Unknown);
        store.accepted(seconds(0), 1, "7", NUMBER);
        store.accepted(seconds(1), 2, "7", "4915100000000");
        assert_eq!(key(store.receipt(seconds(2), receipt("7", MessageState::ENROUTE), NUMBER)), Some(1));
        assert_eq!(key(store.receipt(seconds(2), receipt("7", MessageState::ENROUTE), "")), Some(2));
    }

    #[test]
    fn a_receipt_before_its_response_is_kept_and_found_again() {
        let mut store = store(IdBase::Hexadecimal, IdBase::Decimal);
        assert_eq!(store.receipt(seconds(0), receipt("0000000255", MessageState::ENROUTE), NUMBER), Found::Kept);
        assert_eq!(store.receipt(seconds(1), receipt("255", MessageState::DELIVERED), NUMBER), Found::Kept);
        assert!(store.accepted(seconds(2), 1, "FE", NUMBER).is_empty());
        let matched = store.accepted(seconds(2), 2, "FF", NUMBER);
        let states: Vec<_> =
            matched.iter().map(|matched| (matched.key, matched.receipt.state, matched.duplicate)).collect();
        assert_eq!(states, [(2, Some(MessageState::ENROUTE), false), (2, Some(MessageState::DELIVERED), false)]);
        assert_eq!(store.orphans(), 0);
    }

    #[test]
    fn the_second_final_receipt_is_a_duplicate() {
        let mut store = store(IdBase::Unknown, IdBase::Unknown);
        store.accepted(seconds(0), 1, "a", NUMBER);
        for (state, duplicate) in
            [(MessageState::ACCEPTED, false), (MessageState::DELIVERED, false), (MessageState::DELIVERED, true)]
        {
            let Found::Message(matched) = store.receipt(seconds(1), receipt("a", state), NUMBER) else { panic!() };
            assert_eq!(matched.duplicate, duplicate, "{state}");
        }
    }

    #[test]
    fn messages_and_orphans_are_bounded_in_number_and_time() {
        let mut store = store(IdBase::Unknown, IdBase::Unknown);
        for number in 0..10 {
            store.accepted(seconds(0), number, &format!("m{number}"), NUMBER);
            store.receipt(seconds(0), receipt(&format!("o{number}"), MessageState::DELIVERED), NUMBER);
        }
        assert_eq!((store.messages(), store.orphans()), (3, 3));
        assert_eq!((store.raw.len(), store.folded.len()), (3, 3));
        assert_eq!(store.receipt(seconds(1), receipt("m0", MessageState::DELIVERED), NUMBER), Found::Kept);
        assert_eq!(key(store.receipt(seconds(1), receipt("m9", MessageState::DELIVERED), NUMBER)), Some(9));
        store.expire(seconds(3601));
        assert_eq!((store.messages(), store.orphans()), (3, 0));
        store.expire(seconds(3 * 86_400));
        assert_eq!((store.messages(), store.raw.len()), (0, 0));
    }

    #[test]
    fn a_receipt_without_an_id_is_not_kept() {
        let mut store = store(IdBase::Unknown, IdBase::Unknown);
        assert_eq!(store.receipt(seconds(0), DeliveryReceipt::default(), NUMBER), Found::WithoutId);
    }
}
