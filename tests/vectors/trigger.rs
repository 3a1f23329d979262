//! `trigger.json`: the trigger object in both directions, what must be refused, sizes, and the host trigger around it.

use crate::Op;
use crate::row::{Fields, Outcome, Row, same, same_hex, text};
use crate::scp80::{RowKeys, counter, octet, secure_and_verify, spi, tar};
use euicc_push::codec::ota::command::packet_length;
use euicc_push::codec::ota::{CcLength, CommandPacket};
use euicc_push::codec::sms::{Ie, Ports, Reference, Segmentation, Udh};
use euicc_push::codec::trigger::{HostTriggerSize, SessionOwner, Trigger};
use euicc_push::codec::{DecodeError, Fault, Reader, Trace};
use euicc_push::types::{AccessControl, Operation, TransactionId, UnixSeconds};

pub const OPS: &[Op] = &[
    ("trigger", trigger),
    ("trigger_decode", decode),
    ("trigger_reject", reject),
    ("trigger_size", size),
    ("trigger_secured", secured),
];

fn owner(word: &str) -> Result<SessionOwner, String> {
    match word {
        "agent" => Ok(SessionOwner::Agent),
        "euicc" => Ok(SessionOwner::Euicc),
        _ => Err(format!("unknown owner `{word}`")),
    }
}

fn string(fields: &Fields, key: &str) -> Result<Option<String>, String> {
    fields.has(key).then(|| fields.str(key).map(str::to_string)).transpose()
}

fn access_control(fields: &Fields) -> Result<Option<AccessControl>, String> {
    let mut found = Vec::new();
    if fields.has("backoff") {
        found.push(AccessControl::Backoff(fields.int("backoff")?));
    }
    if fields.has("window") {
        let ends: Vec<_> = fields.array("window")?.iter().filter_map(serde_json::Value::as_u64).collect();
        let [start, end] = ends[..] else { return Err("window is not a pair of numbers".into()) };
        found.push(AccessControl::Window { start: UnixSeconds(start), end: UnixSeconds(end) });
    }
    if fields.has("window_from_receipt") {
        found.push(AccessControl::WindowFromReceipt(fields.int("window_from_receipt")?));
    }
    if fields.has("at") {
        found.push(AccessControl::At(UnixSeconds(fields.int("at")?)));
    }
    if found.len() > 1 { Err("more than one access control".into()) } else { Ok(found.pop()) }
}

fn trigger_of(fields: &Fields) -> Result<Trigger, String> {
    Ok(Trigger {
        operation: string(fields, "operation")?.map(|word| word.parse::<Operation>().map_err(text)).transpose()?,
        access_control: access_control(fields)?,
        sm_sr_id: string(fields, "sm_sr_id")?,
        sm_sr_address: string(fields, "sm_sr_address")?,
        transaction: fields.str("transaction")?.parse().map_err(text)?,
        card_packet: fields.has("card_packet").then(|| fields.hex("card_packet")).transpose()?,
        owner: string(fields, "owner")?.map_or(Ok(SessionOwner::Agent), |word| owner(&word))?,
    })
}

/// Reads with a trace, so that what the trace says of a field is run too.
fn read(octets: &[u8]) -> Result<Trigger, DecodeError> {
    let trace = Trace::new();
    let traced = Trigger::read(&mut Reader::traced("trigger object", octets, &trace));
    assert_eq!(traced, Trigger::decode(octets), "with and without a trace");
    traced
}

fn trigger(row: &Row) -> Outcome {
    let trigger = trigger_of(&row.inputs)?;
    let octets = row.expected.hex("hex")?;
    same_hex("encoded", &trigger.encode().map_err(text)?, &octets)?;
    same("decoded", read(&octets).map_err(text)?, trigger)
}

fn decode(row: &Row) -> Outcome {
    same("decoded", read(&row.inputs.hex("hex")?).map_err(text)?, trigger_of(&row.expected)?)
}

fn reject(row: &Row) -> Outcome {
    let error = match read(&row.inputs.hex("hex")?) {
        Ok(trigger) => return Err(format!("accepted: {trigger:?}")),
        Err(error) => error,
    };
    let word = match error.fault {
        Fault::Truncated { .. } => "truncated",
        Fault::Trailing { .. } => "trailing",
        Fault::Length { .. } => "length",
        Fault::Value { .. } => "value",
        Fault::Duplicate => "duplicate",
        Fault::Missing => "missing",
        Fault::Limit { .. } => "limit",
    };
    same("error", word, row.expected.str("error")?)?;
    if row.expected.has("field") {
        let tag = row.expected.str("field")?;
        let named = error.field.split(' ').any(|part| part == tag);
        same(&format!("`{}` names tag {tag}", error.field), named, true)?;
    }
    Ok(())
}

fn reference(fields: &Fields, bits: &str, value: u16) -> Result<Reference, String> {
    match fields.int::<u8>(bits)? {
        8 => u8::try_from(value).map(Reference::Short).map_err(text),
        16 => Ok(Reference::Long(value)),
        other => Err(format!("{bits} {other}")),
    }
}

fn size(row: &Row) -> Outcome {
    let inputs = &row.inputs;
    let cc_length = match inputs.int::<u8>("cc_len")? {
        4 => CcLength::Four,
        8 => CcLength::Eight,
        other => return Err(format!("cc_len {other}")),
    };
    let letters = |key: &str| -> Result<Option<String>, String> {
        inputs.has(key).then(|| inputs.int(key).map(|length| "x".repeat(length))).transpose()
    };
    let card_packet: Option<usize> = inputs
        .has("card_data")
        .then(|| inputs.int("card_data").map(|data| packet_length(Some(16), 8, data)))
        .transpose()?;
    let trigger = Trigger {
        operation: Some(Operation::Enable),
        access_control: Some(AccessControl::Backoff(1800)),
        sm_sr_id: letters("identifier")?,
        sm_sr_address: letters("uri")?,
        card_packet: card_packet.map(|length| vec![0; length]),
        ..Trigger::new(TransactionId([0x11; 8]))
    };
    let reference = reference(inputs, "reference_bits", 1)?;
    let size = HostTriggerSize::of(&trigger, cc_length, reference).map_err(text)?;
    let expected = HostTriggerSize {
        object: row.expected.int("object")?,
        packet: row.expected.int("packet")?,
        segments: row.expected.int("segments")?,
    };
    same("size", size, expected)?;
    same("enough segments", size.within(size.segments, reference).is_ok(), true)?;
    same("one segment less", size.within(size.segments - 1, reference).is_err(), true)?;
    if row.expected.has("sim_segments") {
        let sim = Segmentation::new(Vec::new(), vec![Ie::command_packet()], reference);
        let segments = card_packet.and_then(|packet| sim.count(packet));
        same("sim_segments", segments, Some(row.expected.int("sim_segments")?))?;
    }
    Ok(())
}

fn secured(row: &Row) -> Outcome {
    let inputs = &row.inputs;
    let fields = inputs.object("trigger")?;
    let trigger = trigger_of(&fields)?;
    fields.all_used()?;
    let data = row.expected.hex("data")?;
    same_hex("object", &trigger.encode().map_err(text)?, &data)?;
    same("object decoded", read(&data).map_err(text)?, trigger)?;
    let command =
        CommandPacket { spi: spi(inputs, "spi")?, tar: tar(inputs, "tar")?, counter: counter(inputs, "cntr")?, data };
    same("KIc", octet(inputs, "kic")?, 0x12)?;
    let packet = row.expected.hex("packet")?;
    secure_and_verify(&command, &RowKeys::of(inputs)?, &packet)?;

    let ports = Ports { destination: inputs.int("dest_port")?, source: 0 };
    let reference = reference(inputs, "ref_bits", inputs.int("concat_ref")?)?;
    let parts = Segmentation::new(vec![Ie::ports(ports)], Vec::new(), reference).segments(&packet).map_err(text)?;
    same("ud", &parts, &row.expected.hex_list("ud")?)?;
    for part in &parts {
        same("ports in every part", Udh::split(part).map_err(text)?.0.ports(), Some(ports))?;
    }
    Ok(())
}
