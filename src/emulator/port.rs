//! A modem's port in the file system: a pty behind a link of fixed name, there while the modem is plugged in.

use crate::io::pty::{self, Pty, PtyEvent, PtyWatch};
use std::{collections::VecDeque, io, path::PathBuf};
use tokio::sync::mpsc;

/// Octets kept for a client that does not read; what is more is lost, as in a modem.
const BACKLOG: usize = 1 << 20;

/// To a port.
#[derive(Debug)]
pub enum ToPort {
    Plug,
    /// The client is hung up and the link goes.
    Unplug,
    Output(Vec<u8>),
}

/// From the port of this modem.
#[derive(Debug)]
pub struct FromPort {
    pub modem: usize,
    pub event: PortEvent,
}

#[derive(Debug)]
pub enum PortEvent {
    /// The link stands.
    Plugged(PathBuf),
    Input(Vec<u8>),
    /// The port cannot go on.
    Failed(io::Error),
}

/// Serves a port until `commands` ends, then removes it.
pub async fn serve(
    modem: usize,
    link: PathBuf,
    watch: PtyWatch,
    mut commands: mpsc::UnboundedReceiver<ToPort>,
    events: mpsc::Sender<FromPort>,
) {
    let mut port = Port { link, watch, pty: None, pending: VecDeque::new() };
    loop {
        let happened = tokio::select! {
            biased;
            command = commands.recv() => match command {
                Some(command) => port.obey(command),
                None => break,
            },
            event = port.event() => event,
        };
        let event = match happened {
            Ok(None) => continue,
            Ok(Some(event)) => event,
            Err(error) => {
                port.pty = None;
                PortEvent::Failed(error)
            }
        };
        if events.send(FromPort { modem, event }).await.is_err() {
            break;
        }
    }
    if let Err(error) = port.unplug() {
        tracing::warn!("cannot remove {}: {error}", port.link.display());
    }
}

struct Port {
    link: PathBuf,
    watch: PtyWatch,
    pty: Option<Pty>,
    pending: VecDeque<u8>,
}

impl Port {
    fn obey(&mut self, command: ToPort) -> io::Result<Option<PortEvent>> {
        match command {
            ToPort::Plug => return self.plug().map(Some),
            ToPort::Unplug => self.unplug()?,
            ToPort::Output(octets) => {
                // Without a client the octets would reach the next one.
                let heard = self.pty.as_ref().is_some_and(Pty::has_client);
                if heard && self.pending.len() + octets.len() <= BACKLOG {
                    self.pending.extend(octets);
                }
            }
        }
        Ok(None)
    }

    fn plug(&mut self) -> io::Result<PortEvent> {
        let pty = Pty::open(&self.watch)?;
        let path = pty.path().to_path_buf();
        pty::swap_symlink(&path, &self.link)?;
        self.pty = Some(pty);
        Ok(PortEvent::Plugged(path))
    }

    /// The link goes first: who finds it finds a living port.
    fn unplug(&mut self) -> io::Result<()> {
        self.pending.clear();
        let removed = match &self.pty {
            Some(_) => pty::remove_symlink(&self.link),
            None => Ok(()),
        };
        self.pty = None;
        removed
    }

    async fn event(&mut self) -> io::Result<Option<PortEvent>> {
        let Some(pty) = &mut self.pty else { return std::future::pending().await };
        match pty.event(self.pending.make_contiguous()).await? {
            PtyEvent::Input(octets) => return Ok(Some(PortEvent::Input(octets))),
            PtyEvent::Written(count) => drop(self.pending.drain(..count)),
            PtyEvent::ClientsGone => self.pending.clear(),
        }
        Ok(None)
    }
}
