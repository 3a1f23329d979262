//! SMS-DELIVER-REPORT (TS 23.040 9.2.2.1a): the terminal's answer to an SMS-DELIVER, which may carry the card's
//! response packet. Nothing in the octets tells the two kinds apart: RP-ACK or RP-ERROR around them does.

use super::{MTI, Parameters, UDHI, flag, flags};
use crate::codec::cursor::Result;
use crate::codec::{DecodeError, EncodeError, Reader};

/// TP-MTI of SMS-DELIVER-REPORT.
const DELIVER_REPORT: u8 = 0x00;
/// Octets of TP-UD that fit in RP-ACK and RP-ERROR (TS 23.040 9.2.2.1a).
const MAX_UD_ACK: usize = 159;
const MAX_UD_ERROR: usize = 158;

/// Which of the two forms the surroundings say it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReportKind {
    /// In RP-ACK.
    Ack,
    /// In RP-ERROR.
    Error,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeliverReport {
    /// TP-FCS (TS 23.040 9.2.3.22): present in the negative form only.
    pub failure: Option<u8>,
    pub parameters: Parameters,
}

/// TP-FCS in words, as far as SIM and terminal use it.
pub const fn failure_meaning(failure: u8) -> &'static str {
    match failure {
        0xD0 => "SIM SMS storage full",
        0xD1 => "no SMS storage in SIM",
        0xD2 => "error in MS",
        0xD3 => "memory capacity exceeded",
        0xD4 => "SIM application toolkit busy",
        0xD5 => "SIM data download error",
        0xFF => "unspecified error",
        _ => "other cause",
    }
}

impl DeliverReport {
    pub fn read(reader: &mut Reader<'_>, kind: ReportKind) -> Result<Self> {
        let start = reader.offset();
        let first = reader.u8("first octet")?;
        if first & MTI != DELIVER_REPORT {
            let expected = "TP-MTI 00 (SMS-DELIVER-REPORT)";
            return Err(reader.value_error(start, "first octet", expected, format_args!("{first:02X}")));
        }
        reader.note("TS 23.040 9.2.2.1a", || format!("SMS-DELIVER-REPORT: {}", flags(first, &[(UDHI, "TP-UDHI")])));
        let udhi = first & UDHI != 0;
        if kind == ReportKind::Ack {
            return Ok(Self { failure: None, parameters: Parameters::read(reader, udhi, MAX_UD_ACK)? });
        }
        let failure = reader.u8("TP-FCS")?;
        reader.note("TS 23.040 9.2.3.22", || failure_meaning(failure).to_string());
        Ok(Self { failure: Some(failure), parameters: Parameters::read(reader, udhi, MAX_UD_ERROR)? })
    }

    pub fn decode(bytes: &[u8], kind: ReportKind) -> std::result::Result<Self, DecodeError> {
        let mut reader = Reader::new("SMS-DELIVER-REPORT", bytes);
        let report = Self::read(&mut reader, kind)?;
        reader.finish().map(|()| report)
    }

    pub fn encode(&self) -> std::result::Result<Vec<u8>, EncodeError> {
        let mut out = vec![DELIVER_REPORT | flag(UDHI, self.parameters.udhi())];
        out.extend(self.failure);
        self.parameters.put(&mut out, if self.failure.is_some() { MAX_UD_ERROR } else { MAX_UD_ACK })?;
        Ok(out)
    }
}
