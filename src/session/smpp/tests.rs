use super::rig::{GOOD, Link, Rig, at, bind, message, secs, submit, without_probes};
use super::*;
use crate::codec::smpp::{
    Address, AlertNotification, BindMode, Body, CommandId, CommandStatus, Decoded, Framer, MessageResp, Octets,
    Outbind, Pdu,
};
use crate::types::Secret;
use proptest::prelude::*;
use std::time::Duration;

fn pdu(id: CommandId, status: u32, sequence: u32, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len() + 16).unwrap();
    let mut octets: Vec<u8> = [length, id.0, status, sequence].iter().flat_map(|number| number.to_be_bytes()).collect();
    octets.extend_from_slice(body);
    octets
}

/// Everything a session has to say, as PDUs.
fn sent(session: &mut Session) -> Vec<Pdu> {
    let mut framer = Framer::default();
    framer.push(&session.poll_output().unwrap_or_default());
    let mut pdus = Vec::new();
    while let Some(octets) = framer.next_pdu().unwrap() {
        pdus.push(Pdu::decode(octets).unwrap().pdu);
    }
    pdus
}

fn events(session: &mut Session) -> Vec<Event> {
    std::iter::from_fn(|| session.poll_event()).collect()
}

/// An ESME alone, bound without a peer, so that a test writes the peer's octets itself.
fn esme() -> Session {
    let mut session = Session::esme(without_probes(Config::esme()), at(Duration::ZERO));
    session.bind(at(Duration::ZERO), BindMode::Transceiver, bind()).unwrap();
    session.handle_input(at(Duration::ZERO), &pdu(CommandId::BIND_TRANSCEIVER_RESP, 0, 1, b"smsc\0"));
    assert!(matches!(events(&mut session).as_slice(), [Event::Bound { version: None, .. }]));
    sent(&mut session);
    session
}

/// An SMSC alone with a bound client.
fn smsc(mode: BindMode) -> Session {
    let mut session = Session::smsc(without_probes(Config::smsc()), at(Duration::ZERO));
    let bind = Pdu::request(1, Body::Bind(mode, bind())).encode().unwrap();
    session.handle_input(at(Duration::ZERO), &bind);
    assert!(matches!(events(&mut session).as_slice(), [Event::BindRequested { .. }]));
    session.accept_bind("smsc").unwrap();
    sent(&mut session);
    session
}

const START: Duration = Duration::ZERO;

#[test]
fn binds_submits_delivers_and_unbinds() {
    let mut rig = Rig::bound();
    assert_eq!(rig.esme.state(), State::Bound(BindMode::Transceiver));
    let sequence = rig.esme.request(rig.now(), submit("one")).unwrap();
    let delivery = rig.smsc.request(rig.now(), Body::DeliverSm(message("mo"))).unwrap();
    rig.run(secs(1));
    assert_eq!(rig.seen, ["one"]);
    assert!(
        matches!(rig.outcomes.as_slice(), [(s, Outcome::Answered { status: CommandStatus::ROK, .. })] if *s == sequence)
    );
    assert_eq!(rig.delivered, [delivery]);
    assert!(matches!(rig.smsc_events.as_slice(), [Event::Response { outcome: Outcome::Answered { .. }, .. }]));
    rig.smsc_events.clear();
    rig.esme.unbind(rig.now());
    assert_eq!(rig.esme.request(rig.now(), submit("late")), Err(SendError::Closing));
    rig.run(secs(1));
    assert_eq!(rig.esme_events, [Event::Close(CloseReason::Unbound)]);
    assert_eq!(rig.smsc_events, [Event::Close(CloseReason::PeerUnbound)]);
    assert!(rig.esme.poll_timeout().is_none() && rig.smsc.poll_timeout().is_none());
}

#[test]
fn the_smsc_can_unbind_too() {
    let mut rig = Rig::bound();
    rig.smsc.unbind(rig.now());
    rig.run(secs(1));
    assert_eq!(rig.esme_events, [Event::Close(CloseReason::PeerUnbound)]);
    assert_eq!(rig.smsc_events, [Event::Close(CloseReason::Unbound)]);
}

#[test]
fn the_version_is_told_to_those_who_know_tlvs() {
    for (version, tlvs) in [(0x34, 1), (0x50, 1), (0x33, 0), (0, 0)] {
        let mut session = Session::smsc(Config::smsc(), at(START));
        let mut bind = bind();
        bind.interface_version.0 = version;
        session.handle_input(at(START), &Pdu::request(1, Body::Bind(BindMode::Transmitter, bind)).encode().unwrap());
        session.accept_bind("smsc").unwrap();
        let Body::BindResp(BindMode::Transmitter, Some(resp)) = &sent(&mut session)[0].body else { panic!() };
        assert_eq!(resp.tlvs.len(), tlvs, "{version:#x}");
    }
}

#[test]
fn the_window_is_never_exceeded() {
    let config = Config { window: 2, ..without_probes(Config::esme()) };
    let mut rig = Rig::bound_with(config, without_probes(Config::smsc()));
    rig.answer = None;
    for text in ["one", "two"] {
        rig.esme.request(rig.now(), submit(text)).unwrap();
    }
    assert_eq!(rig.esme.request(rig.now(), submit("three")), Err(SendError::WindowFull));
    assert_eq!((rig.esme.in_flight(), rig.esme.room()), (2, 0));
    rig.run(secs(1));
    assert_eq!(rig.seen.len(), 2);
    // Responses that never come free the window by their timer.
    rig.run(secs(30));
    assert_eq!(rig.esme.room(), 2);
}

#[test]
fn responses_may_come_in_any_order() {
    let mut session = esme();
    let sequences: Vec<u32> = (0..3).map(|_| session.request(at(START), submit("x")).unwrap()).collect();
    for sequence in sequences.iter().rev() {
        let id = format!("id{sequence}\0");
        session.handle_input(at(START), &pdu(CommandId::SUBMIT_SM_RESP, 0, *sequence, id.as_bytes()));
    }
    for (event, sequence) in events(&mut session).iter().zip(sequences.iter().rev()) {
        let Event::Response { sequence: found, outcome: Outcome::Answered { body, .. } } = event else { panic!() };
        let expected = MessageResp { message_id: format!("id{sequence}"), tlvs: vec![] };
        assert_eq!((found, body), (sequence, &Body::SubmitSmResp(Some(expected))));
    }
}

#[test]
fn a_client_that_does_not_bind_is_closed_in_time() {
    let mut session = Session::smsc(Config::smsc(), at(START));
    assert_eq!(session.poll_timeout(), Some(secs(10)));
    session.handle_timeout(at(secs(9)));
    assert_eq!(events(&mut session), []);
    session.handle_timeout(at(secs(10)));
    assert_eq!(events(&mut session), [Event::Close(CloseReason::NoBind)]);
    assert_eq!(session.poll_timeout(), None);
}

#[test]
fn a_server_that_does_not_answer_the_bind_is_left_in_time() {
    let mut rig = Rig::new(Config::esme(), Config::smsc());
    rig.accepts_binds = false;
    rig.esme.bind(rig.now(), BindMode::Transceiver, bind()).unwrap();
    rig.run(secs(29));
    assert_eq!(rig.esme_events, []);
    rig.run(secs(1));
    assert_eq!(rig.esme_events, [Event::Close(CloseReason::NoBind)]);
}

#[test]
fn an_idle_link_is_probed_and_stays() {
    let mut rig = Rig::bound();
    rig.run(secs(3600));
    assert_eq!((rig.esme_events.len(), rig.smsc_events.len()), (0, 0));
    assert_eq!(rig.esme.state(), State::Bound(BindMode::Transceiver));
}

#[test]
fn a_dead_link_is_left_ten_seconds_after_the_probe() {
    let mut session = Session::esme(Config::esme(), at(START));
    session.bind(at(START), BindMode::Transceiver, bind()).unwrap();
    session.handle_input(at(START), &pdu(CommandId::BIND_TRANSCEIVER_RESP, 0, 1, b"\0"));
    let submitted = session.request(at(secs(20)), submit("x")).unwrap();
    sent(&mut session);
    events(&mut session);
    assert_eq!(session.poll_timeout(), Some(secs(30)));
    session.handle_timeout(at(secs(30)));
    assert_eq!(sent(&mut session)[0].body, Body::EnquireLink);
    assert_eq!(session.poll_timeout(), Some(secs(40)));
    session.handle_timeout(at(secs(40)));
    let expected =
        [Event::Response { sequence: submitted, outcome: Outcome::Unknown }, Event::Close(CloseReason::LinkDead)];
    assert_eq!(events(&mut session), expected);
    assert_eq!(CloseReason::LinkDead.reconnect(), Reconnect::WithBackoff);
}

#[test]
fn any_pdu_is_a_sign_of_life() {
    // python-smpplib#52: an enquire_link_resp with a sequence number of the peer's own.
    for answer in [pdu(CommandId::ENQUIRE_LINK_RESP, 0, 4711, &[]), pdu(CommandId::ENQUIRE_LINK, 0, 1, &[])] {
        let mut session = Session::esme(Config::esme(), at(START));
        session.bind(at(START), BindMode::Transceiver, bind()).unwrap();
        session.handle_input(at(START), &pdu(CommandId::BIND_TRANSCEIVER_RESP, 0, 1, b"\0"));
        session.handle_timeout(at(secs(30)));
        events(&mut session);
        session.handle_input(at(secs(39)), &answer);
        session.handle_timeout(at(secs(60)));
        assert_eq!(events(&mut session), []);
        assert_eq!(session.poll_timeout(), Some(secs(69)));
    }
}

#[test]
fn a_client_that_only_answers_probes_is_unbound_for_inactivity() {
    let config = Config { timers: Timers::esme().with(Timer::EnquireLink, None), ..Config::esme() };
    let mut rig = Rig::bound_with(config, Config::smsc());
    rig.run(secs(298));
    assert_eq!(rig.smsc_events, []);
    rig.run(secs(3));
    assert_eq!(rig.smsc_events, [Event::Close(CloseReason::Inactive)]);
    assert_eq!(rig.esme_events, [Event::Close(CloseReason::PeerUnbound)]);
}

#[test]
fn no_response_in_time_is_an_unknown_outcome_and_a_late_one_is_told() {
    let mut session = esme();
    let sequence = session.request(at(START), submit("x")).unwrap();
    assert_eq!(session.poll_timeout(), Some(secs(30)));
    session.handle_timeout(at(secs(30)));
    assert_eq!(events(&mut session), [Event::Response { sequence, outcome: Outcome::Unknown }]);
    session.handle_input(at(secs(31)), &pdu(CommandId::SUBMIT_SM_RESP, 0, sequence, b"id\0"));
    session.handle_input(at(secs(31)), &pdu(CommandId::SUBMIT_SM_RESP, 0, sequence, b"id\0"));
    let body = Body::SubmitSmResp(Some(MessageResp { message_id: "id".into(), tlvs: vec![] }));
    let expected = [
        Event::LateResponse { sequence, status: CommandStatus::ROK, body },
        Event::Odd(Oddity::Unsolicited { command: CommandId::SUBMIT_SM_RESP, sequence }),
    ];
    assert_eq!(events(&mut session), expected);
}

#[test]
fn a_pdu_that_does_not_end_closes_the_session() {
    let mut session = esme();
    let delivery = Pdu::request(1, Body::DeliverSm(message("x"))).encode().unwrap();
    // A PDU that comes in pieces in time is fine, and each has its own time.
    session.handle_input(at(secs(1)), &delivery[..10]);
    session.handle_input(at(secs(9)), &[&delivery[10..], &delivery[..20]].concat());
    assert_eq!(session.poll_timeout(), Some(secs(19)));
    session.handle_input(at(secs(18)), &delivery[20..21]);
    session.handle_timeout(at(secs(19)));
    let events = events(&mut session);
    assert!(matches!(events.as_slice(), [Event::Request { .. }, Event::Close(CloseReason::PduRead)]), "{events:?}");
}

#[test]
fn unbinding_waits_for_responses_but_not_for_ever() {
    let mut rig = Rig::bound_with(without_probes(Config::esme()), without_probes(Config::smsc()));
    rig.link = Link { delay: secs(2), ..GOOD };
    rig.esme.request(rig.now(), submit("x")).unwrap();
    rig.esme.unbind(rig.now());
    rig.run(secs(9));
    assert!(matches!(rig.outcomes.as_slice(), [(_, Outcome::Answered { .. })]));
    assert_eq!(rig.esme_events, [Event::Close(CloseReason::Unbound)]);

    let mut rig = Rig::bound_with(without_probes(Config::esme()), without_probes(Config::smsc()));
    rig.answer = None;
    rig.esme.request(rig.now(), submit("x")).unwrap();
    rig.esme.unbind(rig.now());
    rig.run(secs(9));
    assert_eq!((rig.outcomes.len(), rig.esme_events.len()), (0, 0));
    // After 10 s the unbind goes out; the SMSC answers it 10 s later, still without an answer to the message.
    rig.run(secs(12));
    assert!(matches!(rig.outcomes.as_slice(), [(_, Outcome::Unknown)]));
    assert_eq!(rig.esme_events, [Event::Close(CloseReason::Unbound)]);
}

#[test]
fn deliveries_during_our_unbind_are_answered() {
    let mut session = esme();
    session.unbind(at(START));
    session.handle_input(at(START), &Pdu::request(77, Body::DeliverSm(message("x"))).encode().unwrap());
    let Some(Event::Request { id, .. }) = session.poll_event() else { panic!() };
    let body = Body::DeliverSmResp(Some(MessageResp::default()));
    session.respond(at(START), id, CommandStatus::ROK, Some(body.clone())).unwrap();
    let pdus = sent(&mut session);
    assert_eq!((pdus[0].body.command(), &pdus[1].body, pdus[1].sequence), (CommandId::UNBIND, &body, 77));
}

#[test]
fn an_unanswered_unbind_ends_all_the_same() {
    let mut session = esme();
    session.unbind(at(START));
    session.handle_timeout(at(secs(30)));
    assert_eq!(events(&mut session), [Event::Close(CloseReason::Unbound)]);
}

#[test]
fn a_peer_that_unbinds_gets_its_answers_first() {
    let mut session = smsc(BindMode::Transceiver);
    let submit = Pdu::request(8, submit("x")).encode().unwrap();
    session.handle_input(at(START), &[submit.clone(), pdu(CommandId::UNBIND, 0, 9, &[]), submit].concat());
    let found = events(&mut session);
    let [Event::Request { id, .. }, Event::Odd(Oddity::WrongState { .. })] = found.as_slice() else {
        panic!("{found:?}")
    };
    assert_eq!(session.request(at(START), Body::DeliverSm(message("y"))), Err(SendError::Closing));
    session.respond(at(START), *id, CommandStatus::ROK, None).unwrap();
    let order: Vec<_> = sent(&mut session).iter().map(|pdu| (pdu.body.command(), pdu.status)).collect();
    let expected = [
        (CommandId::SUBMIT_SM_RESP, CommandStatus::RINVBNDSTS),
        (CommandId::SUBMIT_SM_RESP, CommandStatus::ROK),
        (CommandId::UNBIND_RESP, CommandStatus::ROK),
    ];
    assert_eq!(order, expected);
    assert_eq!(events(&mut session), [Event::Close(CloseReason::PeerUnbound)]);
}

#[test]
fn a_refused_bind_says_how_to_go_on() {
    for (status, reconnect) in [
        (CommandStatus::RINVPASWD, Reconnect::Slowly),
        (CommandStatus::RINVSYSID, Reconnect::Slowly),
        (CommandStatus::RBINDFAIL, Reconnect::WithBackoff),
        (CommandStatus::RALYBND, Reconnect::WithBackoff),
    ] {
        let mut rig = Rig::new(Config::esme(), Config::smsc());
        rig.accepts_binds = false;
        rig.esme.bind(rig.now(), BindMode::Receiver, bind()).unwrap();
        rig.run(secs(1));
        rig.smsc.refuse_bind(status).unwrap();
        rig.run(secs(1));
        assert_eq!(rig.esme_events, [Event::Close(CloseReason::BindRefused(status))]);
        assert_eq!(CloseReason::BindRefused(status).reconnect(), reconnect);
    }
}

#[test]
fn requests_of_the_wrong_state_are_refused_and_cost_nothing_else() {
    let mut session = Session::smsc(Config::smsc(), at(START));
    let answer = |session: &mut Session, octets: &[u8]| {
        session.handle_input(at(START), octets);
        let pdus = sent(session);
        assert_eq!(pdus.len(), 1);
        (pdus[0].body.command(), pdus[0].status, pdus[0].sequence)
    };
    let submission = Pdu::request(5, submit("x")).encode().unwrap();
    let expected = (CommandId::SUBMIT_SM_RESP, CommandStatus::RINVBNDSTS, 5);
    assert_eq!(answer(&mut session, &submission), expected);
    // Also before the bind.
    assert_eq!(answer(&mut session, &pdu(CommandId::ENQUIRE_LINK, 0, 6, &[])).0, CommandId::ENQUIRE_LINK_RESP);

    let mut session = smsc(BindMode::Receiver);
    assert_eq!(answer(&mut session, &submission), expected);
    let second = Pdu::request(6, Body::Bind(BindMode::Transmitter, bind())).encode().unwrap();
    let expected = (CommandId::BIND_TRANSMITTER_RESP, CommandStatus::RALYBND, 6);
    assert_eq!(answer(&mut session, &second), expected);
    // Unknown, and known but never of an ESME.
    for command in [CommandId(0x111), CommandId::DELIVER_SM] {
        let expected = (CommandId::GENERIC_NACK, CommandStatus::RINVCMDID, 7);
        assert_eq!(answer(&mut session, &pdu(command, 0, 7, b"")), expected);
    }
    assert_eq!(session.state(), State::Bound(BindMode::Receiver));
    assert_eq!(
        session.request(at(START), submit("x")),
        Err(SendError::State { command: CommandId::SUBMIT_SM, state: session.state() })
    );
}

#[test]
fn receipts_on_a_transmitter_are_taken() {
    let mut session = Session::esme(Config::esme(), at(START));
    session.bind(at(START), BindMode::Transmitter, bind()).unwrap();
    // deliver_sm right behind the bind_resp, in one segment.
    let glued = [
        pdu(CommandId::BIND_TRANSMITTER_RESP, 0, 1, b"smsc\0\x02\x10\x00\x01\x34"),
        Pdu::request(1, Body::DeliverSm(message("receipt"))).encode().unwrap(),
    ];
    session.handle_input(at(START), &glued.concat());
    let found = events(&mut session);
    assert!(matches!(found.as_slice(), [Event::Bound { version: Some(_), .. }, Event::Request { .. }]), "{found:?}");
}

#[test]
fn every_poison_pdu_costs_one_pdu() {
    let good = Pdu::request(2, Body::DeliverSm(message("good"))).encode().unwrap();
    let poison = [
        pdu(CommandId::DELIVER_SM, 0, 1, b""),
        pdu(CommandId::DELIVER_SM, 0, 1, b"\0\x05\x00Caf\xE9\0\0\0\0\0\0\0\0\0\0\0\0\0\0"),
        pdu(CommandId::DELIVER_SM, 0, 1, &[0xFF; 40]),
        pdu(CommandId::DATA_SM, 0, 1, &[0x31; 40]),
        pdu(CommandId(0x42), 0, 1, &[1, 2, 3]),
        pdu(CommandId::SUBMIT_SM_RESP, 0, 99, &[0xFF; 9]),
        pdu(CommandId::ENQUIRE_LINK, 0, 1, b"extra"),
        pdu(CommandId::BIND_RECEIVER_RESP, 0, 1, b""),
        pdu(CommandId::ALERT_NOTIFICATION, 0, 1, b"x"),
        pdu(CommandId::OUTBIND, 0, 1, b"x"),
    ];
    for octets in poison {
        let mut session = esme();
        session.handle_input(at(START), &[&octets[..], &good].concat());
        let found = events(&mut session);
        let Some(Event::Request { body: Body::DeliverSm(delivered), defects, .. }) = found.last() else { panic!() };
        assert_eq!((delivered.short_message.as_slice(), defects.len()), (&b"good"[..], 0));
        assert!(!matches!(session.state(), State::Closed));
        // What is a message for a client is handed over, so that it can be acknowledged.
        let command = u32::from_be_bytes(octets[4..8].try_into().unwrap());
        let is_message = [CommandId::DELIVER_SM.0, CommandId::DATA_SM.0].contains(&command);
        assert_eq!(matches!(&found[0], Event::Request { defects, .. } if !defects.is_empty()), is_message, "{found:?}");
    }
}

#[test]
fn a_server_refuses_requests_with_defects_by_name() {
    let mut session = smsc(BindMode::Transceiver);
    let mut body = Pdu::request(3, submit("x")).encode().unwrap().split_off(16);
    body.extend(b"\x04\x27\x00\x02\x00\x02");
    session.handle_input(at(START), &pdu(CommandId::SUBMIT_SM, 0, 3, &body));
    session.handle_input(at(START), &pdu(CommandId::ENQUIRE_LINK, 0, 4, b"extra"));
    let answers: Vec<_> = sent(&mut session).into_iter().map(|pdu| (pdu.sequence, pdu.status)).collect();
    assert_eq!(answers, [(3, CommandStatus::RINVTLVLEN), (4, CommandStatus::ROK)]);
    assert!(matches!(events(&mut session).as_slice(), [Event::Odd(Oddity::Refused { .. })]));
}

#[test]
fn a_stream_without_frames_is_nacked_and_closed() {
    for (octets, sequence) in [
        ([&3_u32.to_be_bytes()[..], &[0; 8], &7_u32.to_be_bytes()].concat(), 7),
        (0x1000_0000_u32.to_be_bytes().to_vec(), 0),
    ] {
        let mut session = esme();
        let submitted = session.request(at(START), submit("x")).unwrap();
        sent(&mut session);
        session.handle_input(at(START), &octets);
        let nack = Pdu::response(sequence, CommandStatus::RINVCMDLEN, Body::GenericNack);
        assert_eq!(sent(&mut session), [nack]);
        let found = events(&mut session);
        assert_eq!(found[0], Event::Response { sequence: submitted, outcome: Outcome::Unknown });
        assert!(matches!(found[1], Event::Close(CloseReason::Stream(_))));
        session.handle_input(at(START), &octets);
        assert_eq!((sent(&mut session), events(&mut session)), (vec![], vec![]));
    }
}

#[test]
fn generic_nack_answers_a_request_or_doubts_the_stream() {
    let nack = |status, sequence| pdu(CommandId::GENERIC_NACK, status, sequence, b"body");
    let mut session = esme();
    let sequence = session.request(at(START), submit("x")).unwrap();
    session.handle_input(at(START), &nack(3, sequence));
    session.handle_input(at(START), &nack(3, sequence));
    let expected = [
        Event::Response { sequence, outcome: Outcome::Nacked { status: CommandStatus::RINVCMDID } },
        Event::Odd(Oddity::Unsolicited { command: CommandId::GENERIC_NACK, sequence }),
    ];
    assert_eq!(events(&mut session), expected);

    let sequence = session.request(at(START), submit("x")).unwrap();
    session.handle_input(at(START), &nack(2, sequence));
    let expected = [
        Event::Response { sequence, outcome: Outcome::Nacked { status: CommandStatus::RINVCMDLEN } },
        Event::Close(CloseReason::StreamDoubted(CommandStatus::RINVCMDLEN)),
    ];
    assert_eq!(events(&mut session), expected);

    let mut session = esme();
    session.handle_input(at(START), &nack(3, 0));
    assert_eq!(events(&mut session), [Event::Close(CloseReason::StreamDoubted(CommandStatus::RINVCMDID))]);
}

#[test]
fn a_response_of_the_wrong_type_settles_nothing() {
    let mut session = esme();
    let sequence = session.request(at(START), submit("x")).unwrap();
    session.handle_input(at(START), &pdu(CommandId::DATA_SM_RESP, 0, sequence, b"id\0"));
    let expected =
        Oddity::WrongResponse { command: CommandId::DATA_SM_RESP, sequence, expected: CommandId::SUBMIT_SM_RESP };
    assert_eq!(events(&mut session), [Event::Odd(expected)]);
    assert_eq!(session.in_flight(), 1);
}

#[test]
fn sequence_numbers_wrap_and_pass_those_in_flight() {
    let mut session = esme();
    session.start_sequences_at(0x7FFF_FFFE);
    assert_eq!(session.request(at(START), submit("x")), Ok(0x7FFF_FFFF));
    assert_eq!(session.request(at(START), submit("x")), Ok(1));
    session.start_sequences_at(0x7FFF_FFFF);
    assert_eq!(session.request(at(START), submit("x")), Ok(2));
}

#[test]
fn repeated_and_zero_sequence_numbers_of_the_peer_are_echoed() {
    let mut session = esme();
    let delivery = Pdu::request(0, Body::DeliverSm(message("x"))).encode().unwrap();
    session.handle_input(at(START), &[delivery.clone(), delivery].concat());
    let found = events(&mut session);
    let [Event::Request { id: first, .. }, Event::Request { id: second, .. }] = found.as_slice() else { panic!() };
    for id in [first, second] {
        session.respond(at(START), *id, CommandStatus::ROK, None).unwrap();
        assert_eq!(session.respond(at(START), *id, CommandStatus::ROK, None), Err(SendError::NoSuchRequest));
    }
    let sequences: Vec<_> = sent(&mut session).iter().map(|pdu| pdu.sequence).collect();
    assert_eq!(sequences, [0, 0]);
}

#[test]
fn a_lost_connection_leaves_unknown_what_was_handed_out() {
    let mut session = esme();
    let first = session.request(at(START), submit("x")).unwrap();
    sent(&mut session);
    let second = session.request(at(START), submit("y")).unwrap();
    session.handle_disconnect();
    session.handle_disconnect();
    let expected = [
        Event::Response { sequence: first, outcome: Outcome::Unknown },
        Event::Response { sequence: second, outcome: Outcome::NotSent },
        Event::Close(CloseReason::Disconnected),
    ];
    assert_eq!(events(&mut session), expected);
    assert!(session.request(at(START), submit("z")).is_err());
}

#[test]
fn too_many_requests_are_refused_for_now() {
    let delivery = |sequence| Pdu::request(sequence, Body::DeliverSm(message("x"))).encode().unwrap();
    let mut session = esme();
    session.config.inbound_limit = 2;
    session.handle_input(at(START), &(1..=3).flat_map(delivery).collect::<Vec<u8>>());
    assert!(!session.wants_input());
    let pdus = sent(&mut session);
    assert_eq!((pdus.len(), pdus[0].sequence, pdus[0].status), (1, 3, CommandStatus::RX_T_APPN));
    let Some(Event::Request { id, .. }) = session.poll_event() else { panic!() };
    session.respond(at(START), id, CommandStatus::ROK, None).unwrap();
    assert!(session.wants_input());
}

#[test]
fn a_peer_is_not_called_dead_while_we_do_not_read() {
    let mut session = Session::smsc(Config { inbound_limit: 1, ..Config::smsc() }, at(START));
    session.handle_input(at(START), &Pdu::request(1, Body::Bind(BindMode::Transceiver, bind())).encode().unwrap());
    session.accept_bind("smsc").unwrap();
    let submission = Pdu::request(2, submit("x")).encode().unwrap();
    session.handle_input(at(START), &[&submission[..], &submission[..20]].concat());
    let Some(Event::Request { id, .. }) = events(&mut session).pop() else { panic!() };
    for second in 0..1000 {
        session.handle_timeout(at(secs(second)));
    }
    assert_eq!(events(&mut session), []);
    session.respond(at(secs(1000)), id, CommandStatus::ROK, None).unwrap();
    session.handle_timeout(at(secs(1100)));
    assert_eq!(events(&mut session), [Event::Close(CloseReason::PduRead)]);
}

#[test]
fn a_peer_that_takes_no_answers_is_not_read_any_more() {
    let mut session = smsc(BindMode::Transceiver);
    let storm: Vec<u8> = (0..100).flat_map(|sequence| pdu(CommandId::ENQUIRE_LINK, 0, sequence, &[])).collect();
    let mut rounds = 0;
    while session.wants_input() {
        session.handle_input(at(START), &storm);
        rounds += 1;
    }
    assert!(rounds < 1000);
    session.poll_output();
    assert!(session.wants_input());
}

#[test]
fn what_has_no_answer_is_told_and_not_answered() {
    let mut session = esme();
    let alert = AlertNotification { source: Address::default(), ..AlertNotification::default() };
    session.handle_input(at(START), &Pdu::request(1, Body::AlertNotification(alert.clone())).encode().unwrap());
    assert_eq!(events(&mut session), [Event::Alert(alert.clone())]);
    assert_eq!(sent(&mut session), []);

    let mut server = smsc(BindMode::Transceiver);
    server.request(at(START), Body::AlertNotification(alert)).unwrap();
    assert_eq!((server.in_flight(), server.poll_timeout()), (0, None));

    let mut session = Session::esme(Config::esme(), at(START));
    let outbind = Outbind { system_id: "smsc".into(), password: Secret::new(b"pw".to_vec()) };
    session.handle_input(at(START), &Pdu::request(1, Body::Outbind(outbind.clone())).encode().unwrap());
    assert_eq!(events(&mut session), [Event::OutbindRequested(outbind)]);
    assert_eq!(sent(&mut session), []);
}

#[test]
fn what_cannot_be_written_takes_no_place_in_the_window() {
    let mut session = esme();
    let body = Body::SubmitSm(crate::codec::smpp::ShortMessage { short_message: Octets(vec![0; 300]), ..message("") });
    assert!(matches!(session.request(at(START), body), Err(SendError::Encode(_))));
    assert_eq!((session.in_flight(), sent(&mut session)), (0, vec![]));
}

#[derive(Debug, Clone)]
enum Step {
    Submit,
    Deliver,
    Wait(u64),
    Jitter(u64),
    Lose(u64),
    Throttle(bool),
    Silence(bool),
    Garbage(Vec<u8>),
    Unbind,
    PeerUnbind,
    Disconnect,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        20 => Just(Step::Submit),
        6 => Just(Step::Deliver),
        8 => (0_u64..3000).prop_map(Step::Wait),
        1 => (10_000_u64..60_000).prop_map(Step::Wait),
        2 => (0_u64..5000).prop_map(Step::Jitter),
        2 => (0_u64..5).prop_map(Step::Lose),
        1 => any::<bool>().prop_map(Step::Throttle),
        1 => any::<bool>().prop_map(Step::Silence),
        1 => proptest::collection::vec(any::<u8>(), 0..30).prop_map(Step::Garbage),
        1 => prop_oneof![Just(Step::Unbind), Just(Step::PeerUnbind), Just(Step::Disconnect)],
    ]
}

/// Does one step; submissions that were taken are added to `submitted`.
fn perform(rig: &mut Rig, step: Step, submitted: &mut Vec<u32>, delivered: &mut Vec<u32>) {
    let now = rig.now();
    match step {
        Step::Submit => {
            let room = rig.esme.room();
            let result = rig.esme.request(now, submit("x"));
            assert_eq!(result.is_ok(), room > 0);
            submitted.extend(result.ok());
        }
        Step::Deliver => delivered.extend(rig.smsc.request(now, Body::DeliverSm(message("mo"))).ok()),
        Step::Wait(millis) => rig.run(Duration::from_millis(millis)),
        Step::Jitter(millis) => rig.link.jitter = Duration::from_millis(millis),
        Step::Lose(one_in) => rig.link.lose_one_in = one_in,
        Step::Throttle(on) => rig.answer = Some(if on { CommandStatus::RTHROTTLED } else { CommandStatus::ROK }),
        Step::Silence(on) => rig.answer = (!on).then_some(CommandStatus::ROK),
        Step::Garbage(body) => rig.esme.handle_input(now, &pdu(CommandId::SUBMIT_SM_RESP, 0, 0x7000_0000, &body)),
        Step::Unbind => rig.esme.unbind(now),
        Step::PeerUnbind => rig.smsc.unbind(now),
        Step::Disconnect => {
            rig.esme.handle_disconnect();
            rig.smsc.handle_disconnect();
        }
    }
    rig.settle();
}

proptest! {
    /// The rig asserts in-flight <= window after everything that happens.
    #[test]
    fn under_any_schedule_the_window_holds_and_every_request_has_one_outcome(
        window in 1_usize..8,
        seed in any::<u64>(),
        steps in proptest::collection::vec(step(), 1..120),
    ) {
        let mut rig = Rig::bound_with(Config { window, ..Config::esme() }, Config::smsc()).with_seed(seed);
        let (mut submitted, mut delivered) = (Vec::new(), Vec::new());
        for step in steps {
            perform(&mut rig, step, &mut submitted, &mut delivered);
        }
        rig.run(secs(120));
        rig.assert_settled_once();
        let mut settled: Vec<u32> = rig.outcomes.iter().map(|(sequence, _)| *sequence).collect();
        settled.sort_unstable();
        prop_assert_eq!(settled, submitted);
        // Every delivery that reached a living client was answered, once.
        let mut answered = rig.delivered.clone();
        answered.dedup();
        prop_assert_eq!(answered.len(), rig.delivered.len());
        prop_assert!(rig.delivered.iter().all(|sequence| delivered.contains(sequence)));
        if rig.esme_events.iter().all(|event| !matches!(event, Event::Close(_))) {
            prop_assert_eq!(&rig.delivered, &delivered);
        }
    }

    #[test]
    fn no_octets_of_a_peer_panic_or_hold_memory(chunks in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..200), 0..20)) {
        let mut session = esme();
        for (second, chunk) in chunks.iter().enumerate() {
            session.handle_input(at(secs(second as u64)), chunk);
            session.handle_timeout(at(secs(second as u64)));
        }
        let _: Vec<Pdu> = sent(&mut session);
    }

    #[test]
    fn well_framed_pdus_of_any_content_keep_the_session(
        bodies in proptest::collection::vec((0_u32..0x120, any::<bool>(), 1_u32..100, proptest::collection::vec(any::<u8>(), 0..60)), 0..20),
    ) {
        let mut session = esme();
        for (command, response, sequence, body) in bodies {
            let command = if response { CommandId(command).response() } else { CommandId(command) };
            prop_assume!(command != CommandId::UNBIND);
            session.handle_input(at(START), &pdu(command, 0, sequence, &body));
        }
        prop_assert_eq!(session.state(), State::Bound(BindMode::Transceiver));
        let enquire = pdu(CommandId::ENQUIRE_LINK, 0, 500, &[]);
        session.handle_input(at(START), &enquire);
        let last = sent(&mut session).pop();
        prop_assert_eq!(last, Some(Pdu::response(500, CommandStatus::ROK, Body::EnquireLinkResp)));
        let decoded = Pdu::decode(&enquire).unwrap();
        prop_assert_eq!(decoded, Decoded { pdu: Pdu::request(500, Body::EnquireLink), defects: vec![] });
    }
}
