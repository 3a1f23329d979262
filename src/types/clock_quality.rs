//! What a terminal's idea of UTC is worth.

use std::fmt;

/// Where the time comes from, worst first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ClockQuality {
    /// No source: the time is only not before this (build date, last persisted time).
    Floor,
    /// TP-SCTS of a trigger whose CC was verified: right when it was sent.
    Scts,
    /// The network's time (NITZ, `+CCLK`).
    Nitz,
    /// A time server.
    Ntp,
}

impl ClockQuality {
    /// Good enough to meet a time window.
    pub const fn is_usable(self) -> bool {
        !matches!(self, Self::Floor)
    }
}

impl fmt::Display for ClockQuality {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Floor => "floor",
            Self::Scts => "SCTS",
            Self::Nitz => "NITZ",
            Self::Ntp => "NTP",
        })
    }
}
