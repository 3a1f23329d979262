//! What an agent must not forget of a session.

use crate::codec::EncodeError;
use crate::codec::gp::http::ServiceHeaders;
use crate::codec::gp::scp80_body::{self, PacketResponse};
use crate::types::hex::{self, Octets};
use serde::{Deserialize, Serialize};

/// The first POST of a session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ServiceRequest {
    /// Path without query: of the trigger's address, else of the SM-SR's entry.
    pub path: String,
    pub headers: ServiceHeaders,
    /// A notification of the eUICC to hand over (the `E1` object of SGP.02).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notification: Option<Octets>,
}

/// A session at any moment between its first answer and its end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct AgentState {
    pub request: ServiceRequest,
    /// The script at hand; `None` while the service request has no answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub script: Option<ScriptState>,
}

/// How far a script has come. Its packets are not kept: after a power loss the SM-SR hears what was done, and sends
/// what it then wants done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ScriptState {
    pub number: u32,
    /// Where the answer goes.
    pub next_uri: String,
    /// The body of the answer so far, one object per packet.
    pub answer: Octets,
    /// A packet is with the eUICC: if this is what a restart finds, its outcome is unknown.
    pub begun: bool,
    /// The body could not be read: nothing of it was delivered.
    pub unreadable: bool,
}

impl ServiceRequest {
    pub(super) fn target(&self) -> String {
        let mut target = format!("{}?{}={}", self.path, super::TX, self.headers.transaction);
        if let Some(Octets(octets)) = &self.notification {
            target.push_str(&format!("&{}={}", super::MSG, hex::encode(octets).to_ascii_uppercase()));
        }
        target
    }
}

impl ScriptState {
    /// A packet was delivered, or given up.
    pub(super) fn record(&mut self, response: PacketResponse) -> Result<(), EncodeError> {
        self.answer.0.extend(scp80_body::encode_responses(&[response])?);
        self.begun = false;
        Ok(())
    }
}
