//! SMS-DELIVER (TS 23.040 9.2.2.1): from the service centre to the terminal, or to the SIM inside an ENVELOPE.

use super::{Address, Dcs, MAX_UD, MTI, Pid, Scts, UDHI, UserData, flag, flags};
use crate::codec::cursor::Result;
use crate::codec::{DecodeError, EncodeError, Reader};

/// TP-MTI of SMS-DELIVER.
const DELIVER: u8 = 0x00;
const MMS: u8 = 0x04;
const LP: u8 = 0x08;
const SRI: u8 = 0x20;
const RP: u8 = 0x80;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deliver {
    /// TP-MMS: **no** more messages wait in the service centre.
    pub mms: bool,
    /// TP-LP: forwarded or spawned message, to avoid loops.
    pub lp: bool,
    /// TP-SRI: a status report will go to the sender.
    pub sri: bool,
    /// TP-RP: reply path.
    pub rp: bool,
    /// TP-OA.
    pub oa: Address,
    pub pid: Pid,
    pub dcs: Dcs,
    pub scts: Scts,
    pub ud: UserData,
}

impl Deliver {
    /// With no more messages waiting and the other flags off.
    pub fn new(oa: Address, pid: Pid, dcs: Dcs, scts: Scts, ud: UserData) -> Self {
        Self { mms: true, lp: false, sri: false, rp: false, oa, pid, dcs, scts, ud }
    }

    pub fn read(reader: &mut Reader<'_>) -> Result<Self> {
        let start = reader.offset();
        let first = reader.u8("first octet")?;
        if first & MTI != DELIVER {
            let expected = "TP-MTI 00 (SMS-DELIVER)";
            return Err(reader.value_error(start, "first octet", expected, format_args!("{first:02X}")));
        }
        reader.note("TS 23.040 9.2.2.1", || {
            let names = [(MMS, "no more messages"), (LP, "TP-LP"), (SRI, "TP-SRI"), (UDHI, "TP-UDHI"), (RP, "TP-RP")];
            format!("SMS-DELIVER: {}", flags(first, &names))
        });
        let oa = Address::read(reader, "TP-OA")?;
        let pid = Pid::read(reader)?;
        let dcs = Dcs::read(reader)?;
        let scts = Scts::read(reader, "TP-SCTS")?;
        let ud = UserData::read(reader, dcs, first & UDHI != 0, MAX_UD)?;
        let set = |bit| first & bit != 0;
        Ok(Self { mms: set(MMS), lp: set(LP), sri: set(SRI), rp: set(RP), oa, pid, dcs, scts, ud })
    }

    pub fn decode(bytes: &[u8]) -> std::result::Result<Self, DecodeError> {
        let mut reader = Reader::new("SMS-DELIVER", bytes);
        let deliver = Self::read(&mut reader)?;
        reader.finish().map(|()| deliver)
    }

    pub fn encode(&self) -> std::result::Result<Vec<u8>, EncodeError> {
        let first = flag(MMS, self.mms) | flag(LP, self.lp) | flag(SRI, self.sri) | flag(RP, self.rp);
        let mut out = vec![DELIVER | first | flag(UDHI, self.ud.udhi)];
        self.oa.put(&mut out);
        out.extend([self.pid.0, self.dcs.0]);
        out.extend(self.scts.0);
        self.ud.put(&mut out, self.dcs, MAX_UD)?;
        Ok(out)
    }
}
