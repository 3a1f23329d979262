//! Reading a trigger object, strictly: it is acted upon, so nothing in it may be open to interpretation.

use super::{MAX_LENGTH, STRUCTURE, SessionOwner, TAG, Trigger, is_plain, tag};
use crate::codec::cursor::Result;
use crate::codec::ota::UnverifiedCommand;
use crate::codec::tlv::{Tlv, tag_name};
use crate::codec::{Fault, Reader};
use crate::types::{AccessControl, Operation, TransactionId, UnixSeconds};

/// Where the trace says that a field is described: the object is ours.
const CLAUSE: &str = "euicc-push trigger object";

/// From this tag number on, an object that is not understood refuses the whole trigger; below it is passed over.
const FIRST_CRITICAL_NUMBER: u32 = 30;

/// What has been read so far; every field at most once.
#[derive(Default)]
struct Fields {
    operation: Option<Operation>,
    access_control: Option<AccessControl>,
    sm_sr_id: Option<String>,
    sm_sr_address: Option<String>,
    transaction: Option<TransactionId>,
    card_packet: Option<Vec<u8>>,
    owner: Option<SessionOwner>,
}

impl Trigger {
    /// The object must fill `bytes`, the secured data of the command packet.
    pub fn decode(bytes: &[u8]) -> Result<Self> {
        Self::read(&mut Reader::new(STRUCTURE, bytes))
    }

    /// The object must fill the reader.
    pub fn read(reader: &mut Reader<'_>) -> Result<Self> {
        let start = reader.offset();
        if reader.remaining() > MAX_LENGTH {
            return Err(reader.error("object", Fault::Limit { limit: MAX_LENGTH, found: reader.remaining() }));
        }
        let mut object = reader.ber_tlv()?;
        if object.tag != TAG {
            return Err(reader.value_error(start, "tag", "E1", tag_name(object.tag)));
        }
        reader.label("trigger object", CLAUSE, String::new);
        reader.finish()?;

        let mut fields = Fields::default();
        let mut seen: Vec<u32> = Vec::new();
        while !object.value.is_empty() {
            let mut field = object.value.ber_tlv()?;
            if seen.contains(&field.tag) {
                return Err(reader.error_at(field.offset, tag_name(field.tag), Fault::Duplicate));
            }
            seen.push(field.tag);
            fields.read(&mut field, &object.value)?;
        }
        let missing = || object.value.error("86 transaction", Fault::Missing);
        Ok(Self {
            operation: fields.operation,
            access_control: fields.access_control,
            sm_sr_id: fields.sm_sr_id,
            sm_sr_address: fields.sm_sr_address,
            transaction: fields.transaction.ok_or_else(missing)?,
            card_packet: fields.card_packet,
            owner: fields.owner.unwrap_or_default(),
        })
    }
}

impl Fields {
    fn read(&mut self, field: &mut Tlv<'_>, group: &Reader<'_>) -> Result<()> {
        match field.tag {
            tag::OPERATION => self.operation = Some(read_operation(field, group)?),
            tag::BACKOFF | tag::WINDOW | tag::TIME_POINT => {
                let access_control = read_access_control(field, group)?;
                if self.access_control.replace(access_control).is_some() {
                    let (expected, found) = ("at most one of 81, 82, 83", "a second one");
                    return Err(group.value_error(field.offset, tag_name(field.tag), expected, found));
                }
            }
            tag::SM_SR_ID => self.sm_sr_id = Some(read_text(field, group, "84 SM-SR identifier")?),
            tag::SM_SR_ADDRESS => self.sm_sr_address = Some(read_text(field, group, "85 SM-SR address")?),
            tag::TRANSACTION => {
                let transaction = TransactionId(whole(field, "86 transaction")?);
                group.label("86 transaction", CLAUSE, || transaction.to_string());
                self.transaction = Some(transaction);
            }
            tag::CARD_PACKET => self.card_packet = Some(read_card_packet(field, group)?),
            tag::SESSION_OWNER => self.owner = Some(read_owner(field, group)?),
            unknown if number_of(unknown) >= FIRST_CRITICAL_NUMBER => {
                let expected = "an object that is known, or a tag number below 30";
                return Err(group.value_error(field.offset, tag_name(unknown), expected, "neither"));
            }
            unknown => group.label(tag_name(unknown), CLAUSE, || "not known, passed over".into()),
        }
        Ok(())
    }
}

/// Tag number of a BER tag; the long form exists for the numbers above 30.
fn number_of(tag: u32) -> u32 {
    match tag {
        0..=0xFF => tag & 0x1F,
        0x100..=0xFFFF => (tag & 0x7F).max(FIRST_CRITICAL_NUMBER),
        _ => u32::MAX,
    }
}

/// A value of exactly `N` octets.
fn whole<const N: usize>(field: &mut Tlv<'_>, name: &'static str) -> Result<[u8; N]> {
    if field.value.remaining() != N {
        let fault = Fault::Length { expected: N.to_string().into(), found: field.value.remaining() };
        return Err(field.value.error(name, fault));
    }
    field.value.array("value")
}

fn read_operation(field: &mut Tlv<'_>, group: &Reader<'_>) -> Result<Operation> {
    let [code] = whole(field, "80 operation")?;
    let operation = Operation::from_code(code)
        .ok_or_else(|| group.value_error(field.offset, "80 operation", "01 to 07", format_args!("{code:02X}")))?;
    group.label("80 operation", CLAUSE, || operation.to_string());
    Ok(operation)
}

fn read_access_control(field: &mut Tlv<'_>, group: &Reader<'_>) -> Result<AccessControl> {
    let (name, access_control) = match (field.tag, field.value.remaining()) {
        (tag::BACKOFF, _) => ("81 back-off", AccessControl::Backoff(u32::from_be_bytes(whole(field, "81 back-off")?))),
        (tag::TIME_POINT, _) => {
            let seconds = u64::from_be_bytes(whole(field, "83 time point")?);
            ("83 time point", AccessControl::At(UnixSeconds(seconds)))
        }
        (_, 4) => {
            ("82 time window", AccessControl::WindowFromReceipt(u32::from_be_bytes(whole(field, "82 time window")?)))
        }
        (_, 16) => ("82 time window", read_window(field, group)?),
        (_, found) => {
            let fault = Fault::Length { expected: "16, or 4 from receipt".into(), found };
            return Err(field.value.error("82 time window", fault));
        }
    };
    group.label(name, CLAUSE, || access_control.to_string());
    Ok(access_control)
}

fn read_window(field: &mut Tlv<'_>, group: &Reader<'_>) -> Result<AccessControl> {
    let (start, end) = (UnixSeconds(field.value.u64("start")?), UnixSeconds(field.value.u64("end")?));
    if end > start {
        return Ok(AccessControl::Window { start, end });
    }
    let expected = "an end after the start";
    Err(group.value_error(field.offset, "82 time window", expected, format_args!("{} to {}", start.0, end.0)))
}

fn read_text(field: &mut Tlv<'_>, group: &Reader<'_>, name: &'static str) -> Result<String> {
    let octets = field.value.take_rest("text");
    let text = std::str::from_utf8(octets).ok().filter(|text| is_plain(text));
    let text = text.ok_or_else(|| {
        let expected = "UTF-8 text without control characters, not empty";
        group.value_error(field.offset, name, expected, format_args!("{} octets", octets.len()))
    })?;
    group.label(name, CLAUSE, || text.to_string());
    Ok(text.to_string())
}

fn read_card_packet(field: &mut Tlv<'_>, group: &Reader<'_>) -> Result<Vec<u8>> {
    let octets = field.value.peek();
    if octets.is_empty() {
        let fault = Fault::Length { expected: "1 or more".into(), found: 0 };
        return Err(field.value.error("87 card packet", fault));
    }
    group.label("87 card packet", CLAUSE, || "SCP80 command packet for the eUICC".into());
    // For the trace only: what the packet is worth is for the eUICC to say.
    let _ = UnverifiedCommand::read(&mut field.value);
    Ok(octets.to_vec())
}

fn read_owner(field: &mut Tlv<'_>, group: &Reader<'_>) -> Result<SessionOwner> {
    let [code] = whole(field, "88 session owner")?;
    let owner = SessionOwner::from_code(code)
        .ok_or_else(|| group.value_error(field.offset, "88 session owner", "00 or 01", format_args!("{code:02X}")))?;
    group.label("88 session owner", CLAUSE, || owner.to_string());
    Ok(owner)
}
