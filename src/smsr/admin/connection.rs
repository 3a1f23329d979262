//! One connection of a terminal: octets to the session machine and back, and its questions to the store.

use super::{refused, refused_terminal};
use crate::{
    codec::gp::http::{Limits, ServiceHeaders},
    io::{
        clock,
        store::{
            StoreError,
            smsr::{Responses, Served, ServiceRequest, Sessions},
        },
        tls::Duplex,
    },
    session::{
        admin::{Answer, Refusal, SmSrContext, SmSrEvent, SmSrSession},
        admission::Request,
    },
    smsr::core::{Core, Slot},
    types::{Eid, ManagementMode, TransactionId},
};
use std::{io, sync::Arc, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    sync::watch,
};

pub(super) struct Connection {
    core: Arc<Core>,
    eid: Eid,
    peer: String,
    session: SmSrSession,
    slot: Option<Slot>,
    notification: Option<Vec<u8>>,
}

/// Why a connection ends before the session says so.
#[derive(Debug, thiserror::Error)]
enum Cut {
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Answer(#[from] crate::codec::EncodeError),
}

impl Connection {
    pub(super) fn new(core: Arc<Core>, eid: Eid, peer: String) -> Self {
        let limits = Limits {
            body: usize::try_from(core.config.limits.admin_request_size).unwrap_or(usize::MAX),
            ..Limits::default()
        };
        let context = SmSrContext {
            certificate_eid: eid,
            limits,
            request_timeout: core.config.limits.handshake_timeout.max(Duration::from_secs(30)),
            idle_timeout: core.config.session_timeout,
        };
        let session = SmSrSession::new(context, clock::now());
        Self { core, eid, peer, session, slot: None, notification: None }
    }

    /// To the end of the connection. What it came to is in the store.
    pub(super) async fn run(mut self, mut stream: Box<dyn Duplex>, mut stopping: watch::Receiver<()>) {
        let result = tokio::select! {
            result = self.serve(&mut stream) => result,
            _ = stopping.changed() => Ok(()),
        };
        match result {
            Ok(()) => drop(stream.shutdown().await),
            // A terminal may go away at any time: it calls again.
            Err(Cut::Io(error)) => tracing::debug!("the connection of eUICC {} broke: {error}", self.eid),
            Err(error) => tracing::error!("the session of eUICC {} is cut: {error}", self.eid),
        }
    }

    async fn serve(&mut self, stream: &mut Box<dyn Duplex>) -> Result<(), Cut> {
        let mut input = vec![0; 4096];
        loop {
            let closed = self.work().await?;
            while let Some(output) = self.session.poll_output() {
                stream.write_all(&output).await?;
            }
            stream.flush().await?;
            if closed {
                return Ok(());
            }
            let deadline = self.session.poll_timeout();
            tokio::select! {
                read = stream.read(&mut input) => match read? {
                    0 => return Ok(()),
                    count => self.session.handle_input(clock::now(), input.get(..count).unwrap_or_default()),
                },
                () = clock::sleep_until_deadline(deadline) => self.session.handle_timeout(clock::now()),
            }
        }
    }

    /// Does what the session asks for; whether the connection is to be closed.
    async fn work(&mut self) -> Result<bool, Cut> {
        let mut closed = false;
        while let Some(event) = self.session.poll_event() {
            match event {
                SmSrEvent::Lookup(transaction) => {
                    let exchange = self.core.store.exchange(transaction, self.eid).await?;
                    self.session.handle_found(clock::now(), exchange);
                }
                SmSrEvent::Notification(octets) => self.notification = Some(octets),
                SmSrEvent::ServiceRequest { headers, resume } => {
                    let answer = self.service_request(headers, resume).await?;
                    self.session.answer(clock::now(), answer)?;
                }
                SmSrEvent::Responses { transaction, script, responses, .. } => {
                    let answer = match self.admit(&GOES_ON) {
                        Err(busy) => busy,
                        Ok(()) => {
                            let limits = self.core.limits();
                            let (eid, now) = (self.eid, clock::now().utc);
                            let input = Responses { transaction, eid, now, script, responses, limits };
                            let served = self.core.store.respond(input).await?;
                            self.account(transaction, served)
                        }
                    };
                    self.session.answer(clock::now(), answer)?;
                }
                SmSrEvent::AnsweredAgain { .. } => {
                    // It was admitted before; when there is no room now, the answer costs nothing.
                    let _ = self.admit(&GOES_ON);
                }
                // The store has written it together with everything it follows from.
                SmSrEvent::Persist(_) => self.session.handle_persisted(clock::now()),
                SmSrEvent::Refused(refusal) => self.refused(&refusal),
                SmSrEvent::Close => closed = true,
            }
        }
        Ok(closed)
    }

    async fn service_request(&mut self, headers: ServiceHeaders, resume: bool) -> Result<Answer, Cut> {
        self.core.metrics.service_requests.inc();
        let (transaction, mode) = (headers.transaction, headers.mode);
        let request = ServiceRequest {
            transaction,
            eid: self.eid,
            now: clock::now().utc,
            results: headers.results,
            access_at: headers.access_time,
            pull: mode == ManagementMode::Pull,
            notification: self.notification.take(),
        };
        let known = self.core.store.requested(request).await?;
        self.progressed();
        let Some(known) = known else {
            tracing::info!("eUICC {}: nothing is pending for transaction {transaction}", self.eid);
            return Ok(Answer::NothingPending);
        };
        let request = Request {
            operation: known.operation,
            mode,
            batch_priority: known.batch_priority,
            resumes: known.resumes || resume,
        };
        if let Err(busy) = self.admit(&request) {
            return Ok(busy);
        }
        let served = self.core.store.begin(transaction, self.eid, clock::now().utc, self.core.limits()).await?;
        Ok(self.account(transaction, served))
    }

    /// One session per connection, however many transactions it serves.
    fn admit(&mut self, request: &Request) -> Result<(), Answer> {
        if self.slot.is_none() {
            let slot = self.core.admit(request).map_err(|wait| {
                let seconds = u32::try_from(wait.as_millis().div_ceil(1000)).unwrap_or(u32::MAX);
                Answer::Busy { retry_after: seconds.max(1) }
            })?;
            self.slot = Some(slot);
        }
        Ok(())
    }

    fn account(&self, transaction: TransactionId, served: Served) -> Answer {
        if served.unproved > 0 {
            self.core.metrics.unproved.inc_by(served.unproved as u64);
            let packets = served.unproved;
            tracing::warn!("eUICC {}: {packets} packets of transaction {transaction} without valid proof", self.eid);
        }
        if let Some((operation, result)) = &served.ended {
            self.core.metrics.ended(*operation, result.is_ok());
            match result {
                Ok(()) => tracing::info!("eUICC {}: {operation} has succeeded", self.eid),
                Err(reason) => tracing::warn!("eUICC {}: {operation} has failed: {reason}", self.eid),
            }
        }
        self.progressed();
        served.answer
    }

    fn progressed(&self) {
        self.core.progressed();
        self.core.outbound.notify_one();
        // The next target of this eUICC may have waited for this one.
        self.core.due.notify_one();
    }

    fn refused(&self, refusal: &Refusal) {
        match refusal {
            Refusal::WrongEid => refused_terminal(&self.core, &self.peer, &self.eid, "wrong-eid", refusal),
            Refusal::Malformed(_) => refused_terminal(&self.core, &self.peer, &self.eid, "malformed", refusal),
            Refusal::TimedOut => refused(&self.core, &self.peer, "timeout", refusal),
        }
    }
}

/// The answer to a script: the session had been admitted.
const GOES_ON: Request = Request { operation: None, mode: ManagementMode::Push, batch_priority: 1, resumes: true };
