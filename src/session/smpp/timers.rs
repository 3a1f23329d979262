//! The session's timers (SMPP 3.4 7.2), by name.

use std::time::Duration;

/// What is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Timer {
    SessionInit,
    EnquireLink,
    EnquireLinkAnswer,
    Inactivity,
    Response,
    PduRead,
    Drain,
}

/// One row of the table.
#[derive(Debug, Clone, Copy)]
pub struct TimerRow {
    pub timer: Timer,
    /// The standard's name where it has one.
    pub name: &'static str,
    /// For an ESME; `None`: does not run.
    pub esme: Option<Duration>,
    /// For an SMSC.
    pub smsc: Option<Duration>,
    pub meaning: &'static str,
}

const fn seconds(seconds: u64) -> Option<Duration> {
    Some(Duration::from_secs(seconds))
}

const fn row(
    timer: Timer,
    name: &'static str,
    esme: Option<Duration>,
    smsc: Option<Duration>,
    meaning: &'static str,
) -> TimerRow {
    TimerRow { timer, name, esme, smsc, meaning }
}

/// Names, defaults and meanings.
pub const TIMERS: &[TimerRow] = &[
    row(Timer::SessionInit, "session_init_timer", None, seconds(10), "from the connection to the peer's bind"),
    row(Timer::EnquireLink, "enquire_link_timer", seconds(30), seconds(30), "nothing received: probe the link"),
    row(
        Timer::EnquireLinkAnswer,
        "enquire_link_answer",
        seconds(10),
        seconds(10),
        "from the probe to any sign of life",
    ),
    row(Timer::Inactivity, "inactivity_timer", None, seconds(300), "nothing but answers to probes: unbind"),
    row(Timer::Response, "response_timer", seconds(30), seconds(30), "from a request to its response"),
    row(Timer::PduRead, "pdu_read", seconds(10), seconds(10), "from the first octet of a PDU to its last"),
    row(Timer::Drain, "drain", seconds(10), seconds(10), "from the wish to unbind to the last answer"),
];

/// The values of one session. A timer without a value does not run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Timers([Option<Duration>; 7]);

impl Timers {
    pub fn esme() -> Self {
        Self::from_table(|row| row.esme)
    }

    pub fn smsc() -> Self {
        Self::from_table(|row| row.smsc)
    }

    fn from_table(value: fn(&TimerRow) -> Option<Duration>) -> Self {
        TIMERS.iter().fold(Self([None; 7]), |timers, row| timers.with(row.timer, value(row)))
    }

    pub fn with(mut self, timer: Timer, value: Option<Duration>) -> Self {
        if let Some(slot) = self.0.get_mut(timer as usize) {
            *slot = value;
        }
        self
    }

    pub fn value(&self, timer: Timer) -> Option<Duration> {
        self.0.get(timer as usize).copied().flatten()
    }

    /// When the timer ends that was started at `start`.
    pub(super) fn end(&self, timer: Timer, start: Duration) -> Option<Duration> {
        self.value(timer).map(|value| start.saturating_add(value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_fills_every_slot_with_its_default() {
        for row in TIMERS {
            assert_eq!(Timers::esme().value(row.timer), row.esme, "{}", row.name);
            assert_eq!(Timers::smsc().value(row.timer), row.smsc, "{}", row.name);
        }
        let timers = Timers::esme().with(Timer::Response, None);
        assert_eq!(timers.end(Timer::Response, Duration::ZERO), None);
        assert_eq!(timers.end(Timer::PduRead, Duration::from_secs(1)), Some(Duration::from_secs(11)));
    }
}
