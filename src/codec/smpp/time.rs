//! Absolute and relative times: schedule_delivery_time, validity_period, final_date (SMPP 3.4 7.1.1).
//!
//! `YYMMDDhhmmsstnnp` with p `+` or `-` is local time with its distance to UTC in quarters of an hour (`+`: ahead of
//! UTC); with p `R` it counts from the SMSC's present time. Years are 2000-2099.

use crate::codec::EncodeError;
use crate::types::{Invalid, UnixSeconds};
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// A time as SMPP writes it, in 16 characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Time {
    /// To the second; written in UTC.
    Absolute(UnixSeconds),
    /// From the SMSC's present time. A month counts as 30 days and a year as 365, also when reading.
    Relative(Duration),
}

const DAY: u64 = 86_400;

impl Time {
    /// Refuses what the format cannot hold: years outside 2000-2099.
    pub fn absolute(time: UnixSeconds) -> Result<Self, EncodeError> {
        match time.civil().0 {
            2000..=2099 => Ok(Self::Absolute(time)),
            year => Err(EncodeError::new("time", "year", format!("2000 to 2099 can be written, not {year}"))),
        }
    }

    /// Refuses what SMSCs read differently: more than 30 days. Fractions of a second are rounded up.
    pub fn relative(time: Duration) -> Result<Self, EncodeError> {
        let seconds = time.as_secs().saturating_add(u64::from(time.subsec_nanos() > 0));
        if seconds > 30 * DAY {
            return Err(EncodeError::new("time", "relative time", "more than 30 days: use an absolute time"));
        }
        Ok(Self::Relative(Duration::from_secs(seconds)))
    }

    /// The moment that is meant, seen from `now`.
    pub fn moment(self, now: UnixSeconds) -> UnixSeconds {
        match self {
            Self::Absolute(time) => time,
            Self::Relative(time) => now.saturating_add(time.as_secs()),
        }
    }

    pub fn meaning(self) -> String {
        match self {
            Self::Absolute(time) => time.to_string(),
            Self::Relative(time) => format!("in {} s", time.as_secs()),
        }
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Absolute(time) => {
                let (year, month, day, hour, minute, second) = time.civil();
                write!(f, "{:02}{month:02}{day:02}{hour:02}{minute:02}{second:02}000+", year % 100)
            }
            Self::Relative(time) => {
                let seconds = time.as_secs();
                let (days, rest) = (seconds / DAY, seconds % DAY);
                write!(f, "0000{days:02}{:02}{:02}{:02}000R", rest / 3600, rest / 60 % 60, rest % 60)
            }
        }
    }
}

impl FromStr for Time {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let wrong = || Invalid::new("time", "expected YYMMDDhhmmsstnnp with p +, - or R");
        let (digits, direction) = text.split_at_checked(15).ok_or_else(wrong)?;
        if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(wrong());
        }
        let number = |range: std::ops::Range<usize>| digits.get(range).and_then(|digits| digits.parse::<u8>().ok());
        let fields =
            || Some([number(0..2)?, number(2..4)?, number(4..6)?, number(6..8)?, number(8..10)?, number(10..12)?]);
        let [year, month, day, hour, minute, second] = fields().ok_or_else(wrong)?;
        if direction == "R" {
            let days = u64::from(year) * 365 + u64::from(month) * 30 + u64::from(day);
            let seconds = days * DAY + u64::from(hour) * 3600 + u64::from(minute) * 60 + u64::from(second);
            return Ok(Self::Relative(Duration::from_secs(seconds)));
        }
        let quarters = number(13..15).filter(|quarters| *quarters <= 48).ok_or_else(wrong)?;
        let local = UnixSeconds::from_civil(2000 + u64::from(year), month, day, hour, minute, second);
        let local = local.ok_or_else(wrong)?;
        let distance = u64::from(quarters) * 900;
        let utc = match direction {
            "+" => local.0.checked_sub(distance).ok_or_else(wrong)?,
            "-" => local.0.saturating_add(distance),
            _ => return Err(wrong()),
        };
        Ok(Self::Absolute(UnixSeconds(utc)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_relative_and_absolute_times() {
        assert_eq!(Time::relative(Duration::from_secs(3600)).unwrap().to_string(), "000000010000000R");
        assert_eq!(Time::relative(Duration::from_millis(90_061_500)).unwrap().to_string(), "000001010102000R");
        let time = "2026-11-23T02:41:00Z".parse().unwrap();
        assert_eq!(Time::absolute(time).unwrap().to_string(), "261123024100000+");
    }

    #[test]
    fn reads_local_time_with_its_distance_to_utc() {
        for (text, utc) in [
            ("261123024100000+", "2026-11-23T02:41:00Z"),
            ("261123034100004+", "2026-11-23T02:41:00Z"),
            ("261122214100020-", "2026-11-23T02:41:00Z"),
        ] {
            assert_eq!(text.parse(), Ok(Time::Absolute(utc.parse().unwrap())), "{text}");
        }
        let now = UnixSeconds(1000);
        assert_eq!("000002000005000R".parse::<Time>().unwrap().moment(now), UnixSeconds(1000 + 2 * 86_400 + 5));
    }

    #[test]
    fn refuses_what_is_no_time_and_what_is_read_differently() {
        for text in [
            "",
            "261123024100000",
            "261323024100000+",
            "26112302410000xR",
            "261123024100000X",
            "261123024100049+",
            "26112302410000é+",
        ] {
            assert!(text.parse::<Time>().is_err(), "{text}");
        }
        assert!(Time::relative(Duration::from_secs(31 * DAY)).is_err());
        assert!(Time::absolute(UnixSeconds(0)).is_err());
    }
}
