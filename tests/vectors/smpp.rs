//! `smpp.json`: PDUs in both directions, PDUs that a strict decoder refuses, receipt texts, times.

use crate::Op;
use crate::row::{Fields, Outcome, Row, same, same_hex, text};
use euicc_push::codec::smpp::{
    Address, AlertNotification, Bind, BindMode, BindResp, Body, CancelSm, CommandId, CommandStatus, DataSm,
    DeliveryReceipt, Destination, EsmClass, InterfaceVersion, MessageResp, MessageState, Npi, Octets, Outbind, Pdu,
    QuerySm, QuerySmResp, RegisteredDelivery, ReplaceSm, ShortMessage, SubmitMulti, SubmitMultiResp, Time, Tlv, TlvTag,
    Ton, UnsuccessSme,
};
use euicc_push::types::{Secret, UnixSeconds, hex};
use serde_json::Value;

pub const OPS: &[Op] =
    &[("smpp_pdu", smpp_pdu), ("smpp_odd", smpp_odd), ("smpp_receipt", smpp_receipt), ("smpp_time", smpp_time)];

type Read<T> = Result<T, String>;

fn smpp_pdu(row: &Row) -> Outcome {
    let pdu = Pdu {
        status: CommandStatus(if row.inputs.has("status") { row.inputs.int("status")? } else { 0 }),
        sequence: row.inputs.int("sequence")?,
        body: body(&row.inputs)?,
    };
    let expected = row.expected.hex("hex")?;
    same_hex("encoded", &pdu.encode().map_err(text)?, &expected)?;
    let decoded = Pdu::decode(&expected).map_err(text)?;
    same("defects", decoded.defects, vec![])?;
    same("decoded", decoded.pdu, pdu)
}

fn string(fields: &Fields, key: &str) -> Read<String> {
    fields.str(key).map(String::from)
}

fn address(fields: &Fields, [ton, npi, digits]: [&str; 3]) -> Read<Address> {
    Ok(Address::new(Ton(fields.int(ton)?), Npi(fields.int(npi)?), fields.str(digits)?))
}

fn source(fields: &Fields) -> Read<Address> {
    address(fields, ["source_addr_ton", "source_addr_npi", "source_addr"])
}

fn destination(fields: &Fields) -> Read<Address> {
    address(fields, ["dest_addr_ton", "dest_addr_npi", "destination_addr"])
}

fn number(value: &Value, key: &str) -> Read<u32> {
    let number = value.get(key).and_then(Value::as_u64).and_then(|number| u32::try_from(number).ok());
    number.ok_or_else(|| format!("{value}: no number `{key}`"))
}

fn octet(value: &Value, key: &str) -> Read<u8> {
    u8::try_from(number(value, key)?).map_err(text)
}

fn word<'a>(value: &'a Value, key: &str) -> Read<&'a str> {
    value.get(key).and_then(Value::as_str).ok_or_else(|| format!("{value}: no text `{key}`"))
}

fn tlvs(fields: &Fields) -> Read<Vec<Tlv>> {
    let tlv = |value: &Value| {
        let tag = u16::try_from(number(value, "tag")?).map_err(text)?;
        Ok(Tlv::new(TlvTag(tag), hex::decode(word(value, "value")?).map_err(text)?))
    };
    fields.array("tlvs")?.iter().map(tlv).collect()
}

fn body(fields: &Fields) -> Read<Body> {
    let header_only = fields.has("header_only") && fields.bool("header_only")?;
    let resp = |read: fn(&Fields) -> Read<MessageResp>| (!header_only).then(|| read(fields)).transpose();
    Ok(match fields.str("command")? {
        "bind_transmitter" => Body::Bind(BindMode::Transmitter, bind(fields)?),
        "bind_receiver" => Body::Bind(BindMode::Receiver, bind(fields)?),
        "bind_transceiver" => Body::Bind(BindMode::Transceiver, bind(fields)?),
        "bind_transmitter_resp" => Body::BindResp(BindMode::Transmitter, bind_resp(fields, header_only)?),
        "bind_receiver_resp" => Body::BindResp(BindMode::Receiver, bind_resp(fields, header_only)?),
        "bind_transceiver_resp" => Body::BindResp(BindMode::Transceiver, bind_resp(fields, header_only)?),
        "outbind" => Body::Outbind(Outbind { system_id: string(fields, "system_id")?, password: password(fields)? }),
        "unbind" => Body::Unbind,
        "unbind_resp" => Body::UnbindResp,
        "enquire_link" => Body::EnquireLink,
        "enquire_link_resp" => Body::EnquireLinkResp,
        "generic_nack" => Body::GenericNack,
        "submit_sm" => Body::SubmitSm(ShortMessage { destination: destination(fields)?, ..message(fields)? }),
        "deliver_sm" => Body::DeliverSm(ShortMessage { destination: destination(fields)?, ..message(fields)? }),
        "submit_sm_resp" => Body::SubmitSmResp(resp(message_resp)?),
        "deliver_sm_resp" => Body::DeliverSmResp(resp(message_resp)?),
        "data_sm_resp" => Body::DataSmResp(resp(message_resp)?),
        "submit_multi" => submit_multi(fields)?,
        "submit_multi_resp" => Body::SubmitMultiResp((!header_only).then(|| submit_multi_resp(fields)).transpose()?),
        "data_sm" => data_sm(fields)?,
        "query_sm" => Body::QuerySm(QuerySm { message_id: string(fields, "message_id")?, source: source(fields)? }),
        "query_sm_resp" => Body::QuerySmResp((!header_only).then(|| query_sm_resp(fields)).transpose()?),
        "cancel_sm" => Body::CancelSm(CancelSm {
            service_type: string(fields, "service_type")?,
            message_id: string(fields, "message_id")?,
            source: source(fields)?,
            destination: destination(fields)?,
        }),
        "cancel_sm_resp" => Body::CancelSmResp,
        "replace_sm" => replace_sm(fields)?,
        "replace_sm_resp" => Body::ReplaceSmResp,
        "alert_notification" => Body::AlertNotification(AlertNotification {
            source: source(fields)?,
            esme: address(fields, ["esme_addr_ton", "esme_addr_npi", "esme_addr"])?,
            tlvs: tlvs(fields)?,
        }),
        other => return Err(format!("unknown command `{other}`")),
    })
}

fn password(fields: &Fields) -> Read<Secret> {
    Ok(Secret::new(string(fields, "password")?.into_bytes()))
}

fn bind(fields: &Fields) -> Read<Bind> {
    Ok(Bind {
        system_id: string(fields, "system_id")?,
        password: password(fields)?,
        system_type: string(fields, "system_type")?,
        interface_version: InterfaceVersion(fields.int("interface_version")?),
        address_range: address(fields, ["addr_ton", "addr_npi", "address_range"])?,
    })
}

fn bind_resp(fields: &Fields, header_only: bool) -> Read<Option<BindResp>> {
    let read = || Ok(BindResp { system_id: string(fields, "system_id")?, tlvs: tlvs(fields)? });
    (!header_only).then(read).transpose()
}

fn message_resp(fields: &Fields) -> Read<MessageResp> {
    Ok(MessageResp { message_id: string(fields, "message_id")?, tlvs: tlvs(fields)? })
}

/// A submit_sm without its destination.
fn message(fields: &Fields) -> Read<ShortMessage> {
    Ok(ShortMessage {
        service_type: string(fields, "service_type")?,
        source: source(fields)?,
        destination: Address::default(),
        esm_class: EsmClass(fields.int("esm_class")?),
        protocol_id: fields.int("protocol_id")?,
        priority_flag: fields.int("priority_flag")?,
        schedule_delivery_time: string(fields, "schedule_delivery_time")?,
        validity_period: string(fields, "validity_period")?,
        registered_delivery: RegisteredDelivery(fields.int("registered_delivery")?),
        replace_if_present_flag: fields.int("replace_if_present_flag")?,
        data_coding: fields.int("data_coding")?,
        sm_default_msg_id: fields.int("sm_default_msg_id")?,
        short_message: Octets(fields.hex("short_message")?),
        tlvs: tlvs(fields)?,
    })
}

fn listed_address(value: &Value) -> Read<Address> {
    Ok(Address::new(Ton(octet(value, "ton")?), Npi(octet(value, "npi")?), word(value, "addr")?))
}

fn submit_multi(fields: &Fields) -> Read<Body> {
    let destination = |value: &Value| match value.get("dl_name") {
        Some(_) => word(value, "dl_name").map(|name| Destination::DistributionList(name.into())),
        None => listed_address(value).map(Destination::Sme),
    };
    let destinations = fields.array("destinations")?.iter().map(destination).collect::<Read<_>>()?;
    Ok(Body::SubmitMulti(SubmitMulti { destinations, message: message(fields)? }))
}

fn submit_multi_resp(fields: &Fields) -> Read<SubmitMultiResp> {
    let unsuccess = |value: &Value| {
        Ok(UnsuccessSme { destination: listed_address(value)?, status: CommandStatus(number(value, "status")?) })
    };
    Ok(SubmitMultiResp {
        message_id: string(fields, "message_id")?,
        unsuccess: fields.array("unsuccess")?.iter().map(unsuccess).collect::<Read<_>>()?,
        tlvs: tlvs(fields)?,
    })
}

fn data_sm(fields: &Fields) -> Read<Body> {
    Ok(Body::DataSm(DataSm {
        service_type: string(fields, "service_type")?,
        source: source(fields)?,
        destination: destination(fields)?,
        esm_class: EsmClass(fields.int("esm_class")?),
        registered_delivery: RegisteredDelivery(fields.int("registered_delivery")?),
        data_coding: fields.int("data_coding")?,
        tlvs: tlvs(fields)?,
    }))
}

fn query_sm_resp(fields: &Fields) -> Read<QuerySmResp> {
    Ok(QuerySmResp {
        message_id: string(fields, "message_id")?,
        final_date: string(fields, "final_date")?,
        message_state: MessageState(fields.int("message_state")?),
        error_code: fields.int("error_code")?,
    })
}

fn replace_sm(fields: &Fields) -> Read<Body> {
    Ok(Body::ReplaceSm(ReplaceSm {
        message_id: string(fields, "message_id")?,
        source: source(fields)?,
        schedule_delivery_time: string(fields, "schedule_delivery_time")?,
        validity_period: string(fields, "validity_period")?,
        registered_delivery: RegisteredDelivery(fields.int("registered_delivery")?),
        sm_default_msg_id: fields.int("sm_default_msg_id")?,
        short_message: Octets(fields.hex("short_message")?),
        tlvs: tlvs(fields)?,
    }))
}

fn smpp_odd(row: &Row) -> Outcome {
    let decoded = Pdu::decode(&row.inputs.hex("hex")?).map_err(text)?;
    let expected = &row.expected;
    let id = decoded.pdu.body.command();
    if expected.has("command") {
        same("command", id.to_string().as_str(), expected.str("command")?)?;
    }
    if expected.has("command_id") {
        same("command_id", id, CommandId(expected.int("command_id")?))?;
    }
    let defects: Vec<&str> = decoded.defects.iter().map(|defect| defect.field.as_ref()).collect();
    let fields: Vec<&str> = expected.array("defects")?.iter().filter_map(Value::as_str).collect();
    same("defects", defects, fields)?;
    if expected.has("refusal") {
        same("refusal", decoded.refusal(), Some(CommandStatus(expected.int("refusal")?)))?;
    }
    if expected.has("message_id") {
        let Body::SubmitSmResp(Some(resp)) = &decoded.pdu.body else { return Err("no message_id".into()) };
        same("message_id", resp.message_id.as_str(), expected.str("message_id")?)?;
    }
    if expected.has("source_addr") || expected.has("short_message") {
        let (Body::SubmitSm(message) | Body::DeliverSm(message)) = &decoded.pdu.body else {
            return Err("no short message".into());
        };
        if expected.has("source_addr") {
            same("source_addr", message.source.clear(), expected.str("source_addr")?)?;
        }
        if expected.has("short_message") {
            same_hex("short_message", &message.short_message, &expected.hex("short_message")?)?;
        }
    }
    Ok(())
}

fn smpp_receipt(row: &Row) -> Outcome {
    let receipt = DeliveryReceipt::from_text(row.inputs.str("text")?);
    let expected = &row.expected;
    for (key, actual) in [
        ("message_id", &receipt.message_id),
        ("stat", &receipt.stat),
        ("err", &receipt.err),
        ("submit_date", &receipt.submit_date),
        ("done_date", &receipt.done_date),
        ("text", &receipt.text),
    ] {
        if expected.has(key) {
            same(key, actual.as_deref(), Some(expected.str(key)?))?;
        }
    }
    for (key, actual) in [("sub", receipt.sub), ("dlvrd", receipt.dlvrd), ("state", receipt.state.map(|s| s.0.into()))]
    {
        if expected.has(key) {
            same(key, actual, Some(expected.int(key)?))?;
        }
    }
    if expected.has("final") { same("final", receipt.is_final(), expected.bool("final")?) } else { Ok(()) }
}

fn smpp_time(row: &Row) -> Outcome {
    let now: UnixSeconds = row.inputs.str("now")?.parse().map_err(text)?;
    let time = row.inputs.str("text")?.parse::<Time>();
    if row.expected.has("error") {
        return same("refused", time.is_err(), row.expected.bool("error")?);
    }
    same("moment", time.map_err(text)?.moment(now).to_string().as_str(), row.expected.str("moment")?)
}
