//! TP-VP in its forms (TS 23.040 9.2.3.12).

use super::{Scts, scts};
use crate::codec::Reader;
use crate::codec::cursor::Result;
use std::time::Duration;

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;
const WEEK: u64 = 7 * DAY;

/// How long the service centre keeps trying. The form is TP-VPF, bits 5 and 4 of the first octet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ValidityPeriod {
    None,
    /// One octet, see [`relative_duration`].
    Relative(u8),
    /// Functionality indicator and six octets, unused ones 00 (9.2.3.12.3).
    Enhanced([u8; 7]),
    Absolute(Scts),
}

impl ValidityPeriod {
    /// TP-VPF.
    pub const fn format(self) -> u8 {
        match self {
            Self::None => 0b00,
            Self::Enhanced(_) => 0b01,
            Self::Relative(_) => 0b10,
            Self::Absolute(_) => 0b11,
        }
    }

    /// The shortest relative period that is not shorter than `duration`, at most 63 weeks.
    pub fn covering(duration: Duration) -> Self {
        let covers = |value: &u8| relative_duration(*value) >= duration;
        Self::Relative((0..=u8::MAX).find(covers).unwrap_or(u8::MAX))
    }

    /// `None` where there is no period, the period is a point in time, or the octets say nothing.
    pub fn duration(self) -> Option<Duration> {
        match self {
            Self::Relative(value) => Some(relative_duration(value)),
            Self::Enhanced([indicator, rest @ ..]) => enhanced_duration(indicator, rest),
            Self::None | Self::Absolute(_) => None,
        }
    }

    pub(super) fn read(reader: &mut Reader<'_>, format: u8) -> Result<Self> {
        let period = match format & 0b11 {
            0b00 => return Ok(Self::None),
            0b01 => Self::Enhanced(reader.array("TP-VP")?),
            0b10 => Self::Relative(reader.u8("TP-VP")?),
            _ => Self::Absolute(Scts(reader.array("TP-VP")?)),
        };
        reader.note("TS 23.040 9.2.3.12", || match period {
            Self::Absolute(until) => format!("until {}", until.in_words()),
            other => other.duration().map_or_else(|| "no period".to_string(), |d| format!("{} s", d.as_secs())),
        });
        Ok(period)
    }

    pub(super) fn put(self, out: &mut Vec<u8>) {
        match self {
            Self::None => {}
            Self::Relative(value) => out.push(value),
            Self::Enhanced(octets) | Self::Absolute(Scts(octets)) => out.extend(octets),
        }
    }
}

/// TS 23.040 9.2.3.12.1.
pub fn relative_duration(value: u8) -> Duration {
    let number = u64::from(value);
    Duration::from_secs(match value {
        0..=143 => (number + 1) * 5 * MINUTE,
        144..=167 => 12 * HOUR + (number - 143) * 30 * MINUTE,
        168..=196 => (number - 166) * DAY,
        197..=255 => (number - 192) * WEEK,
    })
}

/// Formats without an extension of the indicator (bit 8); bit 7, single shot, does not change the period.
fn enhanced_duration(indicator: u8, rest: [u8; 6]) -> Option<Duration> {
    let [first, second, third, ..] = rest;
    match indicator & 0x87 {
        0b001 => Some(relative_duration(first)),
        0b010 => Some(Duration::from_secs(u64::from(first))),
        0b011 => {
            let [hours, minutes, seconds] = [first, second, third].map(|octet| scts::digits(octet).map(u64::from));
            Some(Duration::from_secs(hours? * HOUR + minutes? * MINUTE + seconds?))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_relative_form_counts_in_four_units() {
        for (value, seconds) in [
            (0, 300),
            (0x0B, HOUR),
            (0x8F, 12 * HOUR),
            (0xA7, DAY),
            (0xA8, 2 * DAY),
            (0xC4, 30 * DAY),
            (0xFF, 63 * WEEK),
        ] {
            assert_eq!(relative_duration(value).as_secs(), seconds, "{value:02X}");
            assert_eq!(ValidityPeriod::covering(Duration::from_secs(seconds)), ValidityPeriod::Relative(value));
        }
        assert_eq!(ValidityPeriod::covering(Duration::from_secs(301)), ValidityPeriod::Relative(1));
        assert_eq!(ValidityPeriod::covering(Duration::MAX), ValidityPeriod::Relative(0xFF));
    }

    #[test]
    fn the_enhanced_form_has_seconds_and_hours() {
        let seconds = |octets| ValidityPeriod::Enhanced(octets).duration().map(|duration| duration.as_secs());
        assert_eq!(seconds([0x02, 90, 0, 0, 0, 0, 0]), Some(90));
        assert_eq!(seconds([0x43, 0x10, 0x20, 0x30, 0, 0, 0]), Some(HOUR + 2 * MINUTE + 3));
        assert_eq!(seconds([0x01, 0xA7, 0, 0, 0, 0, 0]), Some(DAY));
        assert_eq!(seconds([0x00; 7]), None);
    }
}
