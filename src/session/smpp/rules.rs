//! Which PDU may go which way in which state (SMPP 3.4 2.2 and table 2-1), as data.

use crate::codec::smpp::{BindMode, CommandId};
use std::fmt;

/// Which end of the session this is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// The client: binds and submits.
    Esme,
    /// The message centre: accepts binds and delivers.
    Smsc,
}

impl Role {
    pub const fn peer(self) -> Self {
        match self {
            Self::Esme => Self::Smsc,
            Self::Smsc => Self::Esme,
        }
    }
}

/// Session states (SMPP 3.4 2.2). An outbind changes nothing until a bind follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum State {
    /// Connected, no bind yet, or one that is not answered yet.
    Open,
    Bound(BindMode),
    /// Unbound or disconnected: nothing more goes either way.
    Closed,
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Open => "OPEN",
            Self::Bound(BindMode::Transmitter) => "BOUND_TX",
            Self::Bound(BindMode::Receiver) => "BOUND_RX",
            Self::Bound(BindMode::Transceiver) => "BOUND_TRX",
            Self::Closed => "CLOSED",
        })
    }
}

/// A set of states.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct States(u8);

impl States {
    pub const OPEN: Self = Self(1);
    pub const TX: Self = Self(2);
    pub const RX: Self = Self(4);
    pub const TRX: Self = Self(8);
    pub const BOUND: Self = Self(2 | 4 | 8);
    pub const ANY: Self = Self(1 | 2 | 4 | 8);

    const fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub const fn contains(self, state: State) -> bool {
        let bit = match state {
            State::Open => Self::OPEN,
            State::Bound(BindMode::Transmitter) => Self::TX,
            State::Bound(BindMode::Receiver) => Self::RX,
            State::Bound(BindMode::Transceiver) => Self::TRX,
            State::Closed => Self(0),
        };
        self.0 & bit.0 != 0
    }
}

/// One request PDU of one sender.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rule {
    pub command: CommandId,
    pub sender: Role,
    /// Where we send it.
    pub send: States,
    /// Where we take it: more than the standard allows when real peers do more.
    pub accept: States,
    /// Whether it takes a place in the window until it is answered.
    pub windowed: bool,
    /// Whether it is answered at all.
    pub answered: bool,
}

const SENDING: States = States::TX.or(States::TRX);
const RECEIVING: States = States::RX.or(States::TRX);

const fn message(command: CommandId, sender: Role, send: States, accept: States) -> Rule {
    Rule { command, sender, send, accept, windowed: true, answered: true }
}

const fn control(command: CommandId, sender: Role, states: States) -> Rule {
    Rule { command, sender, send: states, accept: states, windowed: false, answered: true }
}

const fn unanswered(command: CommandId, send: States, accept: States) -> Rule {
    Rule { command, sender: Role::Smsc, send, accept, windowed: false, answered: false }
}

/// Everything that may be requested. Some SMSCs push receipts to transmitters as well: taken.
pub const RULES: &[Rule] = &[
    control(CommandId::BIND_TRANSMITTER, Role::Esme, States::OPEN),
    control(CommandId::BIND_RECEIVER, Role::Esme, States::OPEN),
    control(CommandId::BIND_TRANSCEIVER, Role::Esme, States::OPEN),
    control(CommandId::UNBIND, Role::Esme, States::BOUND),
    control(CommandId::UNBIND, Role::Smsc, States::BOUND),
    control(CommandId::ENQUIRE_LINK, Role::Esme, States::ANY),
    control(CommandId::ENQUIRE_LINK, Role::Smsc, States::ANY),
    message(CommandId::SUBMIT_SM, Role::Esme, SENDING, SENDING),
    message(CommandId::SUBMIT_MULTI, Role::Esme, SENDING, SENDING),
    message(CommandId::DATA_SM, Role::Esme, SENDING, SENDING),
    message(CommandId::DATA_SM, Role::Smsc, RECEIVING, States::BOUND),
    message(CommandId::DELIVER_SM, Role::Smsc, RECEIVING, States::BOUND),
    message(CommandId::QUERY_SM, Role::Esme, SENDING, SENDING),
    message(CommandId::CANCEL_SM, Role::Esme, SENDING, SENDING),
    message(CommandId::REPLACE_SM, Role::Esme, SENDING, SENDING),
    unanswered(CommandId::OUTBIND, States::OPEN, States::OPEN),
    unanswered(CommandId::ALERT_NOTIFICATION, RECEIVING, States::BOUND),
];

/// The rule for a request of this sender; `None` if it never sends such a request.
pub fn rule(command: CommandId, sender: Role) -> Option<&'static Rule> {
    RULES.iter().find(|rule| rule.command == command && rule.sender == sender)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_sender_has_one_rule_per_command() {
        for (place, one) in RULES.iter().enumerate() {
            assert!(!RULES[..place].iter().any(|other| (other.command, other.sender) == (one.command, one.sender)));
            assert_eq!(rule(one.command, one.sender), Some(one));
        }
    }

    #[test]
    fn a_receiver_submits_nothing_and_nobody_acts_after_the_end() {
        let receiver = State::Bound(BindMode::Receiver);
        assert!(!rule(CommandId::SUBMIT_SM, Role::Esme).unwrap().send.contains(receiver));
        assert!(rule(CommandId::SUBMIT_SM, Role::Smsc).is_none());
        assert!(RULES.iter().all(|rule| !rule.send.contains(State::Closed) && !rule.accept.contains(State::Closed)));
    }
}
