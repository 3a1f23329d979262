//! What the peer sends: framing, answers that need no decision, matching of responses.

use super::event::{CloseReason, Event, Oddity, Outcome, RequestId};
use super::rules::{Role, State, rule};
use super::session::{Phase, Session, Unanswered};
use super::timers::Timer;
use crate::codec::smpp::{Body, CommandId, CommandStatus, Decoded, InterfaceVersion, Pdu, StreamError, TlvTag, tlv};
use crate::types::Now;

impl Session {
    /// Octets of the connection, in pieces of any size.
    pub fn handle_input(&mut self, now: Now, bytes: &[u8]) {
        self.framer.push(bytes);
        while self.phase != Phase::Closed {
            let decoded = match self.framer.next_pdu() {
                Ok(Some(octets)) => Pdu::decode(octets),
                Ok(None) => break,
                Err(error) => return self.stream_lost(error),
            };
            self.partial_since = None;
            if let Ok(decoded) = decoded {
                self.handle_pdu(now, decoded);
            }
        }
        if self.phase != Phase::Closed && self.framer.is_partial() {
            self.partial_since.get_or_insert(now.mono);
        }
    }

    /// The peer hears why, if it can still read frames itself.
    fn stream_lost(&mut self, error: StreamError) {
        let nack = Pdu::response(error.sequence.unwrap_or(0), CommandStatus::RINVCMDLEN, Body::GenericNack);
        // A PDU of a header alone always has its encoding.
        let _ = self.send(&nack);
        self.close(CloseReason::Stream(error));
    }

    fn handle_pdu(&mut self, now: Now, decoded: Decoded) {
        let command = decoded.pdu.body.command();
        self.last_received = now.mono;
        if command != CommandId::ENQUIRE_LINK_RESP {
            self.last_active = now.mono;
        }
        // Any PDU shows that the link lives; some peers answer probes with a sequence number of their own.
        if let Some(probe) = self.probe.take() {
            self.in_flight.remove(&probe);
        }
        if command.is_response() { self.handle_response(now, decoded) } else { self.handle_request(now, decoded) }
    }

    fn odd(&mut self, oddity: Oddity) {
        self.events.push_back(Event::Odd(oddity));
    }

    fn handle_response(&mut self, now: Now, decoded: Decoded) {
        let Decoded { pdu: Pdu { status, sequence, body }, defects } = decoded;
        let command = body.command();
        if command == CommandId::ENQUIRE_LINK_RESP {
            return;
        }
        if command == CommandId::GENERIC_NACK && sequence == 0 {
            return self.close(CloseReason::StreamDoubted(status));
        }
        let Some(request) = self.in_flight.get(&sequence) else {
            return self.unsolicited(status, sequence, body);
        };
        if command != request.command.response() && command != CommandId::GENERIC_NACK {
            let expected = request.command.response();
            return self.odd(Oddity::WrongResponse { command, sequence, expected });
        }
        let (windowed, request_command) = (request.windowed, request.command);
        self.in_flight.remove(&sequence);
        if windowed {
            let outcome = match body {
                Body::GenericNack => Outcome::Nacked { status },
                body => Outcome::Answered { status, body, defects },
            };
            self.events.push_back(Event::Response { sequence, outcome });
            // The peer doubts the stream, not this request (SMPP 3.4 5.1.3).
            if status == CommandStatus::RINVCMDLEN && command == CommandId::GENERIC_NACK {
                return self.close(CloseReason::StreamDoubted(status));
            }
            return self.finish(now);
        }
        if request_command == CommandId::UNBIND {
            self.unbound();
        } else {
            self.bind_answered(status, body);
        }
    }

    fn unsolicited(&mut self, status: CommandStatus, sequence: u32, body: Body) {
        let command = body.command();
        let answers = |request: CommandId| command == request.response() || command == CommandId::GENERIC_NACK;
        let late = self.late.iter().position(|(late, request)| *late == sequence && answers(*request));
        match late {
            Some(place) => {
                self.late.remove(place);
                self.events.push_back(Event::LateResponse { sequence, status, body });
            }
            None => self.odd(Oddity::Unsolicited { command, sequence }),
        }
    }

    /// Whatever the peer answered to our unbind, the session is over.
    fn unbound(&mut self) {
        let reason = match &self.phase {
            Phase::Unbinding { reason, .. } => reason.clone(),
            _ => CloseReason::Unbound,
        };
        self.close(reason);
    }

    fn bind_answered(&mut self, status: CommandStatus, body: Body) {
        let Phase::Binding { mode, .. } = self.phase else { return };
        match body {
            Body::BindResp(_, resp) if status.is_ok() => {
                let resp = resp.unwrap_or_default();
                let version = tlv::find(&resp.tlvs, TlvTag::SC_INTERFACE_VERSION).and_then(tlv::Tlv::number);
                let version = version.and_then(|version| u8::try_from(version).ok()).map(InterfaceVersion);
                self.phase = Phase::Bound(mode);
                self.events.push_back(Event::Bound { mode, system_id: resp.system_id, version, tlvs: resp.tlvs });
            }
            _ => self.close(CloseReason::BindRefused(status)),
        }
    }

    fn handle_request(&mut self, now: Now, decoded: Decoded) {
        let (command, sequence) = (decoded.pdu.body.command(), decoded.pdu.sequence);
        let Some(rule) = rule(command, self.role.peer()) else {
            self.odd(Oddity::UnknownCommand(command));
            return self.answer(Pdu::response(sequence, CommandStatus::RINVCMDID, Body::GenericNack));
        };
        let second_bind = matches!(decoded.pdu.body, Body::Bind(..)) && self.phase != Phase::Open;
        let leaving = matches!(self.phase, Phase::Leaving { .. }) && command != CommandId::ENQUIRE_LINK;
        if second_bind || leaving || !rule.accept.contains(self.state()) {
            self.odd(Oddity::WrongState { command, state: self.state() });
            let status = if second_bind { CommandStatus::RALYBND } else { CommandStatus::RINVBNDSTS };
            return if rule.answered {
                self.refuse(command, sequence, status)
            };
        }
        if let Some(status) = decoded.refusal().filter(|_| rule.answered && self.refuses(command)) {
            self.odd(Oddity::Refused { command, status, defects: decoded.defects });
            return self.refuse(command, sequence, status);
        }
        match decoded.pdu.body {
            Body::EnquireLink => self.refuse(command, sequence, CommandStatus::ROK),
            Body::Unbind => self.peer_unbinds(now, sequence),
            Body::Bind(mode, bind) => {
                self.phase = Phase::Binding { mode, sequence, version: bind.interface_version };
                self.events.push_back(Event::BindRequested { mode, bind });
            }
            Body::Outbind(outbind) => self.events.push_back(Event::OutbindRequested(outbind)),
            Body::AlertNotification(alert) => self.events.push_back(Event::Alert(alert)),
            body => self.hand_over(Unanswered { command, sequence }, body, decoded.defects),
        }
    }

    /// First every request of the peer gets its answer, so that it does not repeat what was accepted.
    fn peer_unbinds(&mut self, now: Now, sequence: u32) {
        if let State::Bound(mode) = self.state() {
            let deadline = self.config.timers.end(Timer::Drain, now.mono);
            self.phase = Phase::Leaving { mode, sequence, deadline };
            self.finish(now);
        }
    }

    /// enquire_link and unbind are what they are, with whatever behind them.
    fn refuses(&self, command: CommandId) -> bool {
        self.config.refuse_defects && !matches!(command, CommandId::ENQUIRE_LINK | CommandId::UNBIND)
    }

    fn hand_over(&mut self, request: Unanswered, body: Body, defects: Vec<crate::codec::DecodeError>) {
        if self.owner_is_behind() {
            self.odd(Oddity::TooManyRequests { command: request.command });
            let status = match self.role {
                Role::Esme => CommandStatus::RX_T_APPN,
                Role::Smsc => CommandStatus::RTHROTTLED,
            };
            return self.refuse(request.command, request.sequence, status);
        }
        self.last_request = self.last_request.saturating_add(1);
        let id = RequestId(self.last_request);
        self.unanswered.insert(id, request);
        self.events.push_back(Event::Request { id, body, defects });
    }

    /// An answer that is a header alone.
    fn refuse(&mut self, command: CommandId, sequence: u32, status: CommandStatus) {
        self.answer(Pdu::bare_response(command, sequence, status));
    }

    fn answer(&mut self, pdu: Pdu) {
        // A PDU of a header alone always has its encoding.
        let _ = self.send(&pdu);
    }
}
