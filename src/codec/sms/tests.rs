//! Round trips of whole TPDUs.

use super::*;
use crate::codec::{Reader, Trace};
use proptest::prelude::*;

fn number() -> impl Strategy<Value = Address> {
    prop_oneof![
        "[0-9]{0,20}".prop_map(|digits| Address::digits(Ton::INTERNATIONAL, Npi::ISDN, &digits).unwrap()),
        "[A-Za-z0-9]{1,11}".prop_map(|name| Address::text(&name).unwrap()),
    ]
}

/// A coding and user data that fits it, with a header or without.
fn coded() -> impl Strategy<Value = (Dcs, UserData)> {
    let octets = proptest::collection::vec(any::<u8>(), 0..=140).prop_map(UserData::plain);
    let with_header = proptest::collection::vec(any::<u8>(), 0..=120).prop_map(|payload| {
        let udh = Udh { ies: vec![Ie::ports(Ports { destination: 16_420, source: 0 }), Ie::command_packet()] };
        UserData::with_header([udh.encode().unwrap(), payload].concat())
    });
    let text = proptest::collection::vec(0_u8..128, 0..=160).prop_map(|septets| UserData {
        udhi: false,
        octets: gsm7::pack(&septets),
        septets: u8::try_from(septets.len()).ok(),
    });
    prop_oneof![
        octets.prop_map(|ud| (Dcs::OCTETS, ud)),
        with_header.prop_map(|ud| (Dcs::OCTETS_SIM, ud)),
        text.prop_map(|ud| (Dcs::GSM7, ud)),
    ]
}

fn validity() -> impl Strategy<Value = ValidityPeriod> {
    prop_oneof![
        Just(ValidityPeriod::None),
        any::<u8>().prop_map(ValidityPeriod::Relative),
        any::<[u8; 7]>().prop_map(ValidityPeriod::Enhanced),
        any::<[u8; 7]>().prop_map(|octets| ValidityPeriod::Absolute(Scts(octets))),
    ]
}

proptest! {
    #[test]
    fn deliver_survives_the_round_trip(
        flags in any::<[bool; 4]>(), oa in number(), pid in any::<u8>(), scts in any::<[u8; 7]>(), (dcs, ud) in coded(),
    ) {
        let [mms, lp, sri, rp] = flags;
        let deliver = Deliver { mms, lp, sri, rp, oa, pid: Pid(pid), dcs, scts: Scts(scts), ud };
        let octets = deliver.encode().unwrap();
        prop_assert_eq!(Deliver::decode(&octets).unwrap(), deliver);
        prop_assert!(Submit::decode(&octets).is_err());
        for length in 0..octets.len() {
            prop_assert!(Deliver::decode(&octets[..length]).is_err());
        }
        prop_assert!(Deliver::decode(&[octets, vec![0]].concat()).is_err());
    }

    #[test]
    fn submit_survives_the_round_trip(
        flags in any::<[bool; 3]>(), mr in any::<u8>(), da in number(), vp in validity(), (dcs, ud) in coded(),
    ) {
        let [rd, srr, rp] = flags;
        let submit = Submit { rd, srr, rp, mr, da, pid: Pid::PLAIN, dcs, vp, ud };
        prop_assert_eq!(Submit::decode(&submit.encode().unwrap()).unwrap(), submit);
    }

    #[test]
    fn reports_survive_the_round_trip(
        flags in any::<[bool; 3]>(), mr in any::<u8>(), ra in number(), st in any::<u8>(), tail: bool,
        failure in proptest::option::of(any::<u8>()), (dcs, ud) in coded(),
    ) {
        let [mms, lp, srq] = flags;
        let fits = ud.octets.len() <= 131;
        let parameters = Parameters { pid: Some(Pid::PLAIN), dcs: Some(dcs), ud: Some(ud) };
        let report = DeliverReport { failure, parameters: parameters.clone() };
        let kind = if failure.is_some() { ReportKind::Error } else { ReportKind::Ack };
        prop_assert_eq!(DeliverReport::decode(&report.encode().unwrap(), kind).unwrap(), report);
        let (scts, dt) = (Scts([0; 7]), Scts([0xFF; 7]));
        let parameters = tail.then_some(parameters);
        let report = StatusReport { mms, lp, srq, mr, ra, scts, dt, st: St(st), parameters };
        match report.encode() {
            Ok(octets) => prop_assert_eq!(StatusReport::decode(&octets).unwrap(), report),
            Err(_) => prop_assert!(tail && !fits),
        }
    }

    #[test]
    fn what_is_read_is_written_again_in_the_same_size(octets in proptest::collection::vec(any::<u8>(), 0..60)) {
        if let Ok(deliver) = Deliver::decode(&octets) {
            prop_assert_eq!(deliver.encode().unwrap().len(), octets.len());
        }
        if let Ok(submit) = Submit::decode(&octets) {
            prop_assert_eq!(submit.encode().unwrap().len(), octets.len());
        }
    }
}

#[test]
fn an_extended_parameter_indicator_is_read_over() {
    let report = DeliverReport::decode(&[0x00, 0x81, 0x00, 0x7F], ReportKind::Ack).unwrap();
    assert_eq!(report.parameters, Parameters { pid: Some(Pid::SIM_DATA_DOWNLOAD), ..Parameters::default() });
}

#[test]
fn the_trace_of_a_deliver_names_every_field_with_its_place() {
    let octets = [
        0x44, 0x04, 0x81, 0x21, 0x43, 0x7F, 0xF6, 0x62, 0x30, 0x90, 0x80, 0x50, 0x95, 0x40, 0x04, 0x02, 0x70, 0x00,
        0xAA,
    ];
    let trace = Trace::new();
    let mut reader = Reader::traced("SMS-DELIVER", &octets, &trace);
    Deliver::read(&mut reader).unwrap();
    let spans = trace.into_spans();
    let shown: Vec<_> = spans.iter().map(|span| (span.depth, span.offset, span.name.as_ref())).collect();
    let expected = [
        (0, 0, "first octet"),
        (0, 1, "TP-OA"),
        (1, 1, "length"),
        (1, 2, "type of address"),
        (1, 3, "address value"),
        (0, 5, "TP-PID"),
        (0, 6, "TP-DCS"),
        (0, 7, "TP-SCTS"),
        (0, 14, "TP-UDL"),
        (0, 15, "TP-UD"),
        (1, 15, "TP-UDH"),
        (2, 15, "UDHL"),
        (2, 16, "command packet"),
        (1, 18, "payload"),
    ];
    assert_eq!(shown, expected);
    let meaning = |name: &str| spans.iter().find(|span| span.name == name).unwrap().meaning.as_str();
    assert_eq!(meaning("TP-DCS"), "8-bit, class 2 (SIM)");
    assert_eq!(meaning("TP-SCTS"), "2026-03-09T07:05:59Z (zone +4 quarter hours)");
    assert_eq!(meaning("command packet"), "SCP80 command packet follows");
}
