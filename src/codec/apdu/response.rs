//! Response APDU and status words (ISO 7816-4 5.1.3, TS 102 221 10.2).

use super::CommandApdu;
use crate::codec::{DecodeError, Fault, Reader};
use std::fmt;

/// SW1 and SW2.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct StatusWord(pub u16);

/// What the sender has to do before the answer is complete.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FollowUp {
    /// Send this command: it fetches the response data.
    GetResponse(CommandApdu),
    /// Send the same command again with this Le.
    RepeatWithLe(u8),
}

impl StatusWord {
    pub const OK: Self = Self(0x9000);
    pub const BUSY: Self = Self(0x9300);
    pub const MEMORY_FAILURE: Self = Self(0x6581);
    pub const WRONG_LENGTH: Self = Self(0x6700);
    pub const CHANNEL_NOT_SUPPORTED: Self = Self(0x6881);
    pub const NO_INFORMATION: Self = Self(0x6F00);
    pub const SECURITY_NOT_SATISFIED: Self = Self(0x6982);
    pub const PIN_BLOCKED: Self = Self(0x6983);
    pub const CONDITIONS_NOT_SATISFIED: Self = Self(0x6985);
    pub const NO_EF_SELECTED: Self = Self(0x6986);
    pub const POLICY_FORBIDS: Self = Self(0x69E1);
    pub const WRONG_DATA: Self = Self(0x6A80);
    pub const FUNCTION_NOT_SUPPORTED: Self = Self(0x6A81);
    pub const NOT_FOUND: Self = Self(0x6A82);
    pub const NO_MEMORY: Self = Self(0x6A84);
    pub const WRONG_P1_P2: Self = Self(0x6A86);
    pub const REFERENCE_NOT_FOUND: Self = Self(0x6A88);
    pub const OFFSET_OUTSIDE: Self = Self(0x6B00);
    pub const UNKNOWN_INSTRUCTION: Self = Self(0x6D00);
    pub const UNKNOWN_CLASS: Self = Self(0x6E00);

    pub const fn sw1(self) -> u8 {
        self.0.to_be_bytes()[0]
    }

    pub const fn sw2(self) -> u8 {
        self.0.to_be_bytes()[1]
    }

    pub const fn octets(self) -> [u8; 2] {
        self.0.to_be_bytes()
    }

    /// 9000, or 91xx: done, and a proactive command waits.
    pub const fn is_ok(self) -> bool {
        self.0 == 0x9000 || self.sw1() == 0x91
    }

    /// Length of the waiting proactive command (91xx).
    pub const fn proactive(self) -> Option<u8> {
        if self.sw1() == 0x91 { Some(self.sw2()) } else { None }
    }

    /// 61xx, 9Fxx and 6Cxx ask for another command before the answer is complete. `channel` is that of the command.
    pub fn follow_up(self, channel: u8) -> Option<FollowUp> {
        let get_response = |class| CommandApdu::new(class, 0xC0, 0x00, 0x00).with_le(self.sw2());
        match self.sw1() {
            0x61 => get_response(0x00).on_channel(channel).map(FollowUp::GetResponse),
            0x9F => Some(FollowUp::GetResponse(get_response(0xA0))),
            0x6C => Some(FollowUp::RepeatWithLe(self.sw2())),
            _ => None,
        }
    }

    pub fn meaning(self) -> String {
        let fixed = match self.0 {
            0x9000 => "done",
            0x9300 => "toolkit busy",
            0x6283 => "selected file deactivated",
            0x6581 => "memory failure",
            0x6700 => "wrong length",
            0x6881 => "logical channel not supported",
            0x6982 => "security status not satisfied",
            0x6983 => "PIN blocked",
            0x6985 => "conditions of use not satisfied",
            0x6986 => "no EF selected",
            0x69E1 => "POL1 forbids it",
            0x6A80 => "incorrect data",
            0x6A81 => "function not supported",
            0x6A82 => "file or application not found",
            0x6A84 => "not enough memory",
            0x6A86 => "incorrect P1 P2",
            0x6A88 => "referenced data not found",
            0x6B00 => "offset outside the file",
            0x6D00 => "instruction unknown",
            0x6E00 => "class unknown",
            0x6F00 => "technical problem",
            _ => "",
        };
        if !fixed.is_empty() {
            return fixed.to_string();
        }
        let sw2 = self.sw2();
        match self.sw1() {
            0x91 => format!("done, proactive command of {sw2} octets waits"),
            0x61 | 0x9F => format!("{} octets of response data wait", octet_count(sw2)),
            0x6C => format!("repeat with Le {sw2:02X}"),
            0x9E => format!("data download error, {sw2} octets of response data wait"),
            0x63 if sw2 >> 4 == 0xC => format!("{} tries left", sw2 & 0x0F),
            0x62 | 0x63 => "warning".to_string(),
            _ => "error".to_string(),
        }
    }
}

const fn octet_count(sw2: u8) -> u16 {
    if sw2 == 0 { 256 } else { sw2 as u16 }
}

impl fmt::Display for StatusWord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04X}", self.0)
    }
}

impl fmt::Debug for StatusWord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StatusWord({self})")
    }
}

/// Response data and status word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResponseApdu {
    pub data: Vec<u8>,
    pub sw: StatusWord,
}

impl From<StatusWord> for ResponseApdu {
    fn from(sw: StatusWord) -> Self {
        Self { data: Vec::new(), sw }
    }
}

impl ResponseApdu {
    /// Data and 9000.
    pub const fn ok(data: Vec<u8>) -> Self {
        Self { data, sw: StatusWord::OK }
    }

    /// Reads to the end: the last two octets are the status word.
    pub fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let length = reader.remaining().checked_sub(2);
        let Some(length) = length else {
            return Err(reader.error("SW", Fault::Truncated { needed: 2, available: reader.remaining() }));
        };
        let data = if length > 0 { reader.take(length, "data")?.to_vec() } else { Vec::new() };
        let sw = StatusWord(reader.u16("SW")?);
        reader.note("TS 102 221 10.2", || sw.meaning());
        Ok(Self { data, sw })
    }

    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        Self::read(&mut Reader::new("R-APDU", bytes))
    }

    pub fn encode(&self) -> Vec<u8> {
        let mut out = self.data.clone();
        out.extend(self.sw.octets());
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splits_data_from_the_status_word() {
        let answer = ResponseApdu::decode(&[1, 2, 0x91, 0x0B]).unwrap();
        assert_eq!((answer.data.as_slice(), answer.sw.proactive()), (&[1, 2][..], Some(11)));
        assert_eq!(answer.encode(), [1, 2, 0x91, 0x0B]);
        assert!(ResponseApdu::decode(&[0x90]).is_err());
    }

    #[test]
    fn asks_for_what_completes_the_answer_on_the_same_channel() {
        let Some(FollowUp::GetResponse(apdu)) = StatusWord(0x612B).follow_up(1) else { panic!() };
        assert_eq!(apdu.encode().unwrap(), [0x01, 0xC0, 0x00, 0x00, 0x2B]);
        let Some(FollowUp::GetResponse(apdu)) = StatusWord(0x9F14).follow_up(0) else { panic!() };
        assert_eq!(apdu.encode().unwrap(), [0xA0, 0xC0, 0x00, 0x00, 0x14]);
        assert_eq!(StatusWord(0x6C10).follow_up(0), Some(FollowUp::RepeatWithLe(0x10)));
        assert_eq!(StatusWord(0x9110).follow_up(0), None);
    }
}
