//! `envelope.json`: ENVELOPE (SMS-PP DOWNLOAD), what its answer asks for, FETCH, TERMINAL PROFILE.

use crate::Op;
use crate::row::{Outcome, Row, same, same_hex, text};
use euicc_push::codec::apdu::{CommandApdu, EnvelopeAnswer, ResponseApdu, StatusWord};
use euicc_push::codec::cat::{Envelope, fetch, terminal_profile};
use euicc_push::codec::sms::{Address, Npi, Ton};

pub const OPS: &[Op] = &[
    ("envelope_sms_pp", envelope_sms_pp),
    ("envelope_response", envelope_response),
    ("fetch", fetch_command),
    ("terminal_profile", profile),
];

fn envelope_sms_pp(row: &Row) -> Outcome {
    let smsc = if row.inputs.has("smsc") { Some(smsc(row.inputs.str("smsc")?)?) } else { None };
    let envelope = Envelope::SmsPpDownload { smsc, tpdu: row.inputs.hex("tpdu")? };
    let apdu = row.expected.hex("apdu")?;
    same_hex("encoded", &envelope.encode().map_err(text)?, &apdu)?;
    same("decoded", Envelope::decode(&apdu).map_err(text)?, envelope)
}

/// `+` and digits for an international number, digits alone for one of unknown type.
fn smsc(number: &str) -> Result<Address, String> {
    match number.strip_prefix('+') {
        Some(digits) => Address::digits(Ton::INTERNATIONAL, Npi::ISDN, digits).map_err(text),
        None => Address::digits(Ton::UNKNOWN, Npi::ISDN, number).map_err(text),
    }
}

fn envelope_response(row: &Row) -> Outcome {
    let mut octets = row.inputs.hex("data")?;
    octets.extend(row.inputs.hex("sw")?);
    let answer = EnvelopeAnswer::judge(&ResponseApdu::decode(&octets).map_err(text)?, 0);
    let (action, user_data, fetch, command, le) = match &answer {
        EnvelopeAnswer::Acknowledge { user_data, fetch } => {
            let action = match (user_data, fetch) {
                (None, None) => "ack",
                (Some(_), None) => "ack_with_user_data",
                (None, Some(_)) => "ack_then_fetch",
                (Some(_), Some(_)) => "ack_with_user_data_then_fetch",
            };
            (action, user_data.clone(), *fetch, None, None)
        }
        EnvelopeAnswer::GetResponse { command, error } => {
            let action = if error.is_some() { "get_response_then_error" } else { "get_response" };
            (action, None, None, Some(command.encode().map_err(text)?), None)
        }
        EnvelopeAnswer::RepeatWithLe(le) => ("repeat_with_le", None, None, None, Some(*le)),
        EnvelopeAnswer::Busy => ("busy", None, None, None, None),
        EnvelopeAnswer::Error { user_data } => {
            let action = if user_data.is_some() { "error_with_user_data" } else { "error" };
            (action, user_data.clone(), None, None, None)
        }
    };
    same("action", action, row.expected.str("action")?)?;
    let optional = |key: &str| row.expected.has(key).then(|| row.expected.hex(key)).transpose();
    let number = |key: &str| row.expected.has(key).then(|| row.expected.int::<u8>(key)).transpose();
    same("por_ud", user_data, optional("por_ud")?)?;
    same("apdu", command, optional("apdu")?)?;
    same("tp_fcs", answer.failure_cause().map(|cause| vec![cause.code()]), optional("tp_fcs")?)?;
    same("fetch_len", fetch, number("fetch_len")?)?;
    same("le", le, number("le")?)
}

fn fetch_command(row: &Row) -> Outcome {
    let sw = row.inputs.hex("sw")?;
    let sw = <[u8; 2]>::try_from(sw.as_slice()).map(u16::from_be_bytes).map(StatusWord).map_err(text)?;
    let length = sw.proactive().ok_or("no proactive command is announced")?;
    let apdu = row.expected.hex("apdu")?;
    same_hex("encoded", &fetch(length).encode().map_err(text)?, &apdu)?;
    same("decoded", CommandApdu::decode(&apdu).map_err(text)?, fetch(length))
}

fn profile(row: &Row) -> Outcome {
    let command = terminal_profile(row.inputs.hex("profile")?);
    let apdu = row.expected.hex("apdu")?;
    same_hex("encoded", &command.encode().map_err(text)?, &apdu)?;
    same("decoded", CommandApdu::decode(&apdu).map_err(text)?, command)
}
