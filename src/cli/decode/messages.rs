//! Short messages and the packets inside them, opened as far as the given keys reach.

use super::keys::Keys;
use crate::codec::apdu::ExpandedCommand;
use crate::codec::cursor::Result;
use crate::codec::gp::AdminTrigger;
use crate::codec::gp::trigger::TimerCoding;
use crate::codec::ota::{UnverifiedCommand, UnverifiedResponse};
use crate::codec::sms::{Deliver, DeliverReport, Ie, ReportKind, StatusReport, Submit, Udh, UserData, pdu};
use crate::codec::trigger::Trigger;
use crate::codec::{Fault, Reader};

pub fn deliver(reader: &mut Reader<'_>, keys: &Keys) -> Result<()> {
    let deliver = Deliver::read(reader)?;
    user_data(reader, &deliver.ud, keys)
}

pub fn submit(reader: &mut Reader<'_>, keys: &Keys) -> Result<()> {
    let submit = Submit::read(reader)?;
    user_data(reader, &submit.ud, keys)
}

pub fn report(reader: &mut Reader<'_>, kind: ReportKind, keys: &Keys) -> Result<()> {
    let report = DeliverReport::read(reader, kind)?;
    report.parameters.ud.map_or(Ok(()), |ud| user_data(reader, &ud, keys))
}

/// A TPDU behind a service centre address. TP-MTI tells which, as far as modems show them.
pub fn pdu(reader: &mut Reader<'_>, keys: &Keys) -> Result<()> {
    pdu::read_sca(reader)?;
    match reader.peek_u8().map(|first| first & 0x03) {
        Some(0b00) => deliver(reader, keys),
        Some(0b01) => submit(reader, keys),
        Some(0b10) => StatusReport::read(reader).map(drop),
        Some(_) => Err(reader.value_error(reader.offset(), "first octet", "TP-MTI 00, 01 or 10", "11")),
        None => Err(reader.error("first octet", Fault::Missing)),
    }
}

/// User data with a header, as SMPP's short_message carries it.
pub fn headed_user_data(reader: &mut Reader<'_>, keys: &Keys) -> Result<()> {
    let octets = reader.peek().to_vec();
    Udh::read(reader)?;
    reader.take_rest("payload");
    user_data(reader, &UserData::with_header(octets), keys)
}

/// The payload of a message that ends the reader's input, when it is a whole secured packet.
fn user_data(reader: &Reader<'_>, ud: &UserData, keys: &Keys) -> Result<()> {
    let Ok((udh, payload)) = ud.split() else { return Ok(()) };
    if udh.ies.iter().any(Ie::is_concatenation) {
        return Ok(());
    }
    let offset = reader.offset().saturating_sub(payload.len());
    // Two levels down: below the payload, which is a member of TP-UD.
    let members = reader.substitute("TP-UD", &[], offset);
    whole_payload(&members, &udh, payload, offset, keys)
}

/// A payload that is complete, alone or put together from parts: `udh` is that of the (first) part.
pub fn whole_payload(reader: &Reader<'_>, udh: &Udh, payload: &[u8], offset: usize, keys: &Keys) -> Result<()> {
    let is_command = UnverifiedCommand::decode(payload).is_ok();
    if udh.has(Ie::RESPONSE_PACKET) {
        response_packet(&mut reader.substitute("response packet", payload, offset), keys)
    } else if udh.has(Ie::COMMAND_PACKET) || (udh.ports().is_some() && is_command) {
        command_packet(&mut reader.substitute("command packet", payload, offset), keys)
    } else {
        Ok(())
    }
}

pub fn command_packet(reader: &mut Reader<'_>, keys: &Keys) -> Result<()> {
    let start = reader.offset();
    let packet = UnverifiedCommand::read(reader)?;
    let refused = |problem: String| reader.value_error(start, "keys", "keys that open this packet", problem);
    match keys.for_command(packet.header.kic, packet.header.kid) {
        None => Ok(()),
        Some(keys) => {
            let keys = keys.map_err(|error| refused(error.to_string()))?;
            let command = packet.verify_traced(&keys, reader).map_err(|error| refused(error.to_string()))?;
            // The secured data stand below the ciphered part where there is one.
            let deciphered = reader.substitute("ciphered part", &[], start);
            let owner = if command.spi.ciphered() { &deciphered } else { &*reader };
            secured_data(owner, &command.data, packet.data_offset());
            Ok(())
        }
    }
}

pub fn response_packet(reader: &mut Reader<'_>, keys: &Keys) -> Result<()> {
    let start = reader.offset();
    let packet = UnverifiedResponse::read(reader)?;
    let refused = |problem: String| reader.value_error(start, "keys", "keys and SPI that open this packet", problem);
    match keys.for_response() {
        None => Ok(()),
        Some(given) => {
            let (spi, keys) = given.map_err(|error| refused(error.to_string()))?;
            packet.verify_traced(spi, &keys, reader).map_err(|error| refused(error.to_string()))?;
            Ok(())
        }
    }
}

/// What the secured data say, judged by their first tag; data of another kind stay octets.
fn secured_data(reader: &Reader<'_>, data: &[u8], offset: usize) {
    let read: fn(&mut Reader<'_>) -> Result<()> = match data.first() {
        Some(0x81) => |reader| AdminTrigger::read(reader, TimerCoding::default()).map(drop),
        Some(0xE1) => |reader| Trigger::read(reader).map(drop),
        Some(0xAA | 0xAE) => |reader| ExpandedCommand::read(reader).map(drop),
        _ => return,
    };
    // Tried without a trace first: a guess that fails must not leave half a tree.
    if read(&mut Reader::new("secured data", data)).is_ok() {
        let _ = read(&mut reader.substitute("secured data", data, offset));
    }
}
