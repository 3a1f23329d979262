//! The daemons of the demo: this same program, once per role, each a process with its own memory.

use super::place::Place;
use super::readiness::{Listeners, Readiness};
use super::usage::{self, Usage};
use crate::io::clock;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use tokio::process::{Child, Command};

/// A daemon has this long to come up, and this long to stop by itself.
const START_LIMIT: Duration = Duration::from_secs(60);
const STOP_LIMIT: Duration = Duration::from_secs(10);
const WATCH_RHYTHM: Duration = Duration::from_millis(500);

/// A running daemon. Killed when dropped.
pub struct Daemon {
    pub name: &'static str,
    pub listeners: Listeners,
    child: Child,
}

impl Daemon {
    /// Starts the role and waits until it says that it is ready.
    pub async fn start(place: &Place, name: &'static str, configs: &[PathBuf]) -> Result<Self, String> {
        let readiness = Readiness::bind(place.path(&format!("run/{name}.notify")))?;
        let log_path = place.path(&format!("log/{name}.log"));
        let log = std::fs::File::create(&log_path).map_err(|error| format!("{}: {error}", log_path.display()))?;
        let program = std::env::current_exe().map_err(|error| format!("own program: {error}"))?;
        let mut command = Command::new(program);
        command.arg(super::role::COMMAND).arg(name);
        for config in configs {
            command.arg("--config").arg(config);
        }
        command
            .env("NOTIFY_SOCKET", readiness.path())
            .env_remove("WATCHDOG_USEC")
            .env_remove("JOURNAL_STREAM")
            .stdin(Stdio::null())
            .stdout(log.try_clone().map_err(|error| error.to_string())?)
            .stderr(log)
            // Ctrl-C is for the demo, which then stops its daemons in order.
            .process_group(0)
            .kill_on_drop(true);
        let mut child = command.spawn().map_err(|error| format!("{name}: {error}"))?;
        let listeners = tokio::select! {
            listeners = readiness.ready() => listeners?,
            status = child.wait() => {
                let status = status.map_or_else(|error| error.to_string(), |status| status.to_string());
                return Err(format!("{name} did not start ({status}):\n{}", last_lines(&log_path)));
            }
            () = clock::sleep(START_LIMIT) => {
                return Err(format!("{name} is not ready after {} s:\n{}", START_LIMIT.as_secs(), last_lines(&log_path)));
            }
        };
        // A full socket would block the daemon at its next word.
        tokio::spawn(readiness.discard());
        Ok(Self { name, listeners, child })
    }

    /// What it has used so far.
    pub fn usage(&self) -> Usage {
        self.child.id().map(usage::of).unwrap_or_default()
    }

    /// How it ended, when it has, which it should not before it is told to.
    fn ended(&mut self) -> Option<String> {
        let status =
            self.child.try_wait().transpose()?.map_or_else(|error| error.to_string(), |status| status.to_string());
        Some(format!("{} ended unexpectedly ({status})", self.name))
    }

    /// Asks it to stop, and insists after a while.
    pub async fn stop(mut self) {
        if let Some(pid) = self.child.id().and_then(|pid| i32::try_from(pid).ok()) {
            let _ = nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::Signal::SIGTERM);
        }
        if clock::timeout(STOP_LIMIT, self.child.wait()).await.is_err() {
            let _ = self.child.kill().await;
        }
    }
}

/// Waits until one of the daemons has ended, and says which and how.
pub async fn first_ended(daemons: &mut [Daemon]) -> String {
    let mut rhythm = clock::interval(WATCH_RHYTHM);
    loop {
        rhythm.tick().await;
        if let Some(problem) = daemons.iter_mut().find_map(Daemon::ended) {
            return problem;
        }
    }
}

fn last_lines(log: &Path) -> String {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<_> = text.lines().collect();
    lines.iter().skip(lines.len().saturating_sub(12)).map(|line| format!("  {line}\n")).collect()
}
