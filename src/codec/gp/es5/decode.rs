//! C-APDU to [`Es5Command`]: what a card does.

use super::super::Aid;
use super::{Es5Command, ISD_P_PRIVILEGES, SCP03_I70, STRUCTURE};
use crate::codec::apdu::command::instruction;
use crate::codec::cursor::Result as Read;
use crate::codec::{Fault, Reader};

const CLAUSE: &str = "SGP.02 4.1";

impl Es5Command {
    pub fn decode(bytes: &[u8]) -> Read<Self> {
        let mut reader = Reader::new(STRUCTURE, bytes);
        let command = Self::read(&mut reader)?;
        reader.finish()?;
        Ok(command)
    }

    /// One C-APDU with or without Le, which is not compared.
    pub fn read(reader: &mut Reader<'_>) -> Read<Self> {
        let start = reader.offset();
        let header = reader.array::<4>("CLA INS P1 P2")?;
        let [cla, ins, ..] = header;
        reader.note(CLAUSE, || instruction(cla, ins).to_owned());
        if header == [0x80, 0xCA, 0xFF, 0x21] {
            reader.u8("Le")?;
            return Ok(Self::AuditResources);
        }
        let length = reader.u8("Lc")?;
        let mut data = reader.nested(usize::from(length), "data")?;
        let command = match header {
            [0x80, 0xE6, 0x0C, 0x00] => create(&mut data)?,
            [0x80, 0xE2, 0x88 | 0x89, 0x00] => store_data(header[2], &mut data)?,
            [0x80, 0xE4, 0x00, 0x40] => Self::DeleteProfile { isd_p: aid_object(&mut data)? },
            [0x80, 0xE4, 0x00, 0x00] => finalise(&mut data)?,
            [0x80, 0xF2, 0x40, 0x02] if data.peek() == [0x4F, 0x00] => {
                data.take_rest("all ISD-Ps");
                Self::AuditProfiles { isd_p: None }
            }
            [0x80, 0xF2, 0x40, 0x02] => Self::AuditProfiles { isd_p: Some(aid_object(&mut data)?) },
            [0x80, 0xCA, 0xBF, 0x30] => certificate(&mut data)?,
            [0x80, 0xF0, 0x40, 0x1F] => Self::ConfirmProfile { isd_p: Aid::read(&mut data)? },
            _ => {
                let found = format_args!("{header:02X?}");
                return Err(reader.value_error(start, "CLA INS P1 P2", "an ES5 command", found));
            }
        };
        data.finish()?;
        reader.note(CLAUSE, || command.function().to_owned());
        if !reader.is_empty() {
            reader.u8("Le")?;
        }
        Ok(command)
    }
}

fn aid_object(reader: &mut Reader<'_>) -> Read<Aid> {
    let mut object = reader.ber_tlv()?;
    if object.tag != 0x4F {
        return Err(reader.error_at(object.offset, "AID", Fault::Missing));
    }
    Aid::read(&mut object.value)
}

/// One DGI: `3A xx L value`.
fn store_data(p1: u8, data: &mut Reader<'_>) -> Read<Es5Command> {
    let start = data.offset();
    let dgi = data.u16("DGI")?;
    let length = data.u8("DGI length")?;
    let mut value = data.nested(usize::from(length), "DGI value")?;
    let command = match (p1, dgi) {
        (0x88, 0x3A03) => Es5Command::EnableProfile { isd_p: aid_object(&mut value)? },
        (0x88, 0x3A04) => Es5Command::DisableProfile { isd_p: aid_object(&mut value)? },
        (0x88, 0x3A05) => Es5Command::SetFallBackAttribute { isd_p: aid_object(&mut value)? },
        (0x89, 0x3A08) => {
            let mut object = value.ber_tlv()?;
            if object.tag != 0x4E {
                return Err(value.error_at(object.offset, "sequence number", Fault::Missing));
            }
            let sequence = object.value.u16("sequence number")?;
            object.value.finish()?;
            Es5Command::HandleNotificationConfirmation { sequence }
        }
        _ => return Err(data.value_error(start, "DGI", "3A03, 3A04, 3A05 or 3A08", format_args!("{dgi:04X}"))),
    };
    value.finish()?;
    Ok(command)
}

fn finalise(data: &mut Reader<'_>) -> Read<Es5Command> {
    let mut object = data.ber_tlv()?;
    if object.tag != 0xF2 {
        return Err(data.error_at(object.offset, "key range", Fault::Missing));
    }
    let [key_version, first_key, last_key] = object.value.array("key version, first key, last key")?;
    object.value.finish()?;
    Ok(Es5Command::FinaliseIsdRHandover { key_version, first_key, last_key })
}

fn certificate(data: &mut Reader<'_>) -> Read<Es5Command> {
    let start = data.offset();
    match data.array("tag list")? {
        [0x5C, 0x02, 0x7F, 0x21] => Ok(Es5Command::AuditCertificate),
        other => Err(data.value_error(start, "tag list", "5C027F21", format_args!("{other:02X?}"))),
    }
}

/// INSTALL [for install and make selectable]: six fields, each after its length (GlobalPlatform 11.5.2.3.2).
fn create(data: &mut Reader<'_>) -> Read<Es5Command> {
    fixed(data, "load file AID", Aid::ISD_P_LOAD_FILE.octets())?;
    fixed(data, "module AID", Aid::ISD_P_MODULE.octets())?;
    let isd_p = Aid::read(&mut field(data, "ISD-P AID")?)?;
    fixed(data, "privileges", &ISD_P_PRIVILEGES)?;
    let memory = install_parameters(&mut field(data, "install parameters")?)?;
    fixed(data, "install token", &[])?;
    Ok(Es5Command::CreateIsdP { isd_p, memory })
}

fn field<'a>(data: &mut Reader<'a>, name: &'static str) -> Read<Reader<'a>> {
    let length = data.ber_length()?;
    data.nested(length, name)
}

fn fixed(data: &mut Reader<'_>, name: &'static str, expected: &[u8]) -> Read<()> {
    let found = field(data, name)?;
    if found.peek() == expected {
        return Ok(());
    }
    Err(found.value_error(found.offset(), name, "that of SGP.02", format_args!("{:02X?}", found.peek())))
}

fn install_parameters(parameters: &mut Reader<'_>) -> Read<Option<u16>> {
    let start = parameters.offset();
    if !parameters.peek().starts_with(&SCP03_I70) {
        return Err(parameters.value_error(start, "install parameters", "C90481020370", "others"));
    }
    parameters.take(SCP03_I70.len(), "SCP03, i = 70")?;
    if parameters.is_empty() {
        return Ok(None);
    }
    let start = parameters.offset();
    match parameters.array("memory")? {
        [0xEF, 0x04, 0x83, 0x02, high, low] => {
            parameters.finish()?;
            Ok(Some(u16::from_be_bytes([high, low])))
        }
        other => Err(parameters.value_error(start, "memory", "EF0483 02 and 2 octets", format_args!("{other:02X?}"))),
    }
}
