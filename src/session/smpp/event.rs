//! What a session tells its owner, typed by what the owner must do.

use super::State;
use crate::codec::smpp::{
    AlertNotification, Bind, BindMode, Body, CommandId, CommandStatus, InterfaceVersion, Outbind, StatusClass,
    StreamError, Tlv,
};
use crate::codec::{DecodeError, EncodeError};

/// Names a request of the peer until it is answered. Sequence numbers would not do: peers repeat them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RequestId(pub(super) u64);

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// SMSC: check who this is, then [`accept_bind`](super::Session::accept_bind) or
    /// [`refuse_bind`](super::Session::refuse_bind).
    BindRequested { mode: BindMode, bind: Bind },
    /// ESME: start sending. Without a version the SMSC may know no TLVs.
    Bound { mode: BindMode, system_id: String, version: Option<InterfaceVersion>, tlvs: Vec<Tlv> },
    /// Store what it brings, then [`respond`](super::Session::respond). With defects, fields may be missing.
    Request { id: RequestId, body: Body, defects: Vec<DecodeError> },
    /// What became of a request of ours: settle it. Comes exactly once for each.
    Response { sequence: u32, outcome: Outcome },
    /// The answer to a request that was already settled as unknown: settle it better.
    LateResponse { sequence: u32, status: CommandStatus, body: Body },
    /// The subscriber can be reached again: release what waits for it. Nothing to answer.
    Alert(AlertNotification),
    /// ESME: the SMSC wants us to bind as receiver. To be ignored unless the SMSC is on a list.
    OutbindRequested(Outbind),
    /// Count it, log it with a limit. Nothing to do: it has been dealt with.
    Odd(Oddity),
    /// Write what [`poll_output`](super::Session::poll_output) still has, then close the connection.
    Close(CloseReason),
}

/// What became of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(clippy::large_enum_variant, reason = "an answer is the rule, everything else the exception")]
pub enum Outcome {
    /// The peer's answer, good or bad. With defects, fields may be missing.
    Answered { status: CommandStatus, body: Body, defects: Vec<DecodeError> },
    /// generic_nack with our sequence number: an answer, too.
    Nacked { status: CommandStatus },
    /// No answer in time or before the end of the session: the peer may have accepted it. Repeat with identical
    /// octets only.
    Unknown,
    /// The session ended before an octet of it was handed out: may go another way at once.
    NotSent,
}

/// Why the session is over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CloseReason {
    /// As the owner wished.
    Unbound,
    PeerUnbound,
    /// The connection was lost.
    Disconnected,
    /// ESME: the SMSC's answer. SMSC: our own.
    BindRefused(CommandStatus),
    /// ESME: no bind_resp. SMSC: no bind.
    NoBind,
    /// No sign of life after a probe.
    LinkDead,
    Inactive,
    /// A PDU that began did not end in time.
    PduRead,
    /// The stream has lost its frames.
    Stream(StreamError),
    /// The peer says so: generic_nack without a sequence number, ESME_RINVCMDLEN.
    StreamDoubted(CommandStatus),
}

/// What to do after the end of a session that was meant to stay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reconnect {
    /// Connect again with the usual growing, jittered delay. Some SMSCs refuse a bind for 10 s after a lost one.
    WithBackoff,
    /// The configuration is wrong: an alarm, and no attempt for minutes.
    Slowly,
    /// The owner ended it.
    No,
}

impl CloseReason {
    pub fn reconnect(&self) -> Reconnect {
        match self {
            Self::Unbound => Reconnect::No,
            Self::BindRefused(status) if status.class() == StatusClass::Configuration => Reconnect::Slowly,
            _ => Reconnect::WithBackoff,
        }
    }
}

/// Things that are wrong and cost at most one PDU.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Oddity {
    /// A request with defects was refused with this status.
    Refused { command: CommandId, status: CommandStatus, defects: Vec<DecodeError> },
    /// A request that does not belong into this state was refused.
    WrongState { command: CommandId, state: State },
    /// Answered with generic_nack, ESME_RINVCMDID.
    UnknownCommand(CommandId),
    /// More requests of the peer than we hold at once; refused for now.
    TooManyRequests { command: CommandId },
    /// A response to nothing we know.
    Unsolicited { command: CommandId, sequence: u32 },
    /// A response with the sequence number of another kind of request.
    WrongResponse { command: CommandId, sequence: u32, expected: CommandId },
}

/// Why a PDU was not sent. Nothing of it has gone out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// Wait for a [`Response`](Event::Response).
    #[error("the window is full")]
    WindowFull,
    /// Not in this state, or not by this end.
    #[error("{command} cannot be sent in state {state}")]
    State { command: CommandId, state: State },
    /// We are unbinding: send it over another session.
    #[error("the session is being ended")]
    Closing,
    /// Answered before, or of an ended session.
    #[error("no such request waits for an answer")]
    NoSuchRequest,
    #[error(transparent)]
    Encode(#[from] EncodeError),
}
