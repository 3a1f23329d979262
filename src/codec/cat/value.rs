//! Values of toolkit objects: text, time, identities and places.

use crate::codec::cursor::Result;
use crate::codec::sms::gsm7;
use crate::codec::{EncodeError, Reader};
use std::fmt;

/// Data coding scheme and coded text (TS 102 223 8.15). May be a password: `Debug` shows only the size.
#[derive(Clone, PartialEq, Eq)]
pub struct TextString {
    /// `None` for the null text string, which has no octets at all.
    pub dcs: Option<u8>,
    pub octets: Vec<u8>,
}

impl TextString {
    /// ASCII text in the 8-bit default alphabet (DCS 04).
    pub fn eight_bit(text: &str) -> std::result::Result<Self, EncodeError> {
        match gsm7::septets(text) {
            Some(octets) => Ok(Self { dcs: Some(0x04), octets }),
            None => Err(EncodeError::new("text string", "text", "expected characters of the default alphabet")),
        }
    }

    /// The text in clear: packed 7-bit, 8-bit or UCS2 by bits 4 and 3 of the DCS (TS 23.038). `None` for other codings.
    pub fn clear(&self) -> Option<String> {
        let Some(dcs) = self.dcs else { return Some(String::new()) };
        match dcs & 0x0C {
            0x00 => {
                let count = self.octets.len().saturating_mul(8) / 7;
                let mut septets = gsm7::unpack(&self.octets, count);
                // Seven spare bits at the end read as one more `@`, which a sender avoids by padding with CR.
                if count.is_multiple_of(8) && matches!(septets.last(), Some(0x00 | 0x0D)) {
                    septets.pop();
                }
                Some(gsm7::text(&septets))
            }
            0x04 => Some(gsm7::text(&self.octets)),
            0x08 => {
                let units = self.octets.chunks(2).map(|pair| match pair {
                    [high, low] => u16::from_be_bytes([*high, *low]),
                    _ => 0xFFFD,
                });
                Some(char::decode_utf16(units).map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER)).collect())
            }
            _ => None,
        }
    }

    pub(super) fn read(value: &mut Reader<'_>) -> Result<Self> {
        let dcs = if value.is_empty() { None } else { Some(value.u8("DCS")?) };
        let text = Self { dcs, octets: value.take_rest("text").to_vec() };
        value.note("TS 102 223 8.15", || text.clear().unwrap_or_default());
        Ok(text)
    }

    pub(super) fn put(&self, out: &mut Vec<u8>) {
        out.extend(self.dcs);
        out.extend_from_slice(&self.octets);
    }
}

impl fmt::Debug for TextString {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TextString({} octets)", self.octets.len())
    }
}

/// Time unit and interval (TS 102 223 8.8).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Duration {
    /// 00 minutes, 01 seconds, 02 tenths of a second.
    pub unit: u8,
    pub interval: u8,
}

impl Duration {
    /// Whole seconds; in minutes, rounded up, from 256 seconds on. At most 255 minutes.
    pub fn from_seconds(seconds: u32) -> Self {
        match u8::try_from(seconds) {
            Ok(interval) => Self { unit: 0x01, interval },
            Err(_) => Self { unit: 0x00, interval: u8::try_from(seconds.div_ceil(60)).unwrap_or(u8::MAX) },
        }
    }

    /// Tenths of a second; `None` for a reserved unit.
    pub fn tenths(self) -> Option<u32> {
        let factor = match self.unit {
            0x00 => 600,
            0x01 => 10,
            0x02 => 1,
            _ => return None,
        };
        Some(u32::from(self.interval) * factor)
    }

    pub(super) fn read(value: &mut Reader<'_>) -> Result<Self> {
        let duration = Self { unit: value.u8("time unit")?, interval: value.u8("time interval")? };
        value.note("TS 102 223 8.8", || match duration.tenths() {
            Some(tenths) => format!("{}.{} s", tenths / 10, tenths % 10),
            None => "reserved unit".to_string(),
        });
        Ok(duration)
    }
}

/// Hour, minute, second, each in swapped BCD (TS 102 223 8.38).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimerValue(pub [u8; 3]);

impl TimerValue {
    /// Refuses 100 hours and more.
    pub fn from_seconds(seconds: u32) -> std::result::Result<Self, EncodeError> {
        let too_long = || EncodeError::new("timer value", "seconds", "at most 99 hours 59 minutes 59 seconds fit");
        let swapped = |number: u32| u8::try_from(number % 10 * 16 + number / 10 % 10).map_err(|_| too_long());
        if seconds >= 360_000 {
            return Err(too_long());
        }
        Ok(Self([swapped(seconds / 3600)?, swapped(seconds / 60 % 60)?, swapped(seconds % 60)?]))
    }

    /// `None` when the octets are no BCD digits.
    pub fn seconds(self) -> Option<u32> {
        let digits = |octet: u8| {
            let (tens, units) = (u32::from(octet & 0x0F), u32::from(octet >> 4));
            (tens < 10 && units < 10).then_some(tens * 10 + units)
        };
        let [hours, minutes, seconds] = self.0;
        Some(digits(hours)? * 3600 + digits(minutes)? * 60 + digits(seconds)?)
    }

    pub(super) fn read(value: &mut Reader<'_>) -> Result<Self> {
        let timer = Self(value.array("hour, minute, second")?);
        value.note("TS 102 223 8.38", || timer.seconds().map_or("no digits".into(), |seconds| format!("{seconds} s")));
        Ok(timer)
    }
}

/// IMEI or IMEISV as the mobile identity of TS 24.008 10.5.1.4: first digit in the high nibble beside the type.
#[derive(Clone, PartialEq, Eq)]
pub struct MobileIdentity(pub Vec<u8>);

impl MobileIdentity {
    /// Of 15 digits (odd, type 010 = IMEI).
    pub fn imei(digits: &str) -> std::result::Result<Self, EncodeError> {
        let wrong = || EncodeError::new("IMEI", "digits", "expected 15 digits");
        let digits: Vec<u8> = digits.bytes().filter_map(|byte| byte.checked_sub(b'0')).collect();
        let [first, rest @ ..] = digits.as_slice() else { return Err(wrong()) };
        if rest.len() != 14 || digits.iter().any(|digit| *digit > 9) {
            return Err(wrong());
        }
        let mut octets = vec![first << 4 | 0x0A];
        octets.extend(rest.chunks(2).map(|pair| pair.iter().rev().fold(0, |octet, digit| octet << 4 | digit)));
        Ok(Self(octets))
    }

    /// The digits in clear; `None` when there is something else than digits.
    pub fn clear(&self) -> Option<String> {
        let mut nibbles = self.0.iter().flat_map(|octet| [octet & 0x0F, octet >> 4]);
        let kind = nibbles.next()?;
        let mut digits: Vec<u8> = nibbles.collect();
        if kind & 0x08 == 0 && digits.last() == Some(&0x0F) {
            digits.pop();
        }
        digits.into_iter().map(|digit| (digit < 10).then_some(char::from(b'0' | digit))).collect()
    }
}

impl fmt::Debug for MobileIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MobileIdentity({} octets)", self.0.len())
    }
}

/// Where the terminal is (TS 102 223 8.19): network, area and cell. The forms of newer networks are longer; what is
/// beyond the cell identity is kept as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Location {
    /// MCC and MNC in swapped BCD, filler F for an MNC of two digits.
    pub plmn: [u8; 3],
    /// LAC or TAC.
    pub area: u16,
    /// `None` in the short form, without a cell.
    pub cell: Option<u16>,
    pub tail: Vec<u8>,
}

impl Location {
    /// MCC of 3, MNC of 2 or 3 digits.
    pub fn new(mcc: &str, mnc: &str, area: u16, cell: u16) -> std::result::Result<Self, EncodeError> {
        let digits = |text: &str| text.bytes().map(|byte| byte.wrapping_sub(b'0')).collect::<Vec<u8>>();
        let (mcc, mnc) = (digits(mcc), digits(mnc));
        let ([a, b, c], [x, y, z @ ..]) = (mcc.as_slice(), mnc.as_slice()) else {
            return Err(EncodeError::new("location", "MCC, MNC", "expected 3 digits, and 2 or 3"));
        };
        if z.len() > 1 || mcc.iter().chain(&mnc).any(|digit| *digit > 9) {
            return Err(EncodeError::new("location", "MCC, MNC", "expected 3 digits, and 2 or 3"));
        }
        let filler = z.first().copied().unwrap_or(0x0F);
        Ok(Self { plmn: [b << 4 | a, filler << 4 | c, y << 4 | x], area, cell: Some(cell), tail: Vec::new() })
    }

    pub(super) fn read(value: &mut Reader<'_>) -> Result<Self> {
        let (plmn, area) = (value.array("MCC, MNC")?, value.u16("LAC or TAC")?);
        let cell = if value.is_empty() { None } else { Some(value.u16("cell identity")?) };
        Ok(Self { plmn, area, cell, tail: value.take_rest("further").to_vec() })
    }

    pub(super) fn put(&self, out: &mut Vec<u8>) {
        out.extend(self.plmn);
        out.extend(self.area.to_be_bytes());
        out.extend(self.cell.into_iter().flat_map(u16::to_be_bytes));
        out.extend_from_slice(&self.tail);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_read_in_its_alphabet() {
        let text = |dcs, octets: &[u8]| TextString { dcs: Some(dcs), octets: octets.to_vec() }.clear();
        assert_eq!(text(0x00, &[0xC8, 0x32, 0x9B, 0xFD, 0x06]).as_deref(), Some("Hello"));
        assert_eq!(text(0x04, b"Hello").as_deref(), Some("Hello"));
        assert_eq!(text(0x08, &[0x6F, 0x22, 0x5B, 0x57]).as_deref(), Some("漢字"));
        assert_eq!(TextString { dcs: None, octets: Vec::new() }.clear().as_deref(), Some(""));
        assert_eq!(format!("{:?}", TextString::eight_bit("pass").unwrap()), "TextString(4 octets)");
    }

    #[test]
    fn times_survive_the_round_trip_and_refuse_what_does_not_fit() {
        for seconds in [0, 59, 90, 3600, 359_999] {
            assert_eq!(TimerValue::from_seconds(seconds).unwrap().seconds(), Some(seconds));
        }
        assert!(TimerValue::from_seconds(360_000).is_err());
        assert_eq!(TimerValue([0x0A, 0, 0]).seconds().and(TimerValue([0xA0, 0, 0]).seconds()), None);
        assert_eq!(
            (Duration::from_seconds(255).tenths(), Duration::from_seconds(300).tenths()),
            (Some(2550), Some(3000))
        );
    }

    #[test]
    fn an_imei_is_packed_with_its_type_and_prints_masked() {
        let imei = MobileIdentity::imei("490154203237518").unwrap();
        assert_eq!(imei.0, [0x4A, 0x09, 0x51, 0x24, 0x30, 0x32, 0x57, 0x81]);
        assert_eq!(imei.clear().as_deref(), Some("490154203237518"));
        assert_eq!(format!("{imei:?}"), "MobileIdentity(8 octets)");
        assert!(MobileIdentity::imei("49015420323751").is_err());
    }

    #[test]
    fn a_location_takes_two_or_three_digits_of_network() {
        assert_eq!(Location::new("262", "01", 1, 2).unwrap().plmn, [0x62, 0xF2, 0x10]);
        assert_eq!(Location::new("310", "410", 1, 2).unwrap().plmn, [0x13, 0x00, 0x14]);
        assert!(Location::new("26", "01", 1, 2).is_err() && Location::new("262", "0123", 1, 2).is_err());
    }
}
