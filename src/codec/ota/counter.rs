//! CNTR: the 40-bit replay counter and the rule that accepts or refuses one (TS 102 225 5.1.4).

use super::CounterMode;
use crate::types::Invalid;
use std::fmt;

/// A replay counter. Never wraps: at [`MAX`](Self::MAX) the key set is blocked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Counter(u64);

impl Counter {
    pub const ZERO: Self = Self(0);
    /// `FFFFFFFFFF`: stored here, counter modes 10 and 11 accept nothing any more.
    pub const MAX: Self = Self(0xFF_FFFF_FFFF);

    pub fn new(value: u64) -> Result<Self, Invalid> {
        if value > Self::MAX.0 {
            return Err(Invalid::new("CNTR", format!("expected at most {}, found {value}", Self::MAX.0)));
        }
        Ok(Self(value))
    }

    pub const fn value(self) -> u64 {
        self.0
    }

    pub const fn from_octets(octets: [u8; 5]) -> Self {
        let [a, b, c, d, e] = octets;
        Self(u64::from_be_bytes([0, 0, 0, a, b, c, d, e]))
    }

    pub const fn octets(self) -> [u8; 5] {
        let [_, _, _, a, b, c, d, e] = self.0.to_be_bytes();
        [a, b, c, d, e]
    }

    /// The following counter; `None` at the end.
    pub fn next(self) -> Option<Self> {
        self.advanced(1)
    }

    /// This many further on; `None` past the end.
    pub fn advanced(self, steps: u64) -> Option<Self> {
        self.0.checked_add(steps).and_then(|value| Self::new(value).ok())
    }

    /// Judges a received counter against `self`, the stored one. Only to be asked once the CC is verified.
    pub fn judge(self, mode: CounterMode, received: Self) -> CounterDecision {
        let checked = match mode {
            CounterMode::None | CounterMode::Available => return CounterDecision::Unchecked,
            _ if self == Self::MAX => return CounterDecision::Blocked,
            CounterMode::Higher => received > self,
            CounterMode::ExactlyNext => {
                if received.0 > self.0.saturating_add(1) {
                    return CounterDecision::High;
                }
                received > self
            }
        };
        if checked { CounterDecision::Store(received) } else { CounterDecision::Low }
    }
}

/// As in a packet: ten hexadecimal digits.
impl fmt::Display for Counter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:010x}", self.0)
    }
}

/// What follows from a counter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CounterDecision {
    /// Accepted: this value must be on stable storage before the command is acted upon.
    Store(Counter),
    /// Accepted without looking at it (modes 00 and 01); the stored value stays.
    Unchecked,
    /// Not higher than the stored one: status 02.
    Low,
    /// Further than one step ahead in mode 11: status 03.
    High,
    /// The stored counter is at its end: status 04.
    Blocked,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_counter_has_forty_bits_and_does_not_wrap() {
        assert!(Counter::new(1 << 40).is_err());
        assert_eq!(Counter::MAX.next(), None);
        assert_eq!(Counter::ZERO.advanced(u64::MAX), None);
        assert_eq!(Counter::from_octets([1, 2, 3, 4, 5]).octets(), [1, 2, 3, 4, 5]);
        assert_eq!(Counter::MAX.to_string(), "ffffffffff");
    }

    #[test]
    fn the_last_value_is_accepted_once_and_then_all_is_blocked() {
        let stored = Counter::new(0xFF_FFFF_FFFE).unwrap();
        for mode in [CounterMode::Higher, CounterMode::ExactlyNext] {
            assert_eq!(stored.judge(mode, Counter::MAX), CounterDecision::Store(Counter::MAX));
            assert_eq!(Counter::MAX.judge(mode, Counter::MAX), CounterDecision::Blocked);
            assert_eq!(Counter::MAX.judge(mode, Counter::ZERO), CounterDecision::Blocked);
        }
    }
}
