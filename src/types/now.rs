//! The two times a state machine is given: a monotonic one for waiting, UTC for what peers and files carry.

use std::{fmt, time::Duration};

/// Seconds since 1970-01-01T00:00:00Z.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct UnixSeconds(pub u64);

/// A moment, as handed to every `handle_*` of the sans-IO layers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Now {
    /// Since an arbitrary origin; never steps. All waiting is done on this one.
    pub mono: Duration,
    /// Wall clock; may step. Only for what a protocol or a file carries as UTC.
    pub utc: UnixSeconds,
}

impl UnixSeconds {
    pub const fn saturating_add(self, seconds: u64) -> Self {
        Self(self.0.saturating_add(seconds))
    }

    /// Seconds from `earlier` to `self`, 0 when `earlier` is later.
    pub const fn since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }

    /// Year, month, day, hour, minute, second (UTC, proleptic Gregorian calendar).
    pub fn civil(self) -> (u64, u8, u8, u8, u8, u8) {
        let (days, rest) = (self.0 / 86_400, self.0 % 86_400);
        // Days to civil date in eras of 400 years that begin on 1 March (Hinnant, "chrono-compatible low-level date algorithms").
        let shifted = days + 719_468;
        let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
        let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let month_from_march = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
        let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
        let year = year_of_era + era * 400 + u64::from(month <= 2);
        (year, month as u8, day as u8, (rest / 3600) as u8, (rest / 60 % 60) as u8, (rest % 60) as u8)
    }

    /// The inverse of [`civil`](Self::civil); `None` for a date that does not exist or lies before 1970.
    pub fn from_civil(year: u64, month: u8, day: u8, hour: u8, minute: u8, second: u8) -> Option<Self> {
        let in_range = (1970..=9999).contains(&year)
            && (1..=12).contains(&month)
            && (1..=31).contains(&day)
            && hour < 24
            && minute < 60
            && second < 60;
        if !in_range {
            return None;
        }
        let from_march_year = year - u64::from(month <= 2);
        let (era, year_of_era) = (from_march_year / 400, from_march_year % 400);
        let month_from_march = (u64::from(month) + 9) % 12;
        let day_of_year = (153 * month_from_march + 2) / 5 + u64::from(day) - 1;
        let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
        let days = (era * 146_097 + day_of_era).checked_sub(719_468)?;
        let seconds = u64::from(hour) * 3600 + u64::from(minute) * 60 + u64::from(second);
        let result = Self(days * 86_400 + seconds);
        // A day past the end of its month comes back as another date.
        (result.civil() == (year, month, day, hour, minute, second)).then_some(result)
    }
}

/// RFC 3339 in UTC: `2026-11-23T02:41:00Z`.
impl fmt::Display for UnixSeconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day, hour, minute, second) = self.civil();
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
    }
}

/// RFC 3339 in UTC (`Z`), fractions of a second are cut off.
impl std::str::FromStr for UnixSeconds {
    type Err = super::Invalid;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || super::Invalid::new("time", "expected RFC 3339 in UTC, like 2026-11-23T02:41:00Z");
        let body = text.strip_suffix(['Z', 'z']).ok_or_else(wrong)?;
        let (whole, fraction) = body.split_once('.').unwrap_or((body, "0"));
        let shape = |(position, byte): (usize, u8)| match position {
            4 | 7 => byte == b'-',
            10 => byte == b'T' || byte == b't',
            13 | 16 => byte == b':',
            _ => byte.is_ascii_digit(),
        };
        if whole.len() != 19
            || !whole.bytes().enumerate().all(shape)
            || fraction.is_empty()
            || !fraction.bytes().all(|byte| byte.is_ascii_digit())
        {
            return Err(wrong());
        }
        let number = |range: std::ops::Range<usize>| whole.get(range).and_then(|digits| digits.parse::<u64>().ok());
        let small = |range| number(range).and_then(|value| u8::try_from(value).ok());
        (|| {
            Self::from_civil(number(0..4)?, small(5..7)?, small(8..10)?, small(11..13)?, small(14..16)?, small(17..19)?)
        })()
        .ok_or_else(wrong)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_survive_the_round_trip_across_leap_years() {
        for seconds in [0, 951_782_400, 951_868_799, 1_709_164_800, 1_795_401_660, 4_102_444_799] {
            let time = UnixSeconds(seconds);
            assert_eq!(time.to_string().parse(), Ok(time));
        }
        assert_eq!(UnixSeconds(1_709_164_800).to_string(), "2024-02-29T00:00:00Z");
    }

    #[test]
    fn refuses_dates_that_do_not_exist() {
        for text in [
            "2023-02-29T00:00:00Z",
            "2026-13-01T00:00:00Z",
            "2026-01-01T24:00:00Z",
            "2026-01-01 00:00:00Z",
            "2026-01-01T00:00:00",
            "é026-01-01T00:00:00Z",
        ] {
            assert!(text.parse::<UnixSeconds>().is_err(), "{text}");
        }
    }
}
