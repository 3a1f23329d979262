//! The interface to the card: power, identity, PIN, logical channels of the host.

use super::radio::{AREA, CELL};
use super::{Air, Modem};
use crate::card::{Card, CardState, Subscription};
use crate::codec::apdu::{CommandApdu, ResponseApdu, StatusWord};
use crate::codec::cat::{Envelope, Event, value::Location};
use crate::types::Now;
use std::{collections::BTreeMap, time::Duration};

/// Keeps a card's state; called each time it has changed, before anything that depends on the change.
pub type Flash = Box<dyn FnMut(&CardState) + Send>;

/// TERMINAL PROFILE (TS 102 223 5.2): profile and SMS-PP download, MORE TIME, polling, REFRESH, DISPLAY TEXT, SEND SHORT
/// MESSAGE, SET UP EVENT LIST; no bearer independent protocol.
const TERMINAL_PROFILE: [u8; 10] = [0x80, 0x10, 0x00, 0x00, 0x05, 0x03, 0x00, 0xE9, 0x02, 0x01];

pub(super) struct Sim {
    card: Card,
    flash: Flash,
    /// +CCHO sessions and their logical channels.
    pub(super) sessions: BTreeMap<u32, u8>,
    pub(super) last_session: u32,
    /// A proactive command of this length waits; it is fetched when the present command is answered.
    pub(super) fetch: Option<u8>,
    /// Events the card wants to hear of (SET UP EVENT LIST).
    pub(super) wanted_events: Vec<u8>,
}

/// Whether the card lets its files be read (TS 102 221 11.1.9).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pin {
    Ready,
    Wanted,
    Blocked,
}

impl Sim {
    pub(super) fn new(card: Card, flash: Flash) -> Self {
        Self { card, flash, sessions: BTreeMap::new(), last_session: 0, fetch: None, wanted_events: Vec::new() }
    }

    pub(super) fn reset(&mut self) {
        self.card.reset();
        self.sessions.clear();
        self.fetch = None;
        self.wanted_events.clear();
    }

    pub(super) fn state(&self) -> &CardState {
        self.card.state()
    }

    pub(super) fn subscription(&self) -> Option<&Subscription> {
        self.card.subscription()
    }

    pub(super) fn poll_timeout(&self) -> Option<Duration> {
        // A proactive command that waits is fetched at once.
        self.fetch.map(|_| Duration::ZERO).or(self.card.poll_timeout())
    }

    pub(super) fn handle_timeout(&mut self, now: Now) {
        if self.card.poll_timeout().is_some_and(|due| due <= now.mono) {
            self.card.handle_timeout(now);
        }
    }

    pub(super) fn connectivity_failed(&mut self) {
        self.card.connectivity_failed(&mut self.flash);
    }

    /// One command to the card, as it is.
    pub(super) fn transmit(&mut self, now: Now, apdu: &[u8]) -> ResponseApdu {
        let answer = self.card.transmit(now, apdu, &mut self.flash);
        ResponseApdu::decode(&answer).unwrap_or_else(|_| StatusWord::NO_INFORMATION.into())
    }

    pub(super) fn command(&mut self, now: Now, command: &CommandApdu) -> ResponseApdu {
        match command.encode() {
            Ok(apdu) => self.transmit(now, &apdu),
            Err(_) => StatusWord::WRONG_LENGTH.into(),
        }
    }

    /// An empty VERIFY asks for the state of PIN1.
    pub(super) fn pin(&mut self, now: Now) -> Pin {
        let answer = self.transmit(now, &[0x00, 0x20, 0x00, 0x01, 0x00]);
        match answer.sw {
            sw if sw.is_ok() => Pin::Ready,
            StatusWord::PIN_BLOCKED | StatusWord(0x63C0) => Pin::Blocked,
            sw if sw.0 & 0xFFF0 == 0x63C0 => Pin::Wanted,
            _ => Pin::Ready,
        }
    }
}

impl Modem {
    /// What a terminal does with a card after its reset (TS 102 221 14.1, TS 102 223 6.1).
    pub(super) fn start_sim(&mut self, air: &mut Air<'_>) {
        let answer = self.sim.transmit(air.now, &TERMINAL_PROFILE);
        self.note_proactive(answer.sw);
    }

    /// STATUS, which gives the card an occasion to announce a proactive command.
    pub(super) fn poll_card(&mut self, air: &mut Air<'_>) {
        let answer = self.sim.transmit(air.now, &[0x80, 0xF2, 0x00, 0x00, 0x00]);
        self.note_proactive(answer.sw);
    }

    /// Tells the card of normal service, where it asked for that (TS 102 223 7.5.4).
    pub(super) fn report_location(&mut self, air: &mut Air<'_>) {
        if !self.sim.wanted_events.contains(&Event::LOCATION_STATUS) {
            return;
        }
        let location = self.settings.plmn.split_at_checked(3);
        let location = location.and_then(|(mcc, mnc)| Location::new(mcc, mnc, AREA, CELL).ok());
        let event = Envelope::EventDownload(Event::LocationStatus { status: 0, location });
        if let Ok(envelope) = event.encode() {
            let answer = self.sim.transmit(air.now, &envelope);
            self.note_proactive(answer.sw);
        }
    }

    pub(super) fn sim_timeout(&mut self, air: &mut Air<'_>) {
        self.sim.handle_timeout(air.now);
        if let Some(length) = self.sim.fetch.take() {
            self.run_toolkit(air, length);
        }
    }
}
