use super::*;
use crate::codec::sms::{Ports, Reference, Segmentation, Udh};
use crate::types::UnixSeconds;
use proptest::prelude::*;

const LIMITS: Limits = Limits {
    timeout: Duration::from_secs(600),
    parts: 8,
    messages_per_sender: 2,
    senders: 3,
    octets: 2_000,
    when_full: WhenFull::Refuse,
};

fn at(seconds: u64) -> Now {
    Now { mono: Duration::from_secs(seconds), utc: UnixSeconds(seconds) }
}

fn part(reference: u16, sequence: u8, total: u8, payload: &[u8]) -> Part<u8> {
    let concatenation = Concatenation { reference, wide: false, total, sequence };
    Part { concatenation, ies: vec![], payload: payload.to_vec(), token: sequence }
}

fn segments(reference: Reference, payload: &[u8]) -> Vec<UserData> {
    let segmentation = Segmentation::new(vec![], vec![Ie::command_packet()], reference);
    segmentation.concatenated(payload).unwrap().into_iter().map(UserData::with_header).collect()
}

#[test]
fn parts_complete_in_any_order_with_the_elements_of_the_first() {
    let mut machine = Reassembler::new(LIMITS);
    let payload = vec![7; 300];
    let parts = segments(Reference::Short(5), &payload);
    assert_eq!(machine.handle_user_data(at(0), "a", &parts[2], 2), Outcome::Held);
    assert_eq!(machine.handle_user_data(at(1), "a", &parts[0], 0), Outcome::Held);
    assert_eq!(machine.handle_user_data(at(2), "a", &parts[0], 9), Outcome::Duplicate(9));
    let message = Message { ies: vec![Ie::command_packet()], payload, tokens: vec![0, 1, 2] };
    assert_eq!(machine.handle_user_data(at(3), "a", &parts[1], 1), Outcome::Complete(message));
    assert_eq!((machine.pending(), machine.poll_timeout(), machine.octets), (0, None, 0));
}

#[test]
fn a_message_without_concatenation_is_complete_at_once() {
    let mut machine = Reassembler::new(LIMITS);
    let ies = vec![Ie::ports(Ports { destination: 16_420, source: 0 })];
    let mut ud = Udh { ies: ies.clone() }.encode().unwrap();
    ud.push(1);
    let message = Message { ies, payload: vec![1], tokens: vec![()] };
    let outcome = machine.handle_user_data(at(0), "a", &UserData::with_header(ud), ());
    assert_eq!(outcome, Outcome::Complete(message));
}

#[test]
fn sender_width_and_total_keep_messages_apart() {
    let mut machine = Reassembler::new(Limits { messages_per_sender: 9, ..LIMITS });
    let wide = |mut part: Part<u8>| {
        part.concatenation.wide = true;
        part
    };
    assert_eq!(machine.handle_part(at(0), "a", part(1, 1, 2, b"x")), Outcome::Held);
    assert_eq!(machine.handle_part(at(0), "b", part(1, 2, 2, b"y")), Outcome::Held);
    assert_eq!(machine.handle_part(at(0), "a", wide(part(1, 2, 2, b"y"))), Outcome::Held);
    assert_eq!(machine.handle_part(at(0), "a", part(1, 2, 3, b"y")), Outcome::Held);
    assert_eq!(machine.pending(), 4);
}

#[test]
fn a_conflicting_part_is_refused_and_what_is_held_stays() {
    let mut machine = Reassembler::new(LIMITS);
    machine.handle_part(at(0), "a", part(1, 1, 2, b"good"));
    let refused = machine.handle_part(at(1), "a", part(1, 1, 2, b"evil"));
    assert_eq!(refused, Outcome::Rejected(Rejection::Conflict, 1));
    let complete = machine.handle_part(at(2), "a", part(1, 2, 2, b"!"));
    assert!(matches!(complete, Outcome::Complete(message) if message.payload == b"good!"));
}

#[test]
fn impossible_numbers_and_malformed_headers_are_refused() {
    let mut machine = Reassembler::new(LIMITS);
    for (sequence, total) in [(0, 2), (3, 2), (0, 0), (1, 0)] {
        let outcome = machine.handle_part(at(0), "a", part(1, sequence, total, b"x"));
        assert_eq!(outcome, Outcome::Rejected(Rejection::Numbering { sequence, total }, sequence));
    }
    for ud in [vec![5, 0, 3], vec![4, 0, 2, 1, 1]] {
        let outcome = machine.handle_user_data(at(0), "a", &UserData::with_header(ud), 0);
        assert!(matches!(outcome, Outcome::Rejected(Rejection::Malformed(_), 0)));
    }
    assert_eq!(machine.pending(), 0);
}

#[test]
fn the_time_runs_from_the_first_part_and_gives_the_tokens_back() {
    let mut machine = Reassembler::new(LIMITS);
    machine.handle_part(at(0), "a", part(1, 2, 3, b"x"));
    machine.handle_part(at(500), "a", part(1, 1, 3, b"x"));
    assert_eq!(machine.poll_timeout(), Some(Duration::from_secs(600)));
    machine.handle_timeout(at(599));
    assert_eq!(machine.poll_dropped(), None);
    assert_eq!(machine.handle_part(at(600), "a", part(1, 3, 3, b"x")), Outcome::Held);
    let dropped = Dropped { sender: "a", reason: DropReason::TimedOut, arrived: 2, total: 3, tokens: vec![1, 2] };
    assert_eq!((machine.poll_dropped(), machine.poll_dropped()), (Some(dropped), None));
}

#[test]
fn full_means_refused_when_the_owner_wants_that() {
    let mut machine = Reassembler::new(LIMITS);
    let mut hold = |sender, part| machine.handle_part(at(0), sender, part);
    let full = |limit| Outcome::Rejected(Rejection::Full(limit), 1);
    assert_eq!(hold("a", part(1, 1, 2, b"x")), Outcome::Held);
    assert_eq!(hold("a", part(2, 1, 2, b"x")), Outcome::Held);
    assert_eq!(hold("a", part(3, 1, 2, b"x")), full("messages per sender"));
    assert_eq!(hold("b", part(1, 1, 2, &[0; 1_000])), Outcome::Held);
    assert_eq!(hold("c", part(1, 1, 2, &[0; 1_000])), full("octets"));
    assert_eq!(hold("c", part(1, 1, 2, b"x")), Outcome::Held);
    assert_eq!(hold("d", part(1, 1, 2, b"x")), full("senders"));
    let too_many = Rejection::TooManyParts { total: 9, limit: 8 };
    assert_eq!(hold("a", part(4, 1, 9, b"x")), Outcome::Rejected(too_many, 1));
    assert!(matches!(hold("a", part(1, 2, 2, b"y")), Outcome::Complete(_)), "the last part needs no room");
}

#[test]
fn full_drops_the_oldest_when_the_owner_wants_that() {
    let mut machine = Reassembler::new(Limits { when_full: WhenFull::DropOldest, ..LIMITS });
    machine.handle_part(at(0), "b", part(1, 1, 2, b"b"));
    machine.handle_part(at(1), "a", part(1, 1, 2, b"x"));
    machine.handle_part(at(2), "a", part(2, 1, 2, b"x"));
    assert_eq!(machine.handle_part(at(3), "a", part(3, 1, 2, b"x")), Outcome::Held);
    let dropped = machine.poll_dropped().unwrap();
    assert_eq!((dropped.sender, dropped.reason, dropped.tokens), ("a", DropReason::Evicted, vec![1]));
    assert_eq!(machine.handle_part(at(4), "c", part(1, 1, 2, &[0; 1_999])), Outcome::Held);
    assert_eq!((machine.pending(), machine.octets), (2, 2_000));
    let outcome = machine.handle_part(at(5), "c", part(2, 1, 2, &[0; 2_001]));
    assert_eq!(outcome, Outcome::Rejected(Rejection::Full("octets"), 1));
}

proptest! {
    #[test]
    fn every_payload_survives_split_and_shuffled_reassembly(
        payload in proptest::collection::vec(any::<u8>(), 0..1_000),
        wide: bool,
        seed in any::<u64>(),
    ) {
        let reference = if wide { Reference::Long(0xBEEF) } else { Reference::Short(0xEF) };
        let mut parts = segments(reference, &payload);
        for index in (1..parts.len()).rev() {
            let other = usize::try_from(seed.rotate_left(u32::try_from(index).unwrap()) % 97).unwrap() % (index + 1);
            parts.swap(index, other);
        }
        let mut machine = Reassembler::new(Limits { octets: 10_000, ..LIMITS });
        let mut complete = None;
        for part in &parts {
            match machine.handle_user_data(at(0), 1, part, ()) {
                Outcome::Complete(message) => complete = Some(message),
                outcome => prop_assert_eq!(outcome, Outcome::Held),
            }
        }
        let message = complete.unwrap();
        prop_assert_eq!((message.payload, message.ies), (payload, vec![Ie::command_packet()]));
    }

    #[test]
    fn random_parts_never_exceed_the_limits(
        parts in proptest::collection::vec((0_u8..8, 0_u16..6, 0_u8..10, 0_u8..10, 0_usize..400, 0_u64..40), 1..300),
        drop_oldest: bool,
    ) {
        let when_full = if drop_oldest { WhenFull::DropOldest } else { WhenFull::Refuse };
        let mut machine = Reassembler::new(Limits { when_full, ..LIMITS });
        let mut seconds = 0;
        for (sender, reference, sequence, total, length, wait) in parts {
            seconds += wait;
            machine.handle_part(at(seconds), sender, part(reference, sequence, total, &vec![sequence; length]));
            let held: usize = machine.held.values().map(|assembly| assembly.octets).sum();
            prop_assert_eq!(held, machine.octets);
            prop_assert!(machine.octets <= LIMITS.octets && machine.per_sender.len() <= LIMITS.senders);
            prop_assert!(machine.per_sender.values().all(|messages| (1..=LIMITS.messages_per_sender).contains(messages)));
            prop_assert_eq!(machine.deadlines.len(), machine.held.len());
        }
    }
}
