//! Short messages, and the SCP80 packet in them when it is whole.

use crate::codec::cursor::Result;
use crate::codec::ota::{UnverifiedCommand, UnverifiedResponse};
use crate::codec::sms::{Deliver, DeliverReport, Ie, ReportKind, StatusReport, Submit, Udh, UserData, pdu};
use crate::codec::{Fault, Reader};

pub fn deliver(reader: &mut Reader<'_>) -> Result<()> {
    let deliver = Deliver::read(reader)?;
    packet(reader, &deliver.ud)
}

pub fn submit(reader: &mut Reader<'_>) -> Result<()> {
    let submit = Submit::read(reader)?;
    packet(reader, &submit.ud)
}

pub fn report(reader: &mut Reader<'_>, kind: ReportKind) -> Result<()> {
    let report = DeliverReport::read(reader, kind)?;
    report.parameters.ud.map_or(Ok(()), |ud| packet(reader, &ud))
}

/// A TPDU behind a service centre address. TP-MTI tells which, as far as modems show them.
pub fn pdu(reader: &mut Reader<'_>) -> Result<()> {
    pdu::read_sca(reader)?;
    match reader.peek_u8().map(|first| first & 0x03) {
        Some(0b00) => deliver(reader),
        Some(0b01) => submit(reader),
        Some(0b10) => StatusReport::read(reader).map(drop),
        Some(_) => Err(reader.value_error(reader.offset(), "first octet", "TP-MTI 00, 01 or 10", "11")),
        None => Err(reader.error("first octet", Fault::Missing)),
    }
}

/// User data with a header, as SMPP's short_message carries it.
pub fn user_data(reader: &mut Reader<'_>) -> Result<()> {
    let octets = reader.peek().to_vec();
    Udh::read(reader)?;
    reader.take_rest("payload");
    packet(reader, &UserData::with_header(octets))
}

/// Reads the packet at the end of what was read, when the header announces one and no other part is needed for it.
/// Behind ports it is only a guess: a payload that is no packet is shown as it is.
fn packet(reader: &Reader<'_>, ud: &UserData) -> Result<()> {
    let (udh, payload) = ud.split()?;
    let offset = reader.offset().saturating_sub(payload.len());
    if udh.concatenation()?.is_some() {
        return Ok(());
    }
    if udh.has(Ie::RESPONSE_PACKET) {
        let mut inner = reader.substitute("response packet", payload, offset);
        return UnverifiedResponse::read(&mut inner).and_then(|_| inner.finish());
    }
    if udh.has(Ie::COMMAND_PACKET) || (udh.ports().is_some() && UnverifiedCommand::decode(payload).is_ok()) {
        let mut inner = reader.substitute("command packet", payload, offset);
        return UnverifiedCommand::read(&mut inner).and_then(|_| inner.finish());
    }
    Ok(())
}
