use super::*;
use crate::codec::ota::{CcLength, command::packet_length};
use crate::codec::sms::{Ie, Reference, Segmentation};
use crate::types::{UnixSeconds, hex};
use proptest::prelude::*;

const TRANSACTION: TransactionId = TransactionId([0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88]);

/// Operation, back-off, transaction and an identifier of this many characters.
fn usual(identifier: usize) -> Trigger {
    Trigger {
        operation: Some(Operation::Enable),
        access_control: Some(AccessControl::Backoff(1800)),
        sm_sr_id: Some("s".repeat(identifier)),
        ..Trigger::new(TRANSACTION)
    }
}

fn with_uri(trigger: Trigger) -> Trigger {
    Trigger { sm_sr_address: Some("u".repeat(35)), ..trigger }
}

/// With an AES packet with CC 8 for the eUICC around this many octets of secured data.
fn with_card_data(trigger: Trigger, data: usize) -> Trigger {
    Trigger { card_packet: Some(vec![0; packet_length(Some(16), 8, data)]), ..trigger }
}

fn size(trigger: &Trigger) -> (usize, usize) {
    let size = HostTriggerSize::of(trigger, CcLength::Eight, Reference::Short(0)).unwrap();
    (size.packet, size.segments)
}

#[test]
fn sizes_are_those_promised_for_the_usual_triggers() {
    assert_eq!(size(&usual(16)), (74, 1));
    assert_eq!(size(&with_uri(usual(16))), (106, 1));
    assert_eq!(size(&with_card_data(usual(16), 30)), (138, 2));
    assert_eq!(size(&with_card_data(usual(15), 30)), (122, 1));
    assert_eq!(size(&with_card_data(usual(16), 266)), (378, 3));
    assert_eq!(size(&with_card_data(usual(16), 282)), (394, 4));
    assert_eq!(size(&with_card_data(with_uri(usual(16)), 266)), (410, 4));
    assert_eq!(size(&with_card_data(with_uri(usual(16)), 282)), (426, 4));
    let sim = Segmentation::new(Vec::new(), vec![Ie::command_packet()], Reference::Short(0));
    assert_eq!([266, 282].map(|data| sim.count(packet_length(Some(16), 8, data))), [Some(3), Some(3)]);
}

#[test]
fn one_message_holds_133_octets_of_packet_and_a_part_128_or_127() {
    let ports = |reference| size::segmentation(reference);
    let (short, long) = (ports(Reference::Short(0)), ports(Reference::Long(0)));
    assert_eq!([1, 2, 3].map(|parts| short.capacity(parts)), [133, 2 * 128, 3 * 128]);
    assert_eq!([1, 2, 3].map(|parts| long.capacity(parts)), [133, 2 * 127, 3 * 127]);
}

#[test]
fn too_many_messages_are_refused_with_all_sizes_named() {
    let size = HostTriggerSize::of(&with_card_data(usual(16), 266), CcLength::Eight, Reference::Short(0)).unwrap();
    assert_eq!(size.within(3, Reference::Short(0)), Ok(size));
    assert_eq!(
        size.within(2, Reference::Short(0)).unwrap_err().to_string(),
        "the trigger takes 3 short messages, max-segments is 2: object 343 octets, packet 378 octets, room for 256 octets"
    );
}

#[test]
fn an_object_may_have_1024_octets_and_not_one_more() {
    let with_packet = |octets| Trigger { card_packet: Some(vec![7; octets]), ..Trigger::new(TRANSACTION) };
    let largest = with_packet(1024 - 4 - 10 - 4);
    let octets = largest.encode().unwrap();
    assert_eq!((octets.len(), Trigger::decode(&octets).unwrap()), (1024, largest));
    assert!(with_packet(1024 - 4 - 10 - 3).encode().is_err());
    let mut longer = octets;
    longer.splice(0..4, [0xE1, 0x82, 0x03, 0xFE]);
    longer.extend([0x9D, 0x00]);
    assert!(matches!(Trigger::decode(&longer).unwrap_err().fault, crate::codec::Fault::Limit { limit: 1024, .. }));
}

#[test]
fn what_an_agent_would_refuse_is_not_encoded() {
    let text = |text: &str| Some(text.to_string());
    let window = |start, end| Some(AccessControl::Window { start: UnixSeconds(start), end: UnixSeconds(end) });
    for wrong in [
        Trigger { access_control: window(5, 5), ..Trigger::new(TRANSACTION) },
        Trigger { sm_sr_id: text(""), ..Trigger::new(TRANSACTION) },
        Trigger { sm_sr_address: text("https://a/\n"), ..Trigger::new(TRANSACTION) },
        Trigger { card_packet: Some(Vec::new()), ..Trigger::new(TRANSACTION) },
    ] {
        assert!(wrong.encode().is_err(), "{wrong:?}");
    }
}

#[test]
fn an_error_names_the_field_and_its_place() {
    let refused = |text| Trigger::decode(&hex::decode(text).unwrap()).unwrap_err().to_string();
    assert_eq!(
        refused("e10e 81020708 86081122334455667788"),
        "trigger object, 81 back-off at offset 4: expected a length of 4, found 2"
    );
    assert_eq!(refused("e103 880100"), "trigger object, 86 transaction at offset 5: is missing");
}

fn access_control() -> impl Strategy<Value = Option<AccessControl>> {
    prop_oneof![
        Just(None),
        any::<u32>().prop_map(|seconds| Some(AccessControl::Backoff(seconds))),
        any::<u32>().prop_map(|seconds| Some(AccessControl::WindowFromReceipt(seconds))),
        any::<u64>().prop_map(|at| Some(AccessControl::At(UnixSeconds(at)))),
        (any::<u32>(), 1..u32::MAX).prop_map(|(start, length)| {
            let start = UnixSeconds(u64::from(start));
            Some(AccessControl::Window { start, end: start.saturating_add(u64::from(length)) })
        }),
    ]
}

fn trigger() -> impl Strategy<Value = Trigger> {
    let operation = prop::option::of((1_u8..=7).prop_map(|code| Operation::from_code(code).unwrap()));
    let text = || prop::option::of("[a-z:/.äß漢0-9]{1,40}");
    let packet = prop::option::of(prop::collection::vec(any::<u8>(), 1..400));
    let owner = prop_oneof![Just(SessionOwner::Agent), Just(SessionOwner::Euicc)];
    (operation, access_control(), text(), text(), any::<[u8; 8]>(), packet, owner).prop_map(
        |(operation, access_control, sm_sr_id, sm_sr_address, transaction, card_packet, owner)| Trigger {
            operation,
            access_control,
            sm_sr_id,
            sm_sr_address,
            transaction: TransactionId(transaction),
            card_packet,
            owner,
        },
    )
}

proptest! {
    #[test]
    fn what_is_encoded_is_decoded_the_same(trigger in trigger()) {
        let octets = trigger.encode().unwrap();
        prop_assert_eq!(Trigger::decode(&octets).unwrap(), trigger);
    }

    #[test]
    fn what_is_accepted_is_encoded_to_the_same_meaning(octets in prop::collection::vec(any::<u8>(), 0..40)) {
        let mut object = hex::decode("e100 8608 1122334455667788").unwrap();
        object.extend(octets);
        object[1] = u8::try_from(object.len() - 2).unwrap();
        if let Ok(trigger) = Trigger::decode(&object) {
            prop_assert_eq!(Trigger::decode(&trigger.encode().unwrap()).unwrap(), trigger);
        }
    }
}
