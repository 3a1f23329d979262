//! The commands that a packet can carry, each as the script inside it.

use super::Account;
use crate::codec::EncodeError;
use crate::codec::apdu::{ExpandedCommand, ScriptForm};
use crate::codec::gp::{Aid, Es5Command, profile_data};
use crate::types::Tar;

/// One packet's worth, in terms of the account it belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Command {
    AuditAll,
    /// Of the ISD-P with this TAR (its last two octets).
    AuditOne {
        tar: u16,
    },
    Create,
    /// `count` blocks of profile data from number `first`.
    Load {
        first: u16,
        count: u16,
    },
    Confirm,
    Enable,
    Disable,
    Delete,
    SetFallBack,
    ConfirmNotification {
        sequence: u16,
    },
}

const STRUCTURE: &str = "operation";

impl Command {
    /// As a store keeps it: what it is, and its two numbers.
    pub const fn code(self) -> (u8, u16, u16) {
        match self {
            Self::AuditAll => (0, 0, 0),
            Self::AuditOne { tar } => (1, tar, 0),
            Self::Create => (2, 0, 0),
            Self::Load { first, count } => (3, first, count),
            Self::Confirm => (4, 0, 0),
            Self::Enable => (5, 0, 0),
            Self::Disable => (6, 0, 0),
            Self::Delete => (7, 0, 0),
            Self::SetFallBack => (8, 0, 0),
            Self::ConfirmNotification { sequence } => (9, sequence, 0),
        }
    }

    pub const fn from_code(code: u8, first: u16, second: u16) -> Option<Self> {
        Some(match code {
            0 => Self::AuditAll,
            1 => Self::AuditOne { tar: first },
            2 => Self::Create,
            3 => Self::Load { first, count: second },
            4 => Self::Confirm,
            5 => Self::Enable,
            6 => Self::Disable,
            7 => Self::Delete,
            8 => Self::SetFallBack,
            9 => Self::ConfirmNotification { sequence: first },
            _ => return None,
        })
    }

    /// The audit of one profile, or of all where none is named.
    pub(super) fn audit(isd_p: Option<Aid>) -> Self {
        match isd_p.filter(Aid::is_isd_p).and_then(|isd_p| isd_p.tar()) {
            Some(Tar([_, high, low])) => Self::AuditOne { tar: u16::from_be_bytes([high, low]) },
            None => Self::AuditAll,
        }
    }

    /// The application it is addressed to. Profile data and their confirmation go to the ISD-P, under the ISD-R's keys.
    pub fn tar(self, account: &Account) -> Result<Tar, EncodeError> {
        match self {
            Self::Load { .. } | Self::Confirm => account.isd_p()?.tar().ok_or_else(no_isd_p),
            _ => Ok(Tar::ISD_R),
        }
    }

    /// The expanded script, definite form.
    pub fn script(self, account: &Account) -> Result<Vec<u8>, EncodeError> {
        ExpandedCommand::of_apdus(ScriptForm::Definite, self.apdus(account)?).encode()
    }

    fn apdus(self, account: &Account) -> Result<Vec<Vec<u8>>, EncodeError> {
        if let Self::Load { first, count } = self {
            let blocks = account.blocks()?;
            let wanted = blocks.iter().skip(usize::from(first)).take(usize::from(count));
            return wanted.map(profile_data::StoreData::encode).collect();
        }
        Ok(vec![self.es5(account)?.encode()?])
    }

    fn es5(self, account: &Account) -> Result<Es5Command, EncodeError> {
        Ok(match self {
            Self::AuditAll => Es5Command::AuditProfiles { isd_p: None },
            Self::ConfirmNotification { sequence } => Es5Command::HandleNotificationConfirmation { sequence },
            Self::AuditOne { tar } => Es5Command::AuditProfiles { isd_p: Some(Aid::isd_p(tar).ok_or_else(no_isd_p)?) },
            Self::Create => {
                let size = account.order.profile_data.as_ref().map_or(0, Vec::len);
                Es5Command::CreateIsdP { isd_p: account.isd_p()?, memory: u16::try_from(size).ok() }
            }
            Self::Confirm => Es5Command::ConfirmProfile { isd_p: account.isd_p()? },
            Self::Enable => Es5Command::EnableProfile { isd_p: account.isd_p()? },
            Self::Disable => Es5Command::DisableProfile { isd_p: account.isd_p()? },
            Self::Delete => Es5Command::DeleteProfile { isd_p: account.isd_p()? },
            Self::SetFallBack => Es5Command::SetFallBackAttribute { isd_p: account.isd_p()? },
            Self::Load { .. } => return Err(EncodeError::new(STRUCTURE, "command", "goes to the ISD-P")),
        })
    }
}

fn no_isd_p() -> EncodeError {
    EncodeError::new(STRUCTURE, "ISD-P", "is not chosen")
}

impl Account {
    fn isd_p(&self) -> Result<Aid, EncodeError> {
        self.work.isd_p.ok_or_else(no_isd_p)
    }

    pub(super) fn blocks(&self) -> Result<Vec<profile_data::StoreData<'_>>, EncodeError> {
        profile_data::blocks(self.order.profile_data.as_deref().unwrap_or_default())
    }
}
