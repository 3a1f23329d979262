//! What an SM-SR must not forget of a transaction between two posts of an agent.

use crate::types::TransactionId;
use crate::types::hex::Octets;
use serde::{Deserialize, Serialize};

/// What the SM-SR says to a service request or to the answer to a script.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// These command packets are the next script; at least one.
    Packets(Vec<Vec<u8>>),
    /// Nothing more for this transaction.
    End,
    /// The transaction is unknown or over.
    NothingPending,
    /// The failure message "busy": the request was not looked at, come back after this many seconds.
    Busy { retry_after: u32 },
}

/// A transaction's place in its exchange of scripts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub struct Exchange {
    pub transaction: TransactionId,
    /// Number of the latest script; 0 before the first.
    pub script: u32,
    /// Its packets, while their answer is missing. They are sent again octet for octet: the counter in each makes a
    /// second delivery harmless, and another packet in their place might be a second execution.
    pub outstanding: Option<Vec<Octets>>,
}

/// What a post means in this exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// It is what the exchange waits for.
    Expected,
    /// The latest answer was lost; it is due again.
    AnswerAgain,
    /// It belongs to no exchange known here.
    Unknown,
}

impl Exchange {
    pub(super) const fn new(transaction: TransactionId) -> Self {
        Self { transaction, script: 0, outstanding: None }
    }

    /// The place of a service request (0) or of the answer to a script.
    pub(super) fn place(&self, script: u32) -> Place {
        match (script, &self.outstanding) {
            (0, None) => Place::Expected,
            (0, Some(_)) => Place::AnswerAgain,
            (number, Some(_)) if number == self.script => Place::Expected,
            (number, _) if number <= self.script => Place::AnswerAgain,
            _ => Place::Unknown,
        }
    }

    /// The exchange after an answer; `None` when the answer changes nothing.
    pub(super) fn after(mut self, answer: &Answer) -> Option<Self> {
        match answer {
            Answer::Packets(packets) => {
                self.script = self.script.saturating_add(1);
                self.outstanding = Some(packets.iter().cloned().map(Octets).collect());
                Some(self)
            }
            Answer::End | Answer::NothingPending => self.outstanding.take().map(|_| self),
            Answer::Busy { .. } => None,
        }
    }

    /// The latest answer.
    pub(super) fn latest(&self) -> Answer {
        match &self.outstanding {
            Some(packets) => Answer::Packets(packets.iter().map(|packet| packet.0.clone()).collect()),
            None => Answer::End,
        }
    }
}
