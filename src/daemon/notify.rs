//! Words to the service manager (sd_notify(3)); without one they go nowhere.

use crate::types::ListenAddress;
use sd_notify::NotifyState;
use std::time::Duration;

/// The daemon serves; `status` is what `systemctl status` shows, the listeners are for whoever started it.
pub(super) fn ready(status: &str, listeners: &[(&str, ListenAddress)]) {
    let line = |(name, address): &(&str, ListenAddress)| format!("X_EUICC_LISTEN_{name}={address}");
    let lines: Vec<_> = listeners.iter().map(line).collect();
    let custom = lines.iter().map(|line| NotifyState::Custom(line));
    send(&[NotifyState::Ready, NotifyState::Status(status)].into_iter().chain(custom).collect::<Vec<_>>());
}

pub(super) fn status(status: &str) {
    send(&[NotifyState::Status(status)]);
}

pub(super) fn reloading() {
    // systemd 253 and newer wants the time with it.
    match NotifyState::monotonic_usec_now() {
        Ok(time) => send(&[NotifyState::Reloading, time]),
        Err(_) => send(&[NotifyState::Reloading]),
    }
}

pub(super) fn stopping() {
    send(&[NotifyState::Stopping]);
}

pub(super) fn watchdog() {
    send(&[NotifyState::Watchdog]);
}

/// How often the service manager wants to hear [`watchdog`], at least.
pub(super) fn watchdog_interval() -> Option<Duration> {
    sd_notify::watchdog_enabled().filter(|interval| !interval.is_zero())
}

fn send(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::warn!("cannot notify the service manager: {error}");
    }
}
