//! Whoever is cut off wherever: the operation ends, and each of its steps ran once.

use super::{Fault, House, Outcome, Terminal};
use crate::{
    codec::gp::{Aid, isd_r::ProfileState},
    session::admin::End,
};
use serde_json::json;

const FINISHED: Outcome = Outcome::Ended(End::Finished);

async fn install(house: &House, terminal: &Terminal) -> i64 {
    let (_, data) = Terminal::new_profile(1, 9_000);
    house.batch(json!({ "operation": "install", "profile_data": data, "targets": [{ "eid": terminal.eid }] })).await
}

async fn assert_installed_once(house: &House, terminal: &Terminal, batch: i64) {
    let view = house.view(batch).await;
    assert_eq!(view["succeeded"], json!([terminal.eid]), "{view}");
    let state = terminal.card.state();
    assert_eq!(state.profiles.len(), 3, "one ISD-P was created");
    let profile = state.profile(Aid::isd_p(0x12).unwrap()).unwrap();
    assert_eq!(ProfileState(profile.state), ProfileState::DISABLED);
}

#[tokio::test]
async fn a_crash_of_the_sm_sr_in_the_middle_of_a_session_changes_nothing() {
    let mut house = House::new().await;
    let mut terminal = house.enrol(1).await;
    let batch = install(&house, &terminal).await;
    let trigger = terminal.trigger(&house, 0).await;
    terminal.fault = Fault::LostBeforePost;
    let Outcome::Cut(state) = terminal.call(&house, &trigger).await else { panic!("a script was under way") };
    house.kill().await;
    house.start().await;
    terminal.fault = Fault::None;
    assert_eq!(terminal.resume(&house, *state).await, FINISHED);
    assert_installed_once(&house, &terminal, batch).await;
}

#[tokio::test]
async fn a_power_cut_of_the_terminal_at_any_packet_is_audited_first() {
    for packet in 1..8 {
        let house = House::new().await;
        let mut terminal = house.enrol(1).await;
        let batch = install(&house, &terminal).await;
        let trigger = terminal.trigger(&house, 0).await;
        terminal.fault = Fault::PowerCut(packet);
        let outcome = terminal.call(&house, &trigger).await;
        terminal.fault = Fault::None;
        terminal.card.reset();
        match outcome {
            Outcome::Cut(state) => assert_eq!(terminal.resume(&house, *state).await, FINISHED, "packet {packet}"),
            outcome => assert_eq!(outcome, FINISHED, "packet {packet}"),
        }
        assert_installed_once(&house, &terminal, batch).await;
    }
}

#[tokio::test]
async fn a_switch_whose_answer_was_lost_is_not_sent_twice() {
    let mut house = House::new().await;
    let mut terminal = house.enrol(1).await;
    let request = json!({
        "operation": "enable", "iccid": terminal.second_iccid(), "targets": [{ "eid": terminal.eid }],
    });
    let batch = house.batch(request).await;
    let trigger = terminal.trigger(&house, 0).await;
    terminal.fault = Fault::PowerCut(1);
    let Outcome::Cut(state) = terminal.call(&house, &trigger).await else { panic!("a packet was under way") };
    house.kill().await;
    house.start().await;
    terminal.fault = Fault::None;
    // The power cut was the reset that makes the switch effective.
    terminal.card.reset();
    assert_eq!(terminal.resume(&house, *state).await, FINISHED);
    assert_eq!(terminal.report(&house).await, FINISHED);
    assert_eq!(house.view(batch).await["succeeded"], json!([terminal.eid]));
    assert_eq!(terminal.card.state().notification_sequence, 1, "one switch");
}

#[tokio::test]
async fn triggers_survive_a_gateway_that_is_away_and_a_crash() {
    let mut house = House::new().await;
    let mut terminal = house.enrol(1).await;
    house.gateway.told.lock().unwrap().down = true;
    let batch = install(&house, &terminal).await;
    house.until_target(batch, "triggered").await;
    house.kill().await;
    house.gateway.told.lock().unwrap().down = false;
    house.start().await;
    let trigger = terminal.trigger(&house, 0).await;
    assert_eq!(terminal.call(&house, &trigger).await, FINISHED);
    assert_installed_once(&house, &terminal, batch).await;
    assert_eq!(house.gateway.told.lock().unwrap().pushes.len(), 1, "the same push");
}

#[tokio::test]
async fn a_repeated_request_is_one_batch() {
    let house = House::new().await;
    let terminal = house.enrol(1).await;
    let request = json!({ "operation": "status-change", "status": "audit", "targets": [{ "eid": terminal.eid }] });
    let first = house.ask_with_key("key-1", &request).await;
    assert_eq!(house.ask_with_key("key-1", &request).await, first);
    let other =
        json!({ "operation": "status-change", "status": "audit", "targets": [{ "eid": terminal.eid }], "priority": 3 });
    assert_eq!(house.ask_with_key("key-1", &other).await.0, 409);
    assert_ne!(house.ask_with_key("key-2", &other).await, first);
}
