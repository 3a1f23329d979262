use super::*;
use crate::codec::Trace;
use crate::codec::sms::Address;
use crate::types::hex;
use proptest::collection::vec;
use proptest::prelude::*;

fn proactive(text: &str) -> Result<ProactiveCommand> {
    ProactiveCommand::decode(&hex::decode(text).unwrap())
}

#[test]
fn the_address_after_the_transport_level_is_the_destination() {
    let text = "d01e810301400182028182350103390205783e003c030201bb3e0521c0000201";
    let Command::OpenChannel(open) = proactive(text).unwrap().command else { panic!() };
    assert_eq!(open.local_address, Some(OtherAddress::Dynamic));
    assert_eq!(open.destination, Some(OtherAddress::Ip("192.0.2.1".parse().unwrap())));
}

#[test]
fn objects_that_a_command_does_not_know_are_kept() {
    // REFRESH with a file list (12) and an object nobody knows (7F 21 23).
    let refreshed = proactive("d014 8103010104 82028182 9203013f00 7f2123020102").unwrap();
    assert_eq!(
        refreshed.other,
        [Object::Other { tag: 0x12, value: vec![1, 0x3F, 0] }, Object::Other { tag: 0x2123, value: vec![1, 2] }]
    );
    let unknown = proactive("d0098103017e0082028182").unwrap();
    assert_eq!(unknown.command, Command::Unknown(CommandType(0x7E)));
    assert_eq!(unknown.encode().unwrap(), hex::decode("d0098103017e0082028182").unwrap());
}

#[test]
fn a_command_without_what_it_needs_is_refused_by_name() {
    for (text, missing) in [
        ("d009 8103014301 82028121", "channel data"),
        ("d009 8103014200 82028121", "channel data length"),
        ("d009 8103014001 82028182", "buffer size"),
        ("d009 8103010300 82028182", "duration"),
        ("d009 8103011300 82028183", "SMS TPDU"),
        ("d009 8103012700 82028182", "timer identifier"),
        ("d005 8103010104", "device identities"),
    ] {
        let error = proactive(text).unwrap_err();
        assert_eq!((error.field.as_ref(), error.fault), (missing, Fault::Missing), "{text}");
    }
    assert!(proactive("d10981030140018202818200").is_err());
}

#[test]
fn a_long_response_has_lengths_in_the_81_form() {
    let details = CommandDetails { number: 1, kind: CommandType::RECEIVE_DATA, qualifier: 0 };
    let answer = |length| {
        TerminalResponse::new(details, CommandResult::new(CommandResult::OK))
            .with(Object::ChannelData(vec![0x55; length]))
            .with(Object::ChannelDataLength(0))
            .encode()
    };
    assert_eq!(answer(237).unwrap()[17..20], [0x36, 0x81, 0xED]);
    assert!(answer(238).is_err(), "Lc has one octet");
}

#[test]
fn an_envelope_that_does_not_fit_is_refused() {
    let envelope = |length| Envelope::SmsPpDownload { smsc: None, tpdu: vec![0; length] }.encode();
    assert_eq!(envelope(245).unwrap().len(), 5 + 255);
    assert!(envelope(246).is_err());
}

#[test]
fn an_event_envelope_carries_one_event() {
    let bytes = hex::decode("80c200000ed60c 9902090a 82028281 b8028100").unwrap();
    assert_eq!(Envelope::decode(&bytes).unwrap_err().field, "one event");
}

#[test]
fn the_trace_of_an_envelope_reaches_into_its_data_with_outer_offsets() {
    let bytes = hex::decode("80c200000dd60b99010a82028281b8020105").unwrap();
    let trace = Trace::new();
    Envelope::read(&mut Reader::traced("ENVELOPE", &bytes, &trace)).unwrap();
    let spans = trace.into_spans();
    let status = spans.iter().find(|span| span.name == "channel status").unwrap();
    assert_eq!((status.offset, status.raw.as_slice()), (14, &[0xB8, 0x02, 0x01, 0x05][..]));
    assert!(spans.iter().any(|span| span.meaning == "link dropped" && span.offset == 17));
}

fn octets(limit: usize) -> impl Strategy<Value = Vec<u8>> {
    vec(any::<u8>(), 0..limit)
}

fn text() -> impl Strategy<Value = TextString> {
    (any::<u8>(), octets(20)).prop_map(|(dcs, octets)| TextString { dcs: Some(dcs), octets })
}

fn other_address() -> impl Strategy<Value = OtherAddress> {
    prop_oneof![
        Just(OtherAddress::Dynamic),
        any::<[u8; 4]>().prop_map(|ip| OtherAddress::Ip(std::net::Ipv4Addr::from(ip).into())),
        any::<[u8; 16]>().prop_map(|ip| OtherAddress::Ip(std::net::Ipv6Addr::from(ip).into())),
        octets(8).prop_map(|address| OtherAddress::Other { kind: 0x01, address }),
    ]
}

fn address() -> impl Strategy<Value = Address> {
    "9133[0-9]{1,8}".prop_map(|digits| {
        use crate::codec::sms::{Npi, Ton};
        Address::digits(Ton::INTERNATIONAL, Npi::ISDN, &digits).unwrap()
    })
}

fn open_channel() -> impl Strategy<Value = Command> {
    let bearer = (any::<u8>(), octets(8)).prop_map(|(kind, parameters)| Bearer { kind, parameters });
    let transport = (any::<u8>(), any::<u16>()).prop_map(|(kind, port)| Transport { kind: TransportKind(kind), port });
    let name = vec(vec(any::<u8>(), 1..10), 1..3).prop_map(NetworkAccessName);
    let option = proptest::option::of::<BoxedStrategy<OtherAddress>>;
    (
        proptest::option::of(octets(5)),
        proptest::option::of(bearer),
        any::<u16>(),
        proptest::option::of(name),
        proptest::option::of((text(), text())),
        option(other_address().boxed()),
        transport,
        option(other_address().boxed()),
    )
        .prop_map(|(alpha, bearer, buffer_size, access_name, login, local_address, transport, destination)| {
            let (login, password) = login.unzip();
            let transport = Some(transport);
            Command::OpenChannel(OpenChannel {
                alpha,
                bearer,
                buffer_size,
                access_name,
                login,
                password,
                local_address,
                transport,
                destination,
            })
        })
}

fn command() -> impl Strategy<Value = Command> {
    prop_oneof![
        Just(Command::Refresh),
        Just(Command::GetChannelStatus),
        (any::<u8>(), any::<u8>()).prop_map(|(unit, interval)| Command::PollInterval(Duration { unit, interval })),
        octets(10).prop_map(Command::SetUpEventList),
        (proptest::option::of(address()), octets(164))
            .prop_map(|(smsc, tpdu)| Command::SendShortMessage { smsc, tpdu }),
        text().prop_map(Command::DisplayText),
        (any::<u8>(), proptest::option::of(any::<[u8; 3]>()))
            .prop_map(|(timer, value)| Command::TimerManagement { timer, value: value.map(TimerValue) }),
        any::<u8>().prop_map(|length| Command::ReceiveData { length }),
        octets(200).prop_map(Command::SendData),
        open_channel(),
        Just(Command::Unknown(CommandType(0x7E))),
    ]
}

proptest! {
    #[test]
    fn every_proactive_command_survives_the_round_trip(
        number: u8,
        qualifier: u8,
        source: u8,
        destination: u8,
        command in command(),
        further in octets(10),
    ) {
        let devices = Devices { source: Device(source), destination: Device(destination) };
        let other = vec![Object::Other { tag: 0x2123, value: further }];
        let sent = ProactiveCommand { number, qualifier, devices, command, other };
        prop_assert_eq!(ProactiveCommand::decode(&sent.encode().unwrap()).unwrap(), sent);
    }

    #[test]
    fn every_terminal_response_survives_the_round_trip(
        details: [u8; 3],
        general: u8,
        additional in octets(3),
        data in octets(100),
        location in any::<([u8; 3], u16, u16)>(),
        channel in 0_u8..=7,
    ) {
        let [number, kind, qualifier] = details;
        let details = CommandDetails { number, kind: CommandType(kind), qualifier };
        let (plmn, area, cell) = location;
        let sent = TerminalResponse::new(details, CommandResult { general, additional })
            .with(Object::ChannelData(data))
            .with(Object::Location(Location { plmn, area, cell: Some(cell), tail: vec![1] }))
            .with(Object::ChannelStatus(ChannelStatus::established(channel)));
        prop_assert_eq!(TerminalResponse::decode(&sent.encode().unwrap()).unwrap(), sent);
    }

    #[test]
    fn every_envelope_survives_the_round_trip(smsc in proptest::option::of(address()), tpdu in octets(165), code: u8) {
        prop_assume!(!matches!(code, 0x03 | 0x09 | 0x0A));
        let event = Event::Other { code, devices: Devices::NETWORK_TO_UICC, objects: vec![Object::TimerId(1)] };
        for envelope in [
            Envelope::SmsPpDownload { smsc: smsc.clone(), tpdu: tpdu.clone() },
            Envelope::EventDownload(event.clone()),
            Envelope::TimerExpiration { timer: code, value: TimerValue([code; 3]) },
            Envelope::Other { tag: 0xD3, objects: vec![Object::Other { tag: 0x10, value: vec![code] }] },
        ] {
            prop_assert_eq!(Envelope::decode(&envelope.encode().unwrap()).unwrap(), envelope);
        }
    }

    #[test]
    fn any_octets_end_in_a_value_or_an_error(bytes in octets(260)) {
        let _ = ProactiveCommand::decode(&bytes);
        let _ = Envelope::decode(&bytes);
        let _ = TerminalResponse::decode(&bytes);
    }
}
