//! SMS-SUBMIT (TS 23.040 9.2.2.2): from the terminal to the service centre.

use super::{Address, Dcs, MAX_UD, MTI, Pid, UDHI, UserData, ValidityPeriod, flag, flags};
use crate::codec::cursor::Result;
use crate::codec::{DecodeError, EncodeError, Reader};

/// TP-MTI of SMS-SUBMIT.
const SUBMIT: u8 = 0x01;
const RD: u8 = 0x04;
const VPF_SHIFT: u32 = 3;
const SRR: u8 = 0x20;
const RP: u8 = 0x80;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Submit {
    /// TP-RD: the service centre rejects a second message with the same TP-MR and TP-DA.
    pub rd: bool,
    /// TP-SRR: a status report is requested.
    pub srr: bool,
    /// TP-RP: reply path.
    pub rp: bool,
    /// TP-MR. Terminals often overwrite it; AT+CMGS returns the one used.
    pub mr: u8,
    /// TP-DA.
    pub da: Address,
    pub pid: Pid,
    pub dcs: Dcs,
    pub vp: ValidityPeriod,
    pub ud: UserData,
}

impl Submit {
    /// With message reference 0, no validity period and all flags off.
    pub fn new(da: Address, pid: Pid, dcs: Dcs, ud: UserData) -> Self {
        Self { rd: false, srr: false, rp: false, mr: 0, da, pid, dcs, vp: ValidityPeriod::None, ud }
    }

    pub fn read(reader: &mut Reader<'_>) -> Result<Self> {
        let start = reader.offset();
        let first = reader.u8("first octet")?;
        if first & MTI != SUBMIT {
            let expected = "TP-MTI 01 (SMS-SUBMIT)";
            return Err(reader.value_error(start, "first octet", expected, format_args!("{first:02X}")));
        }
        reader.note("TS 23.040 9.2.2.2", || {
            let names = [(RD, "TP-RD"), (SRR, "TP-SRR"), (UDHI, "TP-UDHI"), (RP, "TP-RP")];
            format!("SMS-SUBMIT: {}", flags(first, &names))
        });
        let mr = reader.u8("TP-MR")?;
        let da = Address::read(reader, "TP-DA")?;
        let pid = Pid::read(reader)?;
        let dcs = Dcs::read(reader)?;
        let vp = ValidityPeriod::read(reader, first >> VPF_SHIFT)?;
        let ud = UserData::read(reader, dcs, first & UDHI != 0, MAX_UD)?;
        let set = |bit| first & bit != 0;
        Ok(Self { rd: set(RD), srr: set(SRR), rp: set(RP), mr, da, pid, dcs, vp, ud })
    }

    pub fn decode(bytes: &[u8]) -> std::result::Result<Self, DecodeError> {
        let mut reader = Reader::new("SMS-SUBMIT", bytes);
        let submit = Self::read(&mut reader)?;
        reader.finish().map(|()| submit)
    }

    pub fn encode(&self) -> std::result::Result<Vec<u8>, EncodeError> {
        let first = flag(RD, self.rd) | flag(SRR, self.srr) | flag(RP, self.rp) | flag(UDHI, self.ud.udhi);
        let mut out = vec![SUBMIT | first | self.vp.format() << VPF_SHIFT, self.mr];
        self.da.put(&mut out);
        out.extend([self.pid.0, self.dcs.0]);
        self.vp.put(&mut out);
        self.ud.put(&mut out, self.dcs, MAX_UD)?;
        Ok(out)
    }
}
