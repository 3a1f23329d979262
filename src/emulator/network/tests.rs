use super::*;
use crate::types::UnixSeconds;

const A: Terminal = Terminal(0);
const B: Terminal = Terminal(1);

fn at(seconds: u64) -> Now {
    Now { mono: Duration::from_secs(seconds), utc: UnixSeconds(1_800_000_000 + seconds) }
}

fn options() -> NetworkOptions {
    NetworkOptions {
        service_centre: international("4917600000").unwrap(),
        delivery_delay: Duration::from_secs(1),
        report_delay: Duration::from_secs(1),
        loss: 0.0,
        duplicates: 0.0,
        queue: 10,
        seed: 1,
    }
}

/// Two subscribers, 491 at A and 492 at B.
fn network() -> Network {
    let mut network = Network::new(options());
    network.attach(at(0), A, "491");
    network.attach(at(0), B, "492");
    network
}

fn submit(mr: u8, to: &str, octets: &[u8]) -> Submit {
    let ud = UserData::plain(octets.to_vec());
    Submit { mr, srr: true, ..Submit::new(international(to).unwrap(), Pid::PLAIN, Dcs::OCTETS, ud) }
}

/// All that is delivered by `now`, each accepted at once.
fn deliver_all(network: &mut Network, now: Now) -> Vec<(Terminal, Vec<u8>)> {
    let mut list = Vec::new();
    network.handle_timeout(now);
    while let Some(delivery) = network.poll_delivery() {
        network.answer(now, delivery.terminal, delivery.id, Answer::Accepted { user_data: None });
        list.push((delivery.terminal, delivery.tpdu));
    }
    list
}

fn only_report(list: &[(Terminal, Vec<u8>)]) -> StatusReport {
    let [(A, tpdu)] = list else { panic!("{list:?}") };
    StatusReport::decode(tpdu).unwrap()
}

#[test]
fn a_message_arrives_unchanged_with_sender_and_time_and_is_reported() {
    let mut network = network();
    let ud = UserData::with_header(vec![0x05, 0x00, 0x03, 0x01, 0x02, 0x01, 0xAA]);
    let message = Submit { ud: ud.clone(), ..submit(7, "492", &[]) };
    network.submit(at(10), A, &message).unwrap();
    assert_eq!(network.poll_timeout(), Some(Duration::from_secs(11)));
    assert_eq!(deliver_all(&mut network, at(10)), []);
    let list = deliver_all(&mut network, at(11));
    let [(B, tpdu)] = list.as_slice() else { panic!("{list:?}") };
    let deliver = Deliver::decode(tpdu).unwrap();
    assert_eq!((deliver.oa.clear(), &deliver.ud, deliver.sri, deliver.mms), ("491", &ud, true, true));
    assert_eq!(deliver.scts.to_unix(), Some(at(10).utc));
    let report = only_report(&deliver_all(&mut network, at(12)));
    assert_eq!((report.mr, report.ra.clear(), report.st), (7, "492", St::RECEIVED));
    assert_eq!((report.scts.to_unix(), report.dt.to_unix()), (Some(at(10).utc), Some(at(11).utc)));
    assert_eq!((network.kept(), network.poll_timeout()), (0, None));
}

#[test]
fn a_terminal_gets_one_message_at_a_time_in_order() {
    let mut network = network();
    for mr in 1..=3 {
        network.submit(at(0), A, &Submit { srr: false, ..submit(mr, "492", &[mr]) }).unwrap();
    }
    network.handle_timeout(at(1));
    for mr in 1..=3 {
        let delivery = network.poll_delivery().unwrap();
        assert_eq!(network.poll_delivery(), None);
        let deliver = Deliver::decode(&delivery.tpdu).unwrap();
        assert_eq!((deliver.ud.octets, deliver.mms), (vec![mr], mr == 3));
        network.answer(at(1), A, delivery.id, Answer::MemoryFull);
        network.answer(at(1), B, delivery.id, Answer::Accepted { user_data: None });
    }
    assert_eq!(network.kept(), 0);
}

#[test]
fn messages_wait_for_the_number_wherever_it_appears() {
    let mut network = network();
    network.provision("493");
    network.submit(at(0), A, &submit(1, "493", b"x")).unwrap();
    assert_eq!(deliver_all(&mut network, at(100)), []);
    // B changes its subscription: the old number is away, the new one there.
    network.attach(at(200), B, "493");
    assert_eq!(deliver_all(&mut network, at(200)).len(), 1);
    network.submit(at(300), A, &submit(2, "492", b"x")).unwrap();
    let list = deliver_all(&mut network, at(400));
    assert_eq!(only_report(&list).mr, 1);
    assert_eq!(network.kept(), 1);
}

#[test]
fn what_was_in_flight_when_a_terminal_vanished_comes_again() {
    let mut network = network();
    network.submit(at(0), A, &submit(1, "492", b"x")).unwrap();
    network.handle_timeout(at(1));
    let first = network.poll_delivery().unwrap();
    network.detach(at(1), B);
    network.answer(at(1), B, first.id, Answer::Accepted { user_data: None });
    assert_eq!(network.kept(), 1);
    network.attach(at(5), B, "492");
    assert_eq!(deliver_all(&mut network, at(5)), [(B, first.tpdu)]);
}

#[test]
fn validity_ends_the_attempts() {
    let mut network = network();
    network.detach(at(0), B);
    let vp = ValidityPeriod::covering(Duration::from_secs(300));
    network.submit(at(0), A, &Submit { vp, ..submit(9, "492", b"x") }).unwrap();
    let until = Scts::from_unix(at(60).utc, 8).unwrap();
    network.submit(at(0), A, &Submit { vp: ValidityPeriod::Absolute(until), ..submit(8, "492", b"x") }).unwrap();
    assert_eq!(deliver_all(&mut network, at(60)), []);
    assert_eq!(only_report(&deliver_all(&mut network, at(61))).mr, 8);
    assert_eq!(network.poll_timeout(), Some(Duration::from_secs(300)));
    network.handle_timeout(at(300));
    let report = only_report(&deliver_all(&mut network, at(301)));
    assert_eq!((report.mr, report.st), (9, St::VALIDITY_EXPIRED));
}

#[test]
fn a_full_memory_is_tried_again_later_and_when_it_is_free() {
    let mut network = network();
    network.submit(at(0), A, &submit(1, "492", b"x")).unwrap();
    network.handle_timeout(at(1));
    let refuse = |network: &mut Network, now| {
        let delivery = network.poll_delivery().unwrap();
        network.answer(now, B, delivery.id, Answer::MemoryFull);
    };
    refuse(&mut network, at(1));
    assert_eq!(network.poll_timeout(), Some(Duration::from_secs(6)));
    network.handle_timeout(at(6));
    refuse(&mut network, at(6));
    assert_eq!(network.poll_timeout(), Some(Duration::from_secs(16)));
    network.memory_available(at(7), B);
    assert_eq!(deliver_all(&mut network, at(7)).len(), 1);
}

#[test]
fn refusals_have_their_causes() {
    let mut network = network();
    assert_eq!(network.submit(at(0), Terminal(9), &submit(1, "492", b"x")), Err(Refusal::NotRegistered));
    let nobody = Submit { da: Address::text("Bank").unwrap(), ..submit(1, "492", b"x") };
    assert_eq!(network.submit(at(0), A, &nobody), Err(Refusal::InvalidAddress));
    network.submit(at(0), A, &submit(1, "492", b"x")).unwrap();
    assert_eq!(network.submit(at(0), A, &Submit { rd: true, ..submit(1, "492", b"x") }), Err(Refusal::Duplicate));
    for mr in 2..=10 {
        network.submit(at(0), A, &submit(mr, "492", b"x")).unwrap();
    }
    assert_eq!(network.submit(at(0), A, &submit(11, "492", b"x")), Err(Refusal::ServiceCentreBusy));
}

#[test]
fn a_number_that_does_not_exist_is_reported_as_not_obtainable() {
    let mut network = network();
    network.submit(at(0), A, &submit(1, "499", b"x")).unwrap();
    assert_eq!(only_report(&deliver_all(&mut network, at(1))).st, St(0x43));
}

#[test]
fn an_application_hears_the_card_s_answer() {
    let mut network = network();
    let handed = |da: &str| Handed {
        oa: international("12345").unwrap(),
        da: international(da).unwrap(),
        pid: Pid::SIM_DATA_DOWNLOAD,
        dcs: Dcs::OCTETS_SIM,
        ud: UserData::plain(vec![1]),
        validity: None,
    };
    network.hand_in(at(0), 77, handed("492")).unwrap();
    network.handle_timeout(at(1));
    let delivery = network.poll_delivery().unwrap();
    network.answer(at(1), B, delivery.id, Answer::Accepted { user_data: Some(vec![2]) });
    let outcome = Outcome { application: 77, st: St::RECEIVED, user_data: Some(vec![2]) };
    assert_eq!(network.poll_outcome(), Some(outcome));
    network.hand_in(at(2), 78, handed("492")).unwrap();
    network.handle_timeout(at(3));
    let delivery = network.poll_delivery().unwrap();
    network.answer(at(3), B, delivery.id, Answer::Refused { user_data: None });
    assert_eq!(network.poll_outcome(), Some(Outcome { application: 78, st: St(0x40), user_data: None }));
}

#[test]
fn loss_and_duplicates_follow_the_seed() {
    let run = |seed| {
        let mut network = Network::new(NetworkOptions { loss: 0.5, duplicates: 0.5, seed, ..options() });
        network.attach(at(0), A, "491");
        network.attach(at(0), B, "492");
        (0..20)
            .map(|mr| {
                network.submit(at(0), A, &Submit { srr: false, ..submit(mr, "492", b"x") }).unwrap();
                deliver_all(&mut network, at(1)).len()
            })
            .collect::<Vec<_>>()
    };
    let first = run(3);
    assert_eq!(first, run(3));
    assert_ne!(first, run(4));
    assert!(first.contains(&0) && first.contains(&1) && first.contains(&2));
}
