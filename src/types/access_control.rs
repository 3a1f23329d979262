//! When an eUICC may call home: the access control information of US20160286380A1.

use super::UnixSeconds;
use std::fmt;

/// At most one of these is in a trigger; none means: connect at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AccessControl {
    /// Back-off timer in seconds: the access time point is drawn in `[0, timer)` from receipt.
    Backoff(u32),
    /// Window between two points in time (UTC): drawn uniformly in what is left of it. `end > start`.
    Window { start: UnixSeconds, end: UnixSeconds },
    /// Window of this many seconds from receipt, for terminals that are known to have no clock.
    WindowFromReceipt(u32),
    /// The access time point itself (UTC).
    At(UnixSeconds),
}

impl fmt::Display for AccessControl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Backoff(seconds) => write!(f, "back-off {seconds} s"),
            Self::Window { start, end } => write!(f, "window {start} to {end}"),
            Self::WindowFromReceipt(seconds) => write!(f, "window of {seconds} s from receipt"),
            Self::At(at) => write!(f, "at {at}"),
        }
    }
}
