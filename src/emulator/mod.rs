//! `modem-emulator`: modems on ptys, the network they share, and a card behind each (TS 27.005, TS 27.007, TS 23.040).
//!
//! [`world`] is all of it without I/O; [`driver`] turns it with a clock, [`port`]s and the [`control`] socket. Everything
//! that happens follows from what comes in and from the configured seed.

pub mod cards;
pub mod control;
pub mod driver;
pub mod modem;
pub mod network;
pub mod port;
pub mod smsc;
pub mod transcript;
pub mod world;

use crate::card::{Card, CardOptions};
use crate::codec::sms::{Address, Npi, Ton};
use crate::config::{Emulator, Role, emulator::EmulatorModem};
use crate::daemon::{self, Context, Fatal};
use crate::io::{clock, file, listener::Listener, pty::PtyWatch};
use crate::types::ListenAddress;
use driver::{Driver, Outlet};
use modem::{Modem, ModemParts, Personality, Settings};
use network::{Network, NetworkOptions, Terminal};
use smsc::{Bridge, Server};
use std::{collections::HashMap, error::Error, path::Path, process::ExitCode, sync::Arc, time::Duration};
use tokio::{sync::mpsc, task::JoinSet};
use transcript::Transcript;
use world::World;

/// Events of ports and requests waiting for the driver.
const WAITING: usize = 256;
/// The driver turns at least this often.
const PATIENCE: Duration = Duration::from_secs(30);

/// The program `modem-emulator`.
pub fn main() -> ExitCode {
    daemon::main(Role::Emulator, run)
}

/// Runs the emulator until shutdown; all links and the control socket are gone afterwards.
pub async fn run(context: Context) -> Result<(), Fatal> {
    let Some(config) = context.config.emulator.clone() else {
        return Err(Fatal::start("emulator", "there is no table [emulator]"));
    };
    let optional = [&config.state_directory, &config.transcript_directory];
    for directory in optional.into_iter().flatten().chain([&config.symlink_directory]) {
        file::create_directory(directory).map_err(|error| Fatal::start("directory", error))?;
    }
    let world = build(&config)?;
    let heartbeat = context.health.essential("emulator", PATIENCE);
    let (requests, asked) = mpsc::channel(WAITING);
    let mut control = JoinSet::new();
    let mut listeners = Vec::new();
    if let Some(address) = &config.control {
        let listener = Listener::bind(address).await.map_err(|error| Fatal::start("control", error))?;
        let bound = listener.local_address().map_err(|error| Fatal::start("control", error))?;
        listeners.push(("CONTROL", bound));
        control.spawn(control::serve(listener, requests));
    }
    let smpp = smpp(&config, &context, &mut control, &mut listeners).await?;
    let (events, ports) = mpsc::channel(WAITING);
    let watch = PtyWatch::start().map_err(|error| Fatal::start("watch of the ports", error))?;
    let mut tasks = JoinSet::new();
    let outlets = outlets(&config, &watch, &events, &mut tasks)?;
    drop(events);
    let mut driver =
        Driver { world, outlets, ports, requests: asked, smpp, outcomes: HashMap::new(), last_application: 0 };
    driver.plug_all().await.map_err(|error| Fatal::start("port", error))?;
    context.ready_at(&format!("{} modems", config.modem.len()), &listeners);
    driver.run(heartbeat, context.shutdown.clone()).await;
    // The ports have lost their driver and remove their links.
    tasks.join_all().await;
    control.shutdown().await;
    Ok(())
}

/// The service centre's SMPP side, where it has one.
async fn smpp(
    config: &Emulator,
    context: &Context,
    tasks: &mut JoinSet<()>,
    listeners: &mut Vec<(&'static str, ListenAddress)>,
) -> Result<Option<Bridge>, Fatal> {
    if config.smpp.listen.is_empty() {
        return Ok(None);
    }
    let owner = smsc::Network::Owner;
    let server = Server::start(config.smpp.clone(), owner, config.seed, &context.shutdown, tasks)
        .await
        .map_err(|error| Fatal::start("SMPP", error))?;
    listeners.extend(server.addresses().iter().map(|address| ("SMPP", address.clone())));
    Ok(Some(Bridge::new(server)))
}

fn outlets(
    config: &Emulator,
    watch: &PtyWatch,
    events: &mpsc::Sender<port::FromPort>,
    tasks: &mut JoinSet<()>,
) -> Result<Vec<Outlet>, Fatal> {
    let mut outlets = Vec::new();
    for (index, modem) in config.modem.iter().enumerate() {
        let directory = config.transcript_directory.as_deref();
        let transcript = directory.map(|directory| Transcript::open(directory, &modem.name, clock::now().mono));
        let transcript = transcript.transpose().map_err(|error| Fatal::start("transcript", error))?;
        let (commands, obeyed) = mpsc::unbounded_channel();
        let link = config.symlink_directory.join(&modem.name);
        tasks.spawn(port::serve(index, link, watch.clone(), obeyed, events.clone()));
        outlets.push(Outlet { name: modem.name.clone(), commands, transcript, path: None, restart: None });
    }
    Ok(outlets)
}

/// The network and its modems, without power.
fn build(config: &Emulator) -> Result<World, Fatal> {
    let service_centre = Address::digits(Ton::INTERNATIONAL, Npi::ISDN, &config.smsc.number)
        .map_err(|error| Fatal::start("service centre", error))?;
    let mut network = Network::new(NetworkOptions {
        service_centre,
        delivery_delay: config.network.delivery_delay,
        report_delay: config.smsc.report_delay,
        loss: config.network.loss,
        duplicates: config.network.duplicates,
        queue: usize::try_from(config.smsc.queue).unwrap_or(usize::MAX),
        seed: config.seed,
    });
    let settings = Arc::new(Settings {
        operator: config.network.operator.clone(),
        plmn: config.network.plmn.clone(),
        registration_delay: config.network.registration_delay,
        cmgs_delay: config.cmgs_delay,
    });
    let mut modems = Vec::new();
    for (index, entry) in config.modem.iter().enumerate() {
        let parts = parts(entry, Terminal(index), config.state_directory.as_deref(), &settings);
        let parts = parts.map_err(|error| Fatal::start(format!("modem {}", entry.name), error))?;
        for profile in &parts.card.state().profiles {
            let Some(subscription) = &profile.subscription else { continue };
            if let Some(msisdn) = &subscription.msisdn {
                network.provision(msisdn.clear());
                network.name_imsi(subscription.imsi.clear(), msisdn.clear());
            }
        }
        modems.push(Modem::new(parts));
    }
    Ok(World { network, modems })
}

fn parts(
    entry: &EmulatorModem,
    terminal: Terminal,
    state_directory: Option<&Path>,
    settings: &Arc<Settings>,
) -> Result<ModemParts, Box<dyn Error>> {
    Ok(ModemParts {
        terminal,
        personality: Arc::new(Personality::named(&entry.personality)?),
        imei: entry.imei.clone().unwrap_or_else(|| cards::imei_of(&entry.name)),
        card: Card::new(cards::load(entry, state_directory)?, CardOptions::default())?,
        flash: cards::flash(&entry.name, state_directory),
        settings: settings.clone(),
    })
}
