//! What terminals and clients do wrong: each is refused for its own reason, and the others go on.

use super::{Fault, House, Outcome, Terminal};
use crate::{
    session::admin::End,
    types::{Eid, Operation, TransactionId, TransactionResult},
};
use hyper::{Method, StatusCode};
use serde_json::{Value, json};

const FINISHED: Outcome = Outcome::Ended(End::Finished);

async fn delete_second(house: &House, terminal: &Terminal) -> i64 {
    let iccid = terminal.second_iccid();
    house.batch(json!({ "operation": "delete", "iccid": iccid, "targets": [{ "eid": terminal.eid }] })).await
}

async fn reason(house: &House, batch: i64) -> String {
    house.view(batch).await["failed"][0]["reason"].as_str().unwrap_or_default().to_string()
}

#[tokio::test]
async fn a_target_without_eis_entry_fails_by_itself_and_the_others_go_on() {
    let house = House::new().await;
    let mut terminal = house.enrol(1).await;
    let unknown = Eid::with_check_digits("890490320010011223344500000099").unwrap();
    let targets = json!([
        { "eid": unknown },
        { "eid": terminal.eid },
        { "identity": { "msisdn": "4915199999999" } },
        { "eid": terminal.eid },
        { "identity": { "msisdn": "491601234567" }, "eid": unknown },
    ]);
    let request = json!({ "operation": "status-change", "status": "audit", "targets": targets });
    let answer: Value = house.ask(Method::POST, "/v1/batches", &request).await.json().unwrap();
    assert_eq!(answer["accepted"], 1);
    let codes: Vec<_> = answer["rejected"]
        .as_array()
        .unwrap()
        .iter()
        .map(|rejected| {
            (rejected["index"].as_i64().unwrap(), rejected["subject"].as_str(), rejected["reason"].as_str())
        })
        .collect();
    let unknown_code = |index| (index, Some("8.1.1"), Some("3.9"));
    assert_eq!(codes, [unknown_code(0), unknown_code(2), (3, Some("8.1.1"), Some("3.3")), unknown_code(4)]);
    let trigger = terminal.trigger(&house, 0).await;
    assert_eq!(terminal.call(&house, &trigger).await, FINISHED);
    let view = house.view(answer["id"].as_i64().unwrap()).await;
    assert_eq!((&view["state"], &view["succeeded"]), (&json!("done"), &json!([terminal.eid])));
    assert_eq!(view["failed"].as_array().unwrap().len(), 3, "those with an EID");
}

#[tokio::test]
async fn a_terminal_that_claims_another_eid_than_its_certificate_is_refused() {
    let house = House::new().await;
    let (mut terminal, victim) = (house.enrol(1).await, house.enrol(2).await);
    let batch = delete_second(&house, &victim).await;
    let (transaction, _) = house.trigger_for(&victim.msisdn, 0).await;
    terminal.claims = victim.eid;
    let trigger = crate::codec::trigger::Trigger::new(transaction);
    assert_eq!(terminal.call(&house, &trigger).await, Outcome::Ended(End::Refused { status: 403 }));
    assert!(house.metrics().contains("euicc_push_smsr_refused_total{cause=\"wrong-eid\"} 1"));
    assert_eq!(house.view(batch).await["connected"], json!([]));
    // Under its own name it does not learn anything of the other's transaction.
    terminal.claims = terminal.eid;
    assert_eq!(terminal.call(&house, &trigger).await, Outcome::Ended(End::NothingPending));
    assert_eq!(house.view(batch).await["connected"], json!([]));
}

#[tokio::test]
async fn an_unknown_transaction_has_nothing_pending() {
    let house = House::new().await;
    let mut terminal = house.enrol(1).await;
    let trigger = crate::codec::trigger::Trigger::new(TransactionId([7; 8]));
    assert_eq!(terminal.call(&house, &trigger).await, Outcome::Ended(End::NothingPending));
}

#[tokio::test]
async fn a_response_with_a_wrong_cc_proves_nothing() {
    let house = House::new().await;
    let mut terminal = house.enrol(1).await;
    let batch = delete_second(&house, &terminal).await;
    let trigger = terminal.trigger(&house, 0).await;
    terminal.fault = Fault::CorruptResponses;
    assert_eq!(terminal.call(&house, &trigger).await, FINISHED);
    let reason = reason(&house, batch).await;
    assert!(reason.starts_with("8.4/6.1") && reason.contains("no valid proof"), "{reason}");
    let metrics = house.metrics();
    assert!(metrics.contains("euicc_push_smsr_responses_unproved_total 6"), "{metrics}");
    let eis = house.get(&format!("/v1/eis/{}", terminal.eid.clear())).await;
    assert_eq!(eis["profiles"].as_array().unwrap().len(), 2, "nothing is believed");
}

#[tokio::test]
async fn an_error_status_word_is_the_reason() {
    let house = House::new().await;
    let mut terminal = house.enrol(1).await;
    let profiles = house.get(&format!("/v1/eis/{}", terminal.eid.clear())).await["profiles"].clone();
    let enabled = json!({
        "operation": "delete", "isdp_aid": profiles[0]["isdp_aid"], "targets": [{ "eid": terminal.eid }],
    });
    let batch = house.batch(enabled).await;
    let trigger = terminal.trigger(&house, 0).await;
    assert_eq!(terminal.call(&house, &trigger).await, FINISHED);
    let refused = reason(&house, batch).await;
    assert!(refused.starts_with("8.3.1/1.2") && refused.contains("6985"), "{refused}");
    // The card does not even take the message.
    let batch = delete_second(&house, &terminal).await;
    let trigger = terminal.trigger(&house, 1).await;
    terminal.fault = Fault::StatusWord(0x6F00);
    assert_eq!(terminal.call(&house, &trigger).await, FINISHED);
    assert!(reason(&house, batch).await.contains("6F00"));
}

#[tokio::test]
async fn a_result_the_agent_kept_ends_its_transaction() {
    let house = House::new().await;
    let mut terminal = house.enrol(1).await;
    let refused = delete_second(&house, &terminal).await;
    let trigger = terminal.trigger(&house, 0).await;
    terminal.results = vec![(trigger.transaction, TransactionResult::RefusedByEuicc)];
    let other = terminal.request(Some(Operation::Delete), TransactionId([9; 8]));
    let session = terminal.begin(other);
    assert_eq!(terminal.run(&house, session).await, Outcome::Ended(End::NothingPending));
    assert!(reason(&house, refused).await.contains("refused the packet of the trigger"));
}

#[tokio::test]
async fn a_revoked_certificate_lets_nobody_in() {
    let house = House::new().await;
    let mut terminal = house.enrol(1).await;
    let trigger = crate::codec::trigger::Trigger::new(TransactionId([7; 8]));
    assert_eq!(terminal.call(&house, &trigger).await, Outcome::Ended(End::NothingPending));
    let path = format!("/v1/enrolments/{}/revoke", terminal.eid.clear());
    let revoked: Value = house.ask(Method::POST, &path, &json!({})).await.json().unwrap();
    assert_eq!(revoked["revoked"], 1);
    assert_eq!(terminal.call(&house, &trigger).await, Outcome::Refused);
    // Enrolled anew, with a new certificate, it is in again.
    let mut again = house.enrol(1).await;
    assert_eq!(again.call(&house, &trigger).await, Outcome::Ended(End::NothingPending));
}

#[tokio::test]
async fn identities_the_gateway_refuses_end_with_its_reason() {
    let house = House::new().await;
    let terminal = house.enrol(1).await;
    house.gateway.told.lock().unwrap().refuses.push(terminal.msisdn.clone());
    let batch = delete_second(&house, &terminal).await;
    house.until(batch, "done").await;
    assert!(reason(&house, batch).await.contains("unknown-identity"));
}

#[tokio::test]
async fn faulty_requests_are_refused_with_field_and_remedy() {
    let house = House::new().await;
    let terminal = house.enrol(1).await;
    let eid = json!([{ "eid": terminal.eid }]);
    let cases = [
        (json!({ "operation": "delete", "targets": [] }), "targets"),
        (json!({ "operation": "explode", "targets": eid }), "operation"),
        (json!({ "operation": "delete", "targets": eid, "priority": 4 }), "priority"),
        (json!({ "operation": "delete", "targets": eid, "validity": 0 }), "validity"),
        (json!({ "operation": "download", "targets": eid }), "profile_data"),
        (json!({ "operation": "download", "targets": eid, "profile_data": "00" }), "profile_data"),
        (json!({ "operation": "delete", "targets": eid, "profile_data": "00" }), "profile_data"),
        (json!({ "operation": "status-change", "targets": eid }), "status"),
        (json!({ "operation": "delete", "status": "audit", "targets": eid }), "status"),
        (json!({ "operation": "delete", "targets": [{}] }), "targets[0].eid"),
        (json!({ "operation": "delete", "targets": [{ "eid": "89" }] }), "targets[0].eid"),
        (json!({ "operation": "delete", "targets": eid, "access_control": { "backoff": -1 } }), "access_control"),
    ];
    for (request, field) in cases {
        let answer = house.ask(Method::POST, "/v1/batches", &request).await;
        let problem: Value = serde_json::from_slice(&answer.body).unwrap();
        assert_eq!((answer.status, problem["field"].as_str()), (StatusCode::BAD_REQUEST, Some(field)), "{problem}");
        assert!(problem["remedy"].is_string(), "{problem}");
    }
    // A profile must be named, and known: that is each target's own matter.
    let request = json!({ "operation": "delete", "targets": eid });
    let answer: Value = house.ask(Method::POST, "/v1/batches", &request).await.json().unwrap();
    assert_eq!((&answer["rejected"][0]["subject"], &answer["accepted"]), (&json!("8.3.1"), &json!(0)));
}

#[tokio::test]
async fn published_test_keys_are_refused() {
    let house = House::new().await;
    let (_, mut request) = Terminal::card(1);
    request["keysets"][0]["kic"] = json!("00112233445566778899aabbccddeeff");
    let answer = house.ask(Method::POST, "/v1/enrolments", &request).await;
    let text = String::from_utf8_lossy(&answer.body);
    assert!(answer.status == StatusCode::BAD_REQUEST && text.contains("test key"), "{text}");
    assert!(!text.contains("00112233"), "{text}");
}
