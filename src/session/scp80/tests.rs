use super::*;
use crate::codec::ota::{
    CcLength, CommandPacket, Counter, KeyFamily, KeySet, Kic, Kid, MinimumSecurity, Proof, Rejection, ResponsePacket,
    ResponseStatus, Spi,
};
use crate::types::{Secret, Tar};

const SGP_02: Spi = Spi::new(0x16, 0x39);
const VERSION: u8 = 2;

fn keys(version: u8) -> KeySet {
    let key = |octet: u8| Secret::new(vec![octet.wrapping_mul(version); 16]);
    KeySet::of_family(KeyFamily::Aes, version, &key(11), &key(77), CcLength::Eight).unwrap()
}

fn counter(value: u64) -> Counter {
    Counter::new(value).unwrap()
}

fn sender() -> Sender {
    let mut sender = Sender::new(keys(VERSION), 8);
    sender.reserve(CounterBlock::new(counter(1), counter(1_000_000)).unwrap());
    sender
}

/// A card with a counter on stable storage and a log of what it has executed.
struct Card {
    receiver: Receiver<u8>,
    stored: Counter,
    executed: Vec<Vec<u8>>,
    /// Loses its power after the counter is stored and before the command is executed.
    dies_before_execution: bool,
}

impl Card {
    fn new() -> Self {
        let isd_p = Tar([0, 0, 0x10])..=Tar([0, 0xFF, 0xFF]);
        let receiver = Receiver::default()
            .with_key_set(1, keys(1))
            .with_key_set(VERSION, keys(VERSION))
            .with_application(Tar::ISD_R, MinimumSecurity::ISD_R)
            .with_applications(isd_p, MinimumSecurity::ISD_R);
        Self { receiver, stored: Counter::ZERO, executed: Vec::new(), dies_before_execution: false }
    }

    fn hand_over(&mut self, packet: &[u8]) -> Result<Option<Response>, Rejection> {
        let stored = self.stored;
        match self.receiver.receive(packet, |name| (*name == VERSION).then_some(stored)) {
            Reception::Accepted(accepted) => {
                self.stored = accepted.store.unwrap_or(self.stored);
                if std::mem::take(&mut self.dies_before_execution) {
                    return Ok(None);
                }
                let command = accepted.stored();
                self.executed.push(command.data.clone());
                Ok(command.respond(ResponseStatus::POR_OK, vec![0xAB, 0x00]).unwrap())
            }
            Reception::CounterRefused { response, .. } => Ok(response),
            Reception::Silent { rejection, .. } => Err(rejection),
        }
    }
}

#[test]
fn a_command_is_executed_and_its_response_finds_the_command_again() {
    let (mut sender, mut card) = (sender(), Card::new());
    let secured = sender.send(SGP_02, Tar::ISD_R, vec![1, 2, 3]).unwrap();
    assert_eq!(secured.counter, counter(1));
    let response = card.hand_over(&secured.packet).unwrap().unwrap();
    assert_eq!((card.stored, response.carrier), (counter(1), Carrier::Submit));
    let Reading::Response(received) = sender.responses().read(&response.packet).unwrap() else { panic!("a hint") };
    assert_eq!(received.proof, Proof::Authentic);
    assert_eq!((received.packet.counter, received.packet.status), (counter(1), ResponseStatus::POR_OK));
    assert_eq!((received.packet.data, sender.responses().awaited()), (vec![0xAB, 0x00], 0));
    assert_eq!(sender.responses().read(&response.packet), Err(Unread::Unmatched), "repeated");
}

#[test]
fn nothing_of_a_replayed_log_is_executed_again() {
    let (mut sender, mut card) = (sender(), Card::new());
    let log: Vec<_> =
        (0_u32..2_000).map(|n| sender.send(SGP_02, Tar::ISD_R, n.to_be_bytes().to_vec()).unwrap().packet).collect();
    log.iter().for_each(|packet| assert!(card.hand_over(packet).is_ok()));
    assert_eq!(card.executed.len(), log.len());
    for packet in log.iter().rev().chain(&log) {
        let response = card.hand_over(packet).unwrap().expect("an authentic packet gets its counter status");
        let Ok(Reading::Response(received)) = sender.responses().read(&response.packet) else { continue };
        assert_eq!(received.packet.status, ResponseStatus::CNTR_LOW);
    }
    assert_eq!(card.executed.len(), log.len());
}

#[test]
fn over_a_link_that_loses_reorders_and_repeats_each_command_is_executed_at_most_once_and_in_order() {
    let (mut sender, mut card) = (sender(), Card::new());
    let mut chance = 0x2545_F491_u32;
    let mut draw = |limit: u32| {
        chance ^= chance << 13;
        chance ^= chance >> 17;
        chance ^= chance << 5;
        chance % limit
    };
    let mut link: Vec<Vec<u8>> = Vec::new();
    for n in 0_u32..500 {
        let secured = sender.send(SGP_02, Tar([0, 0, 0x10]), n.to_be_bytes().to_vec()).unwrap();
        (0..draw(3)).for_each(|_| link.push(secured.packet.clone()));
        while draw(2) == 0 && !link.is_empty() {
            let place = usize::try_from(draw(u32::try_from(link.len()).unwrap())).unwrap();
            let packet = link.swap_remove(place);
            card.dies_before_execution = draw(10) == 0;
            card.hand_over(&packet).unwrap();
        }
    }
    assert!(card.executed.len() > 50, "the link is bad, not dead");
    assert!(card.executed.is_sorted_by(|earlier, later| earlier < later));
}

#[test]
fn a_card_that_died_between_storing_and_executing_never_executes_that_packet() {
    let (mut sender, mut card) = (sender(), Card::new());
    let packet = sender.send(SGP_02, Tar::ISD_R, vec![9]).unwrap().packet;
    card.dies_before_execution = true;
    assert_eq!(card.hand_over(&packet), Ok(None));
    card.hand_over(&packet).unwrap();
    assert_eq!((card.executed.len(), card.stored), (0, counter(1)));
    let again = sender.send(SGP_02, Tar::ISD_R, vec![9]).unwrap();
    card.hand_over(&again.packet).unwrap();
    assert_eq!((card.executed, again.counter), (vec![vec![9]], counter(2)));
}

#[test]
fn checks_come_in_their_order_and_all_before_the_checksum_are_silent() {
    let mut card = Card::new();
    let secure = |spi, tar, keys: &KeySet| {
        let command = CommandPacket { spi, tar, counter: counter(5), data: vec![0; 4] };
        command.secure(keys).unwrap()
    };
    let mine = keys(VERSION);
    let bare = KeySet::without_keys(Kic(0x22), Kid(0x22));
    let weak = Spi::new(0x00, 0x01);
    assert_eq!(card.hand_over(&secure(weak, Tar::ECASD, &bare)), Err(Rejection::TarUnknown));
    assert_eq!(card.hand_over(&secure(weak, Tar::ISD_R, &bare)), Err(Rejection::SecurityLevel));
    assert_eq!(card.hand_over(&secure(SGP_02, Tar::ISD_R, &keys(3))), Err(Rejection::KeyUnknown));
    let mut forged = secure(SGP_02, Tar::ISD_R, &mine);
    *forged.last_mut().unwrap() ^= 1;
    assert_eq!(card.hand_over(&forged), Err(Rejection::Integrity));
    forged.pop();
    assert!(matches!(card.hand_over(&forged), Err(Rejection::Length(_))));
    let without_counter = secure(SGP_02, Tar::ISD_R, &keys(1));
    assert_eq!(card.hand_over(&without_counter), Err(Rejection::CounterUnknown));
    assert_eq!((card.executed.len(), card.stored), (0, Counter::ZERO));
}

#[test]
fn the_stored_counter_is_not_asked_for_before_the_checksum_is_right() {
    let card = Card::new();
    let command = CommandPacket { spi: SGP_02, tar: Tar::ISD_R, counter: counter(5), data: vec![0; 4] };
    let mut forged = command.secure(&keys(VERSION)).unwrap();
    *forged.last_mut().unwrap() ^= 1;
    let reception = card.receiver.receive(&forged, |_| panic!("asked"));
    assert!(matches!(reception, Reception::Silent { rejection: Rejection::Integrity, header: Some(_) }));
}

#[test]
fn counter_errors_are_answered_as_spi2_asks_and_only_under_a_checksum() {
    let receiver =
        Receiver::default().with_key_set(VERSION, keys(VERSION)).with_application(Tar::ISD_R, MinimumSecurity(0x00));
    let statuses = |spi1: u8, spi2: u8, value: u64, stored: u64| {
        let spi = Spi::new(spi1, spi2);
        let packet = CommandPacket { spi, tar: Tar::ISD_R, counter: counter(value), data: Vec::new() };
        let packet = packet.secure(&keys(VERSION)).unwrap();
        match receiver.receive(&packet, |_| Some(counter(stored))) {
            Reception::CounterRefused { status, response, .. } => Some((status, response.is_some())),
            Reception::Accepted(accepted) => {
                assert!(accepted.store.is_none() || spi1 & 0x02 != 0, "moved without CC");
                None
            }
            Reception::Silent { rejection, .. } => panic!("{rejection}"),
        }
    };
    assert_eq!(statuses(0x16, 0x39, 5, 5), Some((ResponseStatus::CNTR_LOW, true)));
    assert_eq!(statuses(0x16, 0x02, 5, 5), Some((ResponseStatus::CNTR_LOW, true)));
    assert_eq!(statuses(0x16, 0x00, 5, 5), Some((ResponseStatus::CNTR_LOW, false)));
    assert_eq!(statuses(0x1E, 0x39, 7, 5), Some((ResponseStatus::CNTR_HIGH, true)));
    assert_eq!(statuses(0x16, 0x39, 7, Counter::MAX.value()), Some((ResponseStatus::CNTR_BLOCKED, true)));
    assert_eq!(statuses(0x10, 0x01, 5, 5), Some((ResponseStatus::CNTR_LOW, false)), "no CC, no answer");
    assert_eq!(statuses(0x10, 0x01, 6, 5), None);
    assert_eq!(statuses(0x16, 0x39, 6, 5), None);
}

#[test]
fn a_success_is_not_answered_when_only_errors_are_wanted() {
    let mut card = Card::new();
    let mut sender = sender();
    for (spi2, answered) in
        [(0x00, None), (0x02, None), (0x01, Some(Carrier::DeliverReport)), (0x21, Some(Carrier::Submit))]
    {
        let packet = sender.send(Spi::new(0x16, spi2), Tar::ISD_R, vec![1]).unwrap().packet;
        assert_eq!(card.hand_over(&packet).unwrap().map(|response| response.carrier), answered, "{spi2:02X}");
    }
}

#[test]
fn counters_come_from_the_reserved_block_alone() {
    let mut sender = Sender::new(keys(VERSION), 8);
    assert_eq!(sender.send(SGP_02, Tar::ISD_R, vec![]), Err(SendError::NoCounter));
    sender.reserve(CounterBlock::new(counter(7), counter(8)).unwrap());
    let refused = sender.send(Spi::new(0x06, 0x00), Tar::ISD_R, vec![]);
    assert!(matches!(refused, Err(SendError::Refused(_))), "AES without a checked counter");
    let taken = [(); 3].map(|()| sender.send(SGP_02, Tar::ISD_R, vec![]).map(|secured| secured.counter.value()));
    assert_eq!(taken, [Ok(7), Ok(8), Err(SendError::NoCounter)]);
    assert_eq!(sender.remaining(), 0);
    assert!(CounterBlock::new(counter(9), counter(8)).is_err());
    assert!(CounterBlock::new(counter(9), Counter::MAX).is_err());
}

#[test]
fn a_response_that_announces_another_keeps_its_command_awaited() {
    let mut sender = sender();
    let counter = sender.send(SGP_02, Tar::ISD_R, vec![1]).unwrap().counter;
    let mut answer = |status: ResponseStatus| {
        let response = ResponsePacket { tar: Tar::ISD_R, counter, status, data: Vec::new() };
        let packet = response.secure(SGP_02, &keys(VERSION)).unwrap();
        sender.responses().read(&packet).map(|_| sender.responses().awaited())
    };
    assert_eq!(answer(ResponseStatus::ACTUAL_RESPONSE_SMS_SUBMIT), Ok(1));
    assert_eq!(answer(ResponseStatus::MORE_TIME_NEEDED), Ok(1));
    assert_eq!(answer(ResponseStatus::POR_OK), Ok(0));
}

#[test]
fn an_unprotected_error_is_a_hint_that_ends_nothing() {
    let mut sender = sender();
    sender.send(SGP_02, Tar::ISD_R, vec![1]).unwrap();
    let plain = |status| {
        let response = ResponsePacket { tar: Tar::ISD_R, counter: Counter::ZERO, status, data: Vec::new() };
        response.secure(Spi::new(0, 0x01), &keys(VERSION)).unwrap()
    };
    let hint = sender.responses().read(&plain(ResponseStatus::TAR_UNKNOWN));
    assert!(matches!(hint, Ok(Reading::Hint(received)) if received.packet.status == ResponseStatus::TAR_UNKNOWN));
    assert_eq!(sender.responses().read(&plain(ResponseStatus::POR_OK)), Err(Unread::Unmatched));
    assert_eq!(sender.responses().awaited(), 1);
}

#[test]
fn responses_find_their_command_across_key_rotation_and_the_oldest_gives_way() {
    let mut book = ResponseBook::new(3);
    for version in 1..=4 {
        let expected = Expected { tar: Tar::ISD_R, counter: counter(9), spi: SGP_02, keys: keys(version) };
        book.expect(expected);
    }
    let response = |version| {
        let status = ResponseStatus::POR_OK;
        let packet = ResponsePacket { tar: Tar::ISD_R, counter: counter(9), status, data: Vec::new() };
        packet.secure(SGP_02, &keys(version)).unwrap()
    };
    assert_eq!(book.read(&response(1)), Err(Unread::Unmatched));
    assert!(book.read(&response(3)).is_ok());
    assert_eq!(book.awaited(), 2);
    book.forget(Tar::ISD_R, counter(9));
    assert_eq!(book.awaited(), 0);
}
