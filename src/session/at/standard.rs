//! The requests of a gateway's and a terminal's daily work, each with what it expects.

use super::{Expect, Request, Timing};
use crate::codec::EncodeError;
use crate::codec::at::answer::Memory;
use crate::codec::at::{Builder, CommandLine, Payload};
use crate::types::Secret;

type Result = std::result::Result<Request, EncodeError>;

/// A line given in a configuration or a vendor table, e.g. `AT^CURC=0`: whatever it answers is taken.
pub fn raw(line: &str, timing: Timing) -> Result {
    Ok(Request::new(CommandLine::raw(line)?, Expect::Text, timing))
}

/// Echo off, results on and in words: the first command after opening, understood even after ATV0.
pub fn line_discipline() -> Result {
    Ok(Request::new(CommandLine::raw("ATE0Q0V1")?, Expect::Nothing, Timing::Control))
}

/// +CMEE=1: errors as numbers.
pub fn numeric_errors() -> Result {
    Request::plain(Builder::set("+CMEE").number(1_u8), Timing::Control)
}

/// +CMGF=0.
pub fn pdu_mode() -> Result {
    Request::plain(Builder::set("+CMGF").number(0_u8), Timing::Control)
}

pub fn enter_pin(pin: &Secret) -> Result {
    Request::plain(Builder::set("+CPIN").secret(pin), Timing::Sim)
}

/// +CNMI with all five parameters (TS 27.005 3.4.1).
pub fn message_indications(values: [u32; 5]) -> Result {
    let builder = values.into_iter().fold(Builder::set("+CNMI"), |builder, value| builder.number(value));
    Request::plain(builder, Timing::Control)
}

pub fn message_service(service: u8) -> Result {
    Request::asking(Builder::set("+CSMS").number(service), "+CSMS", Timing::Control)
}

/// +CPMS with one storage for reading, or with one for all three uses.
pub fn message_storages(memories: &[Memory]) -> Result {
    let builder = memories.iter().fold(Builder::set("+CPMS"), |builder, memory| builder.quoted(memory.as_str()));
    Request::asking(builder, "+CPMS", Timing::Control)
}

/// +CREG=n and its siblings; 2 reports area and cell too.
pub fn registration_reports(name: &'static str, mode: u8) -> Result {
    Request::plain(Builder::set(name).number(mode), Timing::Control)
}

/// +CMGS: TPDU octets announced, then the service centre address (00: the one stored) and the TPDU at the prompt.
pub fn send_message(tpdu: &[u8]) -> Result {
    // A SUBMIT has at most 164 octets (TS 23.040 9.2.3); a longer one would hang some modems at the prompt.
    if tpdu.is_empty() || tpdu.len() > 164 {
        return Err(EncodeError::new("+CMGS", "TPDU", format!("1 to 164 octets can be sent, {} given", tpdu.len())));
    }
    let builder = Builder::set("+CMGS").number(tpdu.len() as u64);
    let request = Request::asking(builder, "+CMGS", Timing::Send)?;
    Ok(request.with_payload(Payload::pdu(&[&[0], tpdu].concat())))
}

pub fn read_message(index: u32) -> Result {
    Ok(Request::new(Builder::set("+CMGR").number(index).build()?, Expect::WithPdu("+CMGR"), Timing::Read))
}

/// +CMGL=4: all messages of the storage for reading.
pub fn list_messages() -> Result {
    Ok(Request::new(Builder::set("+CMGL").number(4_u8).build()?, Expect::WithPdu("+CMGL"), Timing::List))
}

pub fn delete_message(index: u32) -> Result {
    Request::plain(Builder::set("+CMGD").number(index), Timing::Delete)
}

/// +CNMA in its plain form: the one with a PDU is broken on many modems.
pub fn acknowledge_message() -> Result {
    Request::plain(Builder::execute("+CNMA"), Timing::Control)
}

/// +CRSM READ BINARY (TS 27.007 8.18).
pub fn read_binary(file: u16, length: u8) -> Result {
    let builder = [176, u64::from(file), 0, 0, u64::from(length)]
        .into_iter()
        .fold(Builder::set("+CRSM"), |builder, value| builder.number(value));
    Request::asking(builder, "+CRSM", Timing::Sim)
}

/// +CSIM: an APDU as it is (TS 27.007 8.17).
pub fn csim(apdu: &[u8]) -> Result {
    let builder = Builder::set("+CSIM").number(hex_digits(apdu)).octets(apdu).confidential();
    Request::asking(builder, "+CSIM", Timing::Apdu)
}

/// +CCHO (TS 27.007 8.45).
pub fn open_logical_channel(aid: &[u8]) -> Result {
    Request::asking(Builder::set("+CCHO").octets(aid), "+CCHO", Timing::Apdu)
}

/// +CGLA in the session that +CCHO returned (TS 27.007 8.43).
pub fn cgla(session: &str, apdu: &[u8]) -> Result {
    let builder = Builder::set("+CGLA").word(session).number(hex_digits(apdu)).octets(apdu).confidential();
    Request::asking(builder, "+CGLA", Timing::LogicalApdu)
}

/// +CCHC (TS 27.007 8.46).
pub fn close_logical_channel(session: &str) -> Result {
    Request::asking(Builder::set("+CCHC").word(session), "+CCHC", Timing::Apdu)
}

/// +CUSATE: an ENVELOPE through the modem's toolkit (TS 27.007 12.2.5).
pub fn envelope(tlv: &[u8]) -> Result {
    Request::asking(Builder::set("+CUSATE").octets(tlv).confidential(), "+CUSATE", Timing::Apdu)
}

/// +COPS=?: the networks around; may take minutes and can be aborted.
pub fn search_networks() -> Result {
    Ok(Request::test("+COPS", Timing::Search)?.abortable())
}

fn hex_digits(apdu: &[u8]) -> u64 {
    (apdu.len() as u64).saturating_mul(2)
}
