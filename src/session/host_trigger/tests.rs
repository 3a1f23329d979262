use super::*;
use crate::codec::ota::{CcLength, CommandPacket, KeyFamily, Spi};
use crate::codec::sms::{Dcs, Ie, Npi, Pid, Reference, Segmentation, Ton, UserData};
use crate::session::scp80::KeyOwner;
use crate::types::{AccessControl, Operation, Secret, UnixSeconds, hex};

const NOW: Now = Now { mono: Duration::ZERO, utc: UnixSeconds(1_800_000_000) };
const SPI: Spi = Spi::new(0x16, 0x00);
const TX: TransactionId = TransactionId([1, 2, 3, 4, 5, 6, 7, 8]);

fn key_set() -> StoredKeySet {
    let secret = |text| Secret::new(hex::decode(text).unwrap());
    StoredKeySet {
        owner: KeyOwner::Agent,
        tar: Tar::AGENT,
        version: 1,
        family: KeyFamily::Aes,
        cc_length: CcLength::Eight,
        counter: Counter::ZERO,
        new: true,
        kic: secret("f3dfea98a2a0356902d210ab3c2d53de"),
        kid: secret("396ad24297cb921419c8e02ee2eb4a57"),
    }
}

fn triggers() -> HostTriggers {
    let entry = |id: &str| SmSrEntry { id: id.into(), host: id.into(), port: 8443, path: "/admin".into() };
    let parameters = Parameters {
        port: 16_420,
        tar: Tar::AGENT,
        key_sets: vec![key_set()],
        sm_sr: vec![entry("a.example"), entry("b.example")],
        relay: false,
        max_segments: 2,
        reassembly_timeout: Duration::from_secs(3600),
        reassembly_messages: 4,
    };
    HostTriggers::new(parameters).unwrap()
}

fn trigger() -> Trigger {
    Trigger {
        operation: Some(Operation::Install),
        access_control: Some(AccessControl::Backoff(60)),
        ..Trigger::new(TX)
    }
}

fn packet_of(data: Vec<u8>, counter: u64) -> Vec<u8> {
    let packet = CommandPacket { spi: SPI, tar: Tar::AGENT, counter: Counter::new(counter).unwrap(), data };
    packet.secure(&key_set().prepare().unwrap()).unwrap()
}

fn packet(trigger: &Trigger, counter: u64) -> Vec<u8> {
    packet_of(trigger.encode().unwrap(), counter)
}

fn tpdus_to(port: u16, packet: &[u8]) -> Vec<Vec<u8>> {
    let oa = Address::digits(Ton::INTERNATIONAL, Npi::ISDN, "491710000042").unwrap();
    let scts = Scts::from_unix(NOW.utc, 4).unwrap();
    let ports = Ie::ports(Ports { destination: port, source: 0 });
    let segments = Segmentation::new(vec![ports], vec![], Reference::Short(9)).segments(packet).unwrap();
    let tpdu =
        |ud| Deliver::new(oa.clone(), Pid::PLAIN, Dcs::OCTETS, scts, UserData::with_header(ud)).encode().unwrap();
    segments.into_iter().map(tpdu).collect()
}

fn tpdus(packet: &[u8]) -> Vec<Vec<u8>> {
    tpdus_to(16_420, packet)
}

/// The outcome of the last part; the stored counter is 5.
fn receive(triggers: &mut HostTriggers, tpdus: &[Vec<u8>]) -> Outcome {
    let mut outcome = Outcome::NotForUs;
    for tpdu in tpdus {
        outcome = triggers.handle_deliver(NOW, tpdu, "a.example", |_| Some(Counter::new(5).unwrap()));
    }
    outcome
}

fn refusal(outcome: Outcome) -> Refused {
    match outcome {
        Outcome::Refused(refused) => refused,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_good_trigger_comes_with_its_counter_and_its_sm_sr() {
    let Outcome::Accepted(accepted) = receive(&mut triggers(), &tpdus(&packet(&trigger(), 6))) else { panic!() };
    assert_eq!(accepted.store, (KeyName { tar: Tar::AGENT, version: 1 }, Counter::new(6).unwrap()));
    assert_eq!(accepted.trigger, trigger());
    assert_eq!(accepted.sm_sr, Choice { id: "a.example".into(), path: "/admin".into() });
    assert_eq!(accepted.scts.to_unix(), Some(NOW.utc));
}

#[test]
fn other_ports_and_other_messages_are_not_looked_at() {
    let packet = packet(&trigger(), 6);
    assert_eq!(receive(&mut triggers(), &tpdus_to(16_421, &packet)), Outcome::NotForUs);
    assert_eq!(receive(&mut triggers(), &[vec![4, 1, 2], vec![]]), Outcome::NotForUs);
}

#[test]
fn every_packet_that_proves_nothing_is_of_one_kind_and_moves_no_counter() {
    let good = packet(&trigger(), 6);
    let changed = |place: usize| {
        let mut packet = good.clone();
        packet[place] ^= 1;
        packet
    };
    let last = good.len() - 1;
    // CPL, CHL, SPI, KIc, TAR, the ciphered counter, the end.
    for packet in
        [changed(1), changed(2), changed(3), changed(5), changed(9), changed(12), changed(last), good[..last].to_vec()]
    {
        let refused = refusal(receive(&mut triggers(), &tpdus(&packet)));
        assert!(matches!(refused.reason, Refusal::NotAuthentic(_)), "{refused:?}");
        assert_eq!((refused.reason.word(), refused.store, refused.transaction), ("not-authentic", None, None));
    }
}

#[test]
fn a_wrong_cc_and_a_foreign_tar_are_told_apart_inside() {
    let mut wrong = packet(&trigger(), 6);
    let last = wrong.len() - 1;
    wrong[last] ^= 1;
    assert_eq!(refusal(receive(&mut triggers(), &tpdus(&wrong))).reason, Refusal::NotAuthentic(Rejection::Integrity));
    let mut foreign = packet(&trigger(), 6);
    foreign[9] = 0x17;
    assert_eq!(
        refusal(receive(&mut triggers(), &tpdus(&foreign))).reason,
        Refusal::NotAuthentic(Rejection::TarUnknown)
    );
}

#[test]
fn an_equal_or_lower_counter_is_refused() {
    for counter in [0, 4, 5] {
        let refused = refusal(receive(&mut triggers(), &tpdus(&packet(&trigger(), counter))));
        assert!(matches!(refused.reason, Refusal::Counter(_)), "{refused:?}");
        assert_eq!((refused.reason.word(), refused.store), ("counter", None));
    }
}

#[test]
fn without_a_stored_counter_nothing_is_accepted() {
    let mut triggers = triggers();
    let outcome = triggers.handle_deliver(NOW, &tpdus(&packet(&trigger(), 6))[0], "a.example", |_| None);
    assert_eq!(refusal(outcome).reason.word(), "no-counter");
}

#[test]
fn a_truncated_or_over_long_object_is_refused_with_its_counter_stored() {
    let object = trigger().encode().unwrap();
    for data in [object[..object.len() - 1].to_vec(), [object.clone(), vec![0]].concat(), vec![]] {
        let refused = refusal(receive(&mut triggers(), &tpdus(&packet_of(data, 6))));
        assert!(matches!(refused.reason, Refusal::Object(_)), "{refused:?}");
        assert_eq!(refused.store.map(|(_, counter)| counter.value()), Some(6));
    }
}

#[test]
fn an_sm_sr_outside_the_list_or_in_contradiction_is_refused_and_reported() {
    let with = |id: &str, address: Option<&str>| Trigger {
        sm_sr_id: Some(id.into()),
        sm_sr_address: address.map(Into::into),
        ..trigger()
    };
    for (trigger, word) in [
        (with("c.example", None), "sm-sr-unknown"),
        (with("a.example", Some("https://b.example:8443/admin")), "sm-sr-disagrees"),
        (with("b.example", Some("https://b.example:8443/other")), "sm-sr-disagrees"),
    ] {
        let refused = refusal(receive(&mut triggers(), &tpdus(&packet(&trigger, 6))));
        assert_eq!((refused.reason.word(), refused.transaction), (word, Some(TX)));
        assert!(refused.store.is_some());
    }
}

#[test]
fn a_session_of_the_euicc_needs_a_relay_and_a_packet() {
    let own = Trigger { owner: SessionOwner::Euicc, card_packet: Some(vec![1; 20]), ..trigger() };
    assert_eq!(refusal(receive(&mut triggers(), &tpdus(&packet(&own, 6)))).reason, Refusal::NoRelay);
    let mut relaying = triggers();
    relaying.parameters.relay = true;
    assert!(matches!(receive(&mut relaying, &tpdus(&packet(&own, 6))), Outcome::Accepted(_)));
    let empty = Trigger { card_packet: None, ..own };
    assert_eq!(refusal(receive(&mut relaying, &tpdus(&packet(&empty, 7)))).reason, Refusal::NoCardPacket);
}

#[test]
fn parts_are_held_restored_and_given_up() {
    let long = Trigger { card_packet: Some(vec![7; 120]), ..trigger() };
    let parts = tpdus(&packet(&long, 6));
    assert_eq!(parts.len(), 2);
    let mut before = triggers();
    assert_eq!(receive(&mut before, &parts[1..]), Outcome::Held);
    assert_eq!(receive(&mut before, &parts[1..]), Outcome::Duplicate);
    let held: Vec<_> = before.held().map(<[u8]>::to_vec).collect();
    assert_eq!(held, parts[1..]);

    let mut after = triggers();
    after.restore(NOW, held);
    assert!(matches!(receive(&mut after, &parts[..1]), Outcome::Accepted(_)));
    assert_eq!(after.held().count(), 0);

    let later = Now { mono: before.poll_timeout().unwrap(), ..NOW };
    before.handle_timeout(later);
    assert_eq!(before.poll_refused().unwrap().reason, Refusal::Incomplete { arrived: 1, total: 2 });
    assert_eq!((before.held().count(), before.poll_timeout()), (0, None));
}

#[test]
fn more_parts_than_allowed_are_refused_and_rubbish_gives_way_to_triggers() {
    let large = Trigger { card_packet: Some(vec![7; 300]), ..trigger() };
    let refused = refusal(receive(&mut triggers(), &tpdus(&packet(&large, 6))[..1]));
    assert_eq!(refused.reason, Refusal::Part(reassembly::Rejection::TooManyParts { total: 3, limit: 2 }));

    let mut triggers = triggers();
    let oa = |number: u32| Address::digits(Ton::INTERNATIONAL, Npi::ISDN, &format!("4917100{number:05}")).unwrap();
    for number in 0..20 {
        let ies = [Ie::ports(Ports { destination: 16_420, source: 0 })];
        let cut = Segmentation::new(ies.to_vec(), vec![], Reference::Short(1)).segments(&[1; 200]).unwrap();
        let ud = UserData::with_header(cut[0].clone());
        let deliver = Deliver::new(oa(number), Pid::PLAIN, Dcs::OCTETS, Scts::from_unix(NOW.utc, 0).unwrap(), ud);
        assert_eq!(receive(&mut triggers, &[deliver.encode().unwrap()]), Outcome::Held);
    }
    let evicted = std::iter::from_fn(|| triggers.poll_refused()).count();
    assert_eq!((evicted, triggers.held().count()), (16, 4));
    assert!(matches!(receive(&mut triggers, &tpdus(&packet(&trigger(), 6))), Outcome::Accepted(_)));
}
