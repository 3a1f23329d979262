//! Both ends of a session on a virtual clock, joined by a bad link: delay, jitter (which reorders responses), loss of
//! responses (a peer that never answers), bytes cut anywhere.

use super::{Config, Event, Outcome, Session, Timer};
use crate::codec::smpp::{
    Address, Bind, BindMode, Body, CommandId, CommandStatus, Framer, InterfaceVersion, MessageResp, Npi, Octets,
    ShortMessage, Ton,
};
use crate::types::{Now, Secret, UnixSeconds};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

pub(super) fn at(mono: Duration) -> Now {
    Now { mono, utc: UnixSeconds(1_800_000_000 + mono.as_secs()) }
}

pub(super) fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

pub(super) fn bind() -> Bind {
    Bind {
        system_id: "esme".into(),
        password: Secret::new(b"pw".to_vec()),
        system_type: String::new(),
        interface_version: InterfaceVersion::V3_4,
        address_range: Address::default(),
    }
}

pub(super) fn message(text: &str) -> ShortMessage {
    ShortMessage {
        destination: Address::new(Ton::INTERNATIONAL, Npi::ISDN, "4915112345678"),
        short_message: Octets(text.as_bytes().to_vec()),
        ..ShortMessage::default()
    }
}

pub(super) fn submit(text: &str) -> Body {
    Body::SubmitSm(message(text))
}

/// What the link does to PDUs.
#[derive(Debug, Clone, Copy)]
pub(super) struct Link {
    pub(super) delay: Duration,
    /// Responses take up to this much longer, so that they overtake each other.
    pub(super) jitter: Duration,
    /// One response to a message in so many never arrives; 0: all do.
    pub(super) lose_one_in: u64,
}

pub(super) const GOOD: Link = Link { delay: Duration::from_millis(10), jitter: Duration::ZERO, lose_one_in: 0 };

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    Esme,
    Smsc,
}

pub(super) struct Rig {
    pub(super) now: Duration,
    pub(super) esme: Session,
    pub(super) smsc: Session,
    pub(super) link: Link,
    window: usize,
    /// In order of arrival.
    travelling: BTreeMap<(Duration, u64), (End, Vec<u8>)>,
    count: u64,
    seed: u64,
    /// Events that the rig does not handle itself.
    pub(super) esme_events: Vec<Event>,
    pub(super) smsc_events: Vec<Event>,
    /// Sequence and outcome of every settled request of the ESME.
    pub(super) outcomes: Vec<(u32, Outcome)>,
    /// How the SMSC answers submissions; `None`: not at all.
    pub(super) answer: Option<CommandStatus>,
    pub(super) accepts_binds: bool,
    /// Texts the SMSC has seen, in order.
    pub(super) seen: Vec<String>,
    /// Sequences of deliver_sm as the ESME answered them, as seen on the wire.
    pub(super) delivered: Vec<u32>,
}

impl Rig {
    pub(super) fn new(esme: Config, smsc: Config) -> Self {
        let start = at(Duration::ZERO);
        Self {
            now: Duration::ZERO,
            window: esme.window,
            esme: Session::esme(esme, start),
            smsc: Session::smsc(smsc, start),
            link: GOOD,
            travelling: BTreeMap::new(),
            count: 0,
            seed: 0x5EED,
            esme_events: Vec::new(),
            smsc_events: Vec::new(),
            outcomes: Vec::new(),
            answer: Some(CommandStatus::ROK),
            accepts_binds: true,
            seen: Vec::new(),
            delivered: Vec::new(),
        }
    }

    /// Bound as transceiver over a good link.
    pub(super) fn bound() -> Self {
        Self::bound_with(Config::esme(), Config::smsc())
    }

    pub(super) fn bound_with(esme: Config, smsc: Config) -> Self {
        let mut rig = Self::new(esme, smsc);
        rig.esme.bind(at(rig.now), BindMode::Transceiver, bind()).unwrap();
        rig.run(secs(1));
        assert!(matches!(rig.esme_events.as_slice(), [Event::Bound { .. }]), "{:?}", rig.esme_events);
        rig.esme_events.clear();
        rig
    }

    pub(super) fn with_seed(mut self, seed: u64) -> Self {
        self.seed = seed | 1;
        self
    }

    pub(super) fn now(&self) -> Now {
        at(self.now)
    }

    fn random(&mut self, below: u64) -> u64 {
        // xorshift64: enough for schedules.
        self.seed ^= self.seed << 13;
        self.seed ^= self.seed >> 7;
        self.seed ^= self.seed << 17;
        if below == 0 { 0 } else { self.seed % below }
    }

    fn dispatch(&mut self, from: End) {
        let session = if from == End::Esme { &mut self.esme } else { &mut self.smsc };
        let Some(output) = session.poll_output() else { return };
        let mut framer = Framer::default();
        framer.push(&output);
        let mut pdus = Vec::new();
        while let Ok(Some(pdu)) = framer.next_pdu() {
            pdus.push(pdu.to_vec());
        }
        assert!(!framer.is_partial(), "a session writes whole PDUs");
        for pdu in pdus {
            self.send(from, pdu);
        }
    }

    fn send(&mut self, from: End, pdu: Vec<u8>) {
        let id = CommandId(u32::from_be_bytes(pdu[4..8].try_into().unwrap()));
        if from == End::Esme && id == CommandId::DELIVER_SM_RESP {
            self.delivered.push(u32::from_be_bytes(pdu[12..16].try_into().unwrap()));
        }
        let answers_message = matches!(id, CommandId::SUBMIT_SM_RESP | CommandId::DATA_SM_RESP);
        if answers_message && self.link.lose_one_in > 0 && self.random(self.link.lose_one_in) == 0 {
            return;
        }
        let jitter = if answers_message { self.random(self.link.jitter.as_millis().try_into().unwrap()) } else { 0 };
        let arrival = self.now + self.link.delay + Duration::from_millis(jitter);
        self.count += 1;
        let to = if from == End::Esme { End::Smsc } else { End::Esme };
        self.travelling.insert((arrival, self.count), (to, pdu));
    }

    fn receive(&mut self, to: End, pdu: &[u8]) {
        let cut = usize::try_from(self.random(pdu.len().try_into().unwrap())).unwrap();
        let now = self.now();
        let session = if to == End::Esme { &mut self.esme } else { &mut self.smsc };
        session.handle_input(now, &pdu[..cut]);
        session.handle_input(now, &pdu[cut..]);
    }

    /// What the owners of both ends do.
    fn owners(&mut self) {
        let now = self.now();
        while let Some(event) = self.smsc.poll_event() {
            match event {
                Event::BindRequested { .. } if self.accepts_binds => self.smsc.accept_bind("smsc").unwrap(),
                Event::Request { id, body: Body::SubmitSm(message), .. } => {
                    self.seen.push(String::from_utf8(message.short_message.to_vec()).unwrap());
                    let Some(status) = self.answer else { continue };
                    let message_id = format!("m{}", self.seen.len());
                    let resp = status.is_ok().then(|| MessageResp { message_id, tlvs: vec![] });
                    self.smsc.respond(now, id, status, Some(Body::SubmitSmResp(resp))).unwrap();
                }
                other => self.smsc_events.push(other),
            }
        }
        while let Some(event) = self.esme.poll_event() {
            match event {
                Event::Response { sequence, outcome } => self.outcomes.push((sequence, outcome)),
                Event::Request { id, body: Body::DeliverSm(_), .. } => {
                    let resp = Body::DeliverSmResp(Some(MessageResp::default()));
                    self.esme.respond(now, id, CommandStatus::ROK, Some(resp)).unwrap();
                }
                other => self.esme_events.push(other),
            }
        }
    }

    /// Lets everything happen that is due now.
    pub(super) fn settle(&mut self) {
        loop {
            self.owners();
            self.dispatch(End::Esme);
            self.dispatch(End::Smsc);
            assert!(self.esme.in_flight() <= self.window, "{} in flight", self.esme.in_flight());
            let Some(entry) = self.travelling.first_entry().filter(|entry| entry.key().0 <= self.now) else { break };
            let (to, pdu) = entry.remove();
            self.receive(to, &pdu);
        }
    }

    /// Runs both ends for so long, waking each when it asks for it.
    pub(super) fn run(&mut self, length: Duration) {
        let end = self.now + length;
        self.settle();
        loop {
            let arrival = self.travelling.first_key_value().map(|((time, _), _)| *time);
            let next = [arrival, self.esme.poll_timeout(), self.smsc.poll_timeout()].into_iter().flatten().min();
            let Some(next) = next.filter(|next| *next <= end) else { break };
            assert!(next >= self.now || self.travelling.is_empty(), "time runs forwards");
            self.now = self.now.max(next);
            let now = self.now();
            for session in [&mut self.esme, &mut self.smsc] {
                if session.poll_timeout().is_some_and(|due| due <= now.mono) {
                    session.handle_timeout(now);
                    assert!(session.poll_timeout().is_none_or(|due| due > now.mono), "a timer fires once");
                }
            }
            self.settle();
        }
        self.now = end;
        self.settle();
    }

    /// No request has two outcomes.
    pub(super) fn assert_settled_once(&self) {
        let sequences: BTreeSet<u32> = self.outcomes.iter().map(|(sequence, _)| *sequence).collect();
        assert_eq!(sequences.len(), self.outcomes.len());
    }
}

/// A configuration without probes, for tests of other timers.
pub(super) fn without_probes(config: Config) -> Config {
    Config { timers: config.timers.with(Timer::EnquireLink, None).with(Timer::Inactivity, None), ..config }
}
