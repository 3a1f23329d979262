//! Registration (TS 27.007 7.2, 10.1.20, 10.1.22): off, searching, at home.

use super::{Air, Modem};
use std::time::Duration;

/// The cell of all modems: tracking area and identity.
pub(super) const AREA: u16 = 0x1A2B;
pub(super) const CELL: u16 = 0xD4E5;
/// E-UTRAN.
const ACCESS: u8 = 7;

/// The registration commands; each has its own <n>.
pub(super) const DOMAINS: [&str; 3] = ["+CREG", "+CGREG", "+CEREG"];

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Radio {
    /// AT+CFUN: 0 minimum, 1 full, 4 no transmission.
    pub(super) functionality: u8,
    /// AT+COPS: 0 automatic, 2 deregistered.
    pub(super) selection: u8,
    /// Format of the operator in AT+COPS?: 0 long, 1 short, 2 numeric.
    pub(super) operator_format: u8,
    /// <n> of each of [`DOMAINS`].
    pub(super) reports: [u8; 3],
    pub(super) registered: bool,
    /// The network's answer comes then.
    pub(super) due: Option<Duration>,
}

impl Default for Radio {
    fn default() -> Self {
        Self { functionality: 1, selection: 0, operator_format: 0, reports: [0; 3], registered: false, due: None }
    }
}

impl Radio {
    pub(super) const fn wants_service(&self) -> bool {
        self.functionality == 1 && self.selection != 2
    }

    /// <stat>: 1 at home, 2 searching, 0 not even that.
    pub(super) const fn stat(&self) -> u8 {
        match (self.registered, self.due.is_some()) {
            (true, _) => 1,
            (false, true) => 2,
            (false, false) => 0,
        }
    }

    /// What follows <stat> in URC and answer at this <n>.
    pub(super) fn place(&self, n: u8) -> String {
        if n >= 2 && self.registered { format!(",\"{AREA:04X}\",\"{CELL:08X}\",{ACCESS}") } else { String::new() }
    }
}

impl Modem {
    /// Begins a registration where one is wanted, and gives up the present one.
    pub(super) fn register_later(&mut self, air: &mut Air<'_>) {
        let before = self.radio.stat();
        air.network.detach(air.now, self.terminal);
        self.radio.registered = false;
        let delay = self.settings.registration_delay;
        self.radio.due = self.radio.wants_service().then(|| air.now.mono.saturating_add(delay));
        self.report_registration(before);
    }

    pub(super) fn radio_timeout(&mut self, air: &mut Air<'_>) {
        if self.radio.due.is_none_or(|due| air.now.mono < due) {
            return;
        }
        let before = self.radio.stat();
        self.radio.due = None;
        let number = self.sim.subscription().map(|subscription| match &subscription.msisdn {
            Some(msisdn) => msisdn.clear().to_string(),
            None => subscription.imsi.clear().to_string(),
        });
        match number {
            Some(number) => {
                self.radio.registered = true;
                self.report_registration(before);
                air.network.attach(air.now, self.terminal, &number);
                self.report_location(air);
            }
            // Nothing to register with: the card may know a way back (SGP.02 3.15).
            None => {
                self.report_registration(before);
                self.sim.connectivity_failed();
                self.poll_card(air);
            }
        }
    }

    fn report_registration(&mut self, before: u8) {
        let stat = self.radio.stat();
        if stat == before {
            return;
        }
        for (domain, n) in DOMAINS.into_iter().zip(self.radio.reports) {
            if n > 0 {
                self.urc(&format!("{domain}: {stat}{}", self.radio.place(n)));
            }
        }
    }
}
