//! An emulated modem: AT interpreter, SIM interface, registration and short messages. Octets in, octets out; the
//! network is an argument and so is time.
//!
//! [`Modem::power_on`] first; then everything that arrives goes to a `handle_` method or [`Modem::deliver`], and after
//! each the outputs are to be taken with the `poll_` methods. How makes of modems differ is in [`personality`], as data.

mod call;
mod commands;
mod fault;
mod interpreter;
pub mod personality;
mod port;
mod radio;
mod sim;
mod sms;
mod store;
#[cfg(test)]
mod tests;
mod toolkit;

pub use fault::{Action, Fault};
pub use personality::Personality;
pub use sim::Flash;

use super::network::{Network, Terminal};
use crate::card::Card;
use crate::types::Now;
use fault::Faults;
use port::Port;
use radio::Radio;
use serde::Serialize;
use sim::Sim;
use sms::Messaging;
use std::{collections::VecDeque, sync::Arc, time::Duration};

/// What a modem is made of.
pub struct ModemParts {
    pub terminal: Terminal,
    pub personality: Arc<Personality>,
    /// 15 digits.
    pub imei: String,
    pub card: Card,
    /// Keeps the card's state.
    pub flash: Flash,
    pub settings: Arc<Settings>,
}

/// What all modems have in common.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Name in AT+COPS.
    pub operator: String,
    pub plmn: String,
    pub registration_delay: Duration,
    /// From the payload of AT+CMGS to its answer.
    pub cmgs_delay: Duration,
}

/// What surrounds a modem at this moment.
#[derive(Debug)]
pub struct Air<'a> {
    pub now: Now,
    pub network: &'a mut Network,
}

/// What a modem asks of whoever holds its ports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// AT+CFUN=1,1: the ports vanish, and come back when the modem has started again.
    Restart,
}

/// What a modem tells about itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Snapshot {
    pub powered: bool,
    pub registered: bool,
    pub imei: String,
    pub eid: String,
    pub iccid: Option<String>,
    pub imsi: Option<String>,
    pub msisdn: Option<String>,
    /// Messages in SM, ME and SR.
    pub stored: [usize; 3],
    /// The parameters of AT+CNMI.
    pub cnmi: [u8; 5],
}

pub struct Modem {
    terminal: Terminal,
    personality: Arc<Personality>,
    imei: String,
    settings: Arc<Settings>,
    powered: bool,
    ports: Vec<Port>,
    sim: Sim,
    radio: Radio,
    messaging: Messaging,
    faults: Faults,
    events: VecDeque<Event>,
    /// Values of settings that are only remembered, by command.
    remembered: commands::Remembered,
}

impl Modem {
    /// A modem without power.
    pub fn new(parts: ModemParts) -> Self {
        let messaging = Messaging::new(&parts.personality);
        Self {
            terminal: parts.terminal,
            personality: parts.personality,
            imei: parts.imei,
            settings: parts.settings,
            powered: false,
            ports: vec![Port::new()],
            sim: Sim::new(parts.card, parts.flash),
            radio: Radio::default(),
            messaging,
            faults: Faults::default(),
            events: VecDeque::new(),
            remembered: commands::Remembered::default(),
        }
    }

    /// Starts with factory settings; stored messages and the card's content are still there.
    pub fn power_on(&mut self, air: &mut Air<'_>) {
        self.powered = true;
        self.ports.iter_mut().for_each(|port| *port = Port::new());
        self.radio = Radio::default();
        self.remembered = commands::Remembered::default();
        self.messaging.forget_settings();
        let service_centre = air.network.service_centre();
        self.messaging.service_centre.get_or_insert_with(|| service_centre.clone());
        self.sim.reset();
        self.start_sim(air);
        for urc in self.personality.clone().boot.iter() {
            self.urc(urc);
        }
        self.register_later(air);
    }

    /// Power is gone: the network loses the terminal.
    pub fn power_off(&mut self, air: &mut Air<'_>) {
        self.powered = false;
        self.messaging.stop();
        self.radio = Radio::default();
        self.sim.reset();
        air.network.detach(air.now, self.terminal);
        self.ports.iter_mut().for_each(|port| *port = Port::new());
    }

    /// When [`handle_timeout`](Self::handle_timeout) is due (`Now::mono`); changes with every call.
    pub fn poll_timeout(&self) -> Option<Duration> {
        if !self.powered {
            return None;
        }
        [self.radio.due, self.messaging.poll_timeout(), self.sim.poll_timeout()].into_iter().flatten().min()
    }

    pub fn handle_timeout(&mut self, air: &mut Air<'_>) {
        if !self.powered {
            return;
        }
        self.sim_timeout(air);
        self.radio_timeout(air);
        self.messaging_timeout(air);
    }

    /// Octets that a port has to send, until `None`.
    pub fn poll_output(&mut self) -> Option<(usize, Vec<u8>)> {
        let outputs = self.ports.iter_mut().map(Port::take_output).enumerate();
        outputs.into_iter().find(|(_, octets)| !octets.is_empty())
    }

    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    pub fn add_fault(&mut self, fault: Fault) {
        self.faults.add(fault);
    }

    pub fn clear_faults(&mut self) {
        self.faults.clear();
    }

    /// An unsolicited line, as the modem itself would send it.
    pub fn urc(&mut self, text: &str) {
        self.ports.iter_mut().for_each(|port| port.urc(text));
    }

    pub fn snapshot(&self) -> Snapshot {
        let subscription = self.sim.subscription();
        Snapshot {
            powered: self.powered,
            registered: self.radio.registered,
            imei: self.imei.clone(),
            eid: self.sim.state().eid.clear(),
            iccid: subscription.map(|subscription| subscription.iccid.clear().to_string()),
            imsi: subscription.map(|subscription| subscription.imsi.clear().to_string()),
            msisdn: subscription.and_then(|one| one.msisdn.as_ref()).map(|msisdn| msisdn.clear().to_string()),
            stored: self.messaging.stored(),
            cnmi: self.messaging.cnmi,
        }
    }
}
