//! The administration session between agent and SM-SR, both ends, over a TLS connection that somebody else keeps.
//!
//! ```text
//! agent                                             SM-SR
//!   POST /admin?tx=T   service request        ──▶     what is to be done for T?
//!   ◀──  200, Next-URI ..&script=1, 87 .. 87          packets under SCP80
//!   deliver them to the eUICC, one by one
//!   POST /admin?tx=T&script=1   88 .. 89 ..   ──▶     what came of it
//!   ◀──  200 with script 2, or 204: end, or 503: busy, try again at ..
//! ```
//!
//! Both ends survive any break: the agent posts again what the SM-SR did not answer, and the SM-SR answers a repeated
//! post with the same octets. What each end must not forget is handed out as a state to persist, and the session goes
//! on only when told that it is. Not here: TLS, the waits between connections ([`backoff`](super::backoff)), the way of
//! a packet to the card, what the packets mean.

mod agent;
mod agent_state;
mod exchange;
mod sm_sr;
#[cfg(test)]
mod tests;

pub use agent::{AgentContext, AgentEvent, AgentSession, End, Pause};
pub use agent_state::{AgentState, ScriptState, ServiceRequest};
pub use exchange::{Answer, Exchange};
pub use sm_sr::{Refusal, SmSrContext, SmSrEvent, SmSrSession};

use crate::codec::gp::http::query_value;
use crate::types::{Invalid, TransactionId};

const TX: &str = "tx";
const SCRIPT: &str = "script";
const MSG: &str = "msg";

/// Where the answer to a script goes.
fn script_uri(path: &str, transaction: TransactionId, script: u32) -> String {
    format!("{path}?{TX}={transaction}&{SCRIPT}={script}")
}

fn transaction_of(uri: &str) -> Result<Option<TransactionId>, Invalid> {
    query_value(uri, TX)?.map(str::parse).transpose()
}

/// The script that a URI is about; numbers begin with 1.
fn script_of(uri: &str) -> Result<Option<u32>, Invalid> {
    let wrong = || Invalid::new(SCRIPT, "expected a number from 1");
    let number = |text: &str| {
        let digits = text.bytes().all(|byte| byte.is_ascii_digit());
        text.parse().ok().filter(|number| digits && *number > 0).ok_or_else(wrong)
    };
    query_value(uri, SCRIPT)?.map(number).transpose()
}

/// Whether a Content-Type is this one, whatever its case and blanks.
fn is_content_type(found: Option<&str>, wanted: &str) -> bool {
    let plain = |text: &str| text.chars().filter(|c| !c.is_ascii_whitespace()).collect::<String>().to_ascii_lowercase();
    found.is_some_and(|found| plain(found) == plain(wanted))
}
