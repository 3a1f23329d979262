//! Clock, activity and the lines that are plain text (TS 27.007 5, 8.1, 8.15).

use super::{Answer, prefix};
use crate::codec::at::fields::Fields;
use crate::codec::{DecodeError, Fault};
use crate::types::UnixSeconds;

/// +CCLK: the modem's clock, local time with its offset (TS 27.007 8.15).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Clock {
    pub utc: UnixSeconds,
    /// Offset of local time from UTC in quarters of an hour, where the modem tells it.
    pub quarters: Option<i8>,
}

impl Answer for Clock {
    const PREFIX: &'static str = "+CCLK";
    const CLAUSE: &'static str = "TS 27.007 8.15";
    fn read(fields: &mut Fields<'_, '_>) -> Result<Self, DecodeError> {
        let mut text = fields.required_text("time")?;
        // Without quotes, date and time come apart at the comma.
        if let Some(time) = fields.text("time")? {
            text = format!("{text},{time}");
        }
        let clock = parse_clock(&text).ok_or_else(|| {
            let fault = Fault::Value { expected: "yy/MM/dd,hh:mm:ss±zz".into(), found: format!("`{text}`") };
            DecodeError::new(Self::PREFIX, "time", 0, fault)
        })?;
        fields.meaning(|| clock.utc.to_string());
        Ok(clock)
    }
}

fn parse_clock(text: &str) -> Option<Clock> {
    let (date, time) = text.split_once(',')?;
    let (time, quarters) = match time.rfind(['+', '-']) {
        Some(sign) => {
            let (time, zone) = time.split_at_checked(sign)?;
            (time, Some(zone.parse::<i8>().ok().filter(|quarters| (-96..=96).contains(quarters))?))
        }
        None => (time, None),
    };
    let numbers = |text: &str, separator| -> Option<[u64; 3]> {
        let list: Vec<u64> = text.split(separator).map(str::parse).collect::<Result<_, _>>().ok()?;
        list.try_into().ok()
    };
    let [year, month, day] = numbers(date, '/')?;
    let [hour, minute, second] = numbers(time, ':')?;
    let small = |number: u64| u8::try_from(number).ok();
    // Two digits: an unset clock counts from 1970 or 1980, nothing from before 2000 is a time of today.
    let year = match year {
        0..=69 => year.checked_add(2000)?,
        70..=99 => year.checked_add(1900)?,
        _ => year,
    };
    let local =
        UnixSeconds::from_civil(year, small(month)?, small(day)?, small(hour)?, small(minute)?, small(second)?)?;
    let offset = i64::from(quarters.unwrap_or(0)).checked_mul(900)?;
    let utc = i64::try_from(local.0).ok()?.checked_sub(offset)?;
    Some(Clock { utc: UnixSeconds(u64::try_from(utc).ok()?), quarters })
}

/// +CPAS (TS 27.007 8.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ActivityStatus(pub u8);

impl ActivityStatus {
    pub fn meaning(self) -> &'static str {
        match self.0 {
            0 => "ready",
            1 => "unavailable",
            2 => "unknown",
            3 => "ringing",
            4 => "call in progress",
            5 => "asleep",
            _ => "reserved",
        }
    }
}

impl Answer for ActivityStatus {
    const PREFIX: &'static str = "+CPAS";
    const CLAUSE: &'static str = "TS 27.007 8.1";
    fn read(fields: &mut Fields<'_, '_>) -> Result<Self, DecodeError> {
        let status = Self(fields.required_number("pas")?);
        fields.meaning(|| status.meaning().into());
        Ok(status)
    }
}

/// A line of plain text such as manufacturer, model or revision, without the prefix and quotes that some firmware adds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TextLine(pub String);

impl TextLine {
    pub fn decode(line: &[u8]) -> Self {
        let text = match prefix(line) {
            Some(prefix) => line.get(prefix.len().saturating_add(1)..).unwrap_or_default(),
            None => line,
        };
        Self(String::from_utf8_lossy(text).trim().trim_matches('"').trim().to_owned())
    }
}
