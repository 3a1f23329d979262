//! Command scripts: tags 22, 81 to 83, and what SCP03t adds (TS 102 226 5.2.1).

use super::{BadFormat, ScriptForm, close, label_other, open, read_body};
use crate::codec::apdu::CommandApdu;
use crate::codec::cursor::Result;
use crate::codec::{EncodeError, Reader, tlv};

/// Script chaining (tag 83 of a command, TS 102 226 5.4.1.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ScriptChaining {
    /// 01: first script; a reset of the card deletes the chain.
    FirstDeleteOnReset,
    /// 11: first script; the chain survives a reset.
    FirstKeepOnReset,
    /// 02: more scripts follow.
    Subsequent,
    /// 03.
    Last,
    Other(u8),
}

impl ScriptChaining {
    pub const fn from_code(code: u8) -> Self {
        match code {
            0x01 => Self::FirstDeleteOnReset,
            0x11 => Self::FirstKeepOnReset,
            0x02 => Self::Subsequent,
            0x03 => Self::Last,
            other => Self::Other(other),
        }
    }

    pub const fn code(self) -> u8 {
        match self {
            Self::FirstDeleteOnReset => 0x01,
            Self::FirstKeepOnReset => 0x11,
            Self::Subsequent => 0x02,
            Self::Last => 0x03,
            Self::Other(other) => other,
        }
    }

    pub const fn meaning(self) -> &'static str {
        match self {
            Self::FirstDeleteOnReset => "first script, deleted on reset",
            Self::FirstKeepOnReset => "first script, kept on reset",
            Self::Subsequent => "subsequent script, more follow",
            Self::Last => "last script",
            Self::Other(_) => "reserved",
        }
    }
}

/// An object of a command script.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CommandObject {
    /// 22: a C-APDU, kept as octets because a card answers a malformed one with a status word.
    CommandApdu(Vec<u8>),
    /// 81.
    ImmediateAction(Vec<u8>),
    /// 82.
    ErrorAction(Vec<u8>),
    /// 83.
    Chaining(ScriptChaining),
    /// Anything else, SCP03t objects (84-88) among them.
    Other { tag: u32, value: Vec<u8> },
}

/// A command script: AA L .. or AE 80 .. 00 00.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExpandedCommand {
    pub form: ScriptForm,
    pub objects: Vec<CommandObject>,
}

impl ExpandedCommand {
    /// A script of these commands, without chaining.
    pub fn of_apdus(form: ScriptForm, apdus: impl IntoIterator<Item = Vec<u8>>) -> Self {
        Self { form, objects: apdus.into_iter().map(CommandObject::CommandApdu).collect() }
    }

    /// The commands (22) in their order.
    pub fn apdus(&self) -> impl Iterator<Item = &[u8]> {
        self.objects.iter().filter_map(|object| match object {
            CommandObject::CommandApdu(apdu) => Some(apdu.as_slice()),
            _ => None,
        })
    }

    pub fn chaining(&self) -> Option<ScriptChaining> {
        self.objects.iter().find_map(|object| match object {
            CommandObject::Chaining(chaining) => Some(*chaining),
            _ => None,
        })
    }

    pub fn read(reader: &mut Reader<'_>) -> Result<Self> {
        let mut objects = Vec::new();
        let form = open(reader, 0xAA, 0xAE)?;
        read_body(reader, form, &mut objects, read_command_object)?;
        Ok(Self { form, objects })
    }

    pub fn decode(bytes: &[u8]) -> Result<Self> {
        let mut reader = Reader::new("expanded script", bytes);
        let script = Self::read(&mut reader)?;
        reader.finish()?;
        Ok(script)
    }

    /// As the receiving card reads it: the objects before the first fault are executed, then the fault is reported.
    /// An error means that it is no script at all.
    pub fn decode_for_execution(bytes: &[u8]) -> Result<(Self, Option<BadFormat>)> {
        let mut reader = Reader::new("expanded script", bytes);
        let mut objects = Vec::new();
        let form = open(&mut reader, 0xAA, 0xAE)?;
        let fault = read_body(&mut reader, form, &mut objects, read_command_object).err();
        Ok((Self { form, objects }, fault.as_ref().map(BadFormat::of)))
    }

    pub fn encode(&self) -> std::result::Result<Vec<u8>, EncodeError> {
        let mut body = Vec::new();
        for object in &self.objects {
            match object {
                CommandObject::CommandApdu(apdu) => tlv::put(&mut body, 0x22, apdu)?,
                CommandObject::ImmediateAction(value) => tlv::put(&mut body, 0x81, value)?,
                CommandObject::ErrorAction(value) => tlv::put(&mut body, 0x82, value)?,
                CommandObject::Chaining(chaining) => tlv::put(&mut body, 0x83, &[chaining.code()])?,
                CommandObject::Other { tag, value } => tlv::put(&mut body, *tag, value)?,
            }
        }
        close(self.form, 0xAA, 0xAE, &body)
    }
}

fn read_command_object(tag: u32, value: &mut Reader<'_>, body: &Reader<'_>) -> Result<CommandObject> {
    let octets = value.peek().to_vec();
    Ok(match tag {
        0x22 => {
            body.label("C-APDU", "TS 102 226 5.2.1", String::new);
            // Only for the trace: a malformed command is the receiver's to refuse, with a status word.
            let _ = CommandApdu::read(value);
            CommandObject::CommandApdu(octets)
        }
        0x81 => {
            body.label("immediate action", "TS 102 226 5.2.1.2", String::new);
            CommandObject::ImmediateAction(octets)
        }
        0x82 => {
            body.label("error action", "TS 102 226 5.2.1.3", String::new);
            CommandObject::ErrorAction(octets)
        }
        0x83 => {
            let chaining = ScriptChaining::from_code(value.u8("value")?);
            body.label("script chaining", "TS 102 226 5.2.1.4", || chaining.meaning().to_string());
            value.finish()?;
            CommandObject::Chaining(chaining)
        }
        _ => {
            label_other(tag, body);
            CommandObject::Other { tag, value: octets }
        }
    })
}
