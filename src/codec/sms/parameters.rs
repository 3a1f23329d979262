//! TP-PI and the fields it announces (TS 23.040 9.2.3.27): the tail of the reports.

use super::{Dcs, Pid, UserData};
use crate::codec::cursor::Result;
use crate::codec::{EncodeError, Reader};

const PID: u8 = 0x01;
const DCS: u8 = 0x02;
const UDL: u8 = 0x04;
/// A further octet of TP-PI follows; all its bits are reserved and ignored.
const EXTENSION: u8 = 0x80;

/// The optional fields of a report.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Parameters {
    pub pid: Option<Pid>,
    pub dcs: Option<Dcs>,
    pub ud: Option<UserData>,
}

impl Parameters {
    /// TP-PI.
    pub fn indicator(&self) -> u8 {
        let bit = super::flag;
        bit(PID, self.pid.is_some()) | bit(DCS, self.dcs.is_some()) | bit(UDL, self.ud.is_some())
    }

    pub(super) fn read(reader: &mut Reader<'_>, udhi: bool, limit: usize) -> Result<Self> {
        let indicator = reader.u8("TP-PI")?;
        let names = [(PID, "TP-PID"), (DCS, "TP-DCS"), (UDL, "TP-UDL"), (EXTENSION, "extension")];
        reader.note("TS 23.040 9.2.3.27", || super::flags(indicator, &names));
        let mut last = indicator;
        while last & EXTENSION != 0 {
            last = reader.u8("TP-PI extension")?;
        }
        let pid = if indicator & PID != 0 { Some(Pid::read(reader)?) } else { None };
        let dcs = if indicator & DCS != 0 { Some(Dcs::read(reader)?) } else { None };
        // Without TP-DCS the coding is 7-bit.
        let coding = dcs.unwrap_or(Dcs::GSM7);
        let ud = if indicator & UDL != 0 { Some(UserData::read(reader, coding, udhi, limit)?) } else { None };
        Ok(Self { pid, dcs, ud })
    }

    pub(super) fn put(&self, out: &mut Vec<u8>, limit: usize) -> std::result::Result<(), EncodeError> {
        out.push(self.indicator());
        out.extend(self.pid.map(|pid| pid.0));
        out.extend(self.dcs.map(|dcs| dcs.0));
        match &self.ud {
            Some(ud) => ud.put(out, self.dcs.unwrap_or(Dcs::GSM7), limit),
            None => Ok(()),
        }
    }

    /// TP-UDHI of the report.
    pub(super) fn udhi(&self) -> bool {
        self.ud.as_ref().is_some_and(|ud| ud.udhi)
    }
}
