//! Why a message on the trigger port came to nothing.

use super::KeyName;
use crate::codec::ota::{self, Counter};
use crate::codec::sms::Address;
use crate::codec::{DecodeError, ota::ResponseStatus};
use crate::session::reassembly;
use crate::types::TransactionId;

/// A refusal, and what remains to be done although nothing is acted upon.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    pub reason: Refusal,
    /// Who says so; proves nothing. Prints masked.
    pub sender: Address,
    /// The counter of an authentic packet: to be stored, so that the refusal is final.
    pub store: Option<(KeyName, Counter)>,
    /// Of an authentic trigger: the SM-SR hears of the refusal at the next contact.
    pub transaction: Option<TransactionId>,
}

/// Towards the sender all of these are one silence.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Nothing proves that the SM-SR sent it: form, TAR, SPI, key or CC.
    #[error("not authentic: {0}")]
    NotAuthentic(ota::Rejection),
    #[error("{}", .0.meaning())]
    Counter(ResponseStatus),
    /// The counter file is missing; only the SM-SR can give the counter again.
    #[error("no valid counter is stored for key set {}, version {}", .0.tar, .0.version)]
    NoCounter(KeyName),
    #[error("malformed trigger object: {0}")]
    Object(DecodeError),
    #[error("the SM-SR is not in the list")]
    SmSrUnknown,
    #[error("identifier and address of the SM-SR disagree")]
    SmSrDisagrees,
    /// Session owner 01 on a terminal that cannot carry the eUICC's own session.
    #[error("the eUICC cannot open a session of its own through this terminal")]
    NoRelay,
    /// 88 01 without 87.
    #[error("a session of the eUICC without a packet for it")]
    NoCardPacket,
    #[error("part refused: {0}")]
    Part(reassembly::Rejection),
    #[error("{arrived} of {total} parts came")]
    Incomplete { arrived: usize, total: u8 },
}

impl Refusal {
    /// Label of the metrics: what cannot be proved is one kind.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::NotAuthentic(_) => "not-authentic",
            Self::Counter(_) => "counter",
            Self::NoCounter(_) => "no-counter",
            Self::Object(_) => "object",
            Self::SmSrUnknown => "sm-sr-unknown",
            Self::SmSrDisagrees => "sm-sr-disagrees",
            Self::NoRelay => "no-relay",
            Self::NoCardPacket => "no-card-packet",
            Self::Part(_) => "part",
            Self::Incomplete { .. } => "incomplete",
        }
    }
}
