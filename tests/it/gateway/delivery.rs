//! The good way, and its ends that are nobody's fault: expiry, cancellation, a modem that is pulled out.

use super::rig::{Gateway, MODEMS, Rig, TERMINALS, number, own_number};
use crate::harness::{AtClient, Received};
use euicc_push::{
    codec::sms::{Address, Concatenation, Dcs, Pid, Submit, UserData},
    types::{Msisdn, hex},
};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// What a segment says of its message, its destination port, and its data.
fn parts(received: &Received) -> (Option<Concatenation>, u16, Vec<u8>) {
    let (udh, data) = received.deliver.ud.split().expect("a header");
    let ports = udh.ports().expect("ports in every segment");
    (udh.concatenation().expect("a readable element"), ports.destination, data.to_vec())
}

#[test]
fn messages_of_one_and_of_three_segments_reach_their_terminals_and_are_reported() {
    let rig = Rig::start();
    let mut mailbox = rig.mailbox();
    let gateway = rig.gateway_up();
    let one = gateway.push_one(0, "modem-0", &"a5".repeat(133));
    let target = gateway.target_in(&one, "delivered");
    assert_eq!((&target["attempts"], &target["reason"]), (&json!(1), &Value::Null));
    assert!(["queued_at", "submitted_at", "delivered_at"].iter().all(|time| target[time].is_string()), "{target}");
    let received = mailbox.wait_for(1)[0].clone();
    assert_eq!((received.terminal, parts(&received)), (0, (None, 16420, vec![0xA5; 133])));
    assert_eq!((received.deliver.pid, received.deliver.dcs), (Pid::PLAIN, Dcs::OCTETS));
    assert!((0..MODEMS).any(|modem| received.deliver.oa.clear() == own_number(modem)));

    let octets: Vec<u8> = (0..300).map(|place: usize| place.to_le_bytes()[0]).collect();
    let three = gateway.push_one(1, "modem-1", &hex::encode(&octets));
    let target = gateway.target_in(&three, "delivered");
    assert_eq!((&target["route"], target["message_ids"].as_array().map(Vec::len)), (&json!("modem-1"), Some(3)));
    let segments: Vec<_> = mailbox.wait_for(4)[1..].iter().map(parts).collect();
    let sequence: Vec<_> = segments.iter().map(|(concatenation, ..)| concatenation.unwrap().sequence).collect();
    let data: Vec<_> = segments.into_iter().flat_map(|(.., data)| data).collect();
    assert_eq!((sequence, data), (vec![1, 2, 3], octets));
    gateway.api.await_metric(r#"euicc_push_dlr_total{link="modem-1",status="delivered"} 3"#);
    assert_eq!(gateway.program.stop(), Some(0));
}

/// A push in NDJSON: `count` messages of one to three segments, all different, to all terminals in turn.
fn many(count: usize) -> (String, BTreeSet<(usize, Vec<u8>)>) {
    let (mut lines, mut expected) = (json!({ "priority": 2 }).to_string(), BTreeSet::new());
    for place in 0..count {
        let (terminal, length) = (place % TERMINALS, [20, 200, 300][place % 3]);
        let data = [place.to_be_bytes().as_slice(), &vec![0x5A; length]].concat();
        let payload = json!({ "form": "host", "data": hex::encode(&data) });
        let identity = json!({ "msisdn": number(terminal) });
        lines += &format!("\n{}", json!({ "identity": identity, "ref": format!("r{place}"), "payload": payload }));
        expected.insert((terminal, data));
    }
    (lines, expected)
}

/// The messages that the terminals can put together.
fn whole(received: &[Received]) -> BTreeSet<(usize, Vec<u8>)> {
    let (mut messages, mut open) = (BTreeSet::new(), BTreeMap::<_, BTreeMap<u8, Vec<u8>>>::new());
    for one in received {
        let (concatenation, _, data) = parts(one);
        let Some(concatenation) = concatenation else {
            messages.insert((one.terminal, data));
            continue;
        };
        let key = (one.terminal, one.deliver.oa.clear().to_owned(), concatenation.reference);
        let segments = open.entry(key.clone()).or_default();
        segments.insert(concatenation.sequence, data);
        if segments.len() == usize::from(concatenation.total) {
            let segments = open.remove(&key).unwrap_or_default();
            messages.insert((one.terminal, segments.into_values().flatten().collect()));
        }
    }
    messages
}

fn push_lines(gateway: &Gateway, lines: &str) -> String {
    let (status, receipt) =
        gateway.api.ask("POST /v1/pushes\nContent-Type: application/x-ndjson", lines).expect("an answer");
    assert_eq!(status, 202, "{receipt}");
    let receipt: Value = serde_json::from_str(&receipt).expect("JSON");
    format!("/v1/pushes/{}", receipt["id"])
}

#[test]
fn many_targets_are_shared_by_the_modems_and_each_arrives_once_and_whole() {
    let rig = Rig::start();
    let mut mailbox = rig.mailbox();
    let gateway = rig.gateway_up();
    let (lines, expected) = many(90);
    let push = push_lines(&gateway, &lines);
    let view = gateway.await_done(&push);
    assert_eq!(view["counts"]["delivered"], 90, "{view}");
    rig.flush(&mut mailbox);
    let received = mailbox.drain();
    assert_eq!(received.len(), 180);
    assert!(whole(received) == expected, "every message is whole");
    let senders: BTreeSet<_> = received.iter().map(|received| received.deliver.oa.clear().to_owned()).collect();
    assert_eq!(senders.len(), MODEMS, "both modems have sent");
    // Both have told the network that they have every report, and keep none.
    for modem in 0..MODEMS {
        let state = rig.control.order(&json!({ "cmd": "state", "modem": format!("gateway-{modem}") }));
        assert_eq!(state["stored"], json!([0, 0, 0]), "{state}");
    }
}

#[test]
fn a_modem_pulled_out_and_plugged_in_again_loses_nothing_of_its_queue() {
    let rig = Rig::with("cmgs-delay = \"20ms\"", "", "");
    let mut mailbox = rig.mailbox();
    let gateway = rig.gateway_up();
    let targets: Vec<_> = (0..40)
        .map(|place| {
            let payload = json!({ "form": "host", "data": format!("ab{place:02x}") });
            json!({ "identity": { "msisdn": number(place % TERMINALS) }, "payload": payload })
        })
        .collect();
    let push = gateway.push(&json!({ "route": "modem-0", "targets": targets }));
    mailbox.wait_for(5);
    rig.control.order(&json!({ "cmd": "unplug", "modem": "gateway-0" }));
    let route = gateway.await_route(0, "down");
    assert!(route["reason"].as_str().is_some_and(|reason| !reason.is_empty()), "{route}");
    assert!(gateway.api.get(&push)["counts"]["queued"].as_u64().unwrap() > 0);
    rig.control.order(&json!({ "cmd": "plug", "modem": "gateway-0" }));
    let view = gateway.await_done(&push);
    assert_eq!(view["counts"]["delivered"], 40, "{view}");
    rig.flush(&mut mailbox);
    let copies = mailbox.copies();
    assert_eq!(copies.len(), 40);
    let doubles = copies.values().sum::<usize>() - copies.len();
    assert!(doubles <= 1, "only what was being sent can arrive twice: {doubles}");
}

#[test]
fn validity_ends_what_cannot_be_sent_and_then_what_is_not_reported() {
    let rig = Rig::with("", "report-grace = \"1s\"", "");
    let gateway = rig.gateway_up();
    let push = |route: &str| {
        let targets = json!([{ "identity": { "msisdn": number(3) } }]);
        let payload = json!({ "form": "host", "data": "aa" });
        let push = json!({ "payload": payload, "route": route, "validity": 1, "targets": targets });
        gateway.push(&push) + "/targets"
    };
    rig.control.order(&json!({ "cmd": "unplug", "modem": "gateway-0" }));
    rig.control.order(&json!({ "cmd": "unplug", "modem": "terminal-3" }));
    gateway.await_route(0, "down");
    let (unsent, unreported) = (push("modem-0"), push("modem-1"));
    assert_eq!(gateway.target_in(&unreported, "submitted")["final"], false);
    let target = gateway.target_in(&unsent, "expired");
    assert_eq!((&target["reason"], &target["attempts"]), (&json!("validity-over"), &json!(0)));
    assert_eq!(gateway.target_in(&unreported, "expired")["reason"], "no-report");
    for reason in ["validity-over", "no-report"] {
        let line = format!("euicc_push_targets_ended_total{{state=\"expired\",reason=\"{reason}\"}} 1");
        gateway.api.await_metric(&line);
    }
}

#[test]
fn a_cancelled_push_sends_nothing_more() {
    let rig = Rig::with("cmgs-delay = \"100ms\"", "", "");
    let mut mailbox = rig.mailbox();
    let gateway = rig.gateway_up();
    let targets: Vec<_> = (0..50).map(|_| json!({ "identity": { "msisdn": number(0) } })).collect();
    let payload = json!({ "form": "host", "data": "aa" });
    let push = gateway.push(&json!({ "payload": payload, "route": "modem-0", "targets": targets }));
    mailbox.wait_for(2);
    let (status, _) = gateway.api.post(&format!("{push}/cancel"), &json!({}));
    assert_eq!(status, 200);
    let view = gateway.await_done(&push);
    let count = |state: &str| view["counts"][state].as_u64().unwrap();
    assert_eq!(view["state"], "cancelled");
    assert!(count("cancelled") > 0 && count("queued") + count("submitted") == 0, "{view}");
    // One that comes after it on the same route shows that the others are not on their way.
    let last = gateway.push_one(1, "modem-0", "bb");
    gateway.target_in(&last, "delivered");
    rig.flush(&mut mailbox);
    let copies = mailbox.copies();
    let sent: usize = copies.iter().filter(|((terminal, _), _)| *terminal == 0).map(|(_, copies)| copies).sum();
    assert_eq!(sent as u64, 50 - count("cancelled"), "what is cancelled was not sent");
}

#[test]
fn messages_from_terminals_are_kept_listed_and_then_deleted_from_the_modem() {
    let rig = Rig::start();
    let gateway = rig.gateway_up();
    let mut terminal = AtClient::open(&rig.port("terminal-2"));
    let da = Address::from(&own_number(1).parse::<Msisdn>().unwrap());
    for octets in [vec![2, 0x71, 0x00, 0xCA, 0xFE], vec![5, 0, 3, 9, 2, 2, 0xBB], vec![5, 0, 3, 9, 2, 1, 0xAA]] {
        let submit = Submit::new(da.clone(), Pid::PLAIN, Dcs::OCTETS, UserData::with_header(octets));
        terminal.send(&hex::encode(&submit.encode().unwrap()));
    }
    let page = gateway.api.until("/v1/inbound", |page| page["messages"].as_array().is_some_and(|all| all.len() == 2));
    let [first, second] = [&page["messages"][0], &page["messages"][1]];
    assert_eq!((&first["sender"], &first["route"]), (&json!(number(2)), &json!("modem-1")));
    assert_eq!((&first["udh"], &first["data"]), (&json!("7100"), &json!("cafe")));
    assert_eq!((&second["udh"], &second["data"]), (&json!(""), &json!("aabb")));
    while rig.control.order(&json!({ "cmd": "state", "modem": "gateway-1" }))["stored"] != json!([0, 0, 0]) {}
    gateway.api.await_metric(r#"euicc_push_inbound_total{link="modem-1",result="message"} 2"#);
    let log = rig.log();
    assert!(log.contains("message of 2 octets from") && !log.contains(&number(2)), "{log}");
    // They outlive the process.
    gateway.program.kill();
    assert_eq!(rig.gateway().api.get("/v1/inbound"), page);
}
