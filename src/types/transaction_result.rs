//! What became of a transaction, as the agent remembers and reports it.

use super::Invalid;
use std::fmt;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TransactionResult {
    /// The session ended and every packet was executed.
    Done,
    /// The session could not be brought to its end.
    Failed,
    /// The eUICC refused the packet of the trigger.
    RefusedByEuicc,
    /// The agent refused the trigger.
    Rejected,
    /// The session did not come about in time.
    Expired,
}

impl TransactionResult {
    pub const ALL: [Self; 5] = [Self::Done, Self::Failed, Self::RefusedByEuicc, Self::Rejected, Self::Expired];

    pub const fn word(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Failed => "failed",
            Self::RefusedByEuicc => "refused-by-euicc",
            Self::Rejected => "rejected",
            Self::Expired => "expired",
        }
    }
}

impl fmt::Display for TransactionResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

impl std::str::FromStr for TransactionResult {
    type Err = Invalid;
    fn from_str(text: &str) -> Result<Self, Invalid> {
        Self::ALL.into_iter().find(|result| result.word() == text).ok_or_else(|| {
            Invalid::new("transaction result", "expected one of done, failed, refused-by-euicc, rejected, expired")
        })
    }
}

super::serde_as_text!(TransactionResult);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_result_survives_its_word() {
        for result in TransactionResult::ALL {
            assert_eq!(result.word().parse(), Ok(result));
        }
        assert!("Done".parse::<TransactionResult>().is_err());
    }
}
