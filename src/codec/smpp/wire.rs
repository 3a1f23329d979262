//! Between our PDUs and those of the `smpp` dependency, which writes every mandatory part and reads the well-formed
//! ones. Its types go no further than this file.
//!
//! Traps that are handled here: its `EsmClass::default()` is 0x08, so every octet is set from ours; it decodes from a
//! buffer, may stop early, and trusts no length of a TLV, so a reading counts only when it reproduces the octets and
//! all lengths agree; TLVs are written by us, because its builders admit only those it knows for a PDU.

use super::pdu::{
    Address, AlertNotification, Bind, BindMode, BindResp, Body, CancelSm, DataSm, Destination, MessageResp, Octets,
    Outbind, QuerySm, QuerySmResp, ReplaceSm, ShortMessage, SubmitMulti, SubmitMultiResp, UnsuccessSme,
};
use super::{
    CommandId, CommandStatus, EsmClass, InterfaceVersion, MessageState, Npi, RegisteredDelivery, Tlv, TlvTag, Ton,
};
use crate::codec::EncodeError;
use crate::types::Secret;
use ::smpp::decode::borrowed::DecodeWithKeyOptional;
use ::smpp::encode::Encode;
use ::smpp::pdus::{borrowed as read, owned as write};
use ::smpp::tlvs::borrowed::Tlv as ReadTlv;
use ::smpp::types::{borrowed as read_types, owned as write_types};
use ::smpp::values::{borrowed as read_values, owned as write_values};

/// How many TLVs, destinations or refusals a PDU may have to be read by the dependency; others are read by the walk.
const MOST_ELEMENTS: usize = 16;

type ReadPdu<'a> = read::Pdu<'a, MOST_ELEMENTS>;
type Encoded = Result<Vec<u8>, EncodeError>;

/// The octets of a value of the dependency.
fn octets_of(value: &impl Encode) -> Vec<u8> {
    let mut octets = vec![0; value.length()];
    value.encode(&mut octets);
    octets
}

// Encoding.

type Text<const LIMIT: usize> = write_types::COctetString<1, LIMIT>;
type Time = write_types::EmptyOrFullCOctetString<17>;
type Message = write_types::OctetString<0, 255>;

fn refused(structure: &'static str, field: &'static str, why: impl std::fmt::Display) -> EncodeError {
    EncodeError::new(structure, field, why.to_string())
}

fn text<const LIMIT: usize>(
    structure: &'static str,
    field: &'static str,
    text: &str,
) -> Result<Text<LIMIT>, EncodeError> {
    Text::from_string(text.into()).map_err(|why| refused(structure, field, why))
}

fn time(structure: &'static str, field: &'static str, text: &str) -> Result<Time, EncodeError> {
    Time::from_string(text.into()).map_err(|why| refused(structure, field, why))
}

fn password(structure: &'static str, password: &Secret) -> Result<Text<9>, EncodeError> {
    let mut octets = password.expose().to_vec();
    octets.push(0);
    Text::from_vec(octets).map_err(|why| refused(structure, "password", why))
}

fn message(structure: &'static str, octets: &Octets) -> Result<Message, EncodeError> {
    Message::from_vec(octets.0.clone()).map_err(|why| refused(structure, "short_message", why))
}

fn service_type(structure: &'static str, service_type: &str) -> Result<write_values::ServiceType, EncodeError> {
    text(structure, "service_type", service_type).map(write_values::ServiceType::new)
}

/// Assigns ton, npi and digits of an address to the three fields of the dependency's struct.
macro_rules! put_address {
    ($structure:expr, $address:expr => $wire:ident . $ton:ident, $npi:ident, $digits:ident) => {
        $wire.$ton = $address.ton.0.into();
        $wire.$npi = $address.npi.0.into();
        $wire.$digits = text($structure, stringify!($digits), $address.clear())?;
    };
}

macro_rules! put_bind {
    ($wire:ty, $bind:expr) => {{
        let mut wire = <$wire>::default();
        wire.system_id = text("bind", "system_id", &$bind.system_id)?;
        wire.password = password("bind", &$bind.password)?;
        wire.system_type = text("bind", "system_type", &$bind.system_type)?;
        wire.interface_version = $bind.interface_version.0.into();
        put_address!("bind", $bind.address_range => wire.addr_ton, addr_npi, address_range);
        octets_of(&wire)
    }};
}

/// The fields that submit_sm, deliver_sm and submit_multi share, without destination and TLVs.
macro_rules! put_message {
    ($wire:ty, $structure:expr, $message:expr) => {{
        let mut wire = <$wire>::default();
        wire.service_type = service_type($structure, &$message.service_type)?;
        put_address!($structure, $message.source => wire.source_addr_ton, source_addr_npi, source_addr);
        wire.esm_class = $message.esm_class.0.into();
        wire.protocol_id = $message.protocol_id;
        wire.priority_flag = $message.priority_flag.into();
        wire.schedule_delivery_time = time($structure, "schedule_delivery_time", &$message.schedule_delivery_time)?;
        wire.validity_period = time($structure, "validity_period", &$message.validity_period)?;
        wire.registered_delivery = $message.registered_delivery.0.into();
        wire.replace_if_present_flag = $message.replace_if_present_flag.into();
        wire.data_coding = $message.data_coding.into();
        wire.sm_default_msg_id = $message.sm_default_msg_id;
        wire.set_short_message(message($structure, &$message.short_message)?);
        wire
    }};
}

macro_rules! put_single_message {
    ($wire:ty, $structure:expr, $message:expr) => {{
        let mut wire = put_message!($wire, $structure, $message);
        put_address!($structure, $message.destination => wire.dest_addr_ton, dest_addr_npi, destination_addr);
        with_tlvs(octets_of(&wire), &$message.tlvs)
    }};
}

fn with_tlvs(mut octets: Vec<u8>, tlvs: &[Tlv]) -> Encoded {
    tlvs.iter().try_for_each(|tlv| tlv.put(&mut octets))?;
    Ok(octets)
}

/// The octets behind the header.
pub(super) fn encode_body(body: &Body) -> Encoded {
    match body {
        Body::Bind(BindMode::Transmitter, bind) => Ok(put_bind!(write::BindTransmitter, bind)),
        Body::Bind(BindMode::Receiver, bind) => Ok(put_bind!(write::BindReceiver, bind)),
        Body::Bind(BindMode::Transceiver, bind) => Ok(put_bind!(write::BindTransceiver, bind)),
        Body::BindResp(_, Some(resp)) => {
            with_tlvs(octets_of(&text::<16>("bind_resp", "system_id", &resp.system_id)?), &resp.tlvs)
        }
        Body::Outbind(outbind) => Ok(octets_of(&write::Outbind::new(
            text("outbind", "system_id", &outbind.system_id)?,
            password("outbind", &outbind.password)?,
        ))),
        Body::SubmitSm(message) => put_single_message!(write::SubmitSm, "submit_sm", message),
        Body::DeliverSm(message) => put_single_message!(write::DeliverSm, "deliver_sm", message),
        Body::SubmitSmResp(Some(resp)) | Body::DeliverSmResp(Some(resp)) | Body::DataSmResp(Some(resp)) => {
            with_tlvs(octets_of(&text::<65>("response", "message_id", &resp.message_id)?), &resp.tlvs)
        }
        Body::SubmitMulti(multi) => encode_submit_multi(multi),
        Body::SubmitMultiResp(Some(resp)) => encode_submit_multi_resp(resp),
        Body::DataSm(data) => encode_data_sm(data),
        Body::QuerySm(query) => {
            let mut wire = write::QuerySm::default();
            wire.message_id = text("query_sm", "message_id", &query.message_id)?;
            put_address!("query_sm", query.source => wire.source_addr_ton, source_addr_npi, source_addr);
            Ok(octets_of(&wire))
        }
        Body::QuerySmResp(Some(resp)) => Ok(octets_of(&write::QuerySmResp::new(
            text("query_sm_resp", "message_id", &resp.message_id)?,
            time("query_sm_resp", "final_date", &resp.final_date)?,
            resp.message_state.0.into(),
            resp.error_code,
        ))),
        Body::CancelSm(cancel) => encode_cancel_sm(cancel),
        Body::ReplaceSm(replace) => encode_replace_sm(replace),
        Body::AlertNotification(alert) => {
            let mut wire = write::AlertNotification::default();
            let name = "alert_notification";
            put_address!(name, alert.source => wire.source_addr_ton, source_addr_npi, source_addr);
            put_address!(name, alert.esme => wire.esme_addr_ton, esme_addr_npi, esme_addr);
            with_tlvs(octets_of(&wire), &alert.tlvs)
        }
        Body::Other(_, octets) => Ok(octets.0.clone()),
        Body::BindResp(_, None)
        | Body::SubmitSmResp(None)
        | Body::DeliverSmResp(None)
        | Body::DataSmResp(None)
        | Body::SubmitMultiResp(None)
        | Body::QuerySmResp(None)
        | Body::Unbind
        | Body::UnbindResp
        | Body::GenericNack
        | Body::CancelSmResp
        | Body::ReplaceSmResp
        | Body::EnquireLink
        | Body::EnquireLinkResp => Ok(Vec::new()),
    }
}

fn encode_submit_multi(multi: &SubmitMulti) -> Encoded {
    const NAME: &str = "submit_multi";
    // SMPP 3.4 5.2.24.
    if multi.destinations.len() > 254 {
        return Err(EncodeError::new(NAME, "number_of_dests", "at most 254 destinations fit"));
    }
    let mut wire = put_message!(write::SubmitMulti, NAME, multi.message);
    for destination in &multi.destinations {
        wire.push_dest_address(match destination {
            Destination::Sme(address) => write_values::DestAddress::SmeAddress(write_values::SmeAddress::new(
                address.ton.0.into(),
                address.npi.0.into(),
                text(NAME, "destination_addr", address.clear())?,
            )),
            Destination::DistributionList(name) => write_values::DestAddress::DistributionListName(
                write_values::DistributionListName::new(text(NAME, "dl_name", name)?),
            ),
        });
    }
    with_tlvs(octets_of(&wire), &multi.message.tlvs)
}

fn encode_submit_multi_resp(resp: &SubmitMultiResp) -> Encoded {
    const NAME: &str = "submit_multi_resp";
    if resp.unsuccess.len() > 255 {
        return Err(EncodeError::new(NAME, "no_unsuccess", "at most 255 destinations fit"));
    }
    let unsuccess = resp.unsuccess.iter().map(|sme| {
        Ok(write_values::UnsuccessSme::new(
            sme.destination.ton.0.into(),
            sme.destination.npi.0.into(),
            text(NAME, "destination_addr", sme.destination.clear())?,
            sme.status.0.into(),
        ))
    });
    let message_id = text(NAME, "message_id", &resp.message_id)?;
    let wire = write::SubmitMultiResp::new(message_id, unsuccess.collect::<Result<_, EncodeError>>()?, Vec::new());
    with_tlvs(octets_of(&wire), &resp.tlvs)
}

fn encode_data_sm(data: &DataSm) -> Encoded {
    let mut wire = write::DataSm::default();
    wire.service_type = service_type("data_sm", &data.service_type)?;
    put_address!("data_sm", data.source => wire.source_addr_ton, source_addr_npi, source_addr);
    put_address!("data_sm", data.destination => wire.dest_addr_ton, dest_addr_npi, destination_addr);
    wire.esm_class = data.esm_class.0.into();
    wire.registered_delivery = data.registered_delivery.0.into();
    wire.data_coding = data.data_coding.into();
    with_tlvs(octets_of(&wire), &data.tlvs)
}

fn encode_cancel_sm(cancel: &CancelSm) -> Encoded {
    let mut wire = write::CancelSm::default();
    wire.service_type = service_type("cancel_sm", &cancel.service_type)?;
    wire.message_id = text("cancel_sm", "message_id", &cancel.message_id)?;
    put_address!("cancel_sm", cancel.source => wire.source_addr_ton, source_addr_npi, source_addr);
    put_address!("cancel_sm", cancel.destination => wire.dest_addr_ton, dest_addr_npi, destination_addr);
    Ok(octets_of(&wire))
}

fn encode_replace_sm(replace: &ReplaceSm) -> Encoded {
    let mut wire = write::ReplaceSm::default();
    wire.message_id = text("replace_sm", "message_id", &replace.message_id)?;
    put_address!("replace_sm", replace.source => wire.source_addr_ton, source_addr_npi, source_addr);
    wire.schedule_delivery_time = time("replace_sm", "schedule_delivery_time", &replace.schedule_delivery_time)?;
    wire.validity_period = time("replace_sm", "validity_period", &replace.validity_period)?;
    wire.registered_delivery = replace.registered_delivery.0.into();
    wire.sm_default_msg_id = replace.sm_default_msg_id;
    wire.set_short_message(message("replace_sm", &replace.short_message)?);
    with_tlvs(octets_of(&wire), &replace.tlvs)
}

// Decoding.

fn string<const LIMIT: usize>(text: &read_types::COctetString<'_, 1, LIMIT>) -> String {
    text.as_str().into()
}

fn secret(text: &read_types::COctetString<'_, 1, 9>) -> Secret {
    Secret::new(text.as_str().as_bytes().to_vec())
}

macro_rules! take_address {
    ($wire:ident . $ton:ident, $npi:ident, $digits:ident) => {
        Address::new(Ton($wire.$ton.into()), Npi($wire.$npi.into()), $wire.$digits.as_str())
    };
}

macro_rules! take_bind {
    ($mode:expr, $wire:expr) => {{
        let wire = $wire;
        let bind = Bind {
            system_id: string(&wire.system_id),
            password: secret(&wire.password),
            system_type: string(&wire.system_type),
            interface_version: InterfaceVersion(wire.interface_version.into()),
            address_range: take_address!(wire.addr_ton, addr_npi, address_range),
        };
        Body::Bind($mode, bind)
    }};
}

macro_rules! take_bind_resp {
    ($mode:expr, $wire:expr) => {{
        let tlvs = all($wire.sc_interface_version_tlv())?;
        Body::BindResp($mode, Some(BindResp { system_id: string(&$wire.system_id), tlvs }))
    }};
}

macro_rules! take_message {
    ($wire:expr, $destination:expr) => {{
        let wire = $wire;
        ShortMessage {
            service_type: string(wire.service_type.value()),
            source: take_address!(wire.source_addr_ton, source_addr_npi, source_addr),
            destination: $destination,
            esm_class: EsmClass(wire.esm_class.into()),
            protocol_id: wire.protocol_id,
            priority_flag: wire.priority_flag.into(),
            schedule_delivery_time: wire.schedule_delivery_time.as_str().into(),
            validity_period: wire.validity_period.as_str().into(),
            registered_delivery: RegisteredDelivery(wire.registered_delivery.into()),
            replace_if_present_flag: wire.replace_if_present_flag.into(),
            data_coding: wire.data_coding.into(),
            sm_default_msg_id: wire.sm_default_msg_id,
            short_message: Octets(wire.short_message().bytes().to_vec()),
            tlvs: all(wire.tlvs())?,
        }
    }};
}

macro_rules! take_single_message {
    ($wire:expr) => {{
        let wire = $wire;
        take_message!(wire, take_address!(wire.dest_addr_ton, dest_addr_npi, destination_addr))
    }};
}

macro_rules! take_message_resp {
    ($wire:expr) => {{
        let tlvs = all($wire.tlvs())?;
        Some(MessageResp { message_id: string($wire.message_id()), tlvs })
    }};
}

/// The dependency reads values of a fixed size without looking at the TLV's length; `None` when they disagree.
fn tlv(wire: &ReadTlv<'_>) -> Option<Tlv> {
    let value = wire.value().map(octets_of).unwrap_or_default();
    (value.len() == usize::from(wire.value_length())).then(|| Tlv::new(TlvTag(wire.tag().into()), value))
}

fn all<'a, 'b: 'a>(wire: impl IntoIterator<Item = &'a ReadTlv<'b>>) -> Option<Vec<Tlv>> {
    wire.into_iter().map(tlv).collect()
}

/// The body, when the dependency can read all of it and would write the same octets.
pub(super) fn decode_body(id: CommandId, octets: &[u8]) -> Option<Body> {
    let (wire, _) = ReadPdu::decode(id.0.into(), octets, octets.len()).ok().flatten()?;
    if octets_of(&wire) != octets {
        return None;
    }
    Some(match &wire {
        read::Pdu::BindTransmitter(wire) => take_bind!(BindMode::Transmitter, wire),
        read::Pdu::BindReceiver(wire) => take_bind!(BindMode::Receiver, wire),
        read::Pdu::BindTransceiver(wire) => take_bind!(BindMode::Transceiver, wire),
        read::Pdu::BindTransmitterResp(wire) => take_bind_resp!(BindMode::Transmitter, wire),
        read::Pdu::BindReceiverResp(wire) => take_bind_resp!(BindMode::Receiver, wire),
        read::Pdu::BindTransceiverResp(wire) => take_bind_resp!(BindMode::Transceiver, wire),
        read::Pdu::Outbind(wire) => {
            Body::Outbind(Outbind { system_id: string(&wire.system_id), password: secret(&wire.password) })
        }
        read::Pdu::SubmitSm(wire) => Body::SubmitSm(take_single_message!(wire)),
        read::Pdu::DeliverSm(wire) => Body::DeliverSm(take_single_message!(wire)),
        read::Pdu::SubmitSmResp(wire) => Body::SubmitSmResp(take_message_resp!(wire)),
        read::Pdu::DeliverSmResp(wire) => Body::DeliverSmResp(take_message_resp!(wire)),
        read::Pdu::DataSmResp(wire) => Body::DataSmResp(take_message_resp!(wire)),
        read::Pdu::SubmitMulti(wire) => Body::SubmitMulti(SubmitMulti {
            destinations: wire.dest_address().iter().map(destination).collect(),
            message: take_message!(wire, Address::default()),
        }),
        read::Pdu::SubmitMultiResp(wire) => Body::SubmitMultiResp(Some(SubmitMultiResp {
            message_id: string(&wire.message_id),
            unsuccess: wire.unsuccess_sme().iter().map(unsuccess).collect(),
            tlvs: all(wire.tlvs())?,
        })),
        read::Pdu::DataSm(wire) => Body::DataSm(DataSm {
            service_type: string(wire.service_type.value()),
            source: take_address!(wire.source_addr_ton, source_addr_npi, source_addr),
            destination: take_address!(wire.dest_addr_ton, dest_addr_npi, destination_addr),
            esm_class: EsmClass(wire.esm_class.into()),
            registered_delivery: RegisteredDelivery(wire.registered_delivery.into()),
            data_coding: wire.data_coding.into(),
            tlvs: all(wire.tlvs())?,
        }),
        other => return decode_small_body(other, octets),
    })
}

fn decode_small_body(wire: &ReadPdu<'_>, octets: &[u8]) -> Option<Body> {
    Some(match wire {
        read::Pdu::Unbind => Body::Unbind,
        read::Pdu::UnbindResp => Body::UnbindResp,
        read::Pdu::GenericNack => Body::GenericNack,
        read::Pdu::EnquireLink => Body::EnquireLink,
        read::Pdu::EnquireLinkResp => Body::EnquireLinkResp,
        read::Pdu::CancelSmResp => Body::CancelSmResp,
        read::Pdu::ReplaceSmResp => Body::ReplaceSmResp,
        read::Pdu::QuerySm(wire) => Body::QuerySm(QuerySm {
            message_id: string(&wire.message_id),
            source: take_address!(wire.source_addr_ton, source_addr_npi, source_addr),
        }),
        read::Pdu::QuerySmResp(wire) => Body::QuerySmResp(Some(QuerySmResp {
            message_id: string(&wire.message_id),
            final_date: wire.final_date.as_str().into(),
            message_state: MessageState(wire.message_state.into()),
            error_code: wire.error_code,
        })),
        read::Pdu::CancelSm(wire) => Body::CancelSm(CancelSm {
            service_type: string(wire.service_type.value()),
            message_id: string(&wire.message_id),
            source: take_address!(wire.source_addr_ton, source_addr_npi, source_addr),
            destination: take_address!(wire.dest_addr_ton, dest_addr_npi, destination_addr),
        }),
        read::Pdu::ReplaceSm(wire) => Body::ReplaceSm(ReplaceSm {
            message_id: string(&wire.message_id),
            source: take_address!(wire.source_addr_ton, source_addr_npi, source_addr),
            schedule_delivery_time: wire.schedule_delivery_time.as_str().into(),
            validity_period: wire.validity_period.as_str().into(),
            registered_delivery: RegisteredDelivery(wire.registered_delivery.into()),
            sm_default_msg_id: wire.sm_default_msg_id,
            short_message: Octets(wire.short_message().bytes().to_vec()),
            tlvs: all(wire.message_payload_tlv())?,
        }),
        read::Pdu::AlertNotification(wire) => Body::AlertNotification(AlertNotification {
            source: take_address!(wire.source_addr_ton, source_addr_npi, source_addr),
            esme: take_address!(wire.esme_addr_ton, esme_addr_npi, esme_addr),
            tlvs: all(wire.ms_availability_status_tlv())?,
        }),
        // The broadcast operations of SMPP 5.0 have no type of their own here.
        other => Body::Other(CommandId(other.command_id().into()), Octets(octets.to_vec())),
    })
}

fn destination(wire: &read_values::DestAddress<'_>) -> Destination {
    match wire {
        read_values::DestAddress::SmeAddress(wire) => {
            Destination::Sme(take_address!(wire.dest_addr_ton, dest_addr_npi, destination_addr))
        }
        read_values::DestAddress::DistributionListName(wire) => Destination::DistributionList(string(&wire.dl_name)),
    }
}

fn unsuccess(wire: &read_values::UnsuccessSme<'_>) -> UnsuccessSme {
    UnsuccessSme {
        destination: take_address!(wire.dest_addr_ton, dest_addr_npi, destination_addr),
        status: CommandStatus(wire.error_status_code.into()),
    }
}
