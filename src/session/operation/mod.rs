//! From an operation to packets for the eUICC, and from its answers to what the SM-SR knows of it (SGP.02 3, 4.1).
//!
//! The plan follows from the state of the profiles: what is missing on the way to the goal is sent, every proved answer
//! moves the state, and as soon as an outcome is unknown (no proof of receipt, an interrupted packet) the eUICC is
//! audited before anything new is sent. So a session can end and go on anywhere, and each step is executed once.
//! Sans-IO: what is sent and kept is the caller's. Not here: keys and counters ([`scp80`](super::scp80)), the life of
//! the target ([`batch`](super::batch)).

mod answer;
mod apply;
mod command;
mod plan;
#[cfg(test)]
mod tests;

pub use answer::{Answer, answers};
pub use command::Command;
pub use plan::{Limits, Next};

use super::batch::Reason;
use crate::codec::gp::{Aid, isd_r::ProfileState};
use crate::types::{Iccid, Imsi, Invalid, Msisdn, Operation};

words! {
    /// What a status change (operation 06) is to reach.
    StatusChange {
        Enabled = 0 "enabled",
        Disabled = 1 "disabled",
        FallBack = 2 "fall-back",
        /// Our extension: only ask.
        Audit = 3 "audit",
    }
}

/// One profile in the EIS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProfileRecord {
    pub isd_p: Aid,
    /// Unknown for profiles that only an audit has shown.
    pub iccid: Option<Iccid>,
    pub state: ProfileState,
    pub fall_back: bool,
    /// Subscription address (SGP.02 EIS), where it is known: who the terminal is with this profile enabled.
    pub imsi: Option<Imsi>,
    pub msisdn: Option<Msisdn>,
}

/// What a client wants for one eUICC; does not change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    pub operation: Operation,
    /// Only of operation 06.
    pub status: Option<StatusChange>,
    /// Profile data to download; begins with `5A` ICCID.
    pub profile_data: Option<Vec<u8>>,
    /// Of the profile that is downloaded.
    pub iccid: Option<Iccid>,
    pub imsi: Option<Imsi>,
    pub msisdn: Option<Msisdn>,
}

/// How far an order has come, besides what the profiles tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Work {
    /// The profile it is about; of a download, once its ISD-P is chosen.
    pub isd_p: Option<Aid>,
    /// The command that reaches the goal was sent at least once.
    pub asked: bool,
    /// The state of the profile is as the eUICC last proved it. Otherwise it is audited first.
    pub certain: bool,
    /// An audit was answered for this order.
    pub audited: bool,
    /// Audits because of unknown outcomes since the last proved step.
    pub audits: u8,
    /// Blocks of profile data that are proved to be loaded.
    pub blocks: u16,
    /// The profile was switched; the eUICC's notification is awaited.
    pub awaiting: bool,
}

impl Work {
    pub const fn on(isd_p: Option<Aid>) -> Self {
        Self { isd_p, asked: false, certain: true, audited: false, audits: 0, blocks: 0, awaiting: false }
    }
}

/// An order, its progress, and the profiles of its eUICC.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    pub order: Order,
    pub work: Work,
    pub profiles: Vec<ProfileRecord>,
}

/// Something a list of the batch records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Milestone {
    ContainerCreated,
}

/// The goal of an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Goal {
    /// Loaded, and confirmed too.
    Load {
        confirm: bool,
    },
    Enable,
    Disable,
    Delete,
    FallBack,
    Audit,
}

impl Order {
    fn goal(&self) -> Result<Goal, Reason> {
        Ok(match (self.operation, self.status) {
            (Operation::Download, _) => Goal::Load { confirm: false },
            (Operation::Install, _) => Goal::Load { confirm: true },
            (Operation::Enable, _) | (Operation::StatusChange, Some(StatusChange::Enabled)) => Goal::Enable,
            (Operation::Disable, _) | (Operation::StatusChange, Some(StatusChange::Disabled)) => Goal::Disable,
            (Operation::Delete, _) => Goal::Delete,
            (Operation::StatusChange, Some(StatusChange::FallBack)) => Goal::FallBack,
            (Operation::StatusChange, Some(StatusChange::Audit)) => Goal::Audit,
            (Operation::StatusChange, None) | (Operation::SmSrChange, _) => {
                return Err(Reason::new("1.6", "1.2", "the function is not supported"));
            }
        })
    }

    /// Whether another profile is enabled in the end: the eUICC notifies of that.
    pub const fn switches(&self) -> bool {
        matches!(
            (self.operation, self.status),
            (Operation::Enable | Operation::Disable, _)
                | (Operation::StatusChange, Some(StatusChange::Enabled | StatusChange::Disabled))
        )
    }

    /// Whether the order names a profile that the eUICC must have already.
    pub const fn needs_profile(&self) -> bool {
        match (self.operation, self.status) {
            (Operation::Download, _) | (Operation::StatusChange, Some(StatusChange::Audit)) => false,
            (Operation::Install, _) => self.profile_data.is_none(),
            _ => true,
        }
    }
}

/// What a request names a profile by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Selector {
    Iccid(Iccid),
    IsdP(Aid),
}

/// The profile an order begins with; refused when the registry shows that it cannot be carried out.
pub fn resolve(order: &Order, selector: Option<&Selector>, profiles: &[ProfileRecord]) -> Result<Option<Aid>, Reason> {
    let by_iccid = |iccid: &Iccid| profiles.iter().find(|profile| profile.iccid.as_ref() == Some(iccid));
    if order.needs_profile() {
        let found = match selector {
            Some(Selector::Iccid(iccid)) => {
                by_iccid(iccid).ok_or_else(|| Reason::new("8.2.1", "3.9", "the eUICC has no profile with this ICCID"))
            }
            Some(Selector::IsdP(isd_p)) => {
                profiles.iter().find(|profile| profile.isd_p == *isd_p).ok_or_else(Reason::unknown_profile)
            }
            None => Err(Reason::new("8.3.1", "2.1", "the operation needs iccid or isdp_aid")),
        };
        return found.map(|profile| Some(profile.isd_p));
    }
    let Some(existing) = order.iccid.as_ref().and_then(by_iccid) else { return Ok(None) };
    match existing.state {
        // A download that did not come to its end goes on in the same ISD-P.
        ProfileState::CREATED | ProfileState::SELECTABLE => Ok(Some(existing.isd_p)),
        _ => Err(Reason::new("8.2.1", "3.3", "the eUICC has a profile with this ICCID already")),
    }
}

/// The ICCID in front of profile data.
pub fn profile_iccid(data: &[u8]) -> Result<Iccid, Invalid> {
    let octets = crate::codec::gp::profile_data::iccid_octets(data)
        .map_err(|error| Invalid::new("profile data", error.to_string()))?;
    Iccid::from_octets(octets)
}

impl Account {
    pub fn profile(&self, isd_p: Aid) -> Option<&ProfileRecord> {
        self.profiles.iter().find(|profile| profile.isd_p == isd_p)
    }

    pub fn enabled(&self) -> Option<&ProfileRecord> {
        self.profiles.iter().find(|profile| profile.state == ProfileState::ENABLED)
    }

    fn state(&self) -> Option<ProfileState> {
        self.work.isd_p.and_then(|isd_p| self.profile(isd_p)).map(|profile| profile.state)
    }
}
