//! Service centre time stamp (TS 23.040 9.2.3.11), also used for the discharge time and the absolute validity period.

use crate::codec::{DecodeError, EncodeError, Reader};
use crate::types::UnixSeconds;

/// The seven octets as transmitted. Some service centres send dates that do not exist; a message is not lost for that,
/// so the octets are kept and read on demand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Scts(pub [u8; 7]);

/// What a time stamp says: local time at the service centre and its distance from UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LocalTime {
    /// 2000 to 2099.
    pub year: u16,
    pub month: u8,
    pub day: u8,
    pub hour: u8,
    pub minute: u8,
    pub second: u8,
    /// Local time minus UTC in quarters of an hour, -79 to 79.
    pub quarter_hours: i8,
}

/// Bit 4 of the last octet as transmitted: the zone is negative.
const MINUS: u8 = 0x08;

impl Scts {
    /// UTC as local time of a zone. Refuses times outside 2000-2099.
    pub fn from_unix(utc: UnixSeconds, quarter_hours: i8) -> Result<Self, EncodeError> {
        let local = utc.0.checked_add_signed(i64::from(quarter_hours) * 900);
        let local = local.ok_or_else(|| EncodeError::new("TP-SCTS", "time", "expected a time after 1970"))?;
        let (year, month, day, hour, minute, second) = UnixSeconds(local).civil();
        let year = u16::try_from(year).unwrap_or(u16::MAX);
        LocalTime { year, month, day, hour, minute, second, quarter_hours }.encode()
    }

    /// `None` when the octets are no digits or the date does not exist.
    pub fn local_time(self) -> Option<LocalTime> {
        let [year, month, day, hour, minute, second, zone] = self.0;
        let zone_size = i8::try_from(digits(zone & !MINUS)?).ok()?;
        let time = LocalTime {
            year: 2000 + u16::from(digits(year)?),
            month: digits(month)?,
            day: digits(day)?,
            hour: digits(hour)?,
            minute: digits(minute)?,
            second: digits(second)?,
            quarter_hours: if zone & MINUS != 0 { -zone_size } else { zone_size },
        };
        time.as_if_utc().map(|_| time)
    }

    /// UTC = local time - zone. `None` when [`local_time`](Self::local_time) is.
    pub fn to_unix(self) -> Option<UnixSeconds> {
        let time = self.local_time()?;
        let utc = time.as_if_utc()?.0.checked_add_signed(i64::from(time.quarter_hours) * -900)?;
        Some(UnixSeconds(utc))
    }

    pub(super) fn read(reader: &mut Reader<'_>, field: &'static str) -> Result<Self, DecodeError> {
        let scts = Self(reader.array(field)?);
        reader.note("TS 23.040 9.2.3.11", || scts.in_words());
        Ok(scts)
    }

    pub(super) fn in_words(self) -> String {
        match (self.local_time(), self.to_unix()) {
            (Some(time), Some(utc)) => format!("{utc} (zone {:+} quarter hours)", time.quarter_hours),
            _ => "no date".to_string(),
        }
    }
}

impl LocalTime {
    /// Refuses a date that does not exist or lies outside 2000-2099, and a zone beyond 79 quarter hours.
    pub fn encode(self) -> Result<Scts, EncodeError> {
        let year = self.year.checked_sub(2000).and_then(|year| u8::try_from(year).ok()).filter(|year| *year < 100);
        let (Some(year), Some(_)) = (year, self.as_if_utc()) else {
            return Err(EncodeError::new("TP-SCTS", "date", "expected a date that exists, in 2000-2099"));
        };
        let zone = self.quarter_hours.unsigned_abs();
        if zone > 79 {
            return Err(EncodeError::new("TP-SCTS", "zone", "at most 79 quarter hours fit"));
        }
        let sign = if self.quarter_hours < 0 { MINUS } else { 0 };
        let [year, month, day] = [year, self.month, self.day].map(swapped);
        let [hour, minute, second, zone] = [self.hour, self.minute, self.second, zone].map(swapped);
        Ok(Scts([year, month, day, hour, minute, second, zone | sign]))
    }

    /// The local time's seconds; `None` when the date does not exist.
    fn as_if_utc(self) -> Option<UnixSeconds> {
        let Self { year, month, day, hour, minute, second, .. } = self;
        UnixSeconds::from_civil(u64::from(year), month, day, hour, minute, second)
    }
}

/// Tens in the low semi-octet (TS 23.040 9.1.2.3).
pub(super) fn digits(octet: u8) -> Option<u8> {
    let (tens, units) = (octet & 0x0F, octet >> 4);
    (tens < 10 && units < 10).then_some(tens * 10 + units)
}

/// Of a number below 100.
const fn swapped(number: u8) -> u8 {
    ((number % 10) << 4) | (number / 10)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn bit_4_of_the_zone_is_its_sign() {
        let east = Scts([0x62, 0x30, 0x90, 0x80, 0x50, 0x95, 0x40]);
        assert_eq!(east.local_time().map(|time| time.quarter_hours), Some(4));
        assert_eq!(east.to_unix().map(|utc| utc.to_string()).as_deref(), Some("2026-03-09T07:05:59Z"));
        let west = Scts([0x62, 0x21, 0x13, 0x32, 0x95, 0x85, 0x0A]);
        assert_eq!(west.local_time().map(|time| time.quarter_hours), Some(-20));
        assert_eq!(west.to_unix().map(|utc| utc.to_string()).as_deref(), Some("2027-01-01T04:59:58Z"));
    }

    #[test]
    fn a_date_that_does_not_exist_is_no_time() {
        assert_eq!(Scts([0; 7]).to_unix(), None);
        assert_eq!(Scts([0xFF; 7]).local_time(), None);
        assert!(Scts::from_unix(UnixSeconds(0), 0).is_err());
        assert!(Scts::from_unix(UnixSeconds(1_800_000_000), 80).is_err());
    }

    proptest! {
        #[test]
        fn utc_survives_the_round_trip(utc in 946_800_000_u64..4_102_300_000, zone in -79_i8..=79) {
            prop_assert_eq!(Scts::from_unix(UnixSeconds(utc), zone).unwrap().to_unix(), Some(UnixSeconds(utc)));
        }
    }
}
