//! SMS-STATUS-REPORT (TS 23.040 9.2.2.3): what became of a message that was submitted with TP-SRR.

use super::{Address, MTI, Parameters, Scts, UDHI, flag, flags};
use crate::codec::cursor::Result;
use crate::codec::{DecodeError, EncodeError, Reader};

/// TP-MTI of SMS-STATUS-REPORT.
const STATUS_REPORT: u8 = 0x02;
const MMS: u8 = 0x04;
const LP: u8 = 0x08;
const SRQ: u8 = 0x20;
/// Octets of TP-UD that fit (TS 23.040 9.2.2.3).
const MAX_UD: usize = 131;

/// TP-ST (TS 23.040 9.2.3.15); every value is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct St(pub u8);

/// What TP-ST says about the message's future.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StClass {
    /// Done. Status 01 is no proof of delivery.
    Success,
    /// The service centre still tries.
    TemporaryTrying,
    /// The service centre gave up; it will not work later either.
    Permanent,
    /// The service centre gave up; a new attempt may work.
    TemporaryStopped,
    /// To be treated as "service rejected".
    Reserved,
}

impl St {
    pub const RECEIVED: Self = Self(0x00);
    pub const VALIDITY_EXPIRED: Self = Self(0x46);

    pub const fn class(self) -> StClass {
        match self.0 {
            0x00..=0x1F => StClass::Success,
            0x20..=0x3F => StClass::TemporaryTrying,
            0x40..=0x5F => StClass::Permanent,
            0x60..=0x7F => StClass::TemporaryStopped,
            0x80..=0xFF => StClass::Reserved,
        }
    }

    pub const fn meaning(self) -> &'static str {
        match self.0 {
            0x00 => "received by the handset",
            0x01 => "forwarded, delivery cannot be confirmed",
            0x02 => "replaced by the service centre",
            0x20 | 0x60 => "congestion",
            0x21 | 0x61 => "SME busy",
            0x22 | 0x62 => "no response from SME",
            0x23 | 0x63 => "service rejected",
            0x24 | 0x44 | 0x64 => "quality of service not available",
            0x25 | 0x65 => "error in SME",
            0x40 => "remote procedure error",
            0x41 => "incompatible destination",
            0x42 => "connection rejected by SME",
            0x43 => "not obtainable",
            0x45 => "no interworking available",
            0x46 => "validity period expired",
            0x47 => "deleted by the originator",
            0x48 => "deleted by the service centre's administration",
            0x49 => "message does not exist",
            0x10..=0x1F | 0x30..=0x3F | 0x50..=0x5F | 0x70..=0x7F => "specific to the service centre",
            _ => "reserved",
        }
    }
}

/// Belongs to the submission with the same TP-MR and address, and TP-SCTS where the service centre returned one;
/// TP-MR wraps at 256.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatusReport {
    /// TP-MMS: **no** more messages wait.
    pub mms: bool,
    pub lp: bool,
    /// TP-SRQ: answers an SMS-COMMAND instead of an SMS-SUBMIT.
    pub srq: bool,
    pub mr: u8,
    /// TP-RA.
    pub ra: Address,
    /// Time stamp of the submission.
    pub scts: Scts,
    /// TP-DT: when the outcome was found.
    pub dt: Scts,
    pub st: St,
    /// TP-PI and what follows, when the report goes on after TP-ST.
    pub parameters: Option<Parameters>,
}

impl StatusReport {
    pub fn read(reader: &mut Reader<'_>) -> Result<Self> {
        let start = reader.offset();
        let first = reader.u8("first octet")?;
        if first & MTI != STATUS_REPORT {
            let expected = "TP-MTI 10 (SMS-STATUS-REPORT)";
            return Err(reader.value_error(start, "first octet", expected, format_args!("{first:02X}")));
        }
        reader.note("TS 23.040 9.2.2.3", || {
            let names = [(MMS, "no more messages"), (LP, "TP-LP"), (SRQ, "TP-SRQ"), (UDHI, "TP-UDHI")];
            format!("SMS-STATUS-REPORT: {}", flags(first, &names))
        });
        let mr = reader.u8("TP-MR")?;
        let ra = Address::read(reader, "TP-RA")?;
        let scts = Scts::read(reader, "TP-SCTS")?;
        let dt = Scts::read(reader, "TP-DT")?;
        let st = St(reader.u8("TP-ST")?);
        reader.note("TS 23.040 9.2.3.15", || st.meaning().to_string());
        let parameters = match reader.is_empty() {
            true => None,
            false => Some(Parameters::read(reader, first & UDHI != 0, MAX_UD)?),
        };
        let set = |bit| first & bit != 0;
        Ok(Self { mms: set(MMS), lp: set(LP), srq: set(SRQ), mr, ra, scts, dt, st, parameters })
    }

    pub fn decode(bytes: &[u8]) -> std::result::Result<Self, DecodeError> {
        let mut reader = Reader::new("SMS-STATUS-REPORT", bytes);
        let report = Self::read(&mut reader)?;
        reader.finish().map(|()| report)
    }

    pub fn encode(&self) -> std::result::Result<Vec<u8>, EncodeError> {
        let first = flag(MMS, self.mms) | flag(LP, self.lp) | flag(SRQ, self.srq);
        let udhi = self.parameters.as_ref().is_some_and(Parameters::udhi);
        let mut out = vec![STATUS_REPORT | first | flag(UDHI, udhi), self.mr];
        self.ra.put(&mut out);
        out.extend(self.scts.0);
        out.extend(self.dt.0);
        out.push(self.st.0);
        if let Some(parameters) = &self.parameters {
            parameters.put(&mut out, MAX_UD)?;
        }
        Ok(out)
    }
}
