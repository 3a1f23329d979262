//! SIM state, identities and APDU exchange (TS 27.007 8.3, 8.17, 8.18, 8.43-8.46).

use super::{Answer, take_prefix};
use crate::codec::at::fields::Fields;
use crate::codec::{DecodeError, Fault, Reader};
use std::borrow::Cow;

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
pub struct IccidAnswer(pub String);

impl Answer for IccidAnswer {
    const PREFIX: &'static str = "ICCID";
    const CLAUSE: &'static str = "ITU-T E.118";
    fn read(fields: &mut Fields<'_, '_>) -> Result<Self, DecodeError> {
        let digits = fields.required_text("ICCID")?;
        let digits = digits.trim_end_matches(['F', 'f']);
        digits_only("ICCID", digits, 18..=20).map(Self)
    }
}

fn digits_only(
    what: &'static str,
    text: &str,
    lengths: std::ops::RangeInclusive<usize>,
) -> Result<String, DecodeError> {
    if lengths.contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Ok(text.to_owned());
    }
    let expected = format!("{} to {} decimal digits", lengths.start(), lengths.end());
    Err(DecodeError::new(
        what,
        "digits",
        0,
        Fault::Value { expected: expected.into(), found: format!("{} characters", text.len()) },
    ))
}

/// One identity on a line of its own, with or without prefix and quotes.
fn identity(what: &'static str, line: &[u8], lengths: std::ops::RangeInclusive<usize>) -> Result<String, DecodeError> {
    let mut reader = Reader::new(what, line);
    take_prefix(&mut reader);
    let text = Fields::new(&mut reader, "").required_text("digits")?;
    digits_only(what, &text, lengths)
}

/// The answer to +CIMI: 6 to 15 digits (TS 27.007 5.6).
pub fn imsi_digits(line: &[u8]) -> Result<String, DecodeError> {
    identity("+CIMI", line, 6..=15)
}

/// The answer to +CGSN: the IMEI, 15 digits, or 16 with the software version (TS 27.007 5.4).
pub fn imei_digits(line: &[u8]) -> Result<String, DecodeError> {
    identity("+CGSN", line, 14..=16)
}

/// The content of EF_ICCID: digits with swapped nibbles, padded with F (TS 102 221 13.2).
pub fn iccid_digits(file: &[u8]) -> Result<String, DecodeError> {
    let mut digits = String::with_capacity(file.len().saturating_mul(2));
    for nibble in file.iter().flat_map(|octet| [octet & 0x0F, octet >> 4]) {
        digits.push(char::from_digit(u32::from(nibble), 16).unwrap_or('f'));
    }
    digits_only("EF_ICCID", digits.trim_end_matches('f'), 18..=20)
}
