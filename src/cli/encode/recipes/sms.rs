//! Recipes of short messages and of the user data in them.

use crate::cli::encode::fields::{Hex, HexArray, Number};
use crate::codec::EncodeError;
use crate::codec::sms::{
    Address, Dcs, Deliver, Ie, LocalTime, Npi, Pid, Ports, Reference, Scts, Segmentation, St, StatusReport, Submit,
    Ton, Udh, UserData, ValidityPeriod,
};
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum TonWord {
    Unknown,
    International,
    National,
    NetworkSpecific,
    Subscriber,
    Alphanumeric,
    Abbreviated,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum NpiWord {
    Unknown,
    Isdn,
    Data,
    Telex,
    National,
    Private,
}

/// An MSISDN, or an object with the parts of TS 23.040 9.1.2.5.
#[derive(Deserialize)]
#[serde(untagged)]
enum AddressFields {
    International(String),
    Parts { digits: Option<String>, text: Option<String>, ton: Option<TonWord>, npi: Option<NpiWord> },
}

impl AddressFields {
    fn address(self) -> Result<Address, EncodeError> {
        let (digits, text, ton, npi) = match self {
            Self::International(digits) => (
                Some(digits.trim_start_matches('+').to_string()),
                None,
                Some(TonWord::International),
                Some(NpiWord::Isdn),
            ),
            Self::Parts { digits, text, ton, npi } => (digits, text, ton, npi),
        };
        let ton = match ton.unwrap_or(TonWord::International) {
            TonWord::Unknown => Ton::UNKNOWN,
            TonWord::International => Ton::INTERNATIONAL,
            TonWord::National => Ton::NATIONAL,
            TonWord::NetworkSpecific => Ton::NETWORK_SPECIFIC,
            TonWord::Subscriber => Ton::SUBSCRIBER,
            TonWord::Alphanumeric => Ton::ALPHANUMERIC,
            TonWord::Abbreviated => Ton::ABBREVIATED,
        };
        let npi = npi.map(|npi| match npi {
            NpiWord::Unknown => Npi::UNKNOWN,
            NpiWord::Isdn => Npi::ISDN,
            NpiWord::Data => Npi::DATA,
            NpiWord::Telex => Npi::TELEX,
            NpiWord::National => Npi::NATIONAL,
            NpiWord::Private => Npi::PRIVATE,
        });
        match (digits, text) {
            (Some(digits), None) => Address::digits(ton, npi.unwrap_or(Npi::ISDN), &digits),
            (None, Some(text)) => Ok(Address::text(&text)?.with_npi(npi.unwrap_or(Npi::UNKNOWN))),
            _ => Err(EncodeError::new("address", "digits", "exactly one of digits and text is needed")),
        }
    }
}

/// Seven octets in hexadecimal, or the parts of the date.
#[derive(Deserialize)]
#[serde(untagged)]
enum TimeFields {
    Octets(HexArray<7>),
    Parts { year: u16, month: u8, day: u8, hour: u8, minute: u8, second: u8, tz_quarter_hours: Option<i8> },
}

impl TimeFields {
    fn scts(self) -> Result<Scts, EncodeError> {
        match self {
            Self::Octets(HexArray(octets)) => Ok(Scts(octets)),
            Self::Parts { year, month, day, hour, minute, second, tz_quarter_hours } => {
                let quarter_hours = tz_quarter_hours.unwrap_or(0);
                LocalTime { year, month, day, hour, minute, second, quarter_hours }.encode()
            }
        }
    }
}

fn user_data(octets: Hex, udhi: bool) -> UserData {
    if udhi { UserData::with_header(octets.0) } else { UserData::plain(octets.0) }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeliverFields {
    oa: AddressFields,
    #[serde(default = "yes")]
    tp_mms: bool,
    #[serde(default)]
    tp_lp: bool,
    #[serde(default)]
    tp_sri: bool,
    #[serde(default)]
    tp_rp: bool,
    #[serde(default)]
    tp_udhi: bool,
    pid: HexArray<1>,
    dcs: HexArray<1>,
    scts: TimeFields,
    ud: Hex,
}

const fn yes() -> bool {
    true
}

impl DeliverFields {
    pub fn encode(self) -> Result<Vec<u8>, EncodeError> {
        let ([pid], [dcs]) = (self.pid.0, self.dcs.0);
        let ud = user_data(self.ud, self.tp_udhi);
        let deliver = Deliver::new(self.oa.address()?, Pid(pid), Dcs(dcs), self.scts.scts()?, ud);
        Deliver { mms: self.tp_mms, lp: self.tp_lp, sri: self.tp_sri, rp: self.tp_rp, ..deliver }.encode()
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SubmitFields {
    da: AddressFields,
    #[serde(default)]
    mr: Number<u8>,
    #[serde(default)]
    tp_rd: bool,
    #[serde(default)]
    tp_srr: bool,
    #[serde(default)]
    tp_rp: bool,
    #[serde(default)]
    tp_udhi: bool,
    pid: HexArray<1>,
    dcs: HexArray<1>,
    /// Relative validity period: the octet.
    vp: Option<HexArray<1>>,
    ud: Hex,
}

impl SubmitFields {
    pub fn encode(self) -> Result<Vec<u8>, EncodeError> {
        let ([pid], [dcs]) = (self.pid.0, self.dcs.0);
        let submit = Submit::new(self.da.address()?, Pid(pid), Dcs(dcs), user_data(self.ud, self.tp_udhi));
        let vp = self.vp.map_or(ValidityPeriod::None, |HexArray([value])| ValidityPeriod::Relative(value));
        Submit { rd: self.tp_rd, srr: self.tp_srr, rp: self.tp_rp, mr: self.mr.0, vp, ..submit }.encode()
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StatusReportFields {
    #[serde(default = "yes")]
    tp_mms: bool,
    #[serde(default)]
    tp_lp: bool,
    #[serde(default)]
    tp_srq: bool,
    mr: Number<u8>,
    ra: AddressFields,
    scts: TimeFields,
    dt: TimeFields,
    st: HexArray<1>,
}

impl StatusReportFields {
    pub fn encode(self) -> Result<Vec<u8>, EncodeError> {
        let [st] = self.st.0;
        let report = StatusReport {
            mms: self.tp_mms,
            lp: self.tp_lp,
            srq: self.tp_srq,
            mr: self.mr.0,
            ra: self.ra.address()?,
            scts: self.scts.scts()?,
            dt: self.dt.scts()?,
            st: St(st),
            parameters: None,
        };
        report.encode()
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct IeFields {
    iei: HexArray<1>,
    data: Hex,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UdhFields {
    ies: Vec<IeFields>,
    #[serde(default)]
    payload: Hex,
}

impl UdhFields {
    pub fn encode(self) -> Result<Vec<u8>, EncodeError> {
        let ie = |IeFields { iei: HexArray([iei]), data }: IeFields| Ie::new(iei, &data.0);
        let mut out = Udh { ies: self.ies.into_iter().map(ie).collect() }.encode()?;
        out.extend(self.payload.0);
        Ok(out)
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum PayloadForm {
    Host,
    Sim,
    Response,
}

/// The user data of each message that carries a payload: `form` says which header elements it needs.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SegmentFields {
    form: PayloadForm,
    payload: Hex,
    reference: Number<u16>,
    #[serde(default = "short")]
    ref_bits: Number<u8>,
    #[serde(default = "agent_port")]
    dest_port: Number<u16>,
    #[serde(default = "yes")]
    concat_ie_first: bool,
}

const fn short() -> Number<u8> {
    Number(8)
}

/// Default destination port of host triggers.
const fn agent_port() -> Number<u16> {
    Number(16_420)
}

impl SegmentFields {
    pub fn encode(self) -> Result<Vec<Vec<u8>>, EncodeError> {
        let reference = match (self.ref_bits.0, u8::try_from(self.reference.0)) {
            (8, Ok(reference)) => Reference::Short(reference),
            (16, _) => Reference::Long(self.reference.0),
            _ => return Err(EncodeError::new("segments", "reference", "expected 8 or 16 ref_bits that hold it")),
        };
        let (every_part, first_part) = match self.form {
            PayloadForm::Host => (vec![Ie::ports(Ports { destination: self.dest_port.0, source: 0 })], vec![]),
            PayloadForm::Sim => (vec![], vec![Ie::command_packet()]),
            PayloadForm::Response => (vec![], vec![Ie::response_packet()]),
        };
        let segmentation = Segmentation::new(every_part, first_part, reference);
        Segmentation { concatenation_first: self.concat_ie_first, ..segmentation }.segments(&self.payload.0)
    }
}
