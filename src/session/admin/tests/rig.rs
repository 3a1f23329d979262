//! An agent with a disk and a card, an SM-SR with a store, a wire between them, and a count of steps at which any of
//! it can fail.

use super::*;
use crate::codec::apdu::StatusWord;
use crate::codec::gp::AgentId;
use crate::codec::gp::scp80_body::PacketResponse;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// What fails before the step is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// The terminal loses power: all that is not on its disk is gone.
    AgentPower,
    /// The SM-SR's process dies: all that is not in its store is gone.
    SmSrCrash,
    /// The connection breaks: what is on the wire is gone.
    Cut,
}

/// First octet of a packet that asks what became of another.
const AUDIT: u8 = 0xAA;

#[derive(Default)]
pub(super) struct Card {
    /// Every packet it was given, in order.
    pub(super) delivered: Vec<Vec<u8>>,
    /// Jobs it has executed.
    pub(super) executed: Vec<u8>,
    /// Job that it refuses with this status word.
    pub(super) refuses: Option<(u8, u16)>,
}

impl Card {
    fn take(&mut self, packet: &[u8]) -> PacketResponse {
        self.delivered.push(packet.to_vec());
        match packet {
            [AUDIT, job, ..] => PacketResponse::Response(vec![u8::from(self.executed.contains(job))]),
            [job, ..] if self.refuses.is_some_and(|(refused, _)| refused == *job) => {
                PacketResponse::StatusWord(StatusWord(self.refuses.unwrap().1))
            }
            [job, ..] => {
                self.executed.push(*job);
                // Every other job answers without a response packet, with a proactive command waiting.
                let silent = PacketResponse::StatusWord(StatusWord(0x9110));
                if job % 2 == 0 { silent } else { PacketResponse::Response(vec![*job, 0]) }
            }
            [] => panic!("packets are never empty"),
        }
    }
}

/// What the SM-SR has in its store.
#[derive(Clone, Default)]
pub(super) struct Store {
    exchange: Option<String>,
    /// Jobs still to be done, in order; job 0xAA.. are audits of the job that follows.
    open: VecDeque<Vec<u8>>,
    /// Packets of the outstanding script.
    sent: Vec<Vec<u8>>,
    pub(super) done: BTreeSet<u8>,
    pub(super) refused: BTreeMap<u8, u16>,
    /// Every packet has its own counter value.
    counter: u8,
}

impl Store {
    /// Two packets a script; an audit stands alone, for nothing new may be sent before its answer.
    fn next_packets(&mut self) -> Vec<Vec<u8>> {
        let alone = self.open.front().is_some_and(|job| job[0] == AUDIT);
        let count = if alone { 1 } else { self.open.iter().take(2).take_while(|job| job[0] != AUDIT).count() };
        let jobs: Vec<_> = self.open.drain(..count).collect();
        let number = |mut job: Vec<u8>| {
            self.counter += 1;
            job.push(self.counter);
            job
        };
        jobs.into_iter().map(number).collect()
    }

    fn take(&mut self, responses: &[PacketResponse]) {
        let mut again = Vec::new();
        let mut refused = false;
        for (index, packet) in std::mem::take(&mut self.sent).into_iter().enumerate() {
            let job = packet[..packet.len() - 1].to_vec();
            match (responses.get(index), job.as_slice()) {
                (Some(PacketResponse::Response(answer)), [AUDIT, audited]) => match answer.as_slice() {
                    [1] => drop(self.done.insert(*audited)),
                    _ => again.push(vec![*audited]),
                },
                (Some(PacketResponse::Response(_)), [job]) => drop(self.done.insert(*job)),
                (Some(PacketResponse::StatusWord(word)), [job]) if word.is_ok() => drop(self.done.insert(*job)),
                (Some(PacketResponse::StatusWord(word)), [job]) => {
                    refused = true;
                    self.refused.insert(*job, word.0);
                }
                (Some(PacketResponse::Interrupted), [AUDIT, ..]) | (None, _) => again.push(job),
                (Some(PacketResponse::Interrupted), [job]) => again.push(vec![AUDIT, *job]),
                other => panic!("{other:?}"),
            }
        }
        again.into_iter().rev().for_each(|job| self.open.push_front(job));
        if refused {
            self.open.clear();
        }
    }
}

pub(super) struct Rig {
    pub(super) now: Now,
    pub(super) agent: Option<AgentSession>,
    pub(super) disk: Option<String>,
    pub(super) card: Card,
    sm_sr: Option<SmSrSession>,
    pub(super) store: Store,
    /// What the SM-SR would store next: changed by responses, written with the exchange.
    staged: Store,
    to_sm_sr: VecDeque<Vec<u8>>,
    to_agent: VecDeque<Vec<u8>>,
    agent_todo: VecDeque<AgentTodo>,
    sm_sr_todo: VecDeque<SmSrTodo>,
    /// Octets handed over at a time.
    pub(super) piece: usize,
    pub(super) certificate: &'static str,
    /// Busy answers to give before any other, by seconds.
    pub(super) busy: VecDeque<u32>,
    pub(super) pauses: Vec<Pause>,
    pub(super) refusals: Vec<Refusal>,
    /// Service requests that the SM-SR had to think about.
    pub(super) requests: u32,
    pub(super) acknowledged: Vec<u32>,
    pub(super) ended: Option<End>,
    steps: usize,
    pub(super) fault: Option<(usize, Fault)>,
    pub(super) second_fault: Option<(usize, Fault)>,
}

/// A step of the agent's driver.
enum AgentTodo {
    Event(AgentEvent),
    Persisted,
    Delivered(PacketResponse),
    Reconnect,
}

enum SmSrTodo {
    Event(SmSrEvent),
    Persisted,
}

impl Rig {
    pub(super) fn new(jobs: &[u8]) -> Self {
        let open = jobs.iter().map(|job| vec![*job]).collect();
        let mut rig = Self {
            now: start(),
            agent: None,
            disk: None,
            card: Card::default(),
            sm_sr: None,
            store: Store { open, ..Store::default() },
            staged: Store::default(),
            to_sm_sr: VecDeque::new(),
            to_agent: VecDeque::new(),
            agent_todo: VecDeque::new(),
            sm_sr_todo: VecDeque::new(),
            piece: usize::MAX,
            certificate: EID,
            busy: VecDeque::new(),
            pauses: Vec::new(),
            refusals: Vec::new(),
            requests: 0,
            acknowledged: Vec::new(),
            ended: None,
            steps: 0,
            fault: None,
            second_fault: None,
        };
        rig.boot_agent();
        rig
    }

    pub(super) fn context() -> AgentContext {
        AgentContext {
            host: "smsr.example".into(),
            from: AgentId::isd_r(EID.parse().unwrap()),
            limits: limits(),
            exchange_timeout: Duration::from_secs(60),
        }
    }

    fn boot_agent(&mut self) {
        self.agent = Some(match &self.disk {
            Some(text) => AgentSession::restore(Self::context(), serde_json::from_str(text).unwrap()).unwrap(),
            None => AgentSession::begin(Self::context(), service_request()),
        });
    }

    /// Runs to the end of the session; whether the fault came to pass.
    pub(super) fn run(&mut self) -> bool {
        let mut struck = false;
        while self.ended.is_none() {
            assert!(self.steps < 2_000, "the session does not end");
            if let Some((_, fault)) = self.fault.take_if(|(step, _)| *step == self.steps) {
                struck = true;
                self.strike(fault);
            }
            if let Some((_, fault)) = self.second_fault.take_if(|(step, _)| *step == self.steps) {
                self.strike(fault);
            }
            self.steps += 1;
            self.step();
        }
        struck
    }

    fn strike(&mut self, fault: Fault) {
        match fault {
            Fault::AgentPower => {
                self.agent_todo.clear();
                self.cut();
                self.boot_agent();
            }
            Fault::SmSrCrash | Fault::Cut => self.cut(),
        }
    }

    fn cut(&mut self) {
        self.to_sm_sr.clear();
        self.to_agent.clear();
        self.sm_sr_todo.clear();
        self.agent_todo.retain(|todo| !matches!(todo, AgentTodo::Event(AgentEvent::Disconnect)));
        if self.sm_sr.take().is_some() {
            self.agent.as_mut().unwrap().handle_closed(false);
        }
    }

    fn collect(&mut self) {
        let agent = self.agent.as_mut().unwrap();
        self.to_sm_sr.extend(std::iter::from_fn(|| agent.poll_output()));
        self.agent_todo.extend(std::iter::from_fn(|| agent.poll_event()).map(AgentTodo::Event));
        if let Some(sm_sr) = &mut self.sm_sr {
            self.to_agent.extend(std::iter::from_fn(|| sm_sr.poll_output()));
            self.sm_sr_todo.extend(std::iter::from_fn(|| sm_sr.poll_event()).map(SmSrTodo::Event));
        }
    }

    fn step(&mut self) {
        self.collect();
        let agent = self.agent.as_mut().unwrap();
        if let Some(todo) = self.agent_todo.pop_front() {
            self.agent_step(todo);
        } else if let Some(todo) = self.sm_sr_todo.pop_front_if(|todo| {
            // The connection is closed only after everything was sent.
            !matches!(todo, SmSrTodo::Event(SmSrEvent::Close)) || self.to_agent.is_empty()
        }) {
            self.sm_sr_step(todo);
        } else if let Some(octets) = self.to_sm_sr.pop_front() {
            for piece in octets.chunks(self.piece) {
                self.sm_sr.as_mut().unwrap().handle_input(self.now, piece);
            }
        } else if let Some(octets) = self.to_agent.pop_front() {
            for piece in octets.chunks(self.piece) {
                agent.handle_input(piece);
            }
        } else {
            panic!("nothing to do and not ended");
        }
    }

    fn agent_step(&mut self, todo: AgentTodo) {
        let agent = self.agent.as_mut().unwrap();
        match todo {
            AgentTodo::Event(AgentEvent::Connect) | AgentTodo::Reconnect => {
                let context = SmSrContext {
                    certificate_eid: self.certificate.parse().unwrap(),
                    limits: limits(),
                    request_timeout: Duration::from_secs(30),
                    idle_timeout: Duration::from_secs(600),
                };
                self.sm_sr = Some(SmSrSession::new(context, self.now));
                agent.handle_connected(self.now);
            }
            AgentTodo::Event(AgentEvent::Disconnect) => {
                self.sm_sr = None;
                self.sm_sr_todo.clear();
                self.to_sm_sr.clear();
                self.to_agent.clear();
            }
            AgentTodo::Event(AgentEvent::Persist(state)) => {
                self.disk = Some(serde_json::to_string(&state).unwrap());
                self.agent_todo.push_front(AgentTodo::Persisted);
            }
            AgentTodo::Persisted => agent.handle_persisted(self.now),
            AgentTodo::Event(AgentEvent::Deliver(packet)) => {
                let response = self.card.take(&packet);
                self.agent_todo.push_front(AgentTodo::Delivered(response));
            }
            AgentTodo::Delivered(response) => agent.handle_packet_response(response),
            AgentTodo::Event(AgentEvent::Acknowledged { script }) => self.acknowledged.push(script),
            AgentTodo::Event(AgentEvent::Paused(pause)) => {
                let wait = match &pause {
                    Pause::Busy { retry_after } => *retry_after,
                    _ => Duration::from_secs(30),
                };
                self.now.mono += wait;
                self.pauses.push(pause);
                self.agent_todo.push_back(AgentTodo::Reconnect);
            }
            AgentTodo::Event(AgentEvent::Ended(end)) => {
                self.disk = None;
                self.ended = Some(end);
            }
        }
    }

    fn sm_sr_step(&mut self, todo: SmSrTodo) {
        let sm_sr = self.sm_sr.as_mut().unwrap();
        match todo {
            SmSrTodo::Event(SmSrEvent::Lookup(transaction)) => {
                assert_eq!(transaction, TX);
                self.staged = self.store.clone();
                let exchange = self.store.exchange.as_ref().map(|text| serde_json::from_str(text).unwrap());
                sm_sr.handle_found(self.now, exchange);
            }
            SmSrTodo::Event(SmSrEvent::Notification(_)) => panic!("no notification was posted"),
            SmSrTodo::Event(SmSrEvent::ServiceRequest { headers, .. }) => {
                assert_eq!(headers, service_request().headers);
                self.requests += 1;
                self.answer();
            }
            SmSrTodo::Event(SmSrEvent::Responses { responses, .. }) => {
                self.staged.take(&responses);
                self.answer();
            }
            SmSrTodo::Event(SmSrEvent::Persist(exchange)) => {
                self.staged.exchange = Some(serde_json::to_string(&exchange).unwrap());
                self.store = self.staged.clone();
                self.sm_sr_todo.push_front(SmSrTodo::Persisted);
            }
            SmSrTodo::Persisted => sm_sr.handle_persisted(self.now),
            SmSrTodo::Event(SmSrEvent::AnsweredAgain { .. }) => {}
            SmSrTodo::Event(SmSrEvent::Refused(refusal)) => self.refusals.push(refusal),
            SmSrTodo::Event(SmSrEvent::Close) => {
                self.sm_sr = None;
                self.sm_sr_todo.clear();
                self.to_sm_sr.clear();
                self.agent.as_mut().unwrap().handle_closed(true);
            }
        }
    }

    fn answer(&mut self) {
        let sm_sr = self.sm_sr.as_mut().unwrap();
        if let Some(retry_after) = self.busy.pop_front() {
            return sm_sr.answer(self.now, Answer::Busy { retry_after }).unwrap();
        }
        let packets = self.staged.next_packets();
        self.staged.sent.clone_from(&packets);
        let answer = if packets.is_empty() { Answer::End } else { Answer::Packets(packets) };
        sm_sr.answer(self.now, answer).unwrap();
    }
}
