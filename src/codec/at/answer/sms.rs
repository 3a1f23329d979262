//! The short message commands (TS 27.005 3 and 4), PDU mode.

use super::Answer;
use crate::codec::DecodeError;
use crate::codec::at::fields::Fields;
use crate::codec::at::ranges::NumberSet;

const TS_CLAUSE_PDU: &str = "TS 27.005 4.1";

/// +CSCA? (TS 27.005 3.3.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceCentre {
    /// Empty when none is set; sending then fails with +CMS ERROR: 330.
    pub number: String,
    /// Type of address (TS 24.011 8.2.5.2), 145 international.
    pub kind: Option<u8>,
}

impl Answer for ServiceCentre {
    const PREFIX: &'static str = "+CSCA";
    const CLAUSE: &'static str = "TS 27.005 3.3.1";
    fn read(fields: &mut Fields<'_, '_>) -> Result<Self, DecodeError> {
        Ok(Self { number: fields.text("sca")?.unwrap_or_default(), kind: fields.number("tosca")? })
    }
}

/// +CSMS? has all four, +CSMS= answers without the service (TS 27.005 3.2.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MessageService {
    /// 0 phase 2; 1 phase 2+, in which the host acknowledges with +CNMA.
    pub service: Option<u8>,
    pub terminated: u8,
    pub originated: u8,
    pub broadcast: u8,
}

impl Answer for MessageService {
    const PREFIX: &'static str = "+CSMS";
    const CLAUSE: &'static str = "TS 27.005 3.2.1";
    fn read(fields: &mut Fields<'_, '_>) -> Result<Self, DecodeError> {
        let first = fields.required_number("service or mt")?;
        let second = fields.required_number("mt or mo")?;
        let third = fields.required_number("mo or bm")?;
        Ok(match fields.number("bm")? {
            Some(broadcast) => Self { service: Some(first), terminated: second, originated: third, broadcast },
            None => Self { service: None, terminated: first, originated: second, broadcast: third },
        })
    }
}

/// What +CNMI=? allows (TS 27.005 3.4.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CnmiRanges {
    pub mode: NumberSet,
    /// SMS-DELIVER: 1 stored and indicated, 2 routed directly.
    pub mt: NumberSet,
    /// Cell broadcast.
    pub bm: NumberSet,
    /// Status reports: 1 routed directly, 2 stored and indicated.
    pub ds: NumberSet,
    pub bfr: NumberSet,
}

impl Answer for CnmiRanges {
    const PREFIX: &'static str = "+CNMI";
    const CLAUSE: &'static str = "TS 27.005 3.4.1";
    fn read(fields: &mut Fields<'_, '_>) -> Result<Self, DecodeError> {
        Ok(Self {
            mode: fields.numbers("mode")?.unwrap_or_default(),
            mt: fields.numbers("mt")?.unwrap_or_default(),
            bm: fields.numbers("bm")?.unwrap_or_default(),
            ds: fields.numbers("ds")?.unwrap_or_default(),
            bfr: fields.numbers("bfr")?.unwrap_or_default(),
        })
    }
}

/// +CMGS: the network has taken the message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CmgsAnswer {
    /// TP-MR, by which a status report refers to the message.
    pub reference: u8,
    /// SMS-SUBMIT-REPORT, with +CSMS service 1.
    pub report: Option<Vec<u8>>,
}

impl Answer for CmgsAnswer {
    const PREFIX: &'static str = "+CMGS";
    const CLAUSE: &'static str = TS_CLAUSE_PDU;
    fn read(fields: &mut Fields<'_, '_>) -> Result<Self, DecodeError> {
        Ok(Self { reference: fields.required_number("mr")?, report: fields.octets("ackpdu")? })
    }
}

fn stat_meaning(stat: u8) -> String {
    match stat {
        0 => "received unread",
        1 => "received read",
        2 => "stored unsent",
        3 => "stored sent",
        _ => "reserved",
    }
    .into()
}

/// +CMGR: the PDU is on the next line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredHeader {
    /// 0 received unread, 1 received read, 2 stored unsent, 3 stored sent.
    pub stat: u8,
    pub alpha: Option<String>,
    /// Octets of the TPDU, without the service centre address.
    pub length: usize,
}

fn stored_header(fields: &mut Fields<'_, '_>) -> Result<StoredHeader, DecodeError> {
    let stat = fields.required_number("stat")?;
    fields.meaning(|| stat_meaning(stat));
    let alpha = fields.text("alpha")?;
    // The alpha is left out altogether by some firmware: `+CMGR: 0,23`.
    match (fields.number("length")?, alpha) {
        (Some(length), alpha) => Ok(StoredHeader { stat, alpha: alpha.filter(|text| !text.is_empty()), length }),
        (None, alpha) => match alpha.and_then(|text| text.parse().ok()) {
            Some(length) => Ok(StoredHeader { stat, alpha: None, length }),
            None => fields.required_number("length").map(|length| StoredHeader { stat, alpha: None, length }),
        },
    }
}

impl Answer for StoredHeader {
    const PREFIX: &'static str = "+CMGR";
    const CLAUSE: &'static str = TS_CLAUSE_PDU;
    fn read(fields: &mut Fields<'_, '_>) -> Result<Self, DecodeError> {
        stored_header(fields)
    }
}

/// +CMGL: the PDU is on the next line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedHeader {
    pub index: u32,
    pub header: StoredHeader,
}

impl Answer for ListedHeader {
    const PREFIX: &'static str = "+CMGL";
    const CLAUSE: &'static str = TS_CLAUSE_PDU;
    fn read(fields: &mut Fields<'_, '_>) -> Result<Self, DecodeError> {
        Ok(Self { index: fields.required_number("index")?, header: stored_header(fields)? })
    }
}

/// +CMT, +CDS and +CBM: the PDU is on the next line. Written `23`, `,23` and `"alpha",23`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DirectHeader {
    /// Octets of the TPDU, without the service centre address.
    pub length: usize,
}

impl Answer for DirectHeader {
    const PREFIX: &'static str = "+CMT";
    const CLAUSE: &'static str = "TS 27.005 3.4.1";
    fn read(fields: &mut Fields<'_, '_>) -> Result<Self, DecodeError> {
        let first = fields.text("alpha or length")?;
        if let Some(length) = fields.number("length")? {
            return Ok(Self { length });
        }
        match first.and_then(|text| text.parse().ok()) {
            Some(length) => Ok(Self { length }),
            None => fields.required_number("length").map(|length| Self { length }),
        }
    }
}
