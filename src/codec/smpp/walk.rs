//! Reads any PDU field by field and gives up on nothing: the tree of `decode`, and the way out when strict decoding
//! refuses what a real SMSC sends.
//!
//! Missing NULs, Latin-1, over-long ids, wrong TLV lengths and cut-off ends become defects beside a PDU that can still
//! be answered. Fields behind the end are empty or zero.

use super::pdu::{
    Address, AlertNotification, Bind, BindMode, BindResp, Body, CancelSm, DataSm, Destination, MessageResp, Octets,
    Outbind, Pdu, QuerySm, QuerySmResp, ReplaceSm, ShortMessage, SubmitMulti, SubmitMultiResp, UnsuccessSme,
};
use super::{
    CommandId, CommandStatus, Decoded, EsmClass, HEADER_LENGTH, InterfaceVersion, MessageState, Npi,
    RegisteredDelivery, Time, Tlv, TlvTag, Ton, data_coding_meaning,
};
use crate::codec::{DecodeError, Fault, Reader};
use crate::types::Secret;
use nom::bytes::complete::{tag, take_till};
use nom::{IResult, Parser, combinator::opt};

/// Reads one PDU with its header. An error only when the header is not there or its length cannot be right.
pub(super) fn read(reader: &mut Reader<'_>) -> Result<Decoded, DecodeError> {
    let start = reader.offset();
    let length = reader.u32("command_length")?;
    reader.note("SMPP 3.4 5.1.1", || format!("{length} octets"));
    let body_length = usize::try_from(length).ok().and_then(|length| length.checked_sub(HEADER_LENGTH));
    let Some(body_length) = body_length else {
        return Err(reader.value_error(start, "command_length", "at least 16", length));
    };
    let id = CommandId(reader.u32("command_id")?);
    reader.note("SMPP 3.4 5.1.2", || id.to_string());
    let status = CommandStatus(reader.u32("command_status")?);
    reader.note("SMPP 3.4 5.1.3", || status.to_string());
    let sequence = reader.u32("sequence_number")?;
    reader.note("SMPP 3.4 5.1.4", || sequence.to_string());
    let body = reader.nested(body_length, "body")?;
    let clause = clause_of(id);
    reader.label(id.name().unwrap_or("body"), clause, String::new);
    let mut walk = Walk { reader: body, defects: Vec::new(), cut: false };
    let body = walk.body(id);
    Ok(Decoded { pdu: Pdu { status, sequence, body }, defects: walk.finish() })
}

/// Where SMPP 3.4 describes the PDU.
fn clause_of(id: CommandId) -> &'static str {
    match CommandId(id.0 & 0x7FFF_FFFF) {
        CommandId::BIND_RECEIVER | CommandId::BIND_TRANSMITTER | CommandId::BIND_TRANSCEIVER => "SMPP 3.4 4.1",
        CommandId::OUTBIND => "SMPP 3.4 4.1.7",
        CommandId::UNBIND => "SMPP 3.4 4.2",
        CommandId::SUBMIT_SM => "SMPP 3.4 4.4",
        CommandId::SUBMIT_MULTI => "SMPP 3.4 4.5",
        CommandId::DELIVER_SM => "SMPP 3.4 4.6",
        CommandId::DATA_SM => "SMPP 3.4 4.7",
        CommandId::QUERY_SM => "SMPP 3.4 4.8",
        CommandId::CANCEL_SM => "SMPP 3.4 4.9",
        CommandId::REPLACE_SM => "SMPP 3.4 4.10",
        CommandId::ENQUIRE_LINK => "SMPP 3.4 4.11",
        CommandId::ALERT_NOTIFICATION => "SMPP 3.4 4.12",
        _ if id == CommandId::GENERIC_NACK => "SMPP 3.4 4.3",
        _ => "",
    }
}

struct Walk<'a> {
    reader: Reader<'a>,
    defects: Vec<DecodeError>,
    /// The end came early, and this has been said.
    cut: bool,
}

/// Text up to its NUL. A control octet cannot be text: it begins the field behind one that lacks its NUL.
fn c_octet_string(input: &[u8]) -> IResult<&[u8], (&[u8], bool)> {
    let nul = opt(tag(&[0_u8][..])).map(|nul| nul.is_some());
    (take_till(|octet: u8| octet < 0x20), nul).parse(input)
}

impl Walk<'_> {
    fn cut(&mut self, field: &'static str, needed: usize) {
        if !std::mem::replace(&mut self.cut, true) {
            let available = self.reader.remaining();
            self.defects.push(self.reader.error(field, Fault::Truncated { needed, available }));
        }
    }

    fn octet(&mut self, field: &'static str) -> u8 {
        self.reader.u8(field).unwrap_or_else(|_| {
            self.cut(field, 1);
            0
        })
    }

    fn noted(&mut self, field: &'static str, clause: &'static str, meaning: fn(u8) -> String) -> u8 {
        let before = self.reader.offset();
        let octet = self.octet(field);
        if self.reader.offset() > before {
            self.reader.note(clause, || meaning(octet));
        }
        octet
    }

    /// C-octet string of at most `limit` octets with its NUL; what is longer is taken all the same.
    fn text(&mut self, field: &'static str, limit: usize, clause: &'static str) -> String {
        let start = self.reader.offset();
        let Ok((rest, (text, nul))) = c_octet_string(self.reader.peek()) else { return String::new() };
        let (length, ends_here) = (text.len(), rest.is_empty());
        let with_nul = length.saturating_add(usize::from(nul));
        if with_nul == 0 && ends_here {
            self.cut(field, 1);
            return String::new();
        }
        let octets = self.reader.take(with_nul, field).unwrap_or_default();
        let text: String = octets.iter().take(length).map(|octet| char::from(*octet)).collect();
        self.reader.note(clause, || text.clone());
        let complaint = match () {
            () if !nul => Some(("a NUL at the end", "none")),
            () if !text.is_ascii() => Some(("ASCII", "octets above 7F")),
            () => None,
        };
        if let Some((expected, found)) = complaint {
            self.defects.push(self.reader.value_error(start, field, expected, found));
        } else if with_nul > limit {
            let fault = Fault::Length { expected: format!("at most {limit}").into(), found: with_nul };
            self.defects.push(self.reader.error_at(start, field, fault));
        }
        text
    }

    /// Empty, or 16 characters.
    fn time(&mut self, field: &'static str, clause: &'static str) -> String {
        let start = self.reader.offset();
        let text = self.text(field, 17, clause);
        if !matches!(text.len(), 0 | 16) {
            let fault = Fault::Length { expected: "1 or 17".into(), found: text.len().saturating_add(1) };
            self.defects.push(self.reader.error_at(start, field, fault));
        } else if let Ok(time) = text.parse::<Time>() {
            self.reader.note(clause, || time.meaning());
        }
        text
    }

    fn address(&mut self, names: [&'static str; 3], limit: usize, clause: &'static str) -> Address {
        let [ton, npi, digits] = names;
        let ton = Ton(self.noted(ton, "SMPP 3.4 5.2.5", |ton| Ton(ton).to_string()));
        let npi = Npi(self.noted(npi, "SMPP 3.4 5.2.6", |npi| Npi(npi).to_string()));
        Address::new(ton, npi, self.text(digits, limit, clause))
    }

    fn source(&mut self) -> Address {
        self.address(["source_addr_ton", "source_addr_npi", "source_addr"], 21, "SMPP 3.4 5.2.8")
    }

    fn destination(&mut self) -> Address {
        self.address(["dest_addr_ton", "dest_addr_npi", "destination_addr"], 21, "SMPP 3.4 5.2.9")
    }

    fn message_id(&mut self) -> String {
        self.text("message_id", 65, "SMPP 3.4 5.2.23")
    }

    fn service_type(&mut self) -> String {
        self.text("service_type", 6, "SMPP 3.4 5.2.11")
    }

    fn esm_class(&mut self) -> EsmClass {
        EsmClass(self.noted("esm_class", "SMPP 3.4 5.2.12", |octet| EsmClass(octet).meaning()))
    }

    fn registered_delivery(&mut self) -> RegisteredDelivery {
        let meaning = |octet| RegisteredDelivery(octet).meaning();
        RegisteredDelivery(self.noted("registered_delivery", "SMPP 3.4 5.2.17", meaning))
    }

    fn schedule_delivery_time(&mut self) -> String {
        self.time("schedule_delivery_time", "SMPP 3.4 5.2.15")
    }

    fn validity_period(&mut self) -> String {
        self.time("validity_period", "SMPP 3.4 5.2.16")
    }

    fn password(&mut self) -> Secret {
        let text = self.text("password", 9, "SMPP 3.4 5.2.2");
        self.reader.note("SMPP 3.4 5.2.2", String::new);
        Secret::new(text.into_bytes())
    }

    fn short_message(&mut self) -> Octets {
        let length = usize::from(self.noted("sm_length", "SMPP 3.4 5.2.21", |length| format!("{length} octets")));
        if length > self.reader.remaining() {
            self.cut("short_message", length);
        }
        let present = length.min(self.reader.remaining());
        if present == 0 {
            return Octets::default();
        }
        let octets = self.reader.take(present, "short_message").unwrap_or_default();
        self.reader.note("SMPP 3.4 5.2.22", String::new);
        Octets(octets.to_vec())
    }

    /// All octets left, as optional parameters. One that is longer than what is left ends early.
    fn tlvs(&mut self) -> Vec<Tlv> {
        let mut tlvs = Vec::new();
        while !self.reader.is_empty() {
            let start = self.reader.offset();
            let [a, b, c, d, rest @ ..] = self.reader.peek() else {
                self.cut("TLV", 4);
                self.reader.take_rest("incomplete TLV");
                break;
            };
            let (tag, length) = (TlvTag(u16::from_be_bytes([*a, *b])), usize::from(u16::from_be_bytes([*c, *d])));
            let present = length.min(rest.len());
            if present < length {
                let fault = Fault::Truncated { needed: length, available: present };
                self.defects.push(self.reader.error_at(start, tag.to_string(), fault));
            }
            let Ok(mut inner) = self.reader.nested(present.saturating_add(4), tag.to_string()) else { break };
            let value = self.tlv_value(&mut inner).unwrap_or_default();
            let tlv = Tlv::new(tag, value);
            self.reader.note("SMPP 3.4 5.3.2", || tlv.meaning());
            if let Some(complaint) = tag.format().and_then(|format| format.complaint(&tlv.value)) {
                let fault = Fault::Length { expected: complaint.into(), found: present };
                self.defects.push(self.reader.error_at(start, tag.to_string(), fault));
            }
            tlvs.push(tlv);
        }
        tlvs
    }

    fn tlv_value(&mut self, inner: &mut Reader<'_>) -> Result<Vec<u8>, DecodeError> {
        inner.u16("tag")?;
        inner.u16("length")?;
        Ok(inner.take_rest("value").to_vec())
    }

    fn finish(self) -> Vec<DecodeError> {
        let mut defects = self.defects;
        if let Err(error) = self.reader.finish() {
            defects.push(error);
        }
        defects
    }
}

/// The bodies, in the order of SMPP 3.4 section 4.
impl Walk<'_> {
    fn body(&mut self, id: CommandId) -> Body {
        match id {
            CommandId::BIND_TRANSMITTER => Body::Bind(BindMode::Transmitter, self.bind()),
            CommandId::BIND_RECEIVER => Body::Bind(BindMode::Receiver, self.bind()),
            CommandId::BIND_TRANSCEIVER => Body::Bind(BindMode::Transceiver, self.bind()),
            CommandId::BIND_TRANSMITTER_RESP => Body::BindResp(BindMode::Transmitter, self.present(Self::bind_resp)),
            CommandId::BIND_RECEIVER_RESP => Body::BindResp(BindMode::Receiver, self.present(Self::bind_resp)),
            CommandId::BIND_TRANSCEIVER_RESP => Body::BindResp(BindMode::Transceiver, self.present(Self::bind_resp)),
            CommandId::OUTBIND => Body::Outbind(Outbind { system_id: self.system_id(), password: self.password() }),
            CommandId::UNBIND => Body::Unbind,
            CommandId::UNBIND_RESP => Body::UnbindResp,
            CommandId::GENERIC_NACK => Body::GenericNack,
            CommandId::SUBMIT_SM => Body::SubmitSm(self.message()),
            CommandId::SUBMIT_SM_RESP => Body::SubmitSmResp(self.present(Self::message_resp)),
            CommandId::SUBMIT_MULTI => Body::SubmitMulti(self.submit_multi()),
            CommandId::SUBMIT_MULTI_RESP => Body::SubmitMultiResp(self.present(Self::submit_multi_resp)),
            CommandId::DELIVER_SM => Body::DeliverSm(self.message()),
            CommandId::DELIVER_SM_RESP => Body::DeliverSmResp(self.present(Self::message_resp)),
            CommandId::DATA_SM => Body::DataSm(self.data_sm()),
            CommandId::DATA_SM_RESP => Body::DataSmResp(self.present(Self::message_resp)),
            CommandId::QUERY_SM => Body::QuerySm(QuerySm { message_id: self.message_id(), source: self.source() }),
            CommandId::QUERY_SM_RESP => Body::QuerySmResp(self.present(Self::query_sm_resp)),
            CommandId::CANCEL_SM => Body::CancelSm(self.cancel_sm()),
            CommandId::CANCEL_SM_RESP => Body::CancelSmResp,
            CommandId::REPLACE_SM => Body::ReplaceSm(self.replace_sm()),
            CommandId::REPLACE_SM_RESP => Body::ReplaceSmResp,
            CommandId::ENQUIRE_LINK => Body::EnquireLink,
            CommandId::ENQUIRE_LINK_RESP => Body::EnquireLinkResp,
            CommandId::ALERT_NOTIFICATION => Body::AlertNotification(self.alert_notification()),
            other => Body::Other(other, Octets(self.reader.take_rest("octets").to_vec())),
        }
    }

    /// Responses may come as a header alone.
    fn present<T>(&mut self, read: fn(&mut Self) -> T) -> Option<T> {
        (!self.reader.is_empty()).then(|| read(self))
    }

    fn system_id(&mut self) -> String {
        self.text("system_id", 16, "SMPP 3.4 5.2.1")
    }

    fn bind(&mut self) -> Bind {
        let version = |octet| InterfaceVersion(octet).to_string();
        Bind {
            system_id: self.system_id(),
            password: self.password(),
            system_type: self.text("system_type", 13, "SMPP 3.4 5.2.3"),
            interface_version: InterfaceVersion(self.noted("interface_version", "SMPP 3.4 5.2.4", version)),
            address_range: self.address(["addr_ton", "addr_npi", "address_range"], 41, "SMPP 3.4 5.2.7"),
        }
    }

    fn bind_resp(&mut self) -> BindResp {
        BindResp { system_id: self.system_id(), tlvs: self.tlvs() }
    }

    fn message(&mut self) -> ShortMessage {
        let service_type = self.service_type();
        let source = self.source();
        let destination = self.destination();
        ShortMessage { service_type, source, destination, ..self.message_tail() }
    }

    /// submit_sm from esm_class on; submit_multi has its destinations before that.
    fn message_tail(&mut self) -> ShortMessage {
        ShortMessage {
            esm_class: self.esm_class(),
            protocol_id: self.noted("protocol_id", "SMPP 3.4 5.2.13", |octet| match octet {
                0x7F => "(U)SIM data download".into(),
                _ => String::new(),
            }),
            priority_flag: self.noted("priority_flag", "SMPP 3.4 5.2.14", |octet| octet.to_string()),
            schedule_delivery_time: self.schedule_delivery_time(),
            validity_period: self.validity_period(),
            registered_delivery: self.registered_delivery(),
            replace_if_present_flag: self.noted("replace_if_present_flag", "SMPP 3.4 5.2.18", |flag| flag.to_string()),
            data_coding: self.noted("data_coding", "SMPP 3.4 5.2.19", data_coding_meaning),
            sm_default_msg_id: self.noted("sm_default_msg_id", "SMPP 3.4 5.2.20", |id| id.to_string()),
            short_message: self.short_message(),
            tlvs: self.tlvs(),
            ..ShortMessage::default()
        }
    }

    fn message_resp(&mut self) -> MessageResp {
        MessageResp { message_id: self.message_id(), tlvs: self.tlvs() }
    }

    fn submit_multi(&mut self) -> SubmitMulti {
        let service_type = self.service_type();
        let source = self.source();
        let count = self.noted("number_of_dests", "SMPP 3.4 5.2.24", |count| count.to_string());
        let mut destinations = Vec::new();
        for _ in 0..count {
            if self.cut {
                break;
            }
            let start = self.reader.offset();
            match self.noted("dest_flag", "SMPP 3.4 5.2.25", |flag| flag.to_string()) {
                1 => destinations.push(Destination::Sme(self.destination())),
                2 => destinations.push(Destination::DistributionList(self.text("dl_name", 21, "SMPP 3.4 5.2.27"))),
                flag => {
                    self.defects.push(self.reader.value_error(start, "dest_flag", "1 or 2", flag));
                    break;
                }
            }
        }
        SubmitMulti { destinations, message: ShortMessage { service_type, source, ..self.message_tail() } }
    }

    fn submit_multi_resp(&mut self) -> SubmitMultiResp {
        let message_id = self.message_id();
        let count = self.noted("no_unsuccess", "SMPP 3.4 5.2.26", |count| count.to_string());
        let mut unsuccess = Vec::new();
        for _ in 0..count {
            let destination = self.destination();
            let Ok(status) = self.reader.u32("error_status_code").map(CommandStatus) else {
                self.cut("error_status_code", 4);
                break;
            };
            self.reader.note("SMPP 3.4 5.1.3", || status.to_string());
            unsuccess.push(UnsuccessSme { destination, status });
        }
        SubmitMultiResp { message_id, unsuccess, tlvs: self.tlvs() }
    }

    fn data_sm(&mut self) -> DataSm {
        DataSm {
            service_type: self.service_type(),
            source: self.source(),
            destination: self.destination(),
            esm_class: self.esm_class(),
            registered_delivery: self.registered_delivery(),
            data_coding: self.noted("data_coding", "SMPP 3.4 5.2.19", data_coding_meaning),
            tlvs: self.tlvs(),
        }
    }

    fn query_sm_resp(&mut self) -> QuerySmResp {
        let state = |octet| MessageState(octet).to_string();
        QuerySmResp {
            message_id: self.message_id(),
            final_date: self.time("final_date", "SMPP 3.4 4.8.2"),
            message_state: MessageState(self.noted("message_state", "SMPP 3.4 5.2.28", state)),
            error_code: self.noted("error_code", "SMPP 3.4 4.8.2", |code| code.to_string()),
        }
    }

    fn cancel_sm(&mut self) -> CancelSm {
        CancelSm {
            service_type: self.service_type(),
            message_id: self.message_id(),
            source: self.source(),
            destination: self.destination(),
        }
    }

    fn replace_sm(&mut self) -> ReplaceSm {
        ReplaceSm {
            message_id: self.message_id(),
            source: self.source(),
            schedule_delivery_time: self.schedule_delivery_time(),
            validity_period: self.validity_period(),
            registered_delivery: self.registered_delivery(),
            sm_default_msg_id: self.noted("sm_default_msg_id", "SMPP 3.4 5.2.20", |id| id.to_string()),
            short_message: self.short_message(),
            tlvs: self.tlvs(),
        }
    }

    fn alert_notification(&mut self) -> AlertNotification {
        AlertNotification {
            source: self.address(["source_addr_ton", "source_addr_npi", "source_addr"], 65, "SMPP 3.4 5.2.8"),
            esme: self.address(["esme_addr_ton", "esme_addr_npi", "esme_addr"], 65, "SMPP 3.4 5.2.10"),
            tlvs: self.tlvs(),
        }
    }
}
