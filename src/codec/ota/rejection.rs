//! Why a command packet is not processed. For diagnosis on our side only: towards the sender all of these are one
//! silence (an answer to unauthenticated input is an oracle, as the signed errors of 2013 were).

use super::ResponseStatus;
use crate::codec::DecodeError;

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// CPL, CHL or the octets present contradict each other.
    #[error("length: {0}")]
    Length(#[from] DecodeError),
    /// Nobody here has this TAR.
    #[error("TAR unknown")]
    TarUnknown,
    /// The SPI offers less than the application demands, or has reserved bits set.
    #[error("insufficient security level")]
    SecurityLevel,
    /// No key set with this version and algorithm.
    #[error("no such key")]
    KeyUnknown,
    /// Not whole cipher blocks, or an impossible padding counter.
    #[error("ciphering error")]
    Ciphering,
    /// The RC or CC is not that of these octets under this key, or it is of a kind that cannot be checked.
    #[error("RC/CC/DS failed")]
    Integrity,
    /// The packet is authentic, but there is no stored counter to compare with.
    #[error("no valid stored counter")]
    CounterUnknown,
}

impl Rejection {
    /// The status a card would put into an error PoR; only for simulating cards that answer such packets.
    pub fn status(&self) -> ResponseStatus {
        match self {
            Self::Length(_) | Self::KeyUnknown | Self::CounterUnknown => ResponseStatus::UNDEFINED_SECURITY_ERROR,
            Self::TarUnknown => ResponseStatus::TAR_UNKNOWN,
            Self::SecurityLevel => ResponseStatus::INSUFFICIENT_SECURITY_LEVEL,
            Self::Ciphering => ResponseStatus::CIPHERING_ERROR,
            Self::Integrity => ResponseStatus::RC_CC_DS_FAILED,
        }
    }
}
