//! The SM-SR's end: one connection, any number of transactions of one eUICC, one after the other.

use super::exchange::{Answer, Exchange, Place};
use super::{MSG, is_content_type, script_of, script_uri, transaction_of};
use crate::codec::EncodeError;
use crate::codec::gp::AgentId;
use crate::codec::gp::http::{
    AdminRequest, AdminResponse, Limits, Parser, Request, RequestLine, Response, ScriptStatus, ServiceHeaders,
    ServiceStatus, Transfer, put_retry_after, query_value,
};
use crate::codec::gp::scp80_body::{self, PacketResponse};
use crate::types::{Eid, Now, TransactionId, hex};
use std::collections::VecDeque;
use std::time::Duration;

/// What does not change during a connection.
#[derive(Debug, Clone)]
pub struct SmSrContext {
    /// The EID in the agent's certificate.
    pub certificate_eid: Eid,
    pub limits: Limits,
    /// From the first octet of a request, or from the beginning of the connection, to the request's end.
    pub request_timeout: Duration,
    /// Between an answer and the next request: the time in which the eUICC works.
    pub idle_timeout: Duration,
}

/// What the driver is to do, in this order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SmSrEvent {
    /// Fetch the exchange of this transaction of this eUICC and call [`SmSrSession::handle_found`]. Until the
    /// connection ends no other may work on the same transaction.
    Lookup(TransactionId),
    /// A notification of the eUICC came with the request that follows (`E1` object, not read yet). The same sequence
    /// number again is the same notification.
    Notification(Vec<u8>),
    /// The patent's service request: call [`SmSrSession::answer`].
    ServiceRequest { headers: ServiceHeaders, resume: bool },
    /// The answer to a script: call [`SmSrSession::answer`]. Comes again until that answer is durable: what follows
    /// from the responses is to be stored together with the exchange of [`Persist`](Self::Persist).
    Responses {
        transaction: TransactionId,
        script: u32,
        resume: bool,
        status: ScriptStatus,
        responses: Vec<PacketResponse>,
    },
    /// A post was repeated and got the same answer.
    AnsweredAgain { transaction: TransactionId, script: u32 },
    /// Make this durable, then call [`SmSrSession::handle_persisted`]: only then the answer goes out.
    Persist(Exchange),
    /// The peer is told and the connection ends.
    Refused(Refusal),
    /// Close the connection once all output is sent.
    Close,
}

/// Why a request was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Another eUICC than the certificate's.
    #[error("X-Admin-From is not the eUICC of the certificate")]
    WrongEid,
    #[error("{0}")]
    Malformed(String),
    #[error("no complete request in time")]
    TimedOut,
}

#[derive(Debug)]
enum Doing {
    Reading {
        deadline: Duration,
    },
    /// The driver looks the transaction up.
    LookingUp(Post),
    /// The driver thinks about the answer.
    Answering {
        post: Post,
        exchange: Exchange,
    },
    /// The driver writes; then this goes out.
    Persisting {
        post: Post,
        script: u32,
        answer: Answer,
    },
    Closed,
}

/// A request as far as it concerns the session.
#[derive(Debug)]
struct Post {
    path: String,
    transaction: TransactionId,
    resume: bool,
    notification: Option<Vec<u8>>,
    content: Content,
}

#[derive(Debug)]
enum Content {
    Service(ServiceHeaders),
    Script { number: u32, status: ScriptStatus, responses: Vec<PacketResponse> },
}

#[derive(Debug)]
pub struct SmSrSession {
    context: SmSrContext,
    parser: Parser<RequestLine>,
    doing: Doing,
    output: VecDeque<Vec<u8>>,
    events: VecDeque<SmSrEvent>,
}

impl SmSrSession {
    pub fn new(context: SmSrContext, now: Now) -> Self {
        Self {
            parser: Parser::new(context.limits),
            doing: Doing::Reading { deadline: now.mono.saturating_add(context.request_timeout) },
            context,
            output: VecDeque::new(),
            events: VecDeque::new(),
        }
    }

    /// Octets to send; ask again after every call until there are none.
    pub fn poll_output(&mut self) -> Option<Vec<u8>> {
        self.output.pop_front()
    }

    /// What to do; ask again after every call until there is nothing.
    pub fn poll_event(&mut self) -> Option<SmSrEvent> {
        self.events.pop_front()
    }

    /// When to call [`handle_timeout`](Self::handle_timeout), on the monotonic clock; ask again after every call.
    pub fn poll_timeout(&self) -> Option<Duration> {
        match self.doing {
            Doing::Reading { deadline } => Some(deadline),
            _ => None,
        }
    }

    pub fn handle_timeout(&mut self, now: Now) {
        if self.poll_timeout().is_some_and(|deadline| now.mono >= deadline) {
            match self.parser.is_between_messages() {
                true => self.close(),
                false => self.refuse(408, Refusal::TimedOut),
            }
        }
    }

    /// Octets from the agent. It waits for each answer: what comes before that is refused.
    pub fn handle_input(&mut self, now: Now, octets: &[u8]) {
        if octets.is_empty() {
            return;
        }
        match self.doing {
            Doing::Closed => return,
            Doing::Reading { .. } if self.parser.is_between_messages() => {
                self.doing = Doing::Reading { deadline: now.mono.saturating_add(self.context.request_timeout) };
            }
            Doing::Reading { .. } => {}
            _ => return self.refuse(400, Refusal::Malformed("a request before the answer to the one before".into())),
        }
        match self.parser.feed(octets) {
            Ok(fed) if fed.message.is_some() && fed.used < octets.len() => {
                self.refuse(400, Refusal::Malformed("octets after the request".into()));
            }
            Ok(fed) => {
                if let Some(request) = fed.message {
                    self.take_request(&request);
                }
            }
            Err(error) => self.refuse(error.status(), Refusal::Malformed(error.to_string())),
        }
    }

    fn take_request(&mut self, request: &Request) {
        if request.start.method != "POST" {
            return self.refuse(405, Refusal::Malformed("only POST is known here".into()));
        }
        match self.read_post(request) {
            Ok(post) => {
                self.events.push_back(SmSrEvent::Lookup(post.transaction));
                self.doing = Doing::LookingUp(post);
            }
            Err(Refusal::WrongEid) => self.refuse(403, Refusal::WrongEid),
            Err(refusal) => self.refuse(400, refusal),
        }
    }

    fn read_post(&self, request: &Request) -> Result<Post, Refusal> {
        let malformed = |error: &dyn std::fmt::Display| Refusal::Malformed(error.to_string());
        let admin = AdminRequest::read(request).map_err(|error| malformed(&error))?;
        let AgentId { eid, .. } = admin.from;
        if eid != self.context.certificate_eid {
            return Err(Refusal::WrongEid);
        }
        let target = request.start.target.as_str();
        let transaction = transaction_of(target).map_err(|error| malformed(&error))?;
        let transaction = transaction.ok_or_else(|| malformed(&"no transaction in the query"))?;
        let notification = query_value(target, MSG).map_err(|error| malformed(&error))?;
        let notification = notification.map(hex::decode).transpose().map_err(|error| malformed(&error))?;
        let content = match script_of(target).map_err(|error| malformed(&error))? {
            None => {
                let headers = ServiceHeaders::read(&request.headers).map_err(|error| malformed(&error))?;
                let headers = headers.ok_or_else(|| malformed(&"neither a service request nor an answer"))?;
                if headers.transaction != transaction || !request.body.is_empty() {
                    return Err(malformed(&"a service request names its transaction twice alike and has no body"));
                }
                Content::Service(headers)
            }
            Some(number) => {
                if !is_content_type(admin.content_type.as_deref(), scp80_body::RESPONSES) {
                    return Err(malformed(&"an answer of another content type"));
                }
                let responses = scp80_body::decode_responses(&request.body).map_err(|error| malformed(&error))?;
                let status = admin.script_status.ok_or_else(|| malformed(&"an answer without script status"))?;
                Content::Script { number, status, responses }
            }
        };
        let path = target.split('?').next().unwrap_or_default().to_owned();
        Ok(Post { path, transaction, resume: admin.resume, notification, content })
    }

    /// The exchange of the last [`SmSrEvent::Lookup`], if there is one.
    pub fn handle_found(&mut self, now: Now, exchange: Option<Exchange>) {
        let mut post = match std::mem::replace(&mut self.doing, Doing::Closed) {
            Doing::LookingUp(post) => post,
            other => return self.doing = other,
        };
        self.events.extend(post.notification.take().map(SmSrEvent::Notification));
        let exchange = exchange.unwrap_or(Exchange::new(post.transaction));
        let (transaction, resume) = (post.transaction, post.resume);
        let script = match &post.content {
            Content::Service(_) => 0,
            Content::Script { number, .. } => *number,
        };
        match (exchange.place(script), &post.content) {
            (Place::Unknown, _) => self.send(now, &post, 0, &Answer::NothingPending),
            (Place::AnswerAgain, _) => {
                self.events.push_back(SmSrEvent::AnsweredAgain { transaction, script });
                self.send(now, &post, exchange.script, &exchange.latest());
            }
            (Place::Expected, Content::Service(headers)) => {
                self.events.push_back(SmSrEvent::ServiceRequest { headers: headers.clone(), resume });
                self.doing = Doing::Answering { post, exchange };
            }
            (Place::Expected, Content::Script { number, status, responses }) => {
                if !is_complete(&exchange, resume, status, responses) {
                    let problem = "more or fewer responses than packets".to_owned();
                    return self.refuse(400, Refusal::Malformed(problem));
                }
                self.events.push_back(SmSrEvent::Responses {
                    transaction,
                    script: *number,
                    resume,
                    status: status.clone(),
                    responses: responses.clone(),
                });
                self.doing = Doing::Answering { post, exchange };
            }
        }
    }

    /// The answer to the last [`SmSrEvent::ServiceRequest`] or [`SmSrEvent::Responses`].
    pub fn answer(&mut self, now: Now, answer: Answer) -> Result<(), EncodeError> {
        let wrong = |problem| Err(EncodeError::new("admin session", "answer", problem));
        if matches!(&answer, Answer::Packets(packets) if packets.is_empty() || packets.iter().any(Vec::is_empty)) {
            return wrong("a script has packets, and packets have octets");
        }
        let (post, exchange) = match std::mem::replace(&mut self.doing, Doing::Closed) {
            Doing::Answering { post, exchange } => (post, exchange),
            other => {
                self.doing = other;
                return wrong("no request waits for one");
            }
        };
        match exchange.after(&answer) {
            Some(exchange) => {
                let script = exchange.script;
                self.doing = Doing::Persisting { post, script, answer };
                self.events.push_back(SmSrEvent::Persist(exchange));
            }
            None => self.send(now, &post, 0, &answer),
        }
        Ok(())
    }

    /// The exchange of the last [`SmSrEvent::Persist`] is durable.
    pub fn handle_persisted(&mut self, now: Now) {
        match std::mem::replace(&mut self.doing, Doing::Closed) {
            Doing::Persisting { post, script, answer } => self.send(now, &post, script, &answer),
            other => self.doing = other,
        }
    }

    fn send(&mut self, now: Now, post: &Post, script: u32, answer: &Answer) {
        match response(post, script, answer).and_then(|response| response.encode(Transfer::Length)) {
            Ok(octets) => self.output.push_back(octets),
            Err(error) => return self.refuse(500, Refusal::Malformed(error.to_string())),
        }
        match answer {
            Answer::Packets(_) => {
                self.doing = Doing::Reading { deadline: now.mono.saturating_add(self.context.idle_timeout) };
            }
            _ => self.close(),
        }
    }

    fn refuse(&mut self, status: u16, refusal: Refusal) {
        let mut response = Response::with_status(status);
        let headers = AdminResponse::default().put(&mut response.headers);
        let octets = headers
            .and_then(|()| response.headers.push("Connection", "close"))
            .and_then(|()| response.encode(Transfer::Length));
        self.output.extend(octets);
        self.events.push_back(SmSrEvent::Refused(refusal));
        self.close();
    }

    fn close(&mut self) {
        self.doing = Doing::Closed;
        self.events.push_back(SmSrEvent::Close);
    }
}

fn response(post: &Post, script: u32, answer: &Answer) -> Result<Response, EncodeError> {
    let (status, word) = match answer {
        Answer::Packets(_) => (200, None),
        Answer::End => (204, None),
        Answer::NothingPending => (204, Some(ServiceStatus::NothingPending)),
        Answer::Busy { .. } => (503, Some(ServiceStatus::Busy)),
    };
    let mut response = Response::with_status(status);
    let mut admin = AdminResponse::default();
    if let Answer::Packets(packets) = answer {
        admin.next_uri = Some(script_uri(&post.path, post.transaction, script));
        admin.content_type = Some(scp80_body::COMMANDS.to_owned());
        response.body = scp80_body::encode_packets(packets)?;
    } else {
        response.headers.push("Connection", "close")?;
    }
    admin.put(&mut response.headers)?;
    if let Some(word) = word {
        word.put(&mut response.headers)?;
    }
    if let Answer::Busy { retry_after } = answer {
        put_retry_after(&mut response.headers, *retry_after)?;
    }
    Ok(response)
}

/// One response per packet; fewer when delivery stopped, broke off, or never began.
fn is_complete(exchange: &Exchange, resume: bool, status: &ScriptStatus, responses: &[PacketResponse]) -> bool {
    let packets = exchange.outstanding.as_ref().map_or(0, Vec::len);
    let broken_off = resume || *status != ScriptStatus::Ok || responses.last().is_some_and(PacketResponse::stops);
    responses.len() == packets || (responses.len() < packets && broken_off)
}
