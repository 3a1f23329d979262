//! SIM state, identities and APDU exchange (TS 27.007 8.3, 8.17, 8.18, 8.43-8.46).

use super::{Answer, take_prefix};
use crate::codec::at::fields::Fields;
use crate::codec::{DecodeError, Fault, Reader};
use crate::types::{Iccid, Imei, Imsi, Invalid};
use std::borrow::Cow;
use std::str::FromStr;

/// +CPIN (TS 27.007 8.3).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SimState {
    Ready,
    Pin,
    Puk,
    /// Any other password, or a vendor's word such as `NOT READY`.
    Other(String),
}

impl Answer for SimState {
    const PREFIX: &'static str = "+CPIN";
    const CLAUSE: &'static str = "TS 27.007 8.3";
    fn read(fields: &mut Fields<'_, '_>) -> Result<Self, DecodeError> {
        let code = fields.required_text("code")?;
        Ok(match code.as_str() {
            "READY" => Self::Ready,
            "SIM PIN" => Self::Pin,
            "SIM PUK" => Self::Puk,
            _ => Self::Other(code),
        })
    }
}

/// +CSIM and +CGLA: data and status words of one APDU exchange.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApduAnswer {
    /// At least the two status octets.
    pub response: Vec<u8>,
}

impl Answer for ApduAnswer {
    const PREFIX: &'static str = "+CSIM";
    const CLAUSE: &'static str = "TS 27.007 8.17";
    fn read(fields: &mut Fields<'_, '_>) -> Result<Self, DecodeError> {
        let length: usize = fields.required_number("length")?;
        fields.meaning(|| "hexadecimal digits that follow".into());
        let response = fields.octets("response")?.unwrap_or_default();
        fields.meaning(|| match response.as_slice() {
            [.., sw1, sw2] => format!("SW {sw1:02X}{sw2:02X}"),
            _ => String::new(),
        });
        let digits = response.len().saturating_mul(2);
        // Some firmware counts octets instead of digits.
        if length != digits && length != response.len() {
            let fault = Fault::Length { expected: Cow::Owned(length.to_string()), found: digits };
            return Err(DecodeError::new(Self::PREFIX, "response", 0, fault));
        }
        if response.len() < 2 {
            let fault = Fault::Truncated { needed: 2, available: response.len() };
            return Err(DecodeError::new(Self::PREFIX, "status words", 0, fault));
        }
        Ok(Self { response })
    }
}

/// +CRSM: status words in decimal, then the data (TS 27.007 8.18).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileAnswer {
    pub sw1: u8,
    pub sw2: u8,
    pub data: Vec<u8>,
}

impl Answer for FileAnswer {
    const PREFIX: &'static str = "+CRSM";
    const CLAUSE: &'static str = "TS 27.007 8.18";
    fn read(fields: &mut Fields<'_, '_>) -> Result<Self, DecodeError> {
        let sw1 = fields.required_number("sw1")?;
        fields.meaning(|| format!("{sw1:02X}"));
        let sw2 = fields.required_number("sw2")?;
        fields.meaning(|| format!("{sw2:02X}"));
        Ok(Self { sw1, sw2, data: fields.octets("response")?.unwrap_or_default() })
    }
}

/// +CCHO: the session to be named in +CGLA and +CCHC, as text: it may be a 16-digit handle and is no channel number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogicalSession(pub String);

impl Answer for LogicalSession {
    const PREFIX: &'static str = "+CCHO";
    const CLAUSE: &'static str = "TS 27.007 8.45";
    fn read(fields: &mut Fields<'_, '_>) -> Result<Self, DecodeError> {
        let session = fields.required_text("sessionid")?;
        if session.is_empty() || !session.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            let fault = Fault::Value { expected: "letters and digits".into(), found: format!("`{session}`") };
            return Err(DecodeError::new(Self::PREFIX, "sessionid", 0, fault));
        }
        Ok(Self(session))
    }
}

/// An ICCID as a vendor's command reports it: digits, perhaps padded with F.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IccidAnswer(pub Iccid);

impl Answer for IccidAnswer {
    const PREFIX: &'static str = "ICCID";
    const CLAUSE: &'static str = "ITU-T E.118";
    fn read(fields: &mut Fields<'_, '_>) -> Result<Self, DecodeError> {
        let digits = fields.required_text("ICCID")?;
        validated(Self::PREFIX, digits.trim_end_matches(['F', 'f'])).map(Self)
    }
}

/// The value, or why it is none; never the digits themselves.
fn validated<T: FromStr<Err = Invalid>>(what: &'static str, text: &str) -> Result<T, DecodeError> {
    text.parse().map_err(|error: Invalid| {
        let fault = Fault::Value { expected: "a valid identity".into(), found: error.problem };
        DecodeError::new(what, "digits", 0, fault)
    })
}

/// One identity on a line of its own, with or without prefix and quotes.
fn identity<T: FromStr<Err = Invalid>>(what: &'static str, line: &[u8]) -> Result<T, DecodeError> {
    let mut reader = Reader::new(what, line);
    take_prefix(&mut reader);
    validated(what, &Fields::new(&mut reader, "").required_text("digits")?)
}

/// The answer to +CIMI (TS 27.007 5.6).
pub fn imsi(line: &[u8]) -> Result<Imsi, DecodeError> {
    identity("+CIMI", line)
}

/// The answer to +CGSN (TS 27.007 5.4).
pub fn imei(line: &[u8]) -> Result<Imei, DecodeError> {
    identity("+CGSN", line)
}
