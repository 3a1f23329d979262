//! Messages offered to the receiver and not yet durable there.

use super::event::MessageId;
use crate::codec::at::answer::StoredAt;
use std::collections::BTreeMap;

/// One offered message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Offered {
    tpdu: Vec<u8>,
    /// Where the modem keeps it; two places when stores mirror each other.
    pub(super) places: Vec<StoredAt>,
    /// Whether the network waits for +CNMA.
    pub(super) acknowledge: bool,
}

/// Everything offered since the port was opened.
#[derive(Debug, Default)]
pub(super) struct Inbox {
    offered: BTreeMap<MessageId, Offered>,
    last: u64,
}

impl Inbox {
    /// A message found in a store: its id if it has to be offered, `None` if it was already.
    pub(super) fn found(&mut self, place: StoredAt, tpdu: &[u8]) -> Option<MessageId> {
        for offered in self.offered.values_mut() {
            if offered.tpdu == tpdu {
                // The same message in two stores, as MT shows ME and SM (TS 27.005 3.1).
                if !offered.places.contains(&place) {
                    offered.places.push(place);
                }
                return None;
            }
            // Another message stands here now: somebody else deleted the first.
            offered.places.retain(|known| *known != place);
        }
        Some(self.insert(Offered { tpdu: tpdu.to_vec(), places: vec![place], acknowledge: false }))
    }

    /// A message routed directly.
    pub(super) fn routed(&mut self, tpdu: &[u8], acknowledge: bool) -> MessageId {
        self.insert(Offered { tpdu: tpdu.to_vec(), places: Vec::new(), acknowledge })
    }

    fn insert(&mut self, offered: Offered) -> MessageId {
        self.last += 1;
        self.offered.insert(MessageId(self.last), offered);
        MessageId(self.last)
    }

    /// The message is durable, or could not be offered.
    pub(super) fn take(&mut self, id: MessageId) -> Option<Offered> {
        self.offered.remove(&id)
    }

    /// The port was lost: indexes may mean other messages afterwards, so all are offered anew. Ids are not reused.
    pub(super) fn forget(&mut self) {
        self.offered.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::at::answer::Memory;

    fn at(memory: Memory, index: u32) -> StoredAt {
        StoredAt { memory, index }
    }

    #[test]
    fn a_message_is_offered_once_however_often_it_is_seen() {
        let mut inbox = Inbox::default();
        let id = inbox.found(at(Memory::ME, 1), &[4]).unwrap();
        assert_eq!(inbox.found(at(Memory::ME, 1), &[4]), None);
        assert_eq!(inbox.found(at(Memory::SM, 9), &[4]), None, "a mirroring store");
        assert_eq!(inbox.take(id).unwrap().places, [at(Memory::ME, 1), at(Memory::SM, 9)]);
        assert_eq!(inbox.take(id), None);
    }

    #[test]
    fn a_slot_used_again_is_not_deleted_for_the_earlier_message() {
        let mut inbox = Inbox::default();
        let first = inbox.found(at(Memory::ME, 1), &[4]).unwrap();
        let second = inbox.found(at(Memory::ME, 1), &[5]).unwrap();
        assert_eq!(inbox.take(first).unwrap().places, []);
        assert_eq!(inbox.take(second).unwrap().places, [at(Memory::ME, 1)]);
    }

    #[test]
    fn after_a_loss_everything_is_offered_under_new_ids() {
        let mut inbox = Inbox::default();
        let before = inbox.found(at(Memory::ME, 1), &[4]).unwrap();
        inbox.forget();
        let after = inbox.found(at(Memory::ME, 1), &[4]).unwrap();
        assert!(after > before);
        assert_eq!(inbox.take(before), None);
    }
}
