//! The sending end: one key set, and the counters reserved for it.

use super::{Expected, ResponseBook};
use crate::codec::EncodeError;
use crate::codec::ota::{CommandPacket, Counter, KeySet, PorRequest, Spi};
use crate::types::{Invalid, Tar};

/// Consecutive counters that the caller has already put aside on stable storage: after a crash none of them may be
/// handed in again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CounterBlock {
    next: Option<Counter>,
    last: Counter,
}

impl CounterBlock {
    /// From `first` to `last`, both included. `FFFFFFFFFF` is refused: a key set that has accepted it accepts nothing
    /// more.
    pub fn new(first: Counter, last: Counter) -> Result<Self, Invalid> {
        if first > last {
            return Err(Invalid::new("counter block", "expected the first counter before the last"));
        }
        if last == Counter::MAX {
            return Err(Invalid::new("counter block", "the highest counter would block the key set for ever"));
        }
        Ok(Self { next: Some(first), last })
    }

    /// How many are left.
    pub fn remaining(&self) -> u64 {
        self.next.map_or(0, |next| (self.last.value() - next.value()).saturating_add(1))
    }

    fn take(&mut self) {
        self.next = self.next.and_then(Counter::next).filter(|next| *next <= self.last);
    }
}

/// A packet ready to be cut and sent, and the counter it took.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Secured {
    /// CPL first.
    pub packet: Vec<u8>,
    pub counter: Counter,
}

/// Why nothing was secured. No counter was taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// Reserve a further block, hand it in, and ask again.
    #[error("no reserved counter is left")]
    NoCounter,
    #[error(transparent)]
    Refused(#[from] EncodeError),
}

/// Secures commands under one key set and reads the responses to them.
#[derive(Debug)]
pub struct Sender {
    keys: KeySet,
    counters: Option<CounterBlock>,
    responses: ResponseBook,
}

impl Sender {
    /// Without counters yet. At most `responses` commands wait for their response at a time.
    pub fn new(keys: KeySet, responses: usize) -> Self {
        Self { keys, counters: None, responses: ResponseBook::new(responses) }
    }

    /// Hands in a reserved block. What is left of an earlier one is given up: counters only rise.
    pub fn reserve(&mut self, block: CounterBlock) {
        self.counters = Some(block);
    }

    /// Counters left in the block.
    pub fn remaining(&self) -> u64 {
        self.counters.as_ref().map_or(0, CounterBlock::remaining)
    }

    /// Secures a command with a counter of its own. Sending the same octets again is harmless, securing the same
    /// command again takes another counter.
    pub fn send(&mut self, spi: Spi, tar: Tar, data: Vec<u8>) -> Result<Secured, SendError> {
        let block = self.counters.as_mut().ok_or(SendError::NoCounter)?;
        let counter = block.next.ok_or(SendError::NoCounter)?;
        let packet = CommandPacket { spi, tar, counter, data }.secure(&self.keys)?;
        block.take();
        if spi.por_request() != PorRequest::Never {
            self.responses.expect(Expected { tar, counter, spi, keys: self.keys.clone() });
        }
        Ok(Secured { packet, counter })
    }

    /// The responses awaited.
    pub fn responses(&mut self) -> &mut ResponseBook {
        &mut self.responses
    }
}
