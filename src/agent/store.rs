//! The files of the state directory: each change is one write, and holds once it is on the disk.

use super::clock::{Moment, TerminalClock};
use super::state::{Parts, Rules, Sessions, Triggers};
use crate::io::{clock, file};
use crate::session::admin::AgentState;
use crate::types::TransactionId;
use file::FileError;
use serde::{Serialize, de::DeserializeOwned};
use std::path::{Path, PathBuf};
use tokio::sync::{Mutex, Notify};

const SCHEMA: u32 = 1;
const TRIGGERS: &str = "triggers.json";
const PARTS: &str = "parts.json";
const SESSIONS: &str = "sessions.json";

#[derive(Debug)]
pub struct Store {
    directory: PathBuf,
    pub clock: TerminalClock,
    triggers: Mutex<Triggers>,
    sessions: Mutex<Sessions>,
    /// Rings when pending triggers have changed.
    pub changed: Notify,
}

/// What was found in the state directory.
pub struct Opened {
    pub store: Store,
    /// TPDUs of parts.
    pub parts: Vec<Vec<u8>>,
    /// Nothing was ever written here: counters of key sets marked new may be taken.
    pub fresh: bool,
}

impl Store {
    /// Reads what is there. A damaged file is put aside: the agent goes on without what was in it, and above all
    /// without counters.
    pub fn open(directory: &Path, rules: &Rules) -> Result<Opened, FileError> {
        file::create_directory(directory)?;
        let triggers: Option<Triggers> = read(directory, TRIGGERS)?;
        let parts: Parts = read(directory, PARTS)?.unwrap_or_default();
        let mut sessions: Sessions = read(directory, SESSIONS)?.unwrap_or_default();
        let aside = directory.join(aside(TRIGGERS)).exists();
        let fresh = triggers.is_none() && !aside;
        let mut triggers = triggers.unwrap_or_default();
        // What a cut between two files left of a transaction that is over.
        sessions.sessions.retain(|state| triggers.is_open(state.request.headers.transaction));
        let clock = TerminalClock::new(triggers.written);
        let moment = system_moment(&clock);
        for pending in &mut triggers.pending {
            rules.restore(pending, moment, clock::random_fraction());
        }
        let store = Self {
            directory: directory.to_path_buf(),
            clock,
            triggers: Mutex::new(triggers),
            sessions: Mutex::new(sessions),
            changed: Notify::new(),
        };
        Ok(Opened { store, parts: parts.parts.into_iter().map(|part| part.0).collect(), fresh })
    }

    pub fn moment(&self) -> Moment {
        system_moment(&self.clock)
    }

    pub async fn read<R>(&self, look: impl FnOnce(&Triggers) -> R) -> R {
        look(&*self.triggers.lock().await)
    }

    /// Changes the triggers in one write; when that fails, nothing has changed.
    pub async fn update<R>(&self, change: impl FnOnce(&mut Triggers) -> R) -> Result<R, FileError> {
        let mut current = self.triggers.lock().await;
        let mut next = current.clone();
        let result = change(&mut next);
        next.refresh(self.moment());
        self.write(TRIGGERS, next.clone()).await?;
        *current = next;
        self.changed.notify_one();
        Ok(result)
    }

    pub async fn write_parts(&self, parts: Vec<Vec<u8>>) -> Result<(), FileError> {
        self.write(PARTS, Parts { parts: parts.into_iter().map(crate::types::hex::Octets).collect() }).await
    }

    /// A session that is to be resumed, if there is one.
    pub async fn session(&self, transaction: TransactionId) -> Option<AgentState> {
        let sessions = self.sessions.lock().await;
        sessions.sessions.iter().find(|state| state.request.headers.transaction == transaction).cloned()
    }

    pub async fn write_session(&self, state: AgentState) -> Result<(), FileError> {
        self.replace_session(state.request.headers.transaction, Some(state)).await
    }

    pub async fn forget_session(&self, transaction: TransactionId) -> Result<(), FileError> {
        match self.session(transaction).await {
            Some(_) => self.replace_session(transaction, None).await,
            None => Ok(()),
        }
    }

    async fn replace_session(&self, transaction: TransactionId, state: Option<AgentState>) -> Result<(), FileError> {
        let mut current = self.sessions.lock().await;
        let mut next = current.clone();
        next.sessions.retain(|earlier| earlier.request.headers.transaction != transaction);
        next.sessions.extend(state);
        self.write(SESSIONS, next.clone()).await?;
        *current = next;
        Ok(())
    }

    async fn write<T: Serialize + Send + 'static>(&self, name: &'static str, body: T) -> Result<(), FileError> {
        let path = self.directory.join(name);
        #[cfg(test)]
        super::tests::cut::before_write(&self.directory).await;
        let written = tokio::task::spawn_blocking(move || file::write_document(&path, SCHEMA, &body)).await;
        #[cfg(test)]
        super::tests::cut::after_write(&self.directory).await;
        // The task ends early only when the process does.
        written.unwrap_or(Ok(()))
    }
}

fn system_moment(clock: &TerminalClock) -> Moment {
    clock.moment(clock::now(), clock::is_synchronised())
}

fn aside(name: &str) -> String {
    format!("{name}.damaged")
}

fn read<T: DeserializeOwned>(directory: &Path, name: &str) -> Result<Option<T>, FileError> {
    let path = directory.join(name);
    match file::read_document(&path, SCHEMA) {
        Err(error @ FileError::Malformed { .. }) => {
            let aside = directory.join(aside(name));
            tracing::error!("{error}; it is put aside as {}", aside.display());
            file::rename(&path, &aside)?;
            Ok(None)
        }
        other => other,
    }
}
