//! The trigger object: what a host trigger says, inside the SCP80 command packet for the agent.
//!
//! BER-TLV under our private tag `E1`; it carries the operation, the SM-SR and the access control information of
//! US20160286380A1. The object is authentic only because the packet around it is. Not here: the trigger of a SIM
//! (GlobalPlatform Amendment B, [`gp`](super::gp)), and what follows from a trigger (`session`, `agent`).

mod read;
pub mod size;

pub use size::{HostTriggerSize, SizeRefused};

use super::{EncodeError, tlv};
use crate::types::{AccessControl, Operation, TransactionId};
use std::fmt;

/// Tag of the object: private, constructed.
pub const TAG: u32 = 0xE1;

/// Most octets of a whole object.
pub const MAX_LENGTH: usize = 1024;

const STRUCTURE: &str = "trigger object";

/// Objects inside, primitive and context-specific.
mod tag {
    pub(super) const OPERATION: u32 = 0x80;
    pub(super) const BACKOFF: u32 = 0x81;
    pub(super) const WINDOW: u32 = 0x82;
    pub(super) const TIME_POINT: u32 = 0x83;
    pub(super) const SM_SR_ID: u32 = 0x84;
    pub(super) const SM_SR_ADDRESS: u32 = 0x85;
    pub(super) const TRANSACTION: u32 = 0x86;
    pub(super) const CARD_PACKET: u32 = 0x87;
    pub(super) const SESSION_OWNER: u32 = 0x88;
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trigger {
    /// `80`. None: whatever the SM-SR has pending.
    pub operation: Option<Operation>,
    /// `81`, `82` or `83`. None: connect at once.
    pub access_control: Option<AccessControl>,
    /// `84`: which SM-SR, as FQDN or OID text. Neither this nor the address: the agent's current one.
    pub sm_sr_id: Option<String>,
    /// `85`: `https://host:port/path`.
    pub sm_sr_address: Option<String>,
    /// `86`. A re-trigger keeps it.
    pub transaction: TransactionId,
    /// `87`: SCP80 command packet for the eUICC, CPL first. Its authenticity is the eUICC's matter.
    pub card_packet: Option<Vec<u8>>,
    /// `88`.
    pub owner: SessionOwner,
}

/// Who opens the connection to the SM-SR.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SessionOwner {
    #[default]
    Agent,
    Euicc,
}

impl SessionOwner {
    pub const fn code(self) -> u8 {
        match self {
            Self::Agent => 0x00,
            Self::Euicc => 0x01,
        }
    }

    pub const fn from_code(code: u8) -> Option<Self> {
        match code {
            0x00 => Some(Self::Agent),
            0x01 => Some(Self::Euicc),
            _ => None,
        }
    }
}

impl fmt::Display for SessionOwner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Agent => "agent",
            Self::Euicc => "eUICC",
        })
    }
}

impl Trigger {
    /// A trigger for any pending operation, at once, at the current SM-SR.
    pub const fn new(transaction: TransactionId) -> Self {
        Self {
            operation: None,
            access_control: None,
            sm_sr_id: None,
            sm_sr_address: None,
            transaction,
            card_packet: None,
            owner: SessionOwner::Agent,
        }
    }

    /// The whole object. Refuses what no agent would accept.
    pub fn encode(&self) -> Result<Vec<u8>, EncodeError> {
        let mut body = Vec::new();
        if let Some(operation) = self.operation {
            tlv::put(&mut body, tag::OPERATION, &[operation.code()])?;
        }
        if let Some(access_control) = self.access_control {
            put_access_control(&mut body, access_control)?;
        }
        put_text(&mut body, tag::SM_SR_ID, "84 SM-SR identifier", self.sm_sr_id.as_deref())?;
        put_text(&mut body, tag::SM_SR_ADDRESS, "85 SM-SR address", self.sm_sr_address.as_deref())?;
        tlv::put(&mut body, tag::TRANSACTION, &self.transaction.0)?;
        match self.card_packet.as_deref() {
            Some([]) => return Err(EncodeError::new(STRUCTURE, "87 card packet", "is empty")),
            Some(packet) => tlv::put(&mut body, tag::CARD_PACKET, packet)?,
            None => {}
        }
        if self.owner != SessionOwner::default() {
            tlv::put(&mut body, tag::SESSION_OWNER, &[self.owner.code()])?;
        }
        let mut object = Vec::with_capacity(body.len().saturating_add(4));
        tlv::put(&mut object, TAG, &body)?;
        if object.len() > MAX_LENGTH {
            return Err(EncodeError::too_long(STRUCTURE, "object", MAX_LENGTH, object.len()));
        }
        Ok(object)
    }
}

fn put_access_control(body: &mut Vec<u8>, access_control: AccessControl) -> Result<(), EncodeError> {
    match access_control {
        AccessControl::Backoff(seconds) => tlv::put(body, tag::BACKOFF, &seconds.to_be_bytes()),
        AccessControl::Window { start, end } if end > start => {
            tlv::put(body, tag::WINDOW, &[start.0.to_be_bytes(), end.0.to_be_bytes()].concat())
        }
        AccessControl::Window { .. } => {
            Err(EncodeError::new(STRUCTURE, "82 time window", "does not end after its start"))
        }
        AccessControl::WindowFromReceipt(seconds) => tlv::put(body, tag::WINDOW, &seconds.to_be_bytes()),
        AccessControl::At(at) => tlv::put(body, tag::TIME_POINT, &at.0.to_be_bytes()),
    }
}

fn put_text(body: &mut Vec<u8>, tag: u32, field: &'static str, text: Option<&str>) -> Result<(), EncodeError> {
    match text {
        None => Ok(()),
        Some(text) if is_plain(text) => tlv::put(body, tag, text.as_bytes()),
        Some(_) => Err(EncodeError::new(STRUCTURE, field, "is empty or has control characters")),
    }
}

/// Identifiers and addresses end up in logs and files: not empty, no control characters.
fn is_plain(text: &str) -> bool {
    !text.is_empty() && !text.chars().any(char::is_control)
}

#[cfg(test)]
mod tests;
