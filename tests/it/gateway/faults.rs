//! Modems that answer with errors, or not at all: the reason by name, and what is done about it by its class.

use super::rig::{Gateway, Rig, number};
use crate::harness::Mailbox;
use euicc_push::types::UnixSeconds;
use serde_json::{Value, json};

/// Pushes one message through `modem-0` while its AT+CMGS fails this often; the path of its targets.
fn push_into(rig: &Rig, gateway: &Gateway, times: u32, action: &Value, data: &str) -> String {
    rig.fault("gateway-0", times, action);
    gateway.push_one(0, "modem-0", data)
}

fn counted(gateway: &Gateway, result: &str, number: u32) {
    let line = format!("euicc_push_submit_total{{link=\"modem-0\",result=\"{result}\"}} {number}");
    gateway.api.await_metric(&line);
}

/// How many copies of a message have arrived, all of the same octets.
fn copies(rig: &Rig, mailbox: &mut Mailbox, tail: u8) -> usize {
    rig.flush(mailbox);
    let copies = mailbox.copies();
    let mut found = copies.iter().filter(|((_, octets), _)| octets.last() == Some(&tail));
    let count = found.next().map_or(0, |(_, count)| *count);
    assert!(found.next().is_none(), "a repetition has other octets");
    count
}

#[test]
fn what_may_pass_is_tried_again_and_arrives_once() {
    let rig = Rig::start();
    let mut mailbox = rig.mailbox();
    let gateway = rig.gateway_up();
    let cases = [
        (json!("error"), "modem-error"),
        (json!({ "cms": 41 }), "cms-41"),
        (json!({ "cms": 21 }), "cms-21"),
        (json!({ "cms": 314 }), "cms-314"),
        (json!({ "cms": 331 }), "cms-331"),
        (json!({ "cms": 500 }), "cms-500"),
        (json!({ "cme": 14 }), "cme-14"),
        (json!({ "cme": 30 }), "cme-30"),
        (json!({ "text": "+CMS ERROR: network out of order" }), "cms-38"),
    ];
    for (tail, (action, reason)) in (1_u8..).zip(cases) {
        let path = push_into(&rig, &gateway, 1, &action, &format!("{tail:02x}"));
        let target = gateway.target(&path, |target| target["reason"] == reason);
        assert_eq!((&target["state"], &target["attempts"]), (&json!("queued"), &json!(1)), "{reason}: {target}");
        counted(&gateway, reason, 1);
        let target = gateway.target_in(&path, "delivered");
        assert_eq!((&target["attempts"], &target["reason"]), (&json!(2), &Value::Null), "{reason}");
        assert_eq!(copies(&rig, &mut mailbox, tail), 1, "{reason}");
    }
    let log = rig.log();
    assert!(log.contains("queued, cms-41") && !log.contains(&number(0)), "{log}");
}

#[test]
fn what_will_never_pass_has_failed_at_once_or_the_second_time() {
    let rig = Rig::start();
    let mut mailbox = rig.mailbox();
    let gateway = rig.gateway_up();
    for (action, times, reason) in [
        (json!({ "cms": 1 }), 1, "cms-1"),
        (json!({ "cms": 96 }), 1, "cms-96"),
        (json!({ "cms": 195 }), 1, "cms-195"),
        (json!({ "cme": 50 }), 1, "cme-50"),
        (json!({ "cms": 111 }), 2, "cms-111"),
    ] {
        let path = push_into(&rig, &gateway, times, &action, "aa");
        let target = gateway.target_in(&path, "failed");
        assert_eq!((&target["reason"], &target["attempts"]), (&json!(reason), &json!(times)));
        counted(&gateway, reason, times);
        let line = format!("euicc_push_targets_ended_total{{state=\"failed\",reason=\"{reason}\"}} 1");
        gateway.api.await_metric(&line);
    }
    // Retried until the attempts are used up.
    let path = push_into(&rig, &gateway, 0, &json!({ "cms": 314 }), "aa");
    let target = gateway.target_in(&path, "failed");
    assert_eq!((&target["reason"], &target["attempts"]), (&json!("cms-314"), &json!(4)));
    rig.flush(&mut mailbox);
    assert!(mailbox.received.is_empty());
    assert!(rig.log().contains("failed, cms-1"));
}

#[test]
fn congestion_is_left_in_peace_for_longer_and_can_be_cancelled_meanwhile() {
    let rig = Rig::start();
    let gateway = rig.gateway_up();
    let soon = push_into(&rig, &gateway, 0, &json!({ "cms": 42 }), "aa");
    let target = gateway.target(&soon, |target| target["reason"] == "cms-42");
    let seconds = |time: &Value| -> u64 {
        let time: UnixSeconds = time.as_str().and_then(|text| text.parse().ok()).expect("a time");
        time.0
    };
    assert!(seconds(&target["next_attempt_at"]) >= seconds(&target["queued_at"]) + 8, "{target}");
    let push = soon.trim_end_matches("/targets");
    assert_eq!(gateway.api.post(&format!("{push}/cancel"), &json!({})).0, 200);
    assert_eq!(gateway.await_done(push)["counts"]["cancelled"], 1);
}

#[test]
fn a_sim_that_needs_attention_sends_the_targets_by_the_other_route() {
    let rig = Rig::start();
    let mut mailbox = rig.mailbox();
    let gateway = rig.gateway_up();
    rig.fault("gateway-0", 0, &json!({ "cms": 8 }));
    let targets: Vec<_> = (0..20)
        .map(|place| {
            let payload = json!({ "form": "host", "data": format!("ab{place:02x}") });
            json!({ "identity": { "msisdn": number(1) }, "payload": payload })
        })
        .collect();
    let push = gateway.push(&json!({ "targets": targets }));
    let view = gateway.await_done(&push);
    assert_eq!(view["counts"]["delivered"], 20, "{view}");
    rig.flush(&mut mailbox);
    assert_eq!(mailbox.copies().values().collect::<Vec<_>>(), [&1; 20]);
    let page = gateway.api.get(&format!("{push}/targets"));
    let targets = page["targets"].as_array().unwrap();
    assert!(targets.iter().all(|target| target["route"] == "modem-1"));
    assert!(targets.iter().any(|target| target["attempts"] == 2), "some have seen the first route");

    // Bound to the route that cannot, it is tried again later.
    let path = gateway.push_one(0, "modem-0", "aa");
    assert_eq!(gateway.target(&path, |target| target["reason"] == "cms-8")["state"], "queued");
    rig.control.order(&json!({ "cmd": "clear-faults", "modem": "gateway-0" }));
    gateway.target_in(&path, "delivered");
}

#[test]
fn a_modem_that_must_be_initialised_anew_is_and_the_target_has_lost_no_attempt() {
    let rig = Rig::start();
    let mut mailbox = rig.mailbox();
    let gateway = rig.gateway_up();
    for (tail, (action, reason)) in (1_u8..).zip([
        (json!({ "cms": 300 }), "cms-300"),
        (json!({ "cms": 320 }), "cms-320"),
        (json!({ "cme": 0 }), "cme-0"),
    ]) {
        let path = push_into(&rig, &gateway, 1, &action, &format!("{tail:02x}"));
        let target = gateway.target_in(&path, "delivered");
        assert_eq!(target["attempts"], 1);
        counted(&gateway, reason, 1);
        assert_eq!(copies(&rig, &mut mailbox, tail), 1);
    }
    // Lost settings and a full store have a remedy at hand; nobody hears of them.
    for code in [304, 322] {
        let path = push_into(&rig, &gateway, 1, &json!({ "cms": code }), "aa");
        assert_eq!(gateway.target_in(&path, "delivered")["attempts"], 1);
    }
}

#[test]
fn after_an_unknown_outcome_the_same_octets_follow_once_and_never_again() {
    let rig = Rig::start();
    let mut mailbox = rig.mailbox();
    let gateway = rig.gateway_up();
    // Sent, and the answer is lost: its report tells, so nothing follows.
    let reported = push_into(&rig, &gateway, 1, &json!("lose-answer"), "01");
    // Not sent, as the network's silence towards the modem.
    rig.fault("gateway-1", 1, &json!({ "cms": 332 }));
    let repeated = gateway.push_one(0, "modem-1", "02");
    assert_eq!(gateway.target(&repeated, |target| target["reason"] == "cms-332")["state"], "queued");
    let target = gateway.target_in(&repeated, "delivered");
    assert_eq!((&target["attempts"], copies(&rig, &mut mailbox, 2)), (&json!(2), 1));
    gateway.target_in(&reported, "delivered");
    assert_eq!(copies(&rig, &mut mailbox, 1), 1);
    counted(&gateway, "no-answer", 1);

    // Sent twice, no answer either time and no report: it is left at that.
    rig.control.order(&json!({ "cmd": "unplug", "modem": "terminal-3" }));
    rig.fault("gateway-1", 2, &json!({ "cms": 332 }));
    let silent = gateway.push_one(3, "modem-1", "03");
    let target = gateway.target_in(&silent, "submitted");
    assert_eq!((&target["reason"], &target["final"]), (&json!("unknown-outcome"), &json!(false)));
    let next = gateway.push_one(0, "modem-1", "04");
    gateway.target_in(&next, "delivered");
    assert_eq!(gateway.target_in(&silent, "submitted")["attempts"], 2);
}

#[test]
fn a_modem_that_says_nothing_at_all_is_an_unknown_outcome_too() {
    let rig = Rig::start();
    let mut mailbox = rig.mailbox();
    let gateway = rig.gateway_up();
    let path = push_into(&rig, &gateway, 1, &json!("silence"), "05");
    assert_eq!(gateway.target(&path, |target| target["reason"] == "no-answer")["state"], "queued");
    let target = gateway.target_in(&path, "delivered");
    assert_eq!((&target["attempts"], copies(&rig, &mut mailbox, 5)), (&json!(2), 1));
    counted(&gateway, "no-answer", 1);
}
