//! Turns the world: ports, control requests and timers in, octets out, all in one task, so that what happens depends
//! on nothing but the order of what comes in.

use super::control::{Command, Request, Send};
use super::modem::{Event, Fault};
use super::network::{Handed, Outcome};
use super::port::{FromPort, PortEvent, ToPort};
use super::smsc::Bridge;
use super::transcript::Transcript;
use super::world::World;
use crate::codec::sms::{Address, Dcs, Npi, Pid, Ton, UserData};
use crate::daemon::{Heartbeat, Shutdown};
use crate::io::clock;
use crate::types::hex;
use serde_json::{Value, json};
use std::{collections::HashMap, path::PathBuf, time::Duration};
use tokio::sync::mpsc;

/// From AT+CFUN=1,1 to the return of the port.
const RESTART_TIME: Duration = Duration::from_secs(1);
/// Ends of messages kept for `outcome`.
const OUTCOMES: usize = 10_000;

/// One modem's outside.
pub struct Outlet {
    pub name: String,
    pub commands: mpsc::UnboundedSender<ToPort>,
    pub transcript: Option<Transcript>,
    /// The pty while it is plugged in.
    pub path: Option<PathBuf>,
    /// It plugs itself in again then.
    pub restart: Option<Duration>,
}

pub struct Driver {
    pub world: World,
    pub outlets: Vec<Outlet>,
    pub ports: mpsc::Receiver<FromPort>,
    pub requests: mpsc::Receiver<Request>,
    /// The service centre's SMPP side.
    pub smpp: Option<Bridge>,
    pub outcomes: HashMap<u64, Outcome>,
    pub last_application: u64,
}

/// When the SMPP side may have something for the network.
async fn smpp_changed(smpp: Option<&mut Bridge>) {
    match smpp {
        Some(smpp) => smpp.changed().await,
        None => std::future::pending().await,
    }
}

impl Driver {
    /// Plugs all modems in and returns when all links stand.
    pub async fn plug_all(&mut self) -> Result<(), String> {
        for outlet in &self.outlets {
            let _ = outlet.commands.send(ToPort::Plug);
        }
        while self.outlets.iter().any(|outlet| outlet.path.is_none()) {
            match self.ports.recv().await {
                Some(FromPort { modem, event: PortEvent::Failed(error) }) => {
                    let name = self.outlets.get(modem).map_or("?", |outlet| &outlet.name);
                    return Err(format!("{name}: {error}"));
                }
                Some(event) => self.handle_port(event),
                None => return Err("the ports have ended".to_string()),
            }
        }
        Ok(())
    }

    pub async fn run(mut self, heartbeat: Heartbeat, shutdown: Shutdown) {
        let stop = shutdown.requested();
        tokio::pin!(stop);
        loop {
            let due = self.next_due().into_iter().chain([clock::now().mono + heartbeat.rhythm()]).min();
            tokio::select! {
                () = &mut stop => break,
                Some(event) = self.ports.recv() => self.handle_port(event),
                Some(Request { command, answer }) = self.requests.recv() => {
                    let _ = answer.send(self.obey(command));
                }
                () = smpp_changed(self.smpp.as_mut()) => {}
                () = clock::sleep_until_deadline(due) => {}
            }
            if let Some(smpp) = &mut self.smpp {
                smpp.hand_in(clock::now(), &mut self.world.network);
            }
            self.handle_timeout();
            self.put_out();
            self.put_out_to_applications();
            heartbeat.beat();
        }
        heartbeat.finish();
    }

    fn next_due(&self) -> Option<Duration> {
        let restarts = self.outlets.iter().map(|outlet| outlet.restart);
        restarts.chain([self.world.poll_timeout()]).flatten().min()
    }

    fn handle_timeout(&mut self) {
        let now = clock::now();
        self.world.handle_timeout(now);
        for outlet in &mut self.outlets {
            if outlet.restart.take_if(|due| *due <= now.mono).is_some() {
                let _ = outlet.commands.send(ToPort::Plug);
            }
        }
    }

    fn handle_port(&mut self, FromPort { modem, event }: FromPort) {
        let now = clock::now();
        let Some(outlet) = self.outlets.get_mut(modem) else { return };
        match event {
            PortEvent::Plugged(path) => {
                if let Some(transcript) = &mut outlet.transcript {
                    transcript.remark(now.mono, &format!("plugged in, {}", path.display()));
                }
                outlet.path = Some(path);
                self.world.power_on(now, modem);
            }
            PortEvent::Input(octets) => {
                if let Some(transcript) = &mut outlet.transcript {
                    transcript.to_modem(now.mono, &octets);
                }
                self.world.input(now, modem, &octets);
            }
            PortEvent::Failed(error) => {
                tracing::error!("the port of {} failed: {error}", outlet.name);
                self.unplug(modem);
            }
        }
    }

    fn unplug(&mut self, modem: usize) {
        let now = clock::now();
        self.world.power_off(now, modem);
        let Some(outlet) = self.outlets.get_mut(modem) else { return };
        (outlet.path, outlet.restart) = (None, None);
        let _ = outlet.commands.send(ToPort::Unplug);
        if let Some(transcript) = &mut outlet.transcript {
            transcript.remark(now.mono, "unplugged");
        }
    }

    /// Takes all that the world has to say.
    fn put_out(&mut self) {
        let now = clock::now().mono;
        while let Some((modem, octets)) = self.world.poll_output() {
            let Some(outlet) = self.outlets.get_mut(modem) else { continue };
            if let Some(transcript) = &mut outlet.transcript {
                transcript.from_modem(now, &octets);
            }
            let _ = outlet.commands.send(ToPort::Output(octets));
        }
        while let Some((modem, Event::Restart)) = self.world.poll_event() {
            self.unplug(modem);
            if let Some(outlet) = self.outlets.get_mut(modem) {
                outlet.restart = Some(now + RESTART_TIME);
            }
        }
        while let Some(outcome) = self.world.network.poll_outcome() {
            let applications = self.smpp.as_ref().is_some_and(|smpp| smpp.outcome(&outcome));
            if !applications && self.outcomes.len() < OUTCOMES {
                self.outcomes.insert(outcome.application, outcome);
            }
        }
    }

    fn put_out_to_applications(&mut self) {
        while let Some(message) = self.world.network.poll_from_terminal() {
            if let Some(smpp) = &self.smpp {
                smpp.originated(message);
            }
        }
    }

    fn obey(&mut self, command: Command) -> Result<Value, String> {
        let now = clock::now();
        match command {
            Command::List => {
                let modems: Vec<_> = (0..self.outlets.len()).map(|modem| self.state(modem)).collect();
                Ok(json!({ "modems": modems, "kept": self.world.network.kept() }))
            }
            Command::State { modem } => Ok(self.state(self.find(&modem)?)),
            Command::Inject { modem, tpdu } => {
                let modem = self.find(&modem)?;
                self.world.inject(now, modem, octets(&tpdu)?);
                Ok(json!({}))
            }
            Command::Send(send) => self.send(send),
            Command::Outcome { id } => Ok(match self.outcomes.get(&id) {
                None => json!({ "st": null }),
                Some(outcome) => {
                    let user_data = outcome.user_data.as_deref().map(hex::encode);
                    json!({ "st": outcome.st.0, "meaning": outcome.st.meaning(), "user_data": user_data })
                }
            }),
            Command::Urc { modem, text } => self.with_modem(&modem, |modem| modem.urc(&text)),
            Command::Fault { modem, fault } => self.add_fault(&modem, fault),
            Command::ClearFaults { modem } => self.with_modem(&modem, super::modem::Modem::clear_faults),
            Command::Unplug { modem } => {
                self.unplug(self.find(&modem)?);
                Ok(json!({}))
            }
            Command::Plug { modem } => {
                let outlet = self.find(&modem)?;
                let outlet = self.outlets.get_mut(outlet).filter(|outlet| outlet.path.is_none());
                let outlet = outlet.ok_or_else(|| format!("{modem} is plugged in"))?;
                outlet.restart = None;
                let _ = outlet.commands.send(ToPort::Plug);
                Ok(json!({}))
            }
        }
    }

    fn add_fault(&mut self, modem: &str, fault: Fault) -> Result<Value, String> {
        self.with_modem(modem, |modem| modem.add_fault(fault))
    }

    fn with_modem(&mut self, name: &str, act: impl FnOnce(&mut super::modem::Modem)) -> Result<Value, String> {
        let modem = self.find(name)?;
        self.world.modems.get_mut(modem).map(act);
        Ok(json!({}))
    }

    fn find(&self, name: &str) -> Result<usize, String> {
        let found = self.outlets.iter().position(|outlet| outlet.name == name);
        found.ok_or_else(|| format!("there is no modem {name:?}"))
    }

    fn state(&self, modem: usize) -> Value {
        let (Some(outlet), Some(modem)) = (self.outlets.get(modem), self.world.modems.get(modem)) else {
            return Value::Null;
        };
        let mut state = json!({ "name": outlet.name, "port": outlet.path });
        if let (Some(members), Ok(Value::Object(snapshot))) =
            (state.as_object_mut(), serde_json::to_value(modem.snapshot()))
        {
            members.extend(snapshot);
        }
        state
    }

    fn send(&mut self, send: Send) -> Result<Value, String> {
        let number =
            |digits: &str| Address::digits(Ton::INTERNATIONAL, Npi::ISDN, digits).map_err(|error| error.to_string());
        let ud = octets(&send.ud)?;
        let handed = Handed {
            oa: number(&send.from)?,
            da: number(&send.to)?,
            pid: Pid(send.pid),
            dcs: Dcs(send.dcs),
            ud: if send.udhi { UserData::with_header(ud) } else { UserData::plain(ud) },
            validity: send.validity.map(Duration::from_secs),
        };
        self.last_application += 1;
        let refused = |refusal| format!("the service centre refused it: {refusal:?}");
        self.world.network.hand_in(clock::now(), self.last_application, handed).map_err(refused)?;
        Ok(json!({ "id": self.last_application }))
    }
}

fn octets(text: &str) -> Result<Vec<u8>, String> {
    hex::decode(text).map_err(|error| error.to_string())
}
