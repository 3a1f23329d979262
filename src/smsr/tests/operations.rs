//! Every operation from the management request to the result lists.

use super::{House, Outcome, Terminal};
use crate::{
    codec::gp::{Aid, isd_r::ProfileState},
    session::admin::{End, Pause},
    types::{AccessControl, Eid, Operation},
};
use hyper::{Method, StatusCode};
use serde_json::{Value, json};
use std::time::Duration;

const FINISHED: Outcome = Outcome::Ended(End::Finished);

fn state(terminal: &Terminal, tar: u16) -> Option<ProfileState> {
    terminal.card.state().profile(Aid::isd_p(tar).unwrap()).map(|profile| ProfileState(profile.state))
}

/// One batch for one terminal, run to the end of its session.
async fn carry_out(house: &House, terminal: &mut Terminal, seen: usize, mut request: Value) -> i64 {
    request["targets"] = json!([{ "eid": terminal.eid }]);
    let batch = house.batch(request).await;
    let trigger = terminal.trigger(house, seen).await;
    assert_eq!(terminal.call(house, &trigger).await, FINISHED);
    batch
}

fn only(eid: Eid) -> Value {
    json!([eid])
}

#[tokio::test]
async fn an_install_goes_from_the_request_to_the_result_lists() {
    let house = House::new().await;
    let mut terminal = house.enrol(1).await;
    let (subscription, data) = Terminal::new_profile(1, 3_000);
    let batch = house
        .batch(json!({
            "operation": "install", "targets": [{ "eid": terminal.eid }], "profile_data": data,
            "access_control": { "backoff": 2 }, "priority": 2, "validity": 600,
        }))
        .await;
    let trigger = terminal.trigger(&house, 0).await;
    assert_eq!(trigger.operation, Some(Operation::Install));
    assert_eq!(trigger.access_control, Some(AccessControl::Backoff(2)));
    assert_eq!((trigger.sm_sr_id.as_deref(), trigger.sm_sr_address.as_deref()), (Some("sm-sr.test"), None));
    assert_eq!(house.view(batch).await["connected"], json!([]));
    assert_eq!(terminal.call(&house, &trigger).await, FINISHED);

    let view = house.view(batch).await;
    assert_eq!(view["state"], "done");
    for list in ["connected", "requested", "admitted", "container_created", "succeeded"] {
        assert_eq!(view[list], only(terminal.eid), "{list}");
    }
    assert_eq!((&view["failed"], &view["counts"]["succeeded"]), (&json!([]), &json!(1)));
    assert_eq!(state(&terminal, 0x12), Some(ProfileState::DISABLED));
    let eis = house.get(&format!("/v1/eis/{}", terminal.eid.clear())).await;
    assert_eq!(eis["profiles"][2]["iccid"], json!(subscription.iccid));
    assert_eq!(eis["profiles"][2]["state"], "disabled");
    assert!(!eis.to_string().contains("kic"), "keys never come out");
    let called = house.gateway.wait(|told| told.outcomes.first().cloned()).await;
    assert_eq!(called["ref"], json!(trigger.transaction));
    let metrics = house.metrics();
    let counted = "euicc_push_smsr_ops_total{op=\"install\",result=\"succeeded\"} 1";
    assert!(metrics.contains(counted), "{metrics}");
    let targets = house.get(&format!("/v1/batches/{batch}/targets")).await;
    let target = &targets["targets"][0];
    assert_eq!((&target["state"], &target["transaction"]), (&json!("succeeded"), &json!(trigger.transaction)));
    assert!(target["access_at"].is_string() && target["done_at"].is_string() && target["push_id"].is_string());
}

#[tokio::test]
async fn a_download_ends_loaded_and_is_installed_by_its_iccid_later() {
    let house = House::new().await;
    let mut terminal = house.enrol(1).await;
    let (subscription, data) = Terminal::new_profile(1, 20_000);
    carry_out(&house, &mut terminal, 0, json!({ "operation": "download", "profile_data": data })).await;
    assert_eq!(state(&terminal, 0x12), Some(ProfileState::SELECTABLE));
    let install = json!({ "operation": "install", "iccid": subscription.iccid });
    let batch = carry_out(&house, &mut terminal, 1, install).await;
    assert_eq!(state(&terminal, 0x12), Some(ProfileState::DISABLED));
    assert_eq!(house.view(batch).await["succeeded"], only(terminal.eid));
}

#[tokio::test]
async fn enabling_ends_when_the_euicc_reports_in_and_the_directory_learns_the_new_identities() {
    let house = House::new().await;
    let mut terminal = house.enrol(1).await;
    let request = json!({ "operation": "enable", "iccid": terminal.second_iccid() });
    let batch = carry_out(&house, &mut terminal, 0, request).await;
    assert_eq!(house.view(batch).await["succeeded"], json!([]), "not before the notification");
    assert_eq!(terminal.report(&house).await, FINISHED);
    assert_eq!(house.view(batch).await["succeeded"], only(terminal.eid));
    assert!(terminal.card.state().change.is_none(), "the eUICC has its confirmation");
    let subscription = terminal.card.subscription().unwrap().clone();
    let eis = house.get(&format!("/v1/eis/{}", terminal.eid.clear())).await;
    assert_eq!(eis["identities"], json!({ "imsi": subscription.imsi, "msisdn": subscription.msisdn }));
    let number = json!(subscription.msisdn);
    house.gateway.wait(|told| told.directory.iter().any(|entry| entry["msisdn"] == number).then_some(())).await;

    // Back to the profile with the fall-back attribute, and with it to the old number.
    let old = std::mem::replace(&mut terminal.msisdn, subscription.msisdn.unwrap().clear().to_string());
    let disable = json!({ "operation": "disable", "iccid": subscription.iccid });
    let batch = carry_out(&house, &mut terminal, 0, disable).await;
    assert_eq!(terminal.report(&house).await, FINISHED);
    assert_eq!(house.view(batch).await["succeeded"], only(terminal.eid));
    assert_eq!(
        (state(&terminal, 0x10), state(&terminal, 0x11)),
        (Some(ProfileState::ENABLED), Some(ProfileState::DISABLED))
    );
    let eis = house.get(&format!("/v1/eis/{}", terminal.eid.clear())).await;
    assert_eq!(eis["identities"]["msisdn"], json!(old));
}

#[tokio::test]
async fn the_report_may_come_under_the_transaction_of_the_switch() {
    let house = House::new().await;
    let mut terminal = house.enrol(1).await;
    let request = json!({ "operation": "enable", "iccid": terminal.second_iccid() });
    let batch = carry_out(&house, &mut terminal, 0, request).await;
    let targets = house.get(&format!("/v1/batches/{batch}/targets")).await;
    let transaction = targets["targets"][0]["transaction"].as_str().unwrap().parse().unwrap();
    assert_eq!(terminal.report_in(&house, transaction).await, FINISHED);
    assert_eq!(house.view(batch).await["succeeded"], only(terminal.eid));
    assert!(terminal.card.state().change.is_none(), "the eUICC has its confirmation");
}

#[tokio::test]
async fn a_switch_that_was_rolled_back_has_failed() {
    let house = House::new().await;
    let mut terminal = house.enrol(1).await;
    let request = json!({ "operation": "status-change", "status": "enabled", "isdp_aid": Aid::isd_p(0x11) });
    let batch = carry_out(&house, &mut terminal, 0, request).await;
    terminal.card.reset();
    assert!(terminal.card.connectivity_failed(&mut |_| {}));
    assert_eq!(terminal.report(&house).await, FINISHED);
    let view = house.view(batch).await;
    assert_eq!(view["succeeded"], json!([]));
    let reason = view["failed"][0]["reason"].as_str().unwrap();
    assert!(reason.contains("rolled the change back"), "{reason}");
    let eis = house.get(&format!("/v1/eis/{}", terminal.eid.clear())).await;
    assert_eq!((&eis["profiles"][0]["state"], &eis["profiles"][1]["state"]), (&json!("enabled"), &json!("disabled")));
}

#[tokio::test]
async fn deleting_falling_back_and_auditing() {
    let house = House::new().await;
    let mut terminal = house.enrol(1).await;
    let audit = json!({ "operation": "status-change", "status": "audit" });
    let batch = carry_out(&house, &mut terminal, 0, audit).await;
    assert_eq!(house.view(batch).await["succeeded"], only(terminal.eid));
    let change = json!({ "operation": "status-change", "status": "fall-back", "isdp_aid": Aid::isd_p(0x11) });
    carry_out(&house, &mut terminal, 1, change.clone()).await;
    assert!(terminal.card.state().profile(Aid::isd_p(0x11).unwrap()).unwrap().fall_back);
    let back = json!({ "operation": "status-change", "status": "fall-back", "isdp_aid": Aid::isd_p(0x10) });
    carry_out(&house, &mut terminal, 2, back).await;
    let delete = json!({ "operation": "delete", "iccid": terminal.second_iccid() });
    let batch = carry_out(&house, &mut terminal, 3, delete).await;
    assert_eq!(house.view(batch).await["succeeded"], only(terminal.eid));
    assert_eq!(state(&terminal, 0x11), None);
    let eis = house.get(&format!("/v1/eis/{}", terminal.eid.clear())).await;
    assert_eq!(eis["profiles"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn the_change_of_the_sm_sr_is_refused_with_its_reason() {
    let house = House::new().await;
    let terminal = house.enrol(1).await;
    let request = json!({ "operation": "sm-sr-change", "targets": [{ "eid": terminal.eid }] });
    for path in ["/v1/batches", "/v1/sm-sr-changes"] {
        let answer = house.ask(Method::POST, path, &request).await;
        assert_eq!(answer.status, StatusCode::NOT_IMPLEMENTED);
        assert!(String::from_utf8_lossy(&answer.body).contains("8.7/1.2"));
    }
}

#[tokio::test]
async fn above_the_capacity_the_answer_is_busy_and_all_succeed_in_the_end() {
    let house = House::with(|config| (config.capacity, config.reserve) = (1, 0)).await;
    let mut terminals = [house.enrol(1).await, house.enrol(2).await];
    let eids: Vec<_> = terminals.iter().map(|terminal| json!({ "eid": terminal.eid })).collect();
    let audit = json!({ "operation": "status-change", "status": "audit", "targets": eids, "access_control": "none" });
    let batch = house.batch(audit).await;
    let mut triggers = Vec::new();
    for terminal in &mut terminals {
        triggers.push(terminal.trigger(&house, 0).await);
    }
    let [first, second] = &mut terminals;
    // The first holds the only session while its eUICC works.
    let held = first.hold(&house, &triggers[0]).await;
    let Outcome::Paused(Pause::Busy { retry_after }) = second.call(&house, &triggers[1]).await else {
        panic!("there is no session left")
    };
    assert!(retry_after >= Duration::from_secs(1));
    let view = house.view(batch).await;
    assert_eq!(view["requested"].as_array().unwrap().len(), 2);
    assert_eq!(view["admitted"], only(first.eid));
    assert!(house.metrics().contains("euicc_push_smsr_busy_total{priority=\"1\"} 1"));
    assert_eq!(first.go_on(&house, held).await, FINISHED);
    house.until_free().await;
    assert_eq!(second.call(&house, &triggers[1]).await, FINISHED);
    assert_eq!(house.view(batch).await["succeeded"].as_array().unwrap().len(), 2);
}
