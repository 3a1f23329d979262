//! Recipes of what goes over a link to an SMSC or a modem: SMPP PDUs and AT command lines.

use crate::cli::encode::fields::{Hex, HexArray, Number};
use crate::codec::at::{Builder, Payload};
use crate::codec::smpp::{
    Address, Bind, BindMode, BindResp, Body, CommandStatus, EsmClass, InterfaceVersion, MessageResp, Npi, Octets, Pdu,
    RegisteredDelivery, ShortMessage, Tlv, TlvTag, Ton,
};
use crate::codec::sms::pdu;
use crate::types::Secret;
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AddressFields {
    #[serde(default)]
    ton: Number<u8>,
    #[serde(default)]
    npi: Number<u8>,
    #[serde(default)]
    addr: String,
}

impl AddressFields {
    fn address(self) -> Address {
        Address::new(Ton(self.ton.0), Npi(self.npi.0), self.addr)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TlvFields {
    tag: HexArray<2>,
    value: Hex,
}

/// Every field has its neutral value when it is not given, except `command` and `sequence`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SmppFields {
    command: String,
    sequence: Number<u32>,
    #[serde(default)]
    status: Number<u32>,
    system_id: Option<String>,
    password: Option<String>,
    #[serde(default)]
    system_type: String,
    interface_version: Option<Number<u8>>,
    message_id: Option<String>,
    #[serde(default)]
    service_type: String,
    source: Option<AddressFields>,
    destination: Option<AddressFields>,
    esm_class: Option<HexArray<1>>,
    protocol_id: Option<HexArray<1>>,
    #[serde(default)]
    priority_flag: Number<u8>,
    #[serde(default)]
    schedule_delivery_time: String,
    #[serde(default)]
    validity_period: String,
    #[serde(default)]
    registered_delivery: Number<u8>,
    data_coding: Option<HexArray<1>>,
    #[serde(default)]
    short_message: Hex,
    #[serde(default)]
    tlvs: Vec<TlvFields>,
}

impl SmppFields {
    pub fn encode(self) -> Result<Vec<u8>, String> {
        let (sequence, status) = (self.sequence.0, CommandStatus(self.status.0));
        let body = self.body()?;
        let pdu = if body.command().is_response() {
            Pdu::response(sequence, status, body)
        } else {
            Pdu::request(sequence, body)
        };
        pdu.encode().map_err(|error| error.to_string())
    }

    fn body(self) -> Result<Body, String> {
        let mode = match self.command.trim_end_matches("_resp") {
            "bind_transmitter" => BindMode::Transmitter,
            "bind_receiver" => BindMode::Receiver,
            _ => BindMode::Transceiver,
        };
        Ok(match self.command.as_str() {
            "bind_transmitter" | "bind_receiver" | "bind_transceiver" => Body::Bind(mode, self.bind()),
            "bind_transmitter_resp" | "bind_receiver_resp" | "bind_transceiver_resp" => {
                let tlvs = tlvs(self.tlvs);
                Body::BindResp(mode, self.system_id.map(|system_id| BindResp { system_id, tlvs }))
            }
            "submit_sm" => Body::SubmitSm(self.short_message()),
            "deliver_sm" => Body::DeliverSm(self.short_message()),
            "submit_sm_resp" => Body::SubmitSmResp(self.message_resp()),
            "deliver_sm_resp" => Body::DeliverSmResp(self.message_resp()),
            "unbind" => Body::Unbind,
            "unbind_resp" => Body::UnbindResp,
            "enquire_link" => Body::EnquireLink,
            "enquire_link_resp" => Body::EnquireLinkResp,
            "generic_nack" => Body::GenericNack,
            other => return Err(format!("command: `{other}` cannot be built here; {BUILDABLE}")),
        })
    }

    fn bind(self) -> Bind {
        Bind {
            system_id: self.system_id.unwrap_or_default(),
            password: Secret::new(self.password.unwrap_or_default().into_bytes()),
            system_type: self.system_type,
            interface_version: InterfaceVersion(self.interface_version.map_or(0x34, |Number(version)| version)),
            address_range: Address::default(),
        }
    }

    fn message_resp(self) -> Option<MessageResp> {
        let tlvs = tlvs(self.tlvs);
        self.message_id.map(|message_id| MessageResp { message_id, tlvs })
    }

    fn short_message(self) -> ShortMessage {
        let octet = |field: Option<HexArray<1>>| field.map_or(0, |HexArray([octet])| octet);
        ShortMessage {
            service_type: self.service_type,
            source: self.source.map(AddressFields::address).unwrap_or_default(),
            destination: self.destination.map(AddressFields::address).unwrap_or_default(),
            esm_class: EsmClass(octet(self.esm_class)),
            protocol_id: octet(self.protocol_id),
            priority_flag: self.priority_flag.0,
            schedule_delivery_time: self.schedule_delivery_time,
            validity_period: self.validity_period,
            registered_delivery: RegisteredDelivery(self.registered_delivery.0),
            replace_if_present_flag: 0,
            data_coding: octet(self.data_coding),
            sm_default_msg_id: 0,
            short_message: Octets(self.short_message.0),
            tlvs: tlvs(self.tlvs),
        }
    }
}

const BUILDABLE: &str = "bind_*, submit_sm, deliver_sm, unbind, enquire_link, their responses, and generic_nack can";

fn tlvs(fields: Vec<TlvFields>) -> Vec<Tlv> {
    fields.into_iter().map(|tlv| Tlv::new(TlvTag(u16::from_be_bytes(tlv.tag.0)), tlv.value.0)).collect()
}

/// One extended command: `AT+NAME`, `AT+NAME?`, `AT+NAME=?`, or `AT+NAME=` with parameters.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AtFields {
    /// With its sign: `+CMGS`, `^CURC`.
    name: String,
    #[serde(default)]
    form: AtForm,
    /// Numbers as they are, texts in quotes, null for a parameter left out.
    #[serde(default)]
    parameters: Vec<serde_json::Value>,
    /// For +CMGS: the TPDU without service centre address; gives the length and the line after the prompt.
    tpdu: Option<Hex>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum AtForm {
    #[default]
    Execute,
    Read,
    Test,
}

impl AtFields {
    /// The lines as text: AT commands are no octets.
    pub fn lines(self) -> Result<Vec<String>, String> {
        let builder = match (&self.tpdu, self.form, self.parameters.is_empty()) {
            (Some(Hex(tpdu)), ..) => {
                Builder::set(&self.name).number(u64::try_from(tpdu.len()).map_err(|error| error.to_string())?)
            }
            (None, AtForm::Execute, true) => Builder::execute(&self.name),
            (None, AtForm::Read, true) => Builder::query(&self.name),
            (None, AtForm::Test, true) => Builder::test(&self.name),
            (None, AtForm::Execute, false) => {
                self.parameters.iter().try_fold(Builder::set(&self.name), |builder, parameter| match parameter {
                    serde_json::Value::Null => Ok(builder.omitted()),
                    serde_json::Value::String(text) => Ok(builder.quoted(text)),
                    other => match other.as_u64() {
                        Some(number) => Ok(builder.number(number)),
                        None => Err(format!("parameters: expected numbers, texts or null, found {other}")),
                    },
                })?
            }
            _ => return Err("form: read and test take no parameters".into()),
        };
        let line = builder.build().map_err(|error| error.to_string())?;
        let payload = self.tpdu.map(|Hex(tpdu)| Payload::pdu(&pdu::build(None, &tpdu)).as_str().to_string());
        Ok(std::iter::once(line.as_str().to_string()).chain(payload).collect())
    }
}
