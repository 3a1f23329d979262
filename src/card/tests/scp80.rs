//! Packets: integrity, counters, responses, and what they leave in the state.

use super::*;

#[test]
fn one_packet_is_answered_with_a_proved_por_in_both_styles() {
    for get_response in [false, true] {
        let mut rig = Rig::new(issued(), CardOptions { get_response, ..CardOptions::default() });
        assert_eq!(rig.states(), [(0x3F, true), (0x1F, false)]);
    }
}

#[test]
fn a_packet_in_several_messages_with_the_header_in_part_1_only() {
    let mut rig = Rig::issued();
    let create = Es5Command::CreateIsdP { isd_p: isd_p(0x12), memory: None }.encode().unwrap();
    let confirm = Es5Command::ConfirmProfile { isd_p: isd_p(0x12) }.encode().unwrap();
    let audit = Es5Command::AuditProfiles { isd_p: Some(isd_p(0x12)) }.encode().unwrap();
    let (answers, fetch) = rig.script(Tar::ISD_R, vec![create, audit.clone(), audit, confirm]);
    assert_eq!(rig.envelopes, 2);
    assert_eq!(answers.iter().map(|answer| answer.sw.0).collect::<Vec<_>>(), [0x9000, 0x9000, 0x9000, 0x6985]);
    assert_eq!(fetch, None);
    assert_eq!(rig.states(), [(0x3F, true), (0x1F, false), (0x03, false)]);
}

#[test]
fn a_script_ends_at_the_first_failure() {
    let mut rig = Rig::issued();
    let delete = Es5Command::DeleteProfile { isd_p: isd_p(0x44) }.encode().unwrap();
    let other = Es5Command::DeleteProfile { isd_p: isd_p(0x11) }.encode().unwrap();
    let (answers, _) = rig.script(Tar::ISD_R, vec![delete, other]);
    assert_eq!(answers.iter().map(|answer| answer.sw.0).collect::<Vec<_>>(), [0x6A88]);
    assert_eq!(rig.states().len(), 2);
}

#[test]
fn every_changed_bit_of_a_packet_is_met_with_silence_and_changes_nothing() {
    let mut rig = Rig::issued();
    let script = ExpandedCommand::of_apdus(ScriptForm::Definite, all_es5().drain(1..2)).encode().unwrap();
    let packet = rig.sender.send(SPI, Tar::ISD_R, script).unwrap().packet;
    let before = rig.card.state().clone();
    for bit in 0..packet.len() * 8 {
        let mut changed = packet.clone();
        changed[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(rig.deliver(&changed), (None, None), "bit {bit}");
        assert_eq!(*rig.card.state(), before);
    }
    assert!(rig.commits.is_empty());
    assert!(rig.deliver(&packet).0.is_some(), "the unchanged one is executed");
}

#[test]
fn a_packet_below_the_level_is_met_with_silence() {
    for spi in [Spi::new(0x12, 0x01), Spi::new(0x00, 0x01), Spi::new(0x04, 0x01)] {
        let mut rig = Rig::issued();
        let script = ExpandedCommand::of_apdus(ScriptForm::Definite, all_es5().drain(4..5)).encode().unwrap();
        let lax = key_set().prepare().unwrap().permit_legacy();
        let packet = CommandPacket { spi, tar: Tar::ISD_R, counter: Counter::new(5).unwrap(), data: script };
        assert_eq!(rig.deliver(&packet.secure(&lax).unwrap()), (None, None));
        assert!(rig.commits.is_empty());
    }
}

#[test]
fn a_card_that_tells_its_errors_does_so_without_proof() {
    let mut rig = Rig::new(issued(), CardOptions { error_por: true, ..CardOptions::default() });
    let mut packet = rig.sender.send(SPI, Tar::ISD_R, Vec::new()).unwrap().packet;
    let last = packet.len() - 1;
    packet[last] ^= 1;
    let (por, _) = rig.deliver(&packet);
    // RPL 000B, RHL 0A, TAR, CNTR 0, PCNTR 0, status 01 or 05.
    let por = por.unwrap();
    assert_eq!(hex::encode(&por[..15]), "027100000b0a000001000000000000");
    assert!(matches!(por[15], 0x01 | 0x05));
}

#[test]
fn a_repeated_packet_is_answered_with_counter_low_and_not_executed() {
    let mut rig = Rig::issued();
    let script = ExpandedCommand::of_apdus(ScriptForm::Definite, all_es5().drain(4..5)).encode().unwrap();
    let packet = rig.sender.send(SPI, Tar::ISD_R, script).unwrap().packet;
    let (por, _) = rig.deliver(&packet);
    let ud = por.unwrap();
    let reading = rig.sender.responses().read(&ud[3..]).unwrap();
    assert_eq!(proved(reading).packet.status, ResponseStatus::POR_OK);
    assert_eq!(rig.card.state().profiles.len(), 1);
    let commits = rig.commits.len();
    let (por, _) = rig.deliver(&packet);
    assert!(por.is_some_and(|ud| ud.len() < 3 + 45), "a PoR without results");
    assert_eq!(rig.commits.len(), commits);
}

#[test]
fn the_counter_is_committed_before_the_command_is_executed() {
    let mut rig = Rig::issued();
    let script = ExpandedCommand::of_apdus(ScriptForm::Definite, all_es5().drain(4..5)).encode().unwrap();
    let packet = rig.sender.send(SPI, Tar::ISD_R, script).unwrap().packet;
    rig.deliver(&packet);
    let [first, second] = rig.commits.as_slice() else { panic!("{} commits", rig.commits.len()) };
    assert_eq!((first.key_sets[0].counter, first.profiles.len()), (1, 2));
    assert_eq!((second.key_sets[0].counter, second.profiles.len()), (1, 1));
    // Power was cut between the two: the packet is lost and cannot be brought back.
    let mut after_cut = Rig::new(first.clone(), CardOptions::default());
    after_cut.deliver(&packet);
    assert_eq!(after_cut.card.state(), first);
}

#[test]
fn a_packet_to_an_isd_p_that_does_not_exist_is_answered_with_tar_unknown() {
    let mut rig = Rig::issued();
    let (reading, _) = rig.send(isd_p(0x77).tar().unwrap(), SPI, vec![0xAA, 0x00]);
    assert_eq!(proved(reading.unwrap()).packet.status, ResponseStatus::TAR_UNKNOWN);
}

#[test]
fn a_por_by_sms_submit_is_announced_and_sent_by_the_card() {
    let mut rig = Rig::issued();
    let audit = Es5Command::AuditProfiles { isd_p: None }.encode().unwrap();
    let script = ExpandedCommand::of_apdus(ScriptForm::Indefinite, [audit]).encode().unwrap();
    let (reading, fetch) = rig.send(Tar::ISD_R, Spi::new(0x16, 0x39), script);
    assert_eq!(proved(reading.unwrap()).packet.status, ResponseStatus::ACTUAL_RESPONSE_SMS_SUBMIT);
    let command = rig.fetch(fetch.unwrap());
    let Proactive::SendShortMessage { tpdu, .. } = &command.command else { panic!() };
    let submit = Submit::decode(tpdu).unwrap();
    assert_eq!((submit.da.clear(), submit.pid, submit.dcs), ("491710760000", Pid(0x7F), Dcs(0xF6)));
    let reading = rig.sender.responses().read(submit.ud.octets.strip_prefix(&[2, 0x71, 0]).unwrap()).unwrap();
    let results = ExpandedResponse::decode(&proved(reading).packet.data).unwrap();
    assert_eq!((results.form, results.executed), (ScriptForm::Indefinite, None));
    assert_eq!(decode_profiles(&results.responses().next().unwrap().data).unwrap().len(), 2);
    assert_eq!(rig.respond(&command, CommandResult::OK).sw.0, 0x9000);
}

#[test]
fn a_response_that_does_not_fit_says_what_was_left_out() {
    let mut rig = Rig::issued();
    for tar in 0x20..0x30 {
        rig.es5(Es5Command::CreateIsdP { isd_p: isd_p(tar), memory: None });
    }
    let all = Es5Command::AuditProfiles { isd_p: None }.encode().unwrap();
    let one = Es5Command::AuditProfiles { isd_p: Some(isd_p(0x10)) }.encode().unwrap();
    let (answers, _) = rig.script(Tar::ISD_R, vec![all, one]);
    assert_eq!((answers[0].sw.0, answers[0].data.len()), (0x62F1, 0));
    assert_eq!(decode_profiles(&answers[1].data).unwrap()[0].state, ProfileState::ENABLED);
}

#[test]
fn a_trigger_for_the_cards_own_session_is_handed_out_once() {
    let mut rig = Rig::issued();
    let (reading, _) = rig.send(Tar::AMENDMENT_B, SPI, vec![0x81, 0x00]);
    assert_eq!(proved(reading.unwrap()).packet.status, ResponseStatus::POR_OK);
    assert!(rig.card.take_trigger().is_some());
    assert!(rig.card.take_trigger().is_none());
}

#[test]
fn the_handed_over_key_set_is_deleted_but_never_the_one_in_use() {
    let mut state = issued();
    state.key_sets.push(CardKeySet { version: 2, ..key_set() });
    let mut rig = Rig::new(state, CardOptions::default());
    let finalise = |key_version| Es5Command::FinaliseIsdRHandover { key_version, first_key: 1, last_key: 3 };
    assert_eq!(rig.sw(finalise(1)), 0x6985);
    assert_eq!(rig.sw(finalise(3)), 0x6A88);
    assert_eq!(rig.sw(finalise(2)), 0x9000);
    assert_eq!(rig.card.state().key_sets.len(), 1);
    assert_eq!(rig.states().len(), 2);
}

#[test]
fn parts_that_never_become_whole_are_forgotten() {
    let mut rig = Rig::issued();
    let cut = Segmentation::new(Vec::new(), vec![Ie::command_packet()], Reference::Short(7));
    let segment = cut.segments(&[0; 200]).unwrap().remove(0);
    assert_eq!(rig.transmit(&envelope(segment)).sw.0, 0x9000);
    let deadline = rig.card.poll_timeout().unwrap();
    rig.card.handle_timeout(Now { mono: deadline, ..NOW });
    assert_eq!(rig.card.poll_timeout(), None);
}
