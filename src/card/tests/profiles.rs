//! Loading, switching, rolling back and deleting profiles.

use super::*;

#[test]
fn download_install_enable_with_a_kill_after_every_commit() {
    let mut rig = Rig::issued();
    let restart = |rig: &mut Rig| {
        let text = serde_json::to_string(rig.commits.last().unwrap()).unwrap();
        rig.card = Card::new(serde_json::from_str(&text).unwrap(), CardOptions::default()).unwrap();
        rig.boot();
    };
    assert_eq!(rig.sw(Es5Command::CreateIsdP { isd_p: isd_p(0x12), memory: None }), 0x9000);
    restart(&mut rig);
    let data = subscription(3).profile_data(1000).unwrap();
    for block in blocks(&data).unwrap() {
        let command = block.encode().unwrap();
        assert_eq!(rig.script(isd_p(0x12).tar().unwrap(), vec![command]).0[0].sw.0, 0x9000);
        restart(&mut rig);
    }
    assert_eq!(rig.sw(Es5Command::EnableProfile { isd_p: isd_p(0x12) }), 0x6985, "loaded, not installed");
    assert_eq!(rig.sw(Es5Command::ConfirmProfile { isd_p: isd_p(0x12) }), 0x9000);
    restart(&mut rig);
    assert_eq!(rig.states(), [(0x3F, true), (0x1F, false), (0x1F, false)]);
    assert_eq!(rig.sw(Es5Command::EnableProfile { isd_p: isd_p(0x12) }), 0x9000);
    assert_eq!(rig.imsi(), "262010000000001", "the old subscription until the reset");
    restart(&mut rig);
    assert_eq!(rig.imsi(), "262010000000003");
    assert_eq!(rig.states(), [(0x1F, true), (0x1F, false), (0x3F, false)]);
    let sequence = rig.card.notification().unwrap().sequence;
    assert_eq!(rig.sw(Es5Command::HandleNotificationConfirmation { sequence }), 0x9000);
    restart(&mut rig);
    assert_eq!(rig.card.notification(), None);
    assert_eq!(rig.imsi(), "262010000000003");
}

#[test]
fn enabling_refreshes_moves_the_identity_and_is_notified_until_confirmed() {
    let mut rig = Rig::issued();
    rig.switch(Es5Command::EnableProfile { isd_p: isd_p(0x11) });
    assert_eq!(rig.imsi(), "262010000000002");
    assert_eq!(rig.hex("00a4000c022fe2"), "9000");
    assert_eq!(rig.hex("00b000000a"), format!("{}9000", hex::encode(&subscription(2).iccid.octets())));
    // The terminal reads the notification to post it; that is no management command.
    assert_eq!(rig.hex("00a4040c10a0000005591010ffffffff8900000100"), "9000");
    let object = rig.transmit(&hex::decode("80ca00e100").unwrap()).data;
    let notification = Notification::decode(&object).unwrap();
    assert_eq!(notification.notification_type, NotificationType::CHANGE_SUCCEEDED);
    assert_eq!((notification.sequence, notification.isd_p), (1, isd_p(0x11)));
    assert_eq!(rig.sw(Es5Command::HandleNotificationConfirmation { sequence: 9 }), 0x6A80);
    for _ in 0..2 {
        let answer = rig.es5(Es5Command::HandleNotificationConfirmation { sequence: 1 });
        assert_eq!((answer.sw.0, decode_confirmation(&answer.data).unwrap()), (0x9000, Vec::new()));
    }
    assert_eq!(rig.hex("80ca00e100"), "6a88");
}

#[test]
fn disabling_hands_over_to_the_fall_back_profile() {
    let mut rig = Rig::issued();
    assert_eq!(rig.sw(Es5Command::DisableProfile { isd_p: isd_p(0x10) }), 0x6985, "it is the fall-back profile");
    rig.switch(Es5Command::EnableProfile { isd_p: isd_p(0x11) });
    rig.switch(Es5Command::DisableProfile { isd_p: isd_p(0x11) });
    assert_eq!(rig.imsi(), "262010000000001");
    assert_eq!(rig.states(), [(0x3F, true), (0x1F, false)]);
    assert_eq!(rig.sw(Es5Command::SetFallBackAttribute { isd_p: isd_p(0x11) }), 0x9000);
    assert_eq!(rig.states(), [(0x3F, false), (0x1F, true)]);
    rig.switch(Es5Command::DisableProfile { isd_p: isd_p(0x10) });
    assert_eq!(rig.imsi(), "262010000000002");
}

#[test]
fn an_unconfirmed_change_is_rolled_back_and_then_falls_back() {
    let mut rig = Rig::issued();
    assert!(!rig.card.connectivity_failed(&mut |_| panic!("nothing changes")));
    rig.switch(Es5Command::EnableProfile { isd_p: isd_p(0x11) });
    let mut committed = None;
    assert!(rig.card.connectivity_failed(&mut |state| committed = Some(state.clone())));
    assert_eq!(rig.imsi(), "262010000000002", "until the reset");
    let mut rig = Rig::new(committed.unwrap(), CardOptions::default());
    assert_eq!(rig.imsi(), "262010000000001");
    let notification = rig.card.notification().unwrap();
    assert_eq!((notification.notification_type, notification.sequence), (NotificationType::CHANGE_ROLLED_BACK, 2));
    rig.sender.reserve(CounterBlock::new(Counter::new(50).unwrap(), Counter::new(99).unwrap()).unwrap());
    assert_eq!(rig.sw(Es5Command::HandleNotificationConfirmation { sequence: 2 }), 0x9000);

    assert_eq!(rig.sw(Es5Command::SetFallBackAttribute { isd_p: isd_p(0x11) }), 0x9000);
    assert!(rig.card.connectivity_failed(&mut |_| ()));
    rig.reset();
    assert_eq!(rig.imsi(), "262010000000002");
    let kind = rig.card.notification().unwrap().notification_type;
    assert_eq!(kind, NotificationType::CHANGE_AFTER_FALL_BACK);
    assert!(!rig.card.connectivity_failed(&mut |_| ()), "the fall-back profile is the last resort");
}

#[test]
fn policy_rules_forbid_and_delete() {
    let mut state = issued();
    state.profiles[0].policy = Policy { disabling_forbidden: true, ..Policy::default() };
    state.profiles[1].policy = Policy { deletion_forbidden: true, ..Policy::default() };
    let mut rig = Rig::new(state, CardOptions::default());
    assert_eq!(rig.sw(Es5Command::EnableProfile { isd_p: isd_p(0x11) }), 0x69E1);
    assert_eq!(rig.sw(Es5Command::DeleteProfile { isd_p: isd_p(0x11) }), 0x69E1);
    assert_eq!(rig.sw(Es5Command::DeleteProfile { isd_p: isd_p(0x10) }), 0x6985);

    let mut state = issued();
    state.profiles[1].policy = Policy { deleted_when_disabled: true, ..Policy::default() };
    let mut rig = Rig::new(state, CardOptions::default());
    rig.switch(Es5Command::EnableProfile { isd_p: isd_p(0x11) });
    rig.switch(Es5Command::DisableProfile { isd_p: isd_p(0x11) });
    let sequence = rig.card.notification().unwrap().sequence;
    for _ in 0..2 {
        let answer = rig.es5(Es5Command::HandleNotificationConfirmation { sequence });
        assert_eq!(decode_confirmation(&answer.data).unwrap(), [isd_p(0x11)]);
    }
    assert_eq!(rig.states(), [(0x3F, true)]);
}

#[test]
fn memory_is_accounted_for_and_comes_back() {
    let mut state = issued();
    state.memory = 12 * 1024;
    let mut rig = Rig::new(state, CardOptions::default());
    let free = rig.free();
    assert_eq!(free, 8 * 1024);
    assert_eq!(rig.sw(Es5Command::CreateIsdP { isd_p: isd_p(0x12), memory: Some(0x1801) }), 0x6A84);
    assert_eq!(rig.sw(Es5Command::CreateIsdP { isd_p: isd_p(0x12), memory: Some(0x1800) }), 0x9000);
    assert_eq!(rig.sw(Es5Command::CreateIsdP { isd_p: isd_p(0x13), memory: None }), 0x6A84);
    assert_eq!(rig.free(), 0);
    assert_eq!(rig.load(0x12, &subscription(3), 0x1801).last(), Some(&0x6A84));
    assert_eq!(rig.sw(Es5Command::DeleteProfile { isd_p: isd_p(0x12) }), 0x9000);
    for _ in 0..1000 {
        assert_eq!(rig.sw(Es5Command::CreateIsdP { isd_p: isd_p(0x12), memory: None }), 0x9000);
        assert_eq!(rig.load(0x12, &subscription(3), 300), [0x9000, 0x9000]);
        assert_eq!(rig.sw(Es5Command::DeleteProfile { isd_p: isd_p(0x12) }), 0x9000);
    }
    assert_eq!(rig.free(), free);
}

#[test]
fn profile_data_are_refused_out_of_order_twice_and_without_an_iccid_of_their_own() {
    let mut rig = Rig::issued();
    let tar = isd_p(0x12).tar().unwrap();
    assert_eq!(rig.sw(Es5Command::CreateIsdP { isd_p: isd_p(0x12), memory: None }), 0x9000);
    assert_eq!(rig.sw(Es5Command::CreateIsdP { isd_p: isd_p(0x12), memory: None }), 0x6985);
    assert_eq!(rig.sw(Es5Command::CreateIsdP { isd_p: Aid::ISD_R, memory: None }), 0x6A80);
    let data = subscription(3).profile_data(700).unwrap();
    let commands: Vec<_> = blocks(&data).unwrap().iter().map(|block| block.encode().unwrap()).collect();
    let mut store = |command: &Vec<u8>| rig.script(tar, vec![command.clone()]).0[0].sw.0;
    assert_eq!(store(&commands[1]), 0x6A86, "block 0 is missing");
    assert_eq!(store(&commands[0]), 0x9000);
    assert_eq!(store(&commands[2]), 0x6A86);
    assert_eq!(store(&commands[0]), 0x9000, "block 0 begins anew");
    assert_eq!((store(&commands[1]), store(&commands[2])), (0x9000, 0x9000));
    assert_eq!(store(&commands[0]), 0x6985, "loaded");
    for wrong in [subscription(1).profile_data(100).unwrap(), vec![0; 100]] {
        let command = blocks(&wrong).unwrap()[0].encode().unwrap();
        assert_eq!(rig.sw(Es5Command::CreateIsdP { isd_p: isd_p(0x13), memory: None }), 0x9000);
        assert_eq!(rig.script(isd_p(0x13).tar().unwrap(), vec![command]).0[0].sw.0, 0x6A80);
        assert_eq!(rig.sw(Es5Command::DeleteProfile { isd_p: isd_p(0x13) }), 0x9000);
    }
}

#[test]
fn a_profile_without_identity_objects_gets_a_test_imsi() {
    let mut rig = Rig::issued();
    rig.es5(Es5Command::CreateIsdP { isd_p: isd_p(0x12), memory: None });
    let data = [&[0x5A, 10][..], &subscription(3).iccid.octets()].concat();
    let command = blocks(&data).unwrap()[0].encode().unwrap();
    rig.script(isd_p(0x12).tar().unwrap(), vec![command]);
    let subscription = rig.card.state().profile(isd_p(0x12)).unwrap().subscription.clone().unwrap();
    assert_eq!((subscription.imsi.clear(), subscription.msisdn), ("001010000000003", None));
}

#[test]
fn with_an_address_for_it_the_notification_leaves_by_sms_after_the_attach() {
    let mut state = issued();
    state.sm_sr = Some("4917155500".parse().unwrap());
    let mut rig = Rig::new(state, CardOptions::default());
    let enable = Es5Command::EnableProfile { isd_p: isd_p(0x11) }.encode().unwrap();
    let script = ExpandedCommand::of_apdus(ScriptForm::Definite, [enable]).encode().unwrap();
    let secured = rig.sender.send(SPI, Tar::ISD_R, script).unwrap();
    rig.deliver(&secured.packet);
    // The PoR has been read by now; the notification comes as one more response to the same command.
    let keys = key_set().prepare().unwrap();
    rig.sender.responses().expect(Expected { tar: Tar::ISD_R, counter: secured.counter, spi: SPI, keys });
    rig.card.reset();
    let profile = cat::terminal_profile(PROFILE.to_vec()).encode().unwrap();
    let length = rig.transmit(&profile).sw.proactive().unwrap();
    let events = rig.fetch(length);
    assert_eq!(events.command, Proactive::SetUpEventList(vec![Event::LOCATION_STATUS]));
    assert_eq!(rig.respond(&events, CommandResult::OK).sw.0, 0x9000);
    let attached = Envelope::EventDownload(Event::LocationStatus { status: 0, location: None }).encode().unwrap();
    let length = rig.transmit(&attached).sw.proactive().unwrap();
    let command = rig.fetch(length);
    let Proactive::SendShortMessage { tpdu, .. } = &command.command else { panic!() };
    let submit = Submit::decode(tpdu).unwrap();
    assert_eq!(submit.da.clear(), "4917155500");
    let packet = submit.ud.octets.strip_prefix(&[2, 0x71, 0]).unwrap();
    let reading = rig.sender.responses().read(packet).unwrap();
    let response = proved(reading);
    assert_eq!((response.proof, response.packet.counter), (Proof::Authentic, secured.counter));
    let notification = Notification::decode(&response.packet.data).unwrap();
    assert_eq!(notification.isd_p, isd_p(0x11));
    assert_eq!(rig.respond(&command, CommandResult::OK).sw.0, 0x9000);
    assert_eq!(rig.transmit(&attached).sw.0, 0x9000, "once per reset");
}

#[test]
fn an_isd_p_takes_its_own_confirmation_and_no_others() {
    let mut rig = Rig::issued();
    let data = subscription(3).profile_data(100).unwrap();
    let load = blocks(&data).unwrap()[0].encode().unwrap();
    assert_eq!(rig.sw(Es5Command::CreateIsdP { isd_p: isd_p(0x12), memory: None }), 0x9000);
    let tar = isd_p(0x12).tar().unwrap();
    let confirm = |tar| Es5Command::ConfirmProfile { isd_p: isd_p(tar) }.encode().unwrap();
    assert_eq!(rig.script(tar, vec![load]).0[0].sw.0, 0x9000);
    assert_eq!(rig.script(tar, vec![confirm(0x11)]).0[0].sw.0, 0x6A80);
    assert_eq!(rig.script(tar, vec![confirm(0x12)]).0[0].sw.0, 0x9000);
    assert_eq!(rig.states(), [(0x3F, true), (0x1F, false), (0x1F, false)]);
}
