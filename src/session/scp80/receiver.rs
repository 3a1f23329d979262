//! The receiving end: the order of checks of TS 102 225, up to the point where something may be executed.

use crate::codec::EncodeError;
use crate::codec::ota::{
    CommandHeader, Counter, CounterDecision, Integrity, KeySet, MinimumSecurity, PorRequest, Rejection, ResponsePacket,
    ResponseStatus, Spi, UnverifiedCommand,
};
use crate::types::Tar;
use std::ops::RangeInclusive;

/// One security domain: its key sets, each under the caller's name `K` for it, and the applications they serve.
#[derive(Debug, Clone)]
pub struct Receiver<K> {
    key_sets: Vec<(K, KeySet)>,
    applications: Vec<(RangeInclusive<Tar>, MinimumSecurity)>,
}

/// What became of a packet.
#[derive(Debug)]
pub enum Reception<K> {
    /// Authentic and new.
    Accepted(Accepted<K>),
    /// Authentic, but its counter is low, high or blocked. Nothing is executed or stored; the response, when one was
    /// asked for, may be sent.
    CounterRefused { key: K, status: ResponseStatus, response: Option<Response> },
    /// Not to be answered. The reason is for our own diagnosis; counted outside as one kind.
    Silent { rejection: Rejection, header: Option<CommandHeader> },
}

/// A command whose counter has to be stored before it is known to anybody else.
#[derive(Debug)]
pub struct Accepted<K> {
    pub key: K,
    /// The new stored counter of this key set. None when the packet does not move it.
    pub store: Option<Counter>,
    command: Command,
}

/// A command to be executed, and how to answer it.
#[derive(Debug, Clone)]
pub struct Command {
    pub spi: Spi,
    pub tar: Tar,
    pub counter: Counter,
    pub data: Vec<u8>,
    keys: KeySet,
}

/// A response packet and its way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    /// RPL first.
    pub packet: Vec<u8>,
    pub carrier: Carrier,
}

/// What carries a response (SPI2 b6).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Carrier {
    DeliverReport,
    Submit,
}

impl<K> Default for Receiver<K> {
    fn default() -> Self {
        Self { key_sets: Vec::new(), applications: Vec::new() }
    }
}

impl<K: Clone> Receiver<K> {
    pub fn with_key_set(mut self, name: K, keys: KeySet) -> Self {
        self.key_sets.push((name, keys));
        self
    }

    pub fn with_application(self, tar: Tar, minimum: MinimumSecurity) -> Self {
        self.with_applications(tar..=tar, minimum)
    }

    /// For security domains whose TARs form a range, as ISD-Ps do. The first that has a TAR counts.
    pub fn with_applications(mut self, tars: RangeInclusive<Tar>, minimum: MinimumSecurity) -> Self {
        self.applications.push((tars, minimum));
        self
    }

    /// Judges a packet (CPL first). `stored` is asked for the counter of one key set, and only after the RC/CC has been
    /// found right; when it knows none, the packet is refused.
    pub fn receive(&self, packet: &[u8], stored: impl FnOnce(&K) -> Option<Counter>) -> Reception<K> {
        let unverified = match UnverifiedCommand::decode(packet) {
            Ok(unverified) => unverified,
            Err(error) => return Reception::Silent { rejection: error.into(), header: None },
        };
        match self.judge(&unverified, stored) {
            Ok(reception) => reception,
            Err(rejection) => Reception::Silent { rejection, header: Some(unverified.header) },
        }
    }

    fn judge(
        &self,
        unverified: &UnverifiedCommand<'_>,
        stored: impl FnOnce(&K) -> Option<Counter>,
    ) -> Result<Reception<K>, Rejection> {
        let header = unverified.header;
        let minimum = self.minimum(header.tar).ok_or(Rejection::TarUnknown)?;
        if !minimum.is_met_by(header.spi) {
            return Err(Rejection::SecurityLevel);
        }
        let (key, keys) = self.keys_for(&header).ok_or(Rejection::KeyUnknown)?;
        let packet = unverified.verify(keys)?;
        let stored = stored(key).ok_or(Rejection::CounterUnknown)?;

        let (spi, tar, counter) = (packet.spi, packet.tar, packet.counter);
        let command = Command { spi, tar, counter, data: packet.data, keys: keys.clone() };
        let authentic = spi.integrity() == Integrity::CryptographicChecksum;
        let status = match stored.judge(spi.counter_mode(), counter) {
            CounterDecision::Store(counter) => {
                // Without CC anybody could drive the counter to its end.
                let store = authentic.then_some(counter);
                return Ok(Reception::Accepted(Accepted { key: key.clone(), store, command }));
            }
            CounterDecision::Unchecked => {
                return Ok(Reception::Accepted(Accepted { key: key.clone(), store: None, command }));
            }
            CounterDecision::Low => ResponseStatus::CNTR_LOW,
            CounterDecision::High => ResponseStatus::CNTR_HIGH,
            CounterDecision::Blocked => ResponseStatus::CNTR_BLOCKED,
        };
        let response = if authentic { command.respond(status, Vec::new()).unwrap_or_default() } else { None };
        Ok(Reception::CounterRefused { key: key.clone(), status, response })
    }

    fn minimum(&self, tar: Tar) -> Option<MinimumSecurity> {
        self.applications.iter().find(|(tars, _)| tars.contains(&tar)).map(|(_, minimum)| *minimum)
    }

    /// The set that the header names; where the SPI uses no key, the one whose octets agree, or else any.
    fn keys_for(&self, header: &CommandHeader) -> Option<(&K, &KeySet)> {
        let named = |keys: &KeySet| keys.kic() == header.kic && keys.kid() == header.kid;
        let serving = || self.key_sets.iter().filter(|(_, keys)| keys.serves(header));
        serving().find(|(_, keys)| named(keys)).or_else(|| serving().next()).map(|(key, keys)| (key, keys))
    }
}

impl<K> Accepted<K> {
    /// The command, once [`store`](Self::store) is on stable storage; a crash before that loses the command, a crash
    /// after it must not bring it back.
    pub fn stored(self) -> Command {
        self.command
    }
}

impl Command {
    /// The response that the command asked for: none when it asked for none, or for errors only and this is none.
    pub fn respond(&self, status: ResponseStatus, data: Vec<u8>) -> Result<Option<Response>, EncodeError> {
        let wanted = match self.spi.por_request() {
            PorRequest::Always => true,
            PorRequest::OnError => status != ResponseStatus::POR_OK,
            PorRequest::Never | PorRequest::Reserved => false,
        };
        if !wanted {
            return Ok(None);
        }
        let response = ResponsePacket { tar: self.tar, counter: self.counter, status, data };
        let carrier = if self.spi.por_by_submit() { Carrier::Submit } else { Carrier::DeliverReport };
        Ok(Some(Response { packet: response.secure(self.spi, &self.keys)?, carrier }))
    }
}
