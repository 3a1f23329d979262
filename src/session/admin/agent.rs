//! The agent's end.

use super::agent_state::{AgentState, ScriptState, ServiceRequest};
use super::{is_content_type, script_of, transaction_of};
use crate::codec::EncodeError;
use crate::codec::gp::AgentId;
use crate::codec::gp::http::{
    AdminRequest, AdminResponse, Framing, Limits, Parser, Request, Response, ScriptStatus, ServiceStatus, StatusLine,
    Transfer, retry_after,
};
use crate::codec::gp::scp80_body::{self, PacketResponse};
use crate::types::Now;
use crate::types::hex::Octets;
use std::collections::VecDeque;
use std::time::Duration;

/// What does not change during a session.
#[derive(Debug, Clone)]
pub struct AgentContext {
    /// Value of the `Host` header.
    pub host: String,
    /// The EID read from the card, which is also that of the client certificate.
    pub from: AgentId,
    pub limits: Limits,
    /// From a request to the end of its response.
    pub exchange_timeout: Duration,
}

/// What the driver is to do, in this order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AgentEvent {
    /// Open a connection now and call [`AgentSession::handle_connected`].
    Connect,
    /// Close the connection, if it is still open.
    Disconnect,
    /// Make this state durable in one write, then call [`AgentSession::handle_persisted`].
    Persist(AgentState),
    /// Deliver this command packet to the eUICC, then call [`AgentSession::handle_packet_response`].
    Deliver(Vec<u8>),
    /// The SM-SR has what was posted: the answer to this script, or with 0 the service request and its results. From
    /// here on a profile switch may take effect.
    Acknowledged { script: u32 },
    /// Wait, then open a connection as after [`Connect`](Self::Connect).
    Paused(Pause),
    /// Nothing more will come; the state may be forgotten.
    Ended(End),
}

/// Why to wait before the next connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pause {
    /// The failure message of the patent: try again after this time.
    Busy { retry_after: Duration },
    /// The SM-SR answered with this status, which says nothing about this session.
    Unavailable { status: u16 },
    /// The connection ended, or the time ran out, before the answer was complete.
    Lost,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// The SM-SR has nothing more.
    Finished,
    /// The SM-SR does not know the transaction, or it is over.
    NothingPending,
    /// The SM-SR refuses this session for good.
    Refused { status: u16 },
    /// What the SM-SR answered cannot be followed.
    Failed(String),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Doing {
    /// There is something to post; it goes out with the next connection.
    Posting,
    /// Posted; the answer must be complete by then.
    Waiting(Duration),
    /// The driver writes. Then the next packet is begun, or the answer posted.
    Recording,
    /// The driver writes that a packet is begun. Then it is delivered.
    Beginning,
    Delivering,
    Ended,
}

/// A session from its service request to its end, over as many connections as it takes.
#[derive(Debug)]
pub struct AgentSession {
    context: AgentContext,
    state: AgentState,
    doing: Doing,
    connected: bool,
    /// There was a connection before this one.
    resumes: bool,
    parser: Parser<StatusLine>,
    packets: VecDeque<Vec<u8>>,
    output: VecDeque<Vec<u8>>,
    events: VecDeque<AgentEvent>,
}

impl AgentSession {
    /// A new session; its first event asks for a connection.
    pub fn begin(context: AgentContext, request: ServiceRequest) -> Self {
        Self::with_state(context, AgentState { request, script: None }, false)
    }

    /// A session after a restart. A packet that was begun counts as interrupted, and nothing more is delivered before
    /// the SM-SR has heard of it.
    pub fn restore(context: AgentContext, mut state: AgentState) -> Result<Self, EncodeError> {
        if let Some(script) = state.script.as_mut().filter(|script| script.begun) {
            script.record(PacketResponse::Interrupted)?;
        }
        Ok(Self::with_state(context, state, true))
    }

    fn with_state(context: AgentContext, state: AgentState, resumes: bool) -> Self {
        Self {
            parser: Parser::new(context.limits),
            context,
            state,
            doing: Doing::Posting,
            connected: false,
            resumes,
            packets: VecDeque::new(),
            output: VecDeque::new(),
            events: VecDeque::from([AgentEvent::Connect]),
        }
    }

    pub fn state(&self) -> &AgentState {
        &self.state
    }

    /// Octets to send; ask again after every call until there are none.
    pub fn poll_output(&mut self) -> Option<Vec<u8>> {
        self.output.pop_front()
    }

    /// What to do; ask again after every call until there is nothing.
    pub fn poll_event(&mut self) -> Option<AgentEvent> {
        self.events.pop_front()
    }

    /// When to call [`handle_timeout`](Self::handle_timeout), on the monotonic clock; ask again after every call.
    pub fn poll_timeout(&self) -> Option<Duration> {
        match self.doing {
            Doing::Waiting(deadline) => Some(deadline),
            _ => None,
        }
    }

    pub fn handle_timeout(&mut self, now: Now) {
        if self.poll_timeout().is_some_and(|deadline| now.mono >= deadline) {
            self.pause(Pause::Lost);
        }
    }

    /// A TLS connection is open, and it is new.
    pub fn handle_connected(&mut self, now: Now) {
        self.connected = true;
        self.parser = Parser::new(self.context.limits);
        if self.doing == Doing::Posting {
            self.post(now);
        }
    }

    /// The connection is gone. `orderly`: the SM-SR said so (close_notify).
    pub fn handle_closed(&mut self, orderly: bool) {
        self.connected = false;
        self.resumes = true;
        // What this connection did not take must not stand in front of what the next one is for.
        self.output.clear();
        if !matches!(self.doing, Doing::Waiting(_)) {
            return;
        }
        match self.parser.end_of_input() {
            Ok(Some(response)) if orderly => self.take_response(&response),
            _ => self.pause(Pause::Lost),
        }
    }

    /// Octets from the SM-SR. What comes when nothing was asked breaks the connection, not the session.
    pub fn handle_input(&mut self, mut octets: &[u8]) {
        while self.connected && !octets.is_empty() {
            if !matches!(self.doing, Doing::Waiting(_)) {
                return self.disconnect();
            }
            match self.parser.feed(octets) {
                Ok(fed) => {
                    octets = octets.get(fed.used..).unwrap_or_default();
                    // 1xx announces another response.
                    if let Some(response) = fed.message.filter(|response| response.start.status >= 200) {
                        if response.closes() {
                            self.disconnect();
                        }
                        self.take_response(&response);
                    }
                }
                Err(error) => self.fail(format!("the answer of the SM-SR cannot be read: {error}")),
            }
        }
    }

    /// The state of the last [`AgentEvent::Persist`] is durable.
    pub fn handle_persisted(&mut self, now: Now) {
        match self.doing {
            Doing::Recording if self.packets.is_empty() => {
                self.doing = Doing::Posting;
                self.post(now);
            }
            Doing::Recording => {
                if let Some(script) = &mut self.state.script {
                    script.begun = true;
                }
                self.persist(Doing::Beginning);
            }
            Doing::Beginning => {
                self.doing = Doing::Delivering;
                self.events.extend(self.packets.pop_front().map(AgentEvent::Deliver));
            }
            _ => {}
        }
    }

    /// What came of the packet of the last [`AgentEvent::Deliver`]. After an interruption or an unsuccessful status
    /// word the other packets of the script are not delivered.
    pub fn handle_packet_response(&mut self, response: PacketResponse) {
        if self.doing != Doing::Delivering {
            return;
        }
        if response.stops() {
            self.packets.clear();
        }
        let recorded = self.state.script.as_mut().map(|script| script.record(response));
        match recorded {
            Some(Err(error)) => self.fail(error.to_string()),
            _ => self.persist(Doing::Recording),
        }
    }

    fn persist(&mut self, doing: Doing) {
        self.doing = doing;
        self.events.push_back(AgentEvent::Persist(self.state.clone()));
    }

    fn post(&mut self, now: Now) {
        if !self.connected {
            self.events.push_back(AgentEvent::Connect);
            return;
        }
        match self.request().and_then(|request| request.encode(Transfer::Length)) {
            Ok(octets) => {
                self.output.push_back(octets);
                self.doing = Doing::Waiting(now.mono.saturating_add(self.context.exchange_timeout));
            }
            Err(error) => self.fail(error.to_string()),
        }
    }

    /// The service request, or the answer to the script at hand.
    fn request(&mut self) -> Result<Request, EncodeError> {
        let script = self.state.script.as_ref();
        let mut request = match script {
            None => Request::post(self.state.request.target()),
            Some(script) => Request::post(script.next_uri.clone()),
        };
        request.headers.push("Host", &self.context.host)?;
        let status = |script: &ScriptState| {
            if script.unreadable { ScriptStatus::ScriptFormatError } else { ScriptStatus::Ok }
        };
        let admin = AdminRequest {
            from: self.context.from,
            resume: std::mem::take(&mut self.resumes),
            script_status: script.map(status),
            content_type: script.map(|_| scp80_body::RESPONSES.to_owned()),
        };
        admin.put(&mut request.headers)?;
        match script {
            None => self.state.request.headers.put(&mut request.headers)?,
            Some(script) => request.body.clone_from(&script.answer.0),
        }
        Ok(request)
    }

    fn take_response(&mut self, response: &Response) {
        let status = response.start.status;
        if matches!(status, 200 | 204) {
            let script = self.state.script.as_ref().map_or(0, |script| script.number);
            self.events.push_back(AgentEvent::Acknowledged { script });
        }
        let word = ServiceStatus::read(&response.headers);
        match (status, word) {
            (200, _) => self.take_script(response),
            (204, Ok(Some(ServiceStatus::NothingPending))) => self.end(End::NothingPending),
            (204, _) => self.end(End::Finished),
            (503, Ok(Some(ServiceStatus::Busy))) => match retry_after(&response.headers) {
                Ok(Some(seconds)) => self.pause(Pause::Busy { retry_after: Duration::from_secs(seconds.into()) }),
                _ => self.pause(Pause::Unavailable { status }),
            },
            (408 | 429 | 500.., _) => self.pause(Pause::Unavailable { status }),
            _ => self.end(End::Refused { status }),
        }
    }

    fn take_script(&mut self, response: &Response) {
        match self.script(response) {
            Ok((script, packets)) => {
                self.state.script = Some(script);
                self.packets = packets.into();
                self.persist(Doing::Recording);
            }
            Err(reason) => self.fail(reason),
        }
    }

    /// The script of a response and its packets; an error when not even its answer would find its place.
    fn script(&self, response: &Response) -> Result<(ScriptState, Vec<Vec<u8>>), String> {
        if response.framing == Framing::Connection {
            return Err("a script whose body only ends with the connection may be cut".into());
        }
        let admin = AdminResponse::read(response).map_err(|error| error.to_string())?;
        let next_uri = admin.next_uri.ok_or("a script without Next-URI")?;
        if transaction_of(&next_uri) != Ok(Some(self.state.request.headers.transaction)) {
            return Err("a Next-URI of another transaction".into());
        }
        let number = script_of(&next_uri).ok().flatten().ok_or("a Next-URI without script number")?;
        if self.state.script.as_ref().is_some_and(|script| number <= script.number) {
            return Err("a script that was answered before".into());
        }
        let readable = is_content_type(admin.content_type.as_deref(), scp80_body::COMMANDS);
        let packets = scp80_body::decode_packets(&response.body).ok().filter(|_| readable);
        let unreadable = packets.is_none();
        let script = ScriptState { number, next_uri, answer: Octets::default(), begun: false, unreadable };
        Ok((script, packets.unwrap_or_default()))
    }

    fn disconnect(&mut self) {
        if std::mem::take(&mut self.connected) {
            self.resumes = true;
            self.output.clear();
            self.events.push_back(AgentEvent::Disconnect);
        }
    }

    fn pause(&mut self, pause: Pause) {
        self.disconnect();
        self.doing = Doing::Posting;
        self.events.push_back(AgentEvent::Paused(pause));
    }

    fn fail(&mut self, reason: String) {
        self.end(End::Failed(reason));
    }

    fn end(&mut self, end: End) {
        self.disconnect();
        self.doing = Doing::Ended;
        self.packets.clear();
        self.events.push_back(AgentEvent::Ended(end));
    }
}
