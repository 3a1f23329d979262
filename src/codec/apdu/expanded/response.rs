//! Response scripts: tags 80, 23, 81, 83 and 90 (TS 102 226 5.2.2).

use super::{ScriptForm, close, label_other, open, read_body};
use crate::codec::apdu::ResponseApdu;
use crate::codec::cursor::Result;
use crate::codec::{DecodeError, EncodeError, Fault, Reader, tlv};

/// Why a script was not read to its end (tag 90 of a response).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BadFormat {
    /// 01.
    UnknownTag,
    /// 02.
    WrongLength,
    /// 03.
    LengthNotFound,
    Other(u8),
}

impl BadFormat {
    pub const fn from_code(code: u8) -> Self {
        match code {
            0x01 => Self::UnknownTag,
            0x02 => Self::WrongLength,
            0x03 => Self::LengthNotFound,
            other => Self::Other(other),
        }
    }

    pub const fn code(self) -> u8 {
        match self {
            Self::UnknownTag => 0x01,
            Self::WrongLength => 0x02,
            Self::LengthNotFound => 0x03,
            Self::Other(other) => other,
        }
    }

    pub const fn meaning(self) -> &'static str {
        match self {
            Self::UnknownTag => "unknown tag found",
            Self::WrongLength => "wrong length found",
            Self::LengthNotFound => "length not found",
            Self::Other(_) => "reserved",
        }
    }

    pub(super) fn of(error: &DecodeError) -> Self {
        match &error.fault {
            Fault::Truncated { .. } if matches!(error.field.as_ref(), "length" | "tag") => Self::LengthNotFound,
            _ => Self::WrongLength,
        }
    }
}

/// An object of a response script.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ResponseObject {
    /// 23: the R-APDU of one command.
    ResponseApdu(ResponseApdu),
    /// 81: immediate action response.
    ImmediateAction(Vec<u8>),
    /// 83: script chaining response.
    Chaining(Vec<u8>),
    /// 90: the script was not read to its end.
    BadFormat(BadFormat),
    Other {
        tag: u32,
        value: Vec<u8>,
    },
}

/// A response script: AB L 80 01 n .. or AF 80 .. 00 00.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExpandedResponse {
    pub form: ScriptForm,
    /// Number of executed commands (80). The indefinite form usually goes without.
    pub executed: Option<u16>,
    pub objects: Vec<ResponseObject>,
}

impl ExpandedResponse {
    /// The responses (23) in the order of the commands.
    pub fn responses(&self) -> impl Iterator<Item = &ResponseApdu> {
        self.objects.iter().filter_map(|object| match object {
            ResponseObject::ResponseApdu(response) => Some(response),
            _ => None,
        })
    }

    pub fn bad_format(&self) -> Option<BadFormat> {
        self.objects.iter().find_map(|object| match object {
            ResponseObject::BadFormat(fault) => Some(*fault),
            _ => None,
        })
    }

    pub fn read(reader: &mut Reader<'_>) -> Result<Self> {
        enum Item {
            Executed(u16),
            Object(ResponseObject),
        }
        let mut items = Vec::new();
        let form = open(reader, 0xAB, 0xAF)?;
        let start = reader.offset();
        read_body(reader, form, &mut items, |tag, value, body| {
            if tag == 0x80 {
                return read_executed(value, body).map(Item::Executed);
            }
            read_response_object(tag, value, body).map(Item::Object)
        })?;
        let mut response = Self { form, executed: None, objects: Vec::with_capacity(items.len()) };
        for item in items {
            match item {
                Item::Object(object) => response.objects.push(object),
                Item::Executed(_) if response.executed.is_some() => {
                    return Err(reader.error_at(start, "number of executed commands", Fault::Duplicate));
                }
                Item::Executed(count) => response.executed = Some(count),
            }
        }
        Ok(response)
    }

    pub fn decode(bytes: &[u8]) -> Result<Self> {
        let mut reader = Reader::new("expanded response", bytes);
        let response = Self::read(&mut reader)?;
        reader.finish()?;
        Ok(response)
    }

    pub fn encode(&self) -> std::result::Result<Vec<u8>, EncodeError> {
        let mut body = Vec::new();
        match self.executed.map(u16::to_be_bytes) {
            None => {}
            Some([0, low]) => tlv::put(&mut body, 0x80, &[low])?,
            Some(both) => tlv::put(&mut body, 0x80, &both)?,
        }
        for object in &self.objects {
            match object {
                ResponseObject::ResponseApdu(response) => tlv::put(&mut body, 0x23, &response.encode())?,
                ResponseObject::ImmediateAction(value) => tlv::put(&mut body, 0x81, value)?,
                ResponseObject::Chaining(value) => tlv::put(&mut body, 0x83, value)?,
                ResponseObject::BadFormat(fault) => tlv::put(&mut body, 0x90, &[fault.code()])?,
                ResponseObject::Other { tag, value } => tlv::put(&mut body, *tag, value)?,
            }
        }
        close(self.form, 0xAB, 0xAF, &body)
    }
}

fn read_executed(value: &mut Reader<'_>, body: &Reader<'_>) -> Result<u16> {
    let count = if value.remaining() == 2 { value.u16("value")? } else { u16::from(value.u8("value")?) };
    value.finish()?;
    body.label("number of executed commands", "TS 102 226 5.2.2", || count.to_string());
    Ok(count)
}

fn read_response_object(tag: u32, value: &mut Reader<'_>, body: &Reader<'_>) -> Result<ResponseObject> {
    let octets = value.peek();
    Ok(match tag {
        0x23 => {
            body.label("R-APDU", "TS 102 226 5.2.2", String::new);
            ResponseObject::ResponseApdu(ResponseApdu::read(value)?)
        }
        0x81 => {
            body.label("immediate action response", "TS 102 226 5.2.2", String::new);
            ResponseObject::ImmediateAction(octets.to_vec())
        }
        0x83 => {
            body.label("script chaining response", "TS 102 226 5.2.2", String::new);
            ResponseObject::Chaining(octets.to_vec())
        }
        0x90 => {
            let fault = BadFormat::from_code(value.u8("value")?);
            value.finish()?;
            body.label("bad format", "TS 102 226 5.2.2", || fault.meaning().to_string());
            ResponseObject::BadFormat(fault)
        }
        _ => {
            label_other(tag, body);
            ResponseObject::Other { tag, value: octets.to_vec() }
        }
    })
}
