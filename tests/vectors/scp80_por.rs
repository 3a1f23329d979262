//! `scp80_por.json`: response packets, with the compact and expanded results inside.

use crate::Op;
use crate::row::{Fields, Outcome, Row, same, same_hex, text};
use crate::scp80::{RowKeys, counter, octet, tar};
use euicc_push::codec::apdu::{CompactResponse, ExpandedResponse, ResponseApdu};
use euicc_push::codec::ota::{
    CounterMode, KeySet, Proof, ReceivedResponse, Rejection, ResponseStatus, Spi, UnverifiedResponse,
};
use euicc_push::codec::sms::{Ie, Udh};
use euicc_push::codec::{Reader, Trace};

pub const OPS: &[Op] = &[("scp80_por", response), ("scp80_por_reject", reject)];

/// Rows that no encoder of ours may produce: padding of another implementation, less security than asked for.
const DECODE_ONLY: [&str; 2] = ["aes-80-padding", "lenient-error-without-security"];

/// The command's SPI as far as a row tells it, and the keys with the permission they need.
pub fn spi_and_keys(inputs: &Fields) -> Result<(Spi, KeySet), String> {
    let spi = Spi::new(0x16, octet(inputs, "spi2")?);
    let row_keys = RowKeys::of(inputs)?;
    let (ciphered, integrity) = (spi.por_ciphered(), spi.por_integrity());
    let legacy = row_keys.need_permission(ciphered, integrity, CounterMode::Higher);
    if legacy && row_keys.prepare(ciphered, integrity, false).is_ok() {
        return Err("single DES is accepted without permission".into());
    }
    Ok((spi, row_keys.prepare(ciphered, integrity, legacy)?))
}

fn status_word(status: ResponseStatus) -> &'static str {
    match status {
        ResponseStatus::POR_OK => "por_ok",
        ResponseStatus::RC_CC_DS_FAILED => "rc_cc_ds_failed",
        ResponseStatus::CNTR_LOW => "cntr_low",
        ResponseStatus::CNTR_HIGH => "cntr_high",
        ResponseStatus::CNTR_BLOCKED => "cntr_blocked",
        ResponseStatus::CIPHERING_ERROR => "ciphering_error",
        ResponseStatus::UNDEFINED_SECURITY_ERROR => "undefined_security_error",
        ResponseStatus::INSUFFICIENT_MEMORY => "insufficient_memory",
        ResponseStatus::MORE_TIME_NEEDED => "more_time_needed",
        ResponseStatus::TAR_UNKNOWN => "tar_unknown",
        ResponseStatus::INSUFFICIENT_SECURITY_LEVEL => "insufficient_security_level",
        ResponseStatus::ACTUAL_RESPONSE_SMS_SUBMIT => "actual_response_sms_submit",
        ResponseStatus::ACTUAL_RESPONSE_USSD => "actual_response_ussd",
        _ => "reserved",
    }
}

/// Compares everything a row says about a response.
pub fn compare(received: &ReceivedResponse, pcntr: u64, expected: &Fields) -> Outcome {
    let packet = &received.packet;
    same("tar", packet.tar, tar(expected, "tar")?)?;
    same("cntr", packet.counter, counter(expected, "cntr")?)?;
    same("status", packet.status.0, expected.int::<u8>("status")?)?;
    same_hex("data", &packet.data, &expected.hex("data")?)?;
    if expected.has("pcntr") {
        same("pcntr", pcntr, expected.int::<u64>("pcntr")?)?;
    }
    if expected.has("status_name") {
        same("status_name", status_word(packet.status), expected.str("status_name")?)?;
        same("meaning", packet.status.meaning() == "reserved", status_word(packet.status) == "reserved")?;
    }
    if expected.has("authenticated") {
        same("authenticated", received.proof == Proof::Authentic, expected.bool("authenticated")?)?;
    }
    if expected.has("compact") {
        compare_compact(&packet.data, &expected.object("compact")?)?;
    }
    if expected.has("expanded") {
        compare_expanded(&packet.data, &expected.object("expanded")?)?;
    }
    Ok(())
}

fn compare_compact(data: &[u8], expected: &Fields) -> Outcome {
    let response = CompactResponse::decode(data).map_err(text)?;
    same("number_of_commands", response.executed, expected.int::<u8>("number_of_commands")?)?;
    same_hex("last_sw", &response.sw.octets(), &expected.hex("last_sw")?)?;
    same_hex("last_data", &response.data, &expected.hex("last_data")?)?;
    expected.all_used()
}

fn compare_expanded(data: &[u8], expected: &Fields) -> Outcome {
    let response = ExpandedResponse::decode(data).map_err(text)?;
    if expected.has("executed") {
        same("executed", response.executed, Some(expected.int::<u16>("executed")?))?;
    }
    let rapdus: Vec<_> = response.responses().map(ResponseApdu::encode).collect();
    same("rapdus", rapdus, expected.hex_list("rapdus")?)?;
    expected.all_used()
}

/// The packet in the user data of one message that says it is a response.
fn packet_of(ud: &[u8]) -> Result<&[u8], String> {
    let (udh, packet) = Udh::split(ud).map_err(text)?;
    if udh.has(Ie::RESPONSE_PACKET) { Ok(packet) } else { Err("no element 71".into()) }
}

/// Verifies a whole packet, and reads PCNTR from the trace.
pub fn verify(octets: &[u8], spi: Spi, keys: &KeySet) -> Result<(ReceivedResponse, u64), String> {
    let trace = Trace::new();
    let mut reader = Reader::traced("response packet", octets, &trace);
    let unverified = UnverifiedResponse::read(&mut reader).map_err(text)?;
    let received = unverified.verify_traced(spi, keys, &reader).map_err(text)?;
    let spans = trace.into_spans();
    let pcntr = spans.iter().find(|span| span.name == "PCNTR").and_then(|span| span.raw.first().copied());
    Ok((received, pcntr.map(u64::from).ok_or("no PCNTR in the trace")?))
}

fn response(row: &Row) -> Outcome {
    let (spi, keys) = spi_and_keys(&row.inputs)?;
    let ud = row.inputs.hex("ud")?;
    let octets = packet_of(&ud)?;
    let (received, pcntr) = verify(octets, spi, &keys)?;
    compare(&received, pcntr, &row.expected)?;
    if DECODE_ONLY.contains(&row.name.as_str()) {
        return Ok(());
    }
    same("unprotected", received.proof == Proof::Unprotected, false)?;
    same_hex("secured again", &received.packet.secure(spi, &keys).map_err(text)?, octets)
}

fn reject(row: &Row) -> Outcome {
    let (spi, keys) = spi_and_keys(&row.inputs)?;
    let ud = row.inputs.hex("ud")?;
    let word = match packet_of(&ud).map(UnverifiedResponse::decode) {
        Err(_) | Ok(Err(_)) => "malformed",
        Ok(Ok(unverified)) => match unverified.verify(spi, &keys) {
            Err(Rejection::Integrity) => "cc_mismatch",
            Err(_) => "malformed",
            Ok(received) => return Err(format!("accepted: {received:?}")),
        },
    };
    let expected = row.expected.str("error")?;
    if !["cc_mismatch", "malformed"].contains(&expected) {
        return Err(format!("unknown error `{expected}`"));
    }
    same("error", word, expected)
}
