//! Who has a pty open: one inotify instance for all ptys of the process, since instances are few (128 per user).

use crate::io::tty_ioctl::asynchronous;
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify, InotifyEvent, WatchDescriptor};
use std::{
    collections::HashMap,
    io,
    os::fd::{AsFd, OwnedFd},
    path::Path,
    sync::{Arc, Mutex, MutexGuard},
};
use tokio::{
    io::{Interest, unix::AsyncFd},
    sync::watch,
    task::JoinHandle,
};

/// Openers of one pty, and how often the last one has gone.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Presence {
    pub(super) clients: u32,
    pub(super) departures: u64,
}

/// Counts opens and closes. Clones share one instance.
#[derive(Debug, Clone)]
pub struct PtyWatch(Arc<Task>);

#[derive(Debug)]
struct Task {
    shared: Arc<Shared>,
    handle: JoinHandle<()>,
}

impl Drop for Task {
    fn drop(&mut self) {
        self.handle.abort();
    }
}

#[derive(Debug)]
struct Shared {
    inotify: Inotify,
    ptys: Mutex<HashMap<WatchDescriptor, watch::Sender<Presence>>>,
}

const COUNTED: AddWatchFlags =
    AddWatchFlags::IN_OPEN.union(AddWatchFlags::IN_CLOSE_WRITE).union(AddWatchFlags::IN_CLOSE_NOWRITE);

impl PtyWatch {
    /// Starts the task that counts; it ends with the last clone.
    pub fn start() -> io::Result<Self> {
        let inotify = Inotify::init(InitFlags::IN_NONBLOCK | InitFlags::IN_CLOEXEC)?;
        // Of equal events in a row inotify keeps one. The directory's own events between them keep all.
        inotify.add_watch("/dev/pts", COUNTED)?;
        let readiness = asynchronous(inotify.as_fd().try_clone_to_owned()?, Interest::READABLE)?;
        let shared = Arc::new(Shared { inotify, ptys: Mutex::default() });
        let handle = tokio::spawn(count(shared.clone(), readiness));
        Ok(Self(Arc::new(Task { shared, handle })))
    }

    /// Counts from now on; opens that were before do not count.
    pub(super) fn add(&self, node: &Path) -> io::Result<watch::Receiver<Presence>> {
        let mut ptys = self.0.shared.ptys();
        let descriptor = self.0.shared.inotify.add_watch(node, COUNTED)?;
        let (sender, receiver) = watch::channel(Presence::default());
        ptys.insert(descriptor, sender);
        Ok(receiver)
    }
}

async fn count(shared: Arc<Shared>, readiness: AsyncFd<OwnedFd>) {
    loop {
        match readiness.async_io(Interest::READABLE, |_| Ok(shared.inotify.read_events()?)).await {
            Ok(events) => shared.count(&events),
            Err(error) => {
                tracing::error!("clients of the modems can no longer be watched: {error}");
                return;
            }
        }
    }
}

impl Shared {
    fn ptys(&self) -> MutexGuard<'_, HashMap<WatchDescriptor, watch::Sender<Presence>>> {
        self.ptys.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    fn count(&self, events: &[InotifyEvent]) {
        let mut ptys = self.ptys();
        for event in events {
            if event.mask.contains(AddWatchFlags::IN_IGNORED) {
                ptys.remove(&event.wd);
            } else if let Some(sender) = ptys.get(&event.wd) {
                let opened = event.mask.contains(AddWatchFlags::IN_OPEN);
                sender.send_if_modified(|presence| presence.count(opened));
            }
        }
    }
}

impl Presence {
    fn count(&mut self, opened: bool) -> bool {
        if opened {
            self.clients = self.clients.saturating_add(1);
        } else if self.clients > 0 {
            self.clients -= 1;
            self.departures += u64::from(self.clients == 0);
        }
        true
    }
}
