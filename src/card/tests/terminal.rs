//! What a terminal may do, and what it may not.

use super::*;

#[test]
fn no_management_command_is_taken_outside_scp80() {
    let mut rig = Rig::issued();
    let before = rig.card.state().clone();
    assert_eq!(rig.hex("0070000001"), "019000");
    for aid in [Aid::ISD_R, isd_p(0x11), isd_p(0x10)] {
        for channel in [0_u8, 1] {
            let select = CommandApdu::new(channel, 0xA4, 0x04, 0x0C).with_data(aid.octets().to_vec());
            assert_eq!(rig.transmit(&select.encode().unwrap()).sw.0, 0x9000);
            for apdu in all_es5() {
                let on_channel = CommandApdu::decode(&apdu).unwrap().on_channel(channel).unwrap();
                // The secure messaging bits of CLA open no door either.
                for cla in [on_channel.cla, on_channel.cla | 0x04] {
                    let command = CommandApdu { cla, ..on_channel.clone() }.encode().unwrap();
                    assert_eq!(rig.transmit(&command).sw.0, 0x6985, "{}", hex::encode(&command));
                }
            }
        }
    }
    assert_eq!(*rig.card.state(), before);
    assert!(rig.commits.is_empty());
}

#[test]
fn management_commands_are_refused_on_a_fresh_channel_too() {
    let mut rig = Rig::issued();
    for apdu in all_es5() {
        assert_eq!(rig.transmit(&apdu).sw.0, 0x6985, "{}", hex::encode(&apdu));
    }
}

#[test]
fn a_terminal_reads_eid_iccid_imsi_and_number() {
    let mut rig = Rig::issued();
    assert_eq!(rig.transmit(&ecasd::select()).sw.0, 0x9000);
    let eid = ecasd::decode_eid(&rig.transmit(&ecasd::GET_EID).data).unwrap();
    assert_eq!(eid, rig.card.state().eid);
    assert_eq!(rig.hex("00a4000c022fe2"), "9000");
    let iccid = format!("{}9000", hex::encode(&subscription(1).iccid.octets()));
    assert_eq!(rig.hex("00b000000a"), iccid);
    assert_eq!(rig.hex("00b00000ff"), "6c0a");
    assert_eq!(rig.hex("00a4000c027fff") + &rig.hex("00a4000c026f07"), "90009000");
    assert_eq!(rig.hex("00b0000009"), "0829261000000000109000");
    assert_eq!(rig.hex("00a4000c026f40"), "9000");
    assert_eq!(rig.hex("00b201040e"), "089194510100000010ffffffffff9000");
    assert_eq!(rig.hex("00b202040e"), "6a83");
    assert_eq!(rig.hex("00a4000c026fff"), "6a82");
    assert_eq!(rig.hex("80f2000c00"), "9000");
}

#[test]
fn channels_are_opened_closed_and_run_out() {
    let mut rig = Rig::issued();
    let opened: Vec<_> = (0..4).map(|_| rig.hex("0070000001")).collect();
    assert_eq!(opened, ["019000", "029000", "039000", "6a81"]);
    assert_eq!(rig.hex("02a4040c10a0000005591010ffffffff8900000200"), "9000");
    assert!(rig.hex("82ca005a00").starts_with("5a10890490"));
    assert_eq!(rig.hex("80ca005a00"), "6a88", "the basic channel has its own selection");
    assert_eq!(rig.hex("00708002"), "9000");
    assert_eq!(rig.hex("82ca005a00"), "6881");
    assert_eq!(rig.hex("00708002"), "6881");
}

#[test]
fn the_pin_counts_its_tries_down_and_keeps_them_without_power() {
    let mut state = issued();
    state.pins.pin1.enabled = true;
    let mut rig = Rig::new(state, CardOptions::default());
    assert_eq!(rig.hex("0020000100"), "63c3");
    assert_eq!(rig.hex("00a4000c026f07"), "9000");
    assert_eq!(rig.hex("00b0000009"), "6982");
    assert_eq!(rig.hex("002000010839393939ffffffff"), "63c2");
    let mut rig = Rig::new(rig.commits.pop().unwrap(), CardOptions::default());
    assert_eq!(rig.hex("0020000100"), "63c2");
    assert_eq!(rig.hex("002000010831323334ffffffff"), "9000");
    assert_eq!(rig.hex("0020000100"), "9000");
    rig.reset();
    let answers: Vec<_> = (0..4).map(|_| rig.hex("002000010839393939ffffffff")).collect();
    assert_eq!(answers, ["63c2", "63c1", "6983", "6983"]);
    assert_eq!(rig.hex("002c000100"), "63ca");
    assert_eq!(rig.hex("002c000110313233343536373834333231ffffffff"), "9000");
    assert_eq!(rig.hex("002000010834333231ffffffff"), "9000");
    assert_eq!(rig.hex("0020008100") + &rig.hex("0020007f00"), "63c36a88");
}

#[test]
fn between_fetch_and_terminal_response_the_card_is_busy() {
    let mut rig = Rig::issued();
    let enable = Es5Command::EnableProfile { isd_p: isd_p(0x11) }.encode().unwrap();
    let (_, fetch) = rig.script(Tar::ISD_R, vec![enable]);
    let refresh = rig.fetch(fetch.unwrap());
    let packet = rig.sender.send(SPI, Tar::ISD_R, Vec::new()).unwrap().packet;
    let segment = [&[0x02, 0x70, 0x00][..], &packet].concat();
    assert_eq!(rig.transmit(&envelope(segment)).sw.0, 0x9300);
    assert_eq!(rig.respond(&refresh, CommandResult::TERMINAL_BUSY).sw.0, 0x9000);
    assert_eq!(rig.transmit(&[0x80, 0xF2, 0x00, 0x0C, 0x00]).sw.sw1(), 0x91, "the next STATUS brings it again");
}

#[test]
fn without_terminal_profile_there_is_no_toolkit() {
    let mut rig = Rig::issued();
    rig.card.reset();
    let enable = Es5Command::EnableProfile { isd_p: isd_p(0x11) }.encode().unwrap();
    let (_, fetch) = rig.script(Tar::ISD_R, vec![enable]);
    assert_eq!(fetch, None);
    rig.card.reset();
    assert_eq!(rig.imsi(), "262010000000002");
}

#[test]
fn a_state_with_impossible_keys_is_refused() {
    let mut twice = issued();
    twice.key_sets.push(key_set());
    assert!(Card::new(twice, CardOptions::default()).is_err());
    let mut short = issued();
    short.key_sets[0].kic = Secret::new(vec![1; 5]);
    assert!(Card::new(short, CardOptions::default()).is_err());
}

#[test]
fn the_state_survives_as_text_and_prints_no_secret() {
    let state = issued();
    let text = serde_json::to_string(&state).unwrap();
    assert_eq!(serde_json::from_str::<CardState>(&text).unwrap(), state);
    let printed = format!("{state:?} {:?}", Rig::issued().card);
    for secret in ["1111111111", "17, 17", "262010000000001", "49151000000001", "1234", "12345678"] {
        assert!(!printed.contains(secret), "{secret}");
    }
}

proptest! {
    #[test]
    fn any_octets_get_an_answer_with_a_status_word(
        apdus in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..40), 1..20),
        header in 0_usize..12,
    ) {
        const HEADERS: [[u8; 4]; 12] = [
            [0x00, 0xA4, 0x00, 0x04], [0x00, 0xA4, 0x04, 0x00], [0x00, 0xB0, 0x00, 0x00], [0x00, 0xB2, 0x01, 0x04],
            [0x00, 0x20, 0x00, 0x01], [0x00, 0x2C, 0x00, 0x01], [0x00, 0x70, 0x00, 0x00], [0x80, 0xC2, 0x00, 0x00],
            [0x80, 0x12, 0x00, 0x00], [0x80, 0x14, 0x00, 0x00], [0x80, 0xF2, 0x00, 0x00], [0x00, 0xC0, 0x00, 0x00],
        ];
        let mut rig = Rig::issued();
        for octets in apdus {
            let framed = [&HEADERS[header][..], &[u8::try_from(octets.len()).unwrap()], &octets].concat();
            for apdu in [octets, framed] {
                rig.transmit(&apdu);
            }
        }
    }
}
