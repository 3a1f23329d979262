//! From an open port to messages in both directions. The modem's part first, then what needs the SIM.

use super::driver::{Lost, Session, Trouble, is_lost};
use super::event::{Event, Signal};
use super::{Delivery, indications, quirks};
use crate::codec::at::answer::{
    ApduAnswer, Clock, CnmiRanges, FileAnswer, IccidAnswer, Memory, MemoryRanges, MessageService, Registration,
    SimState, TextLine, imei, imsi,
};
use crate::codec::at::{Answer, Builder, Class, Domain};
use crate::io::clock;
use crate::session::at::{Request, Timing, standard};
use crate::types::{Iccid, Secret, UnixSeconds};
use std::time::Duration;

const DOMAINS: [(&str, Domain); 3] =
    [("+CREG", Domain::Circuit), ("+CGREG", Domain::Packet), ("+CEREG", Domain::Evolved)];

/// EF_ICCID, 2FE2.
const EF_ICCID: u16 = 0x2FE2;

impl Session<'_> {
    /// Everything, after opening and after a restart of the modem.
    pub(super) async fn initialise(&mut self) -> Result<(), Lost> {
        self.line_settings().await?;
        self.identity.manufacturer = self.text("+CGMI").await?;
        self.identity.model = self.text("+CGMM").await?;
        self.identity.revision = self.text("+CGMR").await?;
        let lines = self.attempt(Request::text("+CGSN", Timing::Control)).await?.unwrap_or_default();
        self.identity.imei = lines.iter().find_map(|line| imei(&line.text).ok());
        self.quirks = quirks::of(&self.identity.manufacturer, &self.identity.model);
        for command in self.quirks.commands {
            self.attempt(standard::raw(command, Timing::Control)).await?;
        }
        for command in self.driver.parameters.extra_commands.clone() {
            if self.attempt(standard::raw(&command, Timing::Control)).await?.is_none() {
                tracing::warn!(command, "the modem refuses a configured command");
            }
        }
        self.full_functionality().await?;
        self.initialise_messages().await
    }

    async fn line_settings(&self) -> Result<(), Lost> {
        self.attempt(standard::line_discipline()).await?;
        self.attempt(standard::numeric_errors()).await.map(drop)
    }

    /// Settings that a reset of the modem loses without a word.
    pub(super) async fn rearm(&mut self) -> Result<(), Lost> {
        self.line_settings().await?;
        self.attempt(standard::pdu_mode()).await?;
        if let Some(values) = self.indications {
            self.attempt(standard::message_indications(values)).await?;
        }
        self.selected = None;
        Ok(())
    }

    async fn text(&self, name: &'static str) -> Result<String, Lost> {
        let lines = self.attempt(Request::text(name, Timing::Control)).await?.unwrap_or_default();
        Ok(lines.first().map(|line| TextLine::decode(&line.text).0).unwrap_or_default())
    }

    async fn full_functionality(&self) -> Result<(), Lost> {
        let lines = self.attempt(Request::query("+CFUN", Timing::Control)).await?.unwrap_or_default();
        let minimum = lines.iter().any(|line| line.text.starts_with(b"+CFUN: 0") || line.text.starts_with(b"+CFUN: 4"));
        if minimum {
            self.attempt(Request::plain(Builder::set("+CFUN").number(1_u8), Timing::Reset)).await?;
        }
        Ok(())
    }

    /// What needs the SIM; also after the SIM was reset. Where it does not succeed, the next sweep tries again.
    pub(super) async fn initialise_messages(&mut self) -> Result<(), Lost> {
        match self.try_messages().await {
            Ok(()) => {
                self.unready = None;
                self.publish_ready();
                self.driver.emit(Event::Ready(self.identity.clone()));
                Ok(())
            }
            Err(Trouble::Lost) => Err(Lost),
            Err(Trouble::Unready(reason)) => {
                self.become_unready(reason);
                Ok(())
            }
        }
    }

    async fn try_messages(&mut self) -> Result<(), Trouble> {
        self.wait_for_sim().await?;
        let lines = self.attempt(Request::text("+CIMI", Timing::Sim)).await?.unwrap_or_default();
        self.identity.imsi = lines.iter().find_map(|line| imsi(&line.text).ok());
        self.identity.iccid = self.read_iccid().await?;
        if self.attempt(standard::pdu_mode()).await?.is_none() {
            return Err(Trouble::Unready("the modem refuses PDU mode (AT+CMGF=0)".into()));
        }
        self.set_service_centre().await?;
        self.choose_service().await?;
        self.choose_storages().await?;
        self.choose_indications().await?;
        for (name, _) in DOMAINS {
            self.attempt(standard::registration_reports(name, 2)).await?;
        }
        self.read_registrations().await?;
        self.attempt(Request::plain(Builder::set("+CTZU").number(1_u8), Timing::Control)).await?;
        Ok(())
    }

    /// Waits while the SIM is busy, enters the PIN where one is asked for and given.
    async fn wait_for_sim(&mut self) -> Result<(), Trouble> {
        let deadline = clock::now().mono.saturating_add(self.driver.parameters.sim_wait);
        loop {
            let reason = match self.ask(Request::query("+CPIN", Timing::Sim)).await {
                Ok(lines) => match lines.iter().find_map(|line| SimState::decode(&line.text).ok()) {
                    Some(SimState::Ready) => return Ok(()),
                    Some(SimState::Pin) => {
                        self.enter_pin().await?;
                        "the SIM is busy after its PIN was entered".to_string()
                    }
                    Some(SimState::Puk) => return Err(Trouble::Unready("the SIM asks for its PUK".into())),
                    Some(SimState::Other(state)) if state == "NOT READY" => "the SIM is not ready".into(),
                    Some(SimState::Other(state)) => return Err(Trouble::Unready(format!("the SIM asks for {state}"))),
                    None => "AT+CPIN? is answered with nothing".into(),
                },
                Err(error) if is_lost(&error) => return Err(Trouble::Lost),
                Err(error) => {
                    let entry = error.refusal().and_then(|result| result.entry());
                    if entry.is_some_and(|entry| entry.class == Class::Operator) {
                        return Err(Trouble::Unready(format!("no usable SIM: {error}")));
                    }
                    format!("the SIM does not answer: {error}")
                }
            };
            if clock::now().mono >= deadline {
                return Err(Trouble::Unready(reason));
            }
            clock::sleep(Duration::from_secs(1)).await;
        }
    }

    async fn enter_pin(&mut self) -> Result<(), Trouble> {
        let Some(pin) = self.driver.parameters.pin.clone() else {
            return Err(Trouble::Unready("the SIM asks for a PIN and none is configured".into()));
        };
        if self.driver.pin_refused {
            return Err(Trouble::Unready("the SIM has refused the configured PIN; it is not tried again".into()));
        }
        // A service manager that restarts us must not burn the three tries of a wrong PIN.
        if let Some(left) = self.pin_tries().await?.filter(|left| *left < 3) {
            let reason = format!("{left} of 3 PIN tries are left; enter the PIN by hand once");
            return Err(Trouble::Unready(reason));
        }
        match self.enter(&pin).await {
            Ok(()) => Ok(()),
            Err(Trouble::Unready(reason)) => {
                self.driver.pin_refused = true;
                Err(Trouble::Unready(reason))
            }
            Err(lost) => Err(lost),
        }
    }

    async fn enter(&self, pin: &Secret) -> Result<(), Trouble> {
        match self.ask(standard::enter_pin(pin)).await {
            Ok(_) => Ok(()),
            Err(error) if is_lost(&error) => Err(Trouble::Lost),
            Err(error) => Err(Trouble::Unready(format!("the SIM refuses the PIN: {error}"))),
        }
    }

    /// VERIFY PIN without a PIN: 63Cx tells the tries left (TS 102 221 11.1.9).
    async fn pin_tries(&self) -> Result<Option<u8>, Lost> {
        let answer = self.read::<ApduAnswer>(standard::csim(&[0x00, 0x20, 0x00, 0x01, 0x00])).await?;
        Ok(answer.and_then(|answer| match answer.response.as_slice() {
            [.., 0x63, sw2] if sw2 & 0xF0 == 0xC0 => Some(sw2 & 0x0F),
            _ => None,
        }))
    }

    async fn read_iccid(&self) -> Result<Option<Iccid>, Lost> {
        if let Some((line, prefix)) = self.quirks.iccid {
            let request = standard::raw(line, Timing::Sim)
                .map(|request| Request { expect: crate::session::at::Expect::Prefix(prefix.into()), ..request });
            if let Some(IccidAnswer(iccid)) = self.read(request).await? {
                return Ok(Some(iccid));
            }
        }
        let file = self.read::<FileAnswer>(standard::read_binary(EF_ICCID, 10)).await?;
        let octets = file.and_then(|file| <[u8; 10]>::try_from(file.data).ok());
        Ok(octets.and_then(|octets| Iccid::from_octets(octets).ok()))
    }

    async fn set_service_centre(&self) -> Result<(), Trouble> {
        let Some(number) = &self.driver.parameters.service_centre else { return Ok(()) };
        // Type of address: 145 international, 129 unknown (TS 24.011 8.2.5.2).
        let kind = if number.starts_with('+') { 145_u8 } else { 129 };
        let request = Request::plain(Builder::set("+CSCA").quoted(number).number(kind), Timing::Sim);
        match self.attempt(request).await? {
            Some(_) => Ok(()),
            None => Err(Trouble::Unready("the modem refuses the configured service centre".into())),
        }
    }

    async fn choose_service(&mut self) -> Result<(), Lost> {
        let wanted = u8::from(self.driver.parameters.delivery == Delivery::Direct);
        self.attempt(standard::message_service(wanted)).await?;
        let service = self.read::<MessageService>(Request::query("+CSMS", Timing::Control)).await?;
        self.acknowledges = service.and_then(|service| service.service).map_or(wanted == 1, |service| service == 1);
        Ok(())
    }

    /// Which storages to search, and one of them for receiving.
    async fn choose_storages(&mut self) -> Result<(), Lost> {
        let ranges = self.storages_once_known().await?;
        let lists = ranges.map(|MemoryRanges(lists)| lists).unwrap_or_default();
        let readable = lists.first().cloned().unwrap_or_else(|| vec![Memory::ME, Memory::SM]);
        let receiving = lists.get(2).cloned().unwrap_or_else(|| readable.clone());
        // MT shows what ME and SM hold: searched only where they are not there themselves.
        let own = [Memory::ME, Memory::SM].into_iter().filter(|memory| readable.contains(memory)).collect::<Vec<_>>();
        self.stores = if own.is_empty() { vec![Memory::MT] } else { own };
        let receiver = self.stores.iter().copied().find(|memory| receiving.contains(memory)).unwrap_or(Memory::SM);
        if readable.contains(&Memory::SR) {
            self.stores.push(Memory::SR);
        }
        // Some take only one or two of the three.
        self.selected = None;
        for count in [3, 2, 1] {
            if self.attempt(standard::message_storages(&vec![receiver; count])).await?.is_some() {
                self.selected = Some(receiver);
                break;
            }
        }
        Ok(())
    }

    /// Shortly after a start some modems do not know their storages yet.
    async fn storages_once_known(&self) -> Result<Option<MemoryRanges>, Lost> {
        for _ in 0..10 {
            match self.ask(Request::test("+CPMS", Timing::Control)).await {
                Ok(lines) => return Ok(lines.iter().find_map(|line| MemoryRanges::decode(&line.text).ok())),
                Err(error) if is_lost(&error) => return Err(Lost),
                Err(error) => match error.refusal().and_then(|result| result.entry()) {
                    Some(entry) if entry.class == Class::Retry => clock::sleep(Duration::from_secs(1)).await,
                    _ => return Ok(None),
                },
            }
        }
        Ok(None)
    }

    async fn choose_indications(&mut self) -> Result<(), Trouble> {
        let ranges = self.read::<CnmiRanges>(Request::test("+CNMI", Timing::Control)).await?;
        let delivery = self.driver.parameters.delivery;
        let keeps_reports = self.stores.contains(&Memory::SR) && !self.quirks.misplaces_reports;
        for values in indications::candidates(ranges.as_ref(), delivery, self.quirks.refuses_mode_2, keeps_reports) {
            if self.attempt(standard::message_indications(values)).await?.is_some() {
                self.indications = Some(values);
                return Ok(());
            }
        }
        // Messages are still found by the sweep.
        tracing::warn!("the modem refuses every AT+CNMI; incoming messages are found by sweeps only");
        Ok(())
    }

    pub(super) async fn read_registrations(&mut self) -> Result<(), Lost> {
        for (name, domain) in DOMAINS {
            let lines = self.attempt(Request::query(name, Timing::Control)).await?.unwrap_or_default();
            if let Some(registration) = lines.iter().find_map(|line| Registration::decode(&line.text).ok()) {
                self.on_registration(domain, registration);
            }
        }
        Ok(())
    }

    /// LTE-only modems are registered in one domain and not in the others: any will do.
    pub(super) fn is_registered(&self) -> bool {
        self.registrations.values().any(|registration| registration.status.is_registered())
    }

    pub(super) fn on_registration(&mut self, domain: Domain, registration: Registration) {
        let before = self.is_registered();
        let known = self.registrations.insert(domain, registration);
        let registered = self.is_registered();
        if known.map(|known| known.status) != Some(registration.status) || before != registered {
            self.driver.emit(Event::Registration { registered, status: registration.status });
        }
        if before != registered && self.unready.is_none() {
            self.publish_ready();
        }
    }

    pub(super) async fn read_signal(&mut self) -> Result<Signal, Lost> {
        let quality = self.read(Request::query_by_execute("+CSQ", Timing::Control)).await?;
        let mut signal = Signal { quality, extended: None };
        if self.has_extended_signal {
            signal.extended = self.read(Request::query_by_execute("+CESQ", Timing::Control)).await?;
            self.has_extended_signal = signal.extended.is_some();
        }
        Ok(signal)
    }

    pub(super) async fn read_clock(&mut self) -> Result<(), Lost> {
        if let Some(clock) = self.read::<Clock>(Request::query("+CCLK", Timing::Control)).await? {
            self.on_clock(clock);
        }
        Ok(())
    }

    /// A modem that was never told the time counts from 1970, 1980, 2000 or 2004.
    pub(super) fn on_clock(&self, clock: Clock) {
        if clock.utc >= UnixSeconds::from_civil(2024, 1, 1, 0, 0, 0).unwrap_or_default() {
            self.driver.emit(Event::NetworkTime(clock));
        }
    }
}
