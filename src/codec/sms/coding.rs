//! TP-PID (TS 23.040 9.2.3.9), TP-DCS (TS 23.038 4), and what a baseband does with a message of a given pair.

use crate::codec::Reader;
use crate::codec::cursor::Result;

/// Protocol identifier; every value is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Pid(pub u8);

impl Pid {
    pub const PLAIN: Self = Self(0x00);
    /// Type 0: acknowledged, neither shown nor stored.
    pub const TYPE_0: Self = Self(0x40);
    /// (U)SIM data download.
    pub const SIM_DATA_DOWNLOAD: Self = Self(0x7F);

    pub fn meaning(self) -> String {
        match self.0 {
            0x00 => "plain".to_string(),
            0x01..=0x1F => "no telematic interworking, SME to SME protocol".to_string(),
            0x20..=0x3F => format!("telematic interworking {}", self.0 & 0x1F),
            0x40 => "type 0: acknowledged, neither shown nor stored".to_string(),
            0x41..=0x47 => format!("replace type {}", self.0 & 0x07),
            0x7D => "ME data download".to_string(),
            0x7E => "ME depersonalisation".to_string(),
            0x7F => "(U)SIM data download".to_string(),
            0xC0..=0xFF => "service centre specific".to_string(),
            _ => "reserved".to_string(),
        }
    }

    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Self> {
        let pid = Self(reader.u8("TP-PID")?);
        reader.note("TS 23.040 9.2.3.9", || pid.meaning());
        Ok(pid)
    }
}

/// How the user data is coded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Alphabet {
    /// GSM 7-bit default alphabet, packed.
    Gsm7,
    Octets,
    Ucs2,
}

/// Where a message wants to go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MessageClass {
    /// 0: shown at once.
    Flash,
    /// 1.
    Me,
    /// 2.
    Sim,
    /// 3.
    Te,
}

/// Data coding scheme; every value is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Dcs(pub u8);

impl Dcs {
    pub const GSM7: Self = Self(0x00);
    /// 8-bit data without class.
    pub const OCTETS: Self = Self(0x04);
    pub const UCS2: Self = Self(0x08);
    /// 8-bit data, class 1.
    pub const OCTETS_ME: Self = Self(0xF5);
    /// 8-bit data, class 2.
    pub const OCTETS_SIM: Self = Self(0xF6);

    /// Reserved values count as 7-bit, as TS 23.038 4 asks.
    pub const fn alphabet(self) -> Alphabet {
        match self.0 {
            0x00..=0x7F => match self.0 >> 2 & 0x03 {
                1 => Alphabet::Octets,
                2 => Alphabet::Ucs2,
                _ => Alphabet::Gsm7,
            },
            0xE0..=0xEF => Alphabet::Ucs2,
            0xF0..=0xFF if self.0 & 0x04 != 0 => Alphabet::Octets,
            _ => Alphabet::Gsm7,
        }
    }

    /// The text is compressed (TS 23.042): TP-UDL counts octets whatever the alphabet.
    pub const fn is_compressed(self) -> bool {
        self.0 < 0x80 && self.0 & 0x20 != 0
    }

    pub const fn class(self) -> Option<MessageClass> {
        let has_class = (self.0 < 0x80 && self.0 & 0x10 != 0) || self.0 >= 0xF0;
        if !has_class {
            return None;
        }
        Some(match self.0 & 0x03 {
            0 => MessageClass::Flash,
            1 => MessageClass::Me,
            2 => MessageClass::Sim,
            _ => MessageClass::Te,
        })
    }

    /// TP-UDL counts septets.
    pub const fn counts_septets(self) -> bool {
        matches!(self.alphabet(), Alphabet::Gsm7) && !self.is_compressed()
    }

    pub fn meaning(self) -> String {
        let alphabet = match self.alphabet() {
            Alphabet::Gsm7 => "7-bit",
            Alphabet::Octets => "8-bit",
            Alphabet::Ucs2 => "UCS2",
        };
        let class = match self.class() {
            None => "no class",
            Some(MessageClass::Flash) => "class 0 (show at once)",
            Some(MessageClass::Me) => "class 1 (ME)",
            Some(MessageClass::Sim) => "class 2 (SIM)",
            Some(MessageClass::Te) => "class 3 (TE)",
        };
        let compressed = if self.is_compressed() { ", compressed" } else { "" };
        format!("{alphabet}, {class}{compressed}")
    }

    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Self> {
        let dcs = Self(reader.u8("TP-DCS")?);
        reader.note("TS 23.038 4", || dcs.meaning());
        Ok(dcs)
    }
}

/// What a baseband does with a message that reaches it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BasebandRoute {
    /// Shown to the host (+CMT or +CMTI, by +CNMI).
    Host,
    /// ENVELOPE (SMS-PP DOWNLOAD) to the SIM; the host normally never sees it.
    SimEnvelope,
    /// Stored in EF_SMS; the host sees +CMTI: "SM" only.
    SimStorage,
    /// Acknowledged and dropped.
    DiscardAck,
}

/// TS 31.111 7.1.1, TS 23.038 4, TS 23.040 9.2.3.9. `data_download` is the SIM's service "data download via SMS-PP".
pub fn baseband_route(pid: Pid, dcs: Dcs, data_download: bool) -> BasebandRoute {
    match (pid, dcs.class()) {
        (Pid::TYPE_0, _) => BasebandRoute::DiscardAck,
        (Pid::SIM_DATA_DOWNLOAD, Some(MessageClass::Sim)) if data_download => BasebandRoute::SimEnvelope,
        (_, Some(MessageClass::Sim)) => BasebandRoute::SimStorage,
        _ => BasebandRoute::Host,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn class_and_alphabet_follow_the_coding_group() {
        for (dcs, alphabet, class) in [
            (0x00, Alphabet::Gsm7, None),
            (0x04, Alphabet::Octets, None),
            (0x08, Alphabet::Ucs2, None),
            (0x16, Alphabet::Octets, Some(MessageClass::Sim)),
            (0x02, Alphabet::Gsm7, None),
            (0xC8, Alphabet::Gsm7, None),
            (0xE0, Alphabet::Ucs2, None),
            (0xF2, Alphabet::Gsm7, Some(MessageClass::Sim)),
            (0xF5, Alphabet::Octets, Some(MessageClass::Me)),
        ] {
            assert_eq!((Dcs(dcs).alphabet(), Dcs(dcs).class()), (alphabet, class), "{dcs:02X}");
        }
        assert!(!Dcs(0x20).counts_septets());
    }

    #[test]
    fn type_0_is_dropped_whatever_its_class() {
        assert_eq!(baseband_route(Pid::TYPE_0, Dcs::OCTETS_SIM, true), BasebandRoute::DiscardAck);
    }
}
