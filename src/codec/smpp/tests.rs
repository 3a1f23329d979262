use super::*;
use crate::codec::Trace;
use crate::types::Secret;
use proptest::prelude::*;

fn pdu(id: CommandId, status: u32, sequence: u32, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len() + 16).unwrap();
    let mut octets: Vec<u8> = [length, id.0, status, sequence].iter().flat_map(|number| number.to_be_bytes()).collect();
    octets.extend_from_slice(body);
    octets
}

/// Frames an odd PDU followed by a good enquire_link, whole and byte by byte, and demands the enquire_link unharmed.
fn odd(octets: &[u8]) -> Decoded {
    let enquire = pdu(CommandId::ENQUIRE_LINK, 0, 99, &[]);
    let stream = [octets, &enquire].concat();
    let mut results = Vec::new();
    for chunk in [stream.len(), 1] {
        let mut framer = Framer::default();
        let mut decoded = Vec::new();
        for bytes in stream.chunks(chunk) {
            framer.push(bytes);
            while let Some(pdu) = framer.next_pdu().unwrap() {
                decoded.push(Pdu::decode(pdu).unwrap());
            }
        }
        assert_eq!(decoded.len(), 2);
        assert_eq!(decoded[1], Decoded { pdu: Pdu::request(99, Body::EnquireLink), defects: vec![] });
        results.push(decoded.swap_remove(0));
    }
    assert_eq!(results[0], results[1]);
    results.swap_remove(0)
}

fn submit_sm_body(source: &[u8], validity: &[u8], tail: &[u8]) -> Vec<u8> {
    let head: &[&[u8]] =
        &[b"\0\x01\x01", source, b"\0\x01\x014915112345678\0\x40\x7f\0\0", validity, b"\0\x01\0\xf6\0\x02hi", tail];
    head.concat()
}

fn message_id(decoded: &Decoded) -> &str {
    match &decoded.pdu.body {
        Body::SubmitSmResp(Some(resp)) => &resp.message_id,
        other => panic!("{other:?}"),
    }
}

fn short_message(decoded: &Decoded) -> &ShortMessage {
    match &decoded.pdu.body {
        Body::SubmitSm(message) | Body::DeliverSm(message) => message,
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_error_response_of_a_header_alone_is_well_formed() {
    let decoded = odd(&pdu(CommandId::SUBMIT_SM_RESP, 0x58, 5, &[]));
    assert_eq!(decoded.pdu, Pdu::response(5, CommandStatus::RTHROTTLED, Body::SubmitSmResp(None)));
    assert_eq!(decoded.defects, []);
}

#[test]
fn an_error_response_with_a_nul_body_is_well_formed() {
    let decoded = odd(&pdu(CommandId::SUBMIT_SM_RESP, 0x58, 5, &[0]));
    assert_eq!((message_id(&decoded), decoded.defects.len()), ("", 0));
}

#[test]
fn an_id_of_seventy_characters_is_kept() {
    let id = "a".repeat(70);
    let decoded = odd(&pdu(CommandId::SUBMIT_SM_RESP, 0, 5, format!("{id}\0").as_bytes()));
    assert_eq!(message_id(&decoded), id);
    assert_eq!(
        decoded.defects[0].to_string(),
        "PDU, message_id at offset 16: expected a length of at most 65, found 71"
    );
}

#[test]
fn an_id_without_nul_ends_with_its_pdu_or_at_a_control_octet() {
    let decoded = odd(&pdu(CommandId::SUBMIT_SM_RESP, 0, 5, b"abc123"));
    assert_eq!((message_id(&decoded), decoded.defects.len()), ("abc123", 1));
    let with_tlv = odd(&pdu(CommandId::SUBMIT_SM_RESP, 0, 5, b"abc123\x04\x28\x00\x01\x10"));
    assert_eq!(message_id(&with_tlv), "abc123");
    assert!(
        matches!(&with_tlv.pdu.body, Body::SubmitSmResp(Some(resp)) if resp.tlvs[0].tag == TlvTag::CONGESTION_STATE)
    );
}

#[test]
fn a_validity_period_of_ten_characters_is_kept() {
    let decoded = odd(&pdu(CommandId::SUBMIT_SM, 0, 5, &submit_sm_body(b"12345", b"2611230241", b"")));
    assert_eq!(short_message(&decoded).validity_period, "2611230241");
    assert_eq!(short_message(&decoded).short_message.as_slice(), b"hi");
    assert_eq!(decoded.refusal(), Some(CommandStatus::RINVEXPIRY));
}

#[test]
fn an_address_of_twenty_five_characters_is_kept() {
    let decoded = odd(&pdu(CommandId::DELIVER_SM, 0, 5, &submit_sm_body(&[b'7'; 25], b"", b"")));
    assert_eq!(short_message(&decoded).source.clear(), "7".repeat(25));
    assert_eq!(short_message(&decoded).short_message.as_slice(), b"hi");
    assert_eq!(decoded.refusal(), Some(CommandStatus::RINVSRCADR));
}

#[test]
fn a_latin1_sender_is_kept() {
    let decoded = odd(&pdu(CommandId::DELIVER_SM, 0, 5, &submit_sm_body(b"Caf\xE9", b"", b"")));
    assert_eq!(short_message(&decoded).source.clear(), "Café");
    assert_eq!(decoded.defects[0].to_string(), "PDU, source_addr at offset 19: expected ASCII, found octets above 7F");
}

#[test]
fn a_receipted_message_id_without_nul_is_read() {
    let decoded = odd(&pdu(CommandId::DELIVER_SM, 0, 5, &submit_sm_body(b"1", b"", b"\x00\x1e\x00\x03abc")));
    assert_eq!(tlv::find(&short_message(&decoded).tlvs, TlvTag::RECEIPTED_MESSAGE_ID).unwrap().to_text(), "abc");
    assert_eq!(decoded.refusal(), Some(CommandStatus::RINVTLVLEN));
}

#[test]
fn tlvs_of_a_wrong_length_are_kept() {
    let tail = b"\x04\x27\x00\x02\x00\x02\x04\x23\x00\x01\x03\x02\x04\x00\x02\x00\x07";
    let decoded = odd(&pdu(CommandId::DELIVER_SM, 0, 5, &submit_sm_body(b"1", b"", tail)));
    let tlvs = &short_message(&decoded).tlvs;
    assert_eq!((tlvs.len(), tlvs[0].number(), decoded.defects.len()), (3, Some(2), 2));
}

#[test]
fn a_truncated_tlv_costs_its_end_only() {
    for tail in [
        &b"\x14\x01\x00\x02\xAA\xBB\x04\x27\x00\x01"[..],
        b"\x14\x01\x00\x02\xAA\xBB\x04\x27\x00",
        b"\x14\x01\x00\x02\xAA\xBB\x04",
    ] {
        let decoded = odd(&pdu(CommandId::DELIVER_SM, 0, 5, &submit_sm_body(b"1", b"", tail)));
        let message = short_message(&decoded);
        assert_eq!((message.short_message.as_slice(), message.tlvs[0].tag), (&b"hi"[..], TlvTag(0x1401)));
        assert!(!decoded.defects.is_empty());
    }
}

#[test]
fn bodies_where_none_belongs_are_noticed_and_ignored() {
    for (id, body) in [(CommandId::GENERIC_NACK, Body::GenericNack), (CommandId::ENQUIRE_LINK, Body::EnquireLink)] {
        let decoded = odd(&pdu(id, 0, 5, b"extra"));
        assert_eq!(decoded.pdu.body, body);
        assert_eq!(decoded.defects[0].to_string(), "PDU, end at offset 16: expected the end, 5 octets left");
    }
}

#[test]
fn an_unknown_command_is_kept_and_written_back() {
    let octets = pdu(CommandId(0x0001_0203), 0, 5, b"what");
    let decoded = odd(&octets);
    assert_eq!(decoded.pdu.body, Body::Other(CommandId(0x0001_0203), Octets(b"what".to_vec())));
    assert_eq!(decoded.pdu.encode().unwrap(), octets);
    // A broadcast_sm without sense is one of those too.
    assert!(matches!(odd(&pdu(CommandId(0x111), 0, 5, b"what")).pdu.body, Body::Other(..)));
}

#[test]
fn a_bind_response_with_its_version_is_read() {
    let decoded = odd(&pdu(CommandId::BIND_TRANSCEIVER_RESP, 0, 5, b"smsc\0\x02\x10\x00\x01\x34"));
    let Body::BindResp(BindMode::Transceiver, Some(resp)) = decoded.pdu.body else { panic!() };
    assert_eq!(tlv::find(&resp.tlvs, TlvTag::SC_INTERFACE_VERSION).unwrap().number(), Some(0x34));
    assert_eq!(decoded.defects, []);
}

#[test]
fn a_trigger_is_written_with_udhi_alone_in_esm_class() {
    let message = ShortMessage {
        source: Address::new(Ton::ALPHANUMERIC, Npi::UNKNOWN, "OTA"),
        destination: Address::new(Ton::INTERNATIONAL, Npi::ISDN, "4915112345678"),
        esm_class: EsmClass::UDHI,
        protocol_id: 0x7F,
        validity_period: Time::relative(std::time::Duration::from_secs(3600)).unwrap().to_string(),
        registered_delivery: RegisteredDelivery::FINAL,
        data_coding: 0xF6,
        short_message: Octets(vec![0x02, 0x70, 0x00, 0xAA]),
        ..ShortMessage::default()
    };
    let octets = Pdu::request(1, Body::SubmitSm(message)).encode().unwrap();
    let expected =
        b"\0\x05\0OTA\0\x01\x014915112345678\0\x40\x7f\0\x00000000010000000R\0\x01\0\xf6\0\x04\x02\x70\0\xaa";
    // esm_class follows the two addresses.
    assert_eq!(octets[16 + 23], 0x40);
    assert_eq!(octets[16..], expected[..]);
}

#[test]
fn every_esm_class_and_registered_delivery_octet_survives() {
    for octet in 0..=255 {
        let message = ShortMessage {
            esm_class: EsmClass(octet),
            registered_delivery: RegisteredDelivery(octet),
            data_coding: octet,
            ..ShortMessage::default()
        };
        let pdu = Pdu::request(1, Body::SubmitSm(message));
        assert_eq!(Pdu::decode(&pdu.encode().unwrap()).unwrap(), Decoded { pdu, defects: vec![] });
    }
}

#[test]
fn the_encoder_refuses_what_does_not_fit() {
    let refuse = |body| Pdu::request(1, body).encode().unwrap_err().to_string();
    let message = ShortMessage { short_message: Octets(vec![0; 256]), ..ShortMessage::default() };
    assert!(refuse(Body::SubmitSm(message)).starts_with("submit_sm, short_message: "));
    let message = ShortMessage { source: Address::new(Ton::UNKNOWN, Npi::UNKNOWN, "é"), ..ShortMessage::default() };
    assert!(refuse(Body::DeliverSm(message)).starts_with("deliver_sm, source_addr: "));
    let message = ShortMessage { validity_period: "2611".into(), ..ShortMessage::default() };
    assert!(refuse(Body::SubmitSm(message)).starts_with("submit_sm, validity_period: "));
    let outbind = Outbind { system_id: "a\0b".into(), password: Secret::new(vec![]) };
    assert!(refuse(Body::Outbind(outbind)).starts_with("outbind, system_id: "));
    let data = DataSm { tlvs: vec![Tlv::new(TlvTag::MESSAGE_PAYLOAD, vec![0; 65_536])], ..DataSm::default() };
    assert_eq!(refuse(Body::DataSm(data)), "TLV, value: at most 65535 octets fit, 65536 given");
    let destinations = vec![Destination::DistributionList("all".into()); 255];
    let multi = SubmitMulti { destinations, message: ShortMessage::default() };
    assert!(refuse(Body::SubmitMulti(multi)).contains("at most 254"));
}

#[test]
fn a_pdu_cut_anywhere_can_still_be_answered() {
    let body = submit_sm_body(b"12345", b"000000010000000R", b"\x02\x04\x00\x02\x00\x07");
    for length in 0..body.len() {
        let decoded = odd(&pdu(CommandId::SUBMIT_SM, 0, 7, &body[..length]));
        assert_eq!((decoded.pdu.sequence, decoded.pdu.body.command()), (7, CommandId::SUBMIT_SM));
        // Cut exactly behind short_message the PDU is whole, without its TLV.
        assert_eq!(decoded.refusal().is_none(), length == body.len() - 6, "{length}");
    }
}

#[test]
fn lengths_that_contradict_the_octets_are_refused() {
    let enquire = pdu(CommandId::ENQUIRE_LINK, 0, 1, &[]);
    assert!(Pdu::decode(&enquire[..15]).is_err());
    assert!(Pdu::decode(&[&enquire[..], b"x"].concat()).is_err());
    let mut long = enquire.clone();
    long[3] = 17;
    assert!(Pdu::decode(&long).is_err());
    long[3] = 15;
    assert_eq!(
        Pdu::decode(&long).unwrap_err().to_string(),
        "PDU, command_length at offset 0: expected at least 16, found 15"
    );
}

#[test]
fn the_tree_names_every_field_with_its_place() {
    let octets =
        pdu(CommandId::SUBMIT_SM, 0, 1, &submit_sm_body(b"12345", b"000000010000000R", b"\x04\x27\x00\x01\x02"));
    let trace = Trace::new();
    let decoded = Pdu::read(&mut Reader::traced("PDU", &octets, &trace)).unwrap();
    assert_eq!(decoded.defects, []);
    let spans = trace.into_spans();
    let find = |name: &str| spans.iter().find(|span| span.name == name).unwrap();
    assert_eq!(find("command_id").meaning, "submit_sm");
    assert_eq!(
        (find("esm_class").meaning.as_str(), find("esm_class").clause),
        ("default mode, UDHI", "SMPP 3.4 5.2.12")
    );
    assert_eq!(find("validity_period").meaning, "in 3600 s");
    assert_eq!((find("message_state").depth, find("message_state").meaning.as_str()), (1, "DELIVERED"));
    assert_eq!(find("submit_sm").offset, 16);
    // Every octet is in some field.
    let covered: usize = spans.iter().filter(|span| span.depth == 0).map(|span| span.raw.len()).sum();
    assert_eq!(covered, octets.len());
    let fields: usize = spans.iter().filter(|span| span.depth == 1).map(|span| span.raw.len()).sum();
    assert_eq!(fields, octets.len() - 16);
}

fn text(most: usize) -> impl Strategy<Value = String> {
    proptest::collection::vec(b' '..=b'~', 0..=most).prop_map(|bytes| String::from_utf8(bytes).unwrap())
}

fn address(most: usize) -> impl Strategy<Value = Address> {
    (any::<u8>(), any::<u8>(), text(most)).prop_map(|(ton, npi, digits)| Address::new(Ton(ton), Npi(npi), digits))
}

fn octets(most: usize) -> impl Strategy<Value = Octets> {
    proptest::collection::vec(any::<u8>(), 0..=most).prop_map(Octets)
}

/// Vendor tags with any octets, and some of the standard's with what they should hold.
fn tlvs() -> impl Strategy<Value = Vec<Tlv>> {
    let vendor = (0x1400_u16..0x4000, octets(20)).prop_map(|(tag, value)| Tlv { tag: TlvTag(tag), value });
    let known = prop_oneof![
        text(64).prop_map(|id| Tlv::text(TlvTag::RECEIPTED_MESSAGE_ID, &id)),
        any::<u8>().prop_map(|state| Tlv::new(TlvTag::MESSAGE_STATE, [state])),
        any::<[u8; 3]>().prop_map(|error| Tlv::new(TlvTag::NETWORK_ERROR_CODE, error)),
        octets(300).prop_map(|value| Tlv { tag: TlvTag::MESSAGE_PAYLOAD, value }),
    ];
    proptest::collection::vec(prop_oneof![vendor, known], 0..20)
}

fn time() -> impl Strategy<Value = String> {
    prop_oneof![
        Just(String::new()),
        (0_u64..=2_592_000)
            .prop_map(|seconds| Time::relative(std::time::Duration::from_secs(seconds)).unwrap().to_string()),
    ]
}

prop_compose! {
    fn message()(
        service_type in text(5),
        source in address(20),
        destination in address(20),
        numbers in any::<[u8; 7]>(),
        times in (time(), time()),
        short_message in octets(254),
        tlvs in tlvs(),
    ) -> ShortMessage {
        let [esm_class, protocol_id, priority_flag, registered, replace_if_present_flag, data_coding, sm_default_msg_id] = numbers;
        ShortMessage {
            service_type, source, destination, esm_class: EsmClass(esm_class), protocol_id, priority_flag,
            schedule_delivery_time: times.0, validity_period: times.1,
            registered_delivery: RegisteredDelivery(registered), replace_if_present_flag, data_coding,
            sm_default_msg_id, short_message, tlvs,
        }
    }
}

prop_compose! {
    fn bind()(names in (text(15), text(8), text(12)), version in any::<u8>(), address_range in address(40)) -> Bind {
        Bind {
            system_id: names.0, password: Secret::new(names.1.into_bytes()), system_type: names.2,
            interface_version: InterfaceVersion(version), address_range,
        }
    }
}

fn mode() -> impl Strategy<Value = BindMode> {
    prop_oneof![Just(BindMode::Transmitter), Just(BindMode::Receiver), Just(BindMode::Transceiver)]
}

fn message_resp() -> impl Strategy<Value = Option<MessageResp>> {
    proptest::option::of((text(64), tlvs()).prop_map(|(message_id, tlvs)| MessageResp { message_id, tlvs }))
}

fn submit_multi() -> impl Strategy<Value = SubmitMulti> {
    let destination =
        prop_oneof![address(20).prop_map(Destination::Sme), text(20).prop_map(Destination::DistributionList)];
    (proptest::collection::vec(destination, 0..30), message()).prop_map(|(destinations, message)| SubmitMulti {
        destinations,
        message: ShortMessage { destination: Address::default(), ..message },
    })
}

fn submit_multi_resp() -> impl Strategy<Value = SubmitMultiResp> {
    let unsuccess = (address(20), any::<u32>())
        .prop_map(|(destination, status)| UnsuccessSme { destination, status: CommandStatus(status) });
    (text(64), proptest::collection::vec(unsuccess, 0..30), tlvs())
        .prop_map(|(message_id, unsuccess, tlvs)| SubmitMultiResp { message_id, unsuccess, tlvs })
}

fn replace_sm() -> impl Strategy<Value = ReplaceSm> {
    (text(64), message()).prop_map(|(message_id, message)| ReplaceSm {
        message_id,
        source: message.source,
        schedule_delivery_time: message.schedule_delivery_time,
        validity_period: message.validity_period,
        registered_delivery: message.registered_delivery,
        sm_default_msg_id: message.sm_default_msg_id,
        short_message: message.short_message,
        tlvs: message.tlvs,
    })
}

fn data_sm() -> impl Strategy<Value = DataSm> {
    message().prop_map(|message| DataSm {
        service_type: message.service_type,
        source: message.source,
        destination: message.destination,
        esm_class: message.esm_class,
        registered_delivery: message.registered_delivery,
        data_coding: message.data_coding,
        tlvs: message.tlvs,
    })
}

fn query_sm_resp() -> impl Strategy<Value = QuerySmResp> {
    (text(64), time(), any::<[u8; 2]>()).prop_map(|(message_id, final_date, [state, error_code])| QuerySmResp {
        message_id,
        final_date,
        message_state: MessageState(state),
        error_code,
    })
}

fn body() -> impl Strategy<Value = Body> {
    let bind_resp = (text(15), tlvs()).prop_map(|(system_id, tlvs)| BindResp { system_id, tlvs });
    let simple = prop_oneof![
        Just(Body::Unbind),
        Just(Body::UnbindResp),
        Just(Body::GenericNack),
        Just(Body::EnquireLink),
        Just(Body::EnquireLinkResp),
        Just(Body::CancelSmResp),
        Just(Body::ReplaceSmResp),
        octets(40).prop_map(|octets| Body::Other(CommandId(0x0001_0203), octets)),
    ];
    prop_oneof![
        simple,
        (mode(), bind()).prop_map(|(mode, bind)| Body::Bind(mode, bind)),
        (mode(), proptest::option::of(bind_resp)).prop_map(|(mode, resp)| Body::BindResp(mode, resp)),
        bind().prop_map(|bind| Body::Outbind(Outbind { system_id: bind.system_id, password: bind.password })),
        message().prop_map(Body::SubmitSm),
        message().prop_map(Body::DeliverSm),
        message_resp().prop_map(Body::SubmitSmResp),
        message_resp().prop_map(Body::DeliverSmResp),
        message_resp().prop_map(Body::DataSmResp),
        submit_multi().prop_map(Body::SubmitMulti),
        proptest::option::of(submit_multi_resp()).prop_map(Body::SubmitMultiResp),
        data_sm().prop_map(Body::DataSm),
        (text(64), address(20)).prop_map(|(message_id, source)| Body::QuerySm(QuerySm { message_id, source })),
        proptest::option::of(query_sm_resp()).prop_map(Body::QuerySmResp),
        (text(5), text(64), address(20), address(20)).prop_map(|(service_type, message_id, source, destination)| {
            Body::CancelSm(CancelSm { service_type, message_id, source, destination })
        }),
        replace_sm().prop_map(Body::ReplaceSm),
        (address(64), address(64), tlvs())
            .prop_map(|(source, esme, tlvs)| { Body::AlertNotification(AlertNotification { source, esme, tlvs }) }),
    ]
}

proptest! {
    #[test]
    fn every_pdu_survives_the_round_trip_by_both_readers(status in any::<u32>(), sequence in any::<u32>(), body in body()) {
        let pdu = Pdu { status: CommandStatus(status), sequence, body };
        let octets = pdu.encode().unwrap();
        let expected = Decoded { pdu, defects: vec![] };
        prop_assert_eq!(&Pdu::decode(&octets).unwrap(), &expected);
        // The dependency's reading and the walk are independent of each other.
        prop_assert_eq!(&Pdu::read(&mut Reader::new("PDU", &octets)).unwrap(), &expected);
    }

    #[test]
    fn no_body_of_any_command_fails_or_panics(id in 0_u32..0x120, response in any::<bool>(), octets in octets(80)) {
        let id = if response { CommandId(id).response() } else { CommandId(id) };
        let octets = pdu(id, 0, 3, &octets);
        let decoded = Pdu::decode(&octets).unwrap();
        prop_assert_eq!(decoded.pdu.body.command(), id);
        let trace = Trace::new();
        Pdu::read(&mut Reader::traced("PDU", &octets, &trace)).unwrap();
        let _ = match &decoded.pdu.body {
            Body::DeliverSm(message) => DeliveryReceipt::find(message.carried()),
            Body::DataSm(data) => DeliveryReceipt::find(data.carried()),
            _ => None,
        };
    }
}
