//! One administration session, driven over one connection.

use super::connection::{Connection, Received};
use super::core::{Core, eid_of_certificate};
use super::euicc::{self, Envelopes, Euicc, EuiccError};
use super::state::Target;
use crate::codec::gp::AgentId;
use crate::codec::gp::http::{Limits, ServiceHeaders};
use crate::codec::gp::scp80_body::{self, PacketResponse};
use crate::config::agent::SmSr;
use crate::io::clock;
use crate::io::file::FileError;
use crate::session::admin::{AgentContext, AgentEvent, AgentSession, End, Pause, ServiceRequest};
use crate::types::hex::Octets;
use crate::types::{Eid, ManagementMode, UnixSeconds};
use std::sync::Arc;

/// What a session is begun with; a resumed one has its own service request.
pub struct Order {
    pub target: Target,
    pub por: Option<Octets>,
    pub received: Option<UnixSeconds>,
    pub access_time: Option<UnixSeconds>,
    /// The eUICC's notification (`E1` object).
    pub notification: Option<Vec<u8>>,
    /// How packets reach the eUICC.
    pub envelopes: Envelopes,
}

/// How it went.
#[derive(Debug, Clone)]
pub struct Course {
    /// Packets were delivered.
    pub delivered: bool,
    /// The last packet ended with an error or without an answer.
    pub stopped: bool,
    /// The SM-SR answered something.
    pub reached: bool,
}

impl Course {
    /// Of a session before this connection.
    fn of(session: &AgentSession) -> Self {
        let script = session.state().script.as_ref();
        let last = script.and_then(|script| scp80_body::decode_responses(&script.answer.0).ok()?.pop());
        Self { delivered: script.is_some(), stopped: last.is_some_and(|last| last.stops()), reached: false }
    }
}

/// How it came to stand still.
#[derive(Debug)]
pub enum Standstill {
    Ended(End),
    Paused(Pause),
    /// No connection came about.
    Unconnected(String),
    /// A packet could not be brought to the eUICC; the session is where it was before.
    NoEuicc(String),
}

/// Why nothing can be done here at all.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    #[error(transparent)]
    State(#[from] FileError),
    #[error("the SM-SR is not in the list any more")]
    SmSrGone,
    #[error("the client certificate: {0}")]
    Certificate(String),
    /// It would speak for another eUICC.
    #[error("the client certificate is that of eUICC {certified}, the terminal has {found}")]
    WrongEid { certified: Eid, found: Eid },
}

/// The drive of one session over one connection.
pub struct Drive<'a, E> {
    core: &'a Arc<Core>,
    euicc: &'a mut E,
    sm_sr: &'a SmSr,
    envelopes: Envelopes,
    session: AgentSession,
    connection: Option<Connection>,
    course: Course,
}

/// Runs a session until it ends or has to wait.
pub async fn run<E: Euicc>(
    core: &Arc<Core>,
    euicc: &mut E,
    eid: Eid,
    order: Order,
) -> Result<(Standstill, Course), SessionError> {
    let sm_sr = core.sm_sr(&order.target.sm_sr).ok_or(SessionError::SmSrGone)?;
    let certified = eid_of_certificate(sm_sr).map_err(|error| SessionError::Certificate(error.to_string()))?;
    let certified = certified.ok_or_else(|| SessionError::Certificate("it names no eUICC".into()))?;
    if certified != eid {
        return Err(SessionError::WrongEid { certified, found: eid });
    }
    let context = AgentContext {
        host: sm_sr.address.clone(),
        from: AgentId::isd_r(eid),
        limits: Limits { body: usize::try_from(core.config.response_size).unwrap_or(usize::MAX), ..Limits::default() },
        exchange_timeout: core.config.exchange_timeout,
    };
    let transaction = order.target.transaction;
    let resumed = core.store.session(transaction).await;
    // A notification begins anew: what was before the profile switch is answered.
    let session = match resumed.filter(|_| order.notification.is_none()) {
        Some(state) => {
            AgentSession::restore(context, state).map_err(|error| SessionError::Certificate(error.to_string()))?
        }
        None => AgentSession::begin(context, service_request(core, &order).await),
    };
    let envelopes = order.envelopes;
    let course = Course::of(&session);
    let mut drive = Drive { core, euicc, sm_sr, envelopes, session, connection: None, course };
    let standstill = drive.run().await?;
    if let Some(connection) = drive.connection.take() {
        connection.close(core).await;
    }
    Ok((standstill, drive.course))
}

async fn service_request(core: &Core, order: &Order) -> ServiceRequest {
    let target = &order.target;
    let results = core.store.read(|state| state.unreported(&target.sm_sr)).await;
    ServiceRequest {
        path: target.path.clone(),
        headers: ServiceHeaders {
            operation: target.operation,
            mode: if target.unasked { ManagementMode::Pull } else { ManagementMode::Push },
            transaction: target.transaction,
            sm_dp: None,
            por: order.por.clone(),
            received: order.received,
            access_time: order.access_time,
            results,
        },
        notification: order.notification.clone().map(Octets),
    }
}

impl<E: Euicc> Drive<'_, E> {
    async fn run(&mut self) -> Result<Standstill, SessionError> {
        loop {
            while let Some(event) = self.session.poll_event() {
                if let Some(standstill) = self.handle(event).await? {
                    return Ok(standstill);
                }
            }
            if self.flush().await {
                continue;
            }
            let received = async {
                match &mut self.connection {
                    Some(connection) => connection.receive().await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                received = received => match received {
                    Received::Octets(octets) => self.session.handle_input(&octets),
                    Received::Closed { orderly } => {
                        self.connection = None;
                        self.session.handle_closed(orderly);
                    }
                },
                () = clock::sleep_until_deadline(self.session.poll_timeout()) => {
                    self.session.handle_timeout(clock::now());
                }
            }
        }
    }

    /// Whether there was something to send.
    async fn flush(&mut self) -> bool {
        let mut sent = false;
        while let Some(octets) = self.session.poll_output() {
            sent = true;
            let Some(connection) = &mut self.connection else { continue };
            if let Err(error) = connection.send(self.core, &octets).await {
                tracing::debug!("connection lost: {error}");
                self.connection = None;
                self.session.handle_closed(false);
            }
        }
        sent
    }

    async fn handle(&mut self, event: AgentEvent) -> Result<Option<Standstill>, SessionError> {
        match event {
            AgentEvent::Connect => match Connection::open(self.core, self.sm_sr).await {
                Ok(connection) => {
                    self.connection = Some(connection);
                    self.session.handle_connected(clock::now());
                }
                Err(error) => return Ok(Some(Standstill::Unconnected(error))),
            },
            AgentEvent::Disconnect => {
                if let Some(connection) = self.connection.take() {
                    connection.close(self.core).await;
                }
            }
            AgentEvent::Persist(state) => {
                self.core.store.write_session(state).await?;
                self.session.handle_persisted(clock::now());
            }
            AgentEvent::Deliver(packet) => return Ok(self.deliver(&packet).await),
            AgentEvent::Acknowledged { .. } => {
                self.course.reached = true;
                self.acknowledged().await?;
            }
            AgentEvent::Paused(pause) => return Ok(Some(Standstill::Paused(pause))),
            AgentEvent::Ended(end) => return Ok(Some(Standstill::Ended(end))),
        }
        Ok(None)
    }

    async fn deliver(&mut self, packet: &[u8]) -> Option<Standstill> {
        self.envelopes.reference = self.envelopes.reference.wrapping_add(1);
        let response = match euicc::deliver(self.euicc, packet, &self.envelopes).await {
            Ok(response) => response,
            // The script goes on being unanswered: the SM-SR hears "interrupted" and sees for itself.
            Err(EuiccError::Card(error)) => return Some(Standstill::NoEuicc(error.to_string())),
            Err(error) => {
                tracing::error!("a packet cannot be brought to the eUICC: {error}");
                PacketResponse::Interrupted
            }
        };
        self.course.delivered = true;
        self.course.stopped = response.stops();
        self.core.metrics.packet(euicc::word(&response));
        self.session.handle_packet_response(response);
        None
    }

    /// The SM-SR has the results that went out with the service request.
    async fn acknowledged(&self) -> Result<(), FileError> {
        let results = &self.session.state().request.headers.results;
        if results.is_empty() {
            return Ok(());
        }
        self.core.store.update(|state| state.reported(results)).await
    }
}
