//! Retry policy of Amendment B (tag `86`): how often and after what delay the card tries again by itself.

use super::{CLAUSE, STRUCTURE};
use crate::codec::cursor::Result as Read;
use crate::codec::{EncodeError, Fault, Reader, tlv};

/// `counter(2) | 25 03 hh mm ss | [failure report]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Retry {
    pub counter: u16,
    /// 0 to 359,999 in BCD (99:59:59), 0 to 921,599 in binary (255:59:59).
    pub delay_seconds: u32,
    /// How the delay is (or was) coded.
    pub timer: TimerCoding,
    /// Objects 87 and 88, as they are.
    pub failure_report: Vec<u8>,
}

/// Coding of the retry delay.
///
/// TS 102 223 8.38 says swapped BCD, and that is the default. Sources about cards disagree: one reads plain BCD,
/// another public SM-SR writes binary under tag A5. So it is a choice, to be set per card type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum TimerCoding {
    /// `25 03 00 10 00` = 1 minute.
    #[default]
    SwappedBcd,
    /// `25 03 00 10 00` = 10 minutes.
    Bcd,
    /// `A5 03 00 0A 00` = 10 minutes.
    Binary,
}

impl TimerCoding {
    const fn tag(self) -> u32 {
        match self {
            Self::SwappedBcd | Self::Bcd => 0x25,
            Self::Binary => 0xA5,
        }
    }

    fn octet(self, number: u32) -> Option<u8> {
        let number = u8::try_from(number).ok()?;
        match self {
            Self::Binary => Some(number),
            Self::Bcd | Self::SwappedBcd if number > 99 => None,
            Self::Bcd => Some(((number / 10) << 4) | (number % 10)),
            Self::SwappedBcd => Some(((number % 10) << 4) | (number / 10)),
        }
    }

    fn number(self, octet: u8) -> Option<u32> {
        let (high, low) = (octet >> 4, octet & 0x0F);
        match self {
            Self::Binary => Some(octet.into()),
            Self::Bcd | Self::SwappedBcd if high > 9 || low > 9 => None,
            Self::Bcd => Some(u32::from(high * 10 + low)),
            Self::SwappedBcd => Some(u32::from(low * 10 + high)),
        }
    }
}

impl Retry {
    /// In the default coding, without a failure report.
    pub const fn new(counter: u16, delay_seconds: u32) -> Self {
        Self { counter, delay_seconds, timer: TimerCoding::SwappedBcd, failure_report: Vec::new() }
    }

    pub(super) fn encode(&self) -> Result<Vec<u8>, EncodeError> {
        let mut out = self.counter.to_be_bytes().to_vec();
        let parts = [self.delay_seconds / 3600, self.delay_seconds / 60 % 60, self.delay_seconds % 60];
        let mut value = Vec::with_capacity(3);
        for part in parts {
            let too_long = || EncodeError::new(STRUCTURE, "retry delay", "more hours than the timer object can say");
            value.push(self.timer.octet(part).ok_or_else(too_long)?);
        }
        tlv::put(&mut out, self.timer.tag(), &value)?;
        out.extend_from_slice(&self.failure_report);
        Ok(out)
    }

    pub(super) fn read(reader: &mut Reader<'_>, timer: TimerCoding) -> Read<Self> {
        let counter = reader.u16("retry counter")?;
        let mut object = reader.comprehension_tlv()?;
        if object.tag != 0x25 {
            return Err(reader.error_at(object.offset, "retry delay", Fault::Missing));
        }
        let start = object.value.offset();
        let octets = object.value.array::<3>("hh mm ss")?;
        object.value.finish()?;
        let delay_seconds = seconds(timer, octets).ok_or_else(|| {
            reader.value_error(start, "retry delay", "hh mm ss", format_args!("{octets:02X?} in {timer:?}"))
        })?;
        reader.label("retry delay", CLAUSE, || format!("{delay_seconds} s ({timer:?})"));
        let failure_report = read_failure_report(reader)?;
        Ok(Self { counter, delay_seconds, timer, failure_report })
    }
}

fn seconds(timer: TimerCoding, [hours, minutes, seconds]: [u8; 3]) -> Option<u32> {
    let small = |octet| timer.number(octet).filter(|number| *number < 60);
    Some(timer.number(hours)? * 3600 + small(minutes)? * 60 + small(seconds)?)
}

/// The rest of the policy: whole objects, not interpreted.
fn read_failure_report(reader: &mut Reader<'_>) -> Read<Vec<u8>> {
    let octets = reader.peek().to_vec();
    while !reader.is_empty() {
        reader.ber_tlv()?;
        reader.note(CLAUSE, || "failure report".into());
    }
    Ok(octets)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::hex;

    fn decode(text: &str, timer: TimerCoding) -> Read<Retry> {
        Retry::read(&mut Reader::new(STRUCTURE, &hex::decode(text).unwrap()), timer)
    }

    #[test]
    fn the_same_octets_are_1_10_or_16_minutes() {
        for (timer, expected) in
            [(TimerCoding::SwappedBcd, 60), (TimerCoding::Bcd, 600), (TimerCoding::Binary, 16 * 60)]
        {
            assert_eq!(decode("0003 2503 001000", timer).unwrap().delay_seconds, expected);
        }
    }

    #[test]
    fn every_coding_survives_the_round_trip() {
        for timer in [TimerCoding::SwappedBcd, TimerCoding::Bcd, TimerCoding::Binary] {
            let retry = Retry { counter: 5, delay_seconds: 45_296, timer, failure_report: vec![0x87, 0x01, 0x22] };
            let octets = retry.encode().unwrap();
            assert_eq!(Retry::read(&mut Reader::new(STRUCTURE, &octets), timer), Ok(retry));
        }
        assert!(Retry::new(1, 100 * 3600).encode().is_err());
    }

    #[test]
    fn refuses_digits_above_9_and_minutes_above_59() {
        assert!(decode("0003 2503 00A000", TimerCoding::SwappedBcd).is_err());
        assert!(decode("0003 2503 000600", TimerCoding::SwappedBcd).is_err());
        assert!(decode("0003 2503 003C00", TimerCoding::Binary).is_err());
        assert!(decode("0003 8700", TimerCoding::SwappedBcd).is_err());
    }
}
