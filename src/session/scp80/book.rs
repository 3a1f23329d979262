//! Which responses are awaited: a response packet repeats neither the SPI nor the keys of its command, and its counter
//! may be ciphered, so it can only be read by trying what is awaited from this card.

use crate::codec::DecodeError;
use crate::codec::ota::{Counter, KeySet, Proof, ReceivedResponse, RetryClass, Spi, UnverifiedResponse};
use crate::types::Tar;
use std::collections::VecDeque;

/// A command whose response is awaited.
#[derive(Debug, Clone)]
pub struct Expected {
    pub tar: Tar,
    pub counter: Counter,
    pub spi: Spi,
    pub keys: KeySet,
}

/// The commands of one card that may still be answered.
#[derive(Debug)]
pub struct ResponseBook {
    expected: VecDeque<Expected>,
    limit: usize,
}

/// What a response packet turned out to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reading {
    /// The response to the command with its counter, protected as that command asked.
    Response(ReceivedResponse),
    /// An error without the protection that was asked for. Anybody can send it: for diagnosis only, the command
    /// stays awaited.
    Hint(ReceivedResponse),
}

/// Why a packet is not a response to anything awaited.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unread {
    #[error(transparent)]
    Malformed(#[from] DecodeError),
    /// Forged, repeated, or to a command that is forgotten.
    #[error("no command with this TAR and counter awaits such a response")]
    Unmatched,
}

impl ResponseBook {
    /// At most `limit` commands; the oldest gives way.
    pub fn new(limit: usize) -> Self {
        Self { expected: VecDeque::new(), limit }
    }

    /// Awaits the response to a command. Also for restoring the book after a restart.
    pub fn expect(&mut self, expected: Expected) {
        self.expected.push_back(expected);
        while self.expected.len() > self.limit {
            self.expected.pop_front();
        }
    }

    /// Gives up a command: its transaction is over.
    pub fn forget(&mut self, tar: Tar, counter: Counter) {
        self.expected.retain(|expected| (expected.tar, expected.counter) != (tar, counter));
    }

    pub fn awaited(&self) -> usize {
        self.expected.len()
    }

    /// Reads a response packet (RPL first). The command is no longer awaited afterwards, unless the status announces a
    /// further response (08, 0B, 0C).
    ///
    /// CNTR low (02) may answer the second copy of a packet whose first copy was executed: its outcome is unknown.
    pub fn read(&mut self, packet: &[u8]) -> Result<Reading, Unread> {
        let unverified = UnverifiedResponse::decode(packet)?;
        let mut hint = None;
        let mut matched = None;
        for (index, expected) in self.expected.iter().enumerate().filter(|(_, item)| item.tar == unverified.tar) {
            match unverified.verify(expected.spi, &expected.keys) {
                Ok(received) if received.proof == Proof::Unprotected => hint = Some(received),
                Ok(received) if received.packet.counter == expected.counter => {
                    matched = Some((index, received));
                    break;
                }
                _ => {}
            }
        }
        let Some((index, received)) = matched else { return hint.map(Reading::Hint).ok_or(Unread::Unmatched) };
        if received.packet.status.retry_class() != RetryClass::AwaitFurther {
            self.expected.remove(index);
        }
        Ok(Reading::Response(received))
    }
}
