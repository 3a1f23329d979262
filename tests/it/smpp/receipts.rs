//! Receipts in all their forms, messages from terminals, and what survives a restart.

use super::rig::{Gateway, Smsc, number, simulator};
use euicc_push::{
    config::emulator_smpp::{EmulatorSmpp, Fault, IdStyle, Occasion, ReceiptFault, ReceiptForm, SmppRule},
    emulator::smsc::Originated,
};
use std::time::Duration;

fn receipts(fault: ReceiptFault) -> Vec<SmppRule> {
    vec![SmppRule::on(Occasion::Receipt, [Fault::Receipt(fault)])]
}

async fn all_delivered(name: &str, config: EmulatorSmpp, keys: &str) {
    let smsc = Smsc::start(config).await;
    let gateway = Gateway::start(smsc.port(), keys);
    let push = gateway.push(6, 200).await;
    assert_eq!(gateway.done(push).await["delivered"], 6, "{name}\n{}", gateway.log());
    smsc.until(&format!("{name}: every receipt is answered"), |smsc| smsc.undelivered() == 0).await;
    smsc.server.with(|_, smsc| {
        assert_eq!((smsc.record().submits(), smsc.record().stray_answers()), (12, 0), "{name}");
    });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn receipts_find_their_message_whatever_they_look_like() {
    let usual = ReceiptFault::default;
    let forms = [ReceiptForm::Text, ReceiptForm::Tlv, ReceiptForm::Ucs2, ReceiptForm::BehindHeader];
    let mut variants: Vec<_> = forms.into_iter().map(|form| ReceiptFault { form: Some(form), ..usual() }).collect();
    variants.extend([
        ReceiptFault { data_sm: true, ..usual() },
        ReceiptFault { esm_class: Some(0), ..usual() },
        ReceiptFault { intermediate: true, ..usual() },
        ReceiptFault { copies: Some(2), ..usual() },
        ReceiptFault { early: true, ..usual() },
        ReceiptFault { early: true, ids: Some(IdStyle::HexadecimalUpper), ..usual() },
        ReceiptFault { sequence_zero: true, delay: Duration::from_millis(50), ..usual() },
    ]);
    for variant in variants {
        all_delivered(&format!("{variant:?}"), simulator(receipts(variant)), "window = 1").await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ids_are_matched_across_bases_cases_and_padding() {
    use IdStyle::{Decimal, Hexadecimal, HexadecimalUpper, Padded, Uuid};
    for (response_ids, receipt_ids, keys) in [
        (Decimal, Hexadecimal, ""),
        (HexadecimalUpper, Padded, ""),
        (Padded, Decimal, ""),
        (Hexadecimal, Decimal, "response-ids = \"hexadecimal\"\nreceipt-ids = \"decimal\""),
        (Uuid, Uuid, ""),
    ] {
        let config = EmulatorSmpp { response_ids, receipt_ids, ..simulator(Vec::new()) };
        all_delivered(&format!("{response_ids:?} {receipt_ids:?}"), config, keys).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_connections_carry_what_one_does() {
    all_delivered("tx+rx", simulator(Vec::new()), "bind = \"tx+rx\"").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn negative_receipts_fail_or_repeat_by_their_state() {
    let rejected = ReceiptFault { state: Some(8), network_error: Some(1), ..ReceiptFault::default() };
    let expired = ReceiptFault { state: Some(3), ..ReceiptFault::default() };
    let odd = ReceiptFault { stat: Some("WHATEVR".into()), form: Some(ReceiptForm::Text), ..ReceiptFault::default() };
    let for_target = |target: usize, fault| SmppRule {
        destination: number(target),
        ..SmppRule::on(Occasion::Receipt, [Fault::Receipt(fault)]).nth([1])
    };
    let rules = vec![for_target(0, rejected), for_target(1, expired), for_target(2, odd)];
    let smsc = Smsc::start(simulator(rules)).await;
    let gateway = Gateway::start(smsc.port(), "");
    let push = gateway.push(4, 20).await;
    let counts = gateway.when(push, |view| {
        let counts = &view["counts"];
        counts["delivered"] == 2 && counts["failed"] == 1 && counts["submitted"] == 1
    });
    counts.await;
    let targets = gateway.targets(push).await;
    assert_eq!(targets[0]["reason"], "REJECTD");
    assert_eq!((&targets[1]["state"], targets[1]["attempts"].as_u64()), (&"delivered".into(), Some(2)));
    // A state that nobody knows is no end.
    assert_eq!(targets[2]["state"], "submitted");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn open_receipts_survive_a_kill_and_nothing_is_sent_again() {
    let late = ReceiptFault { delay: Duration::from_secs(2), ..ReceiptFault::default() };
    let smsc = Smsc::start(simulator(receipts(late))).await;
    let mut gateway = Gateway::start(smsc.port(), "");
    let push = gateway.push(10, 20).await;
    gateway.when(push, |view| view["counts"]["submitted"] == 10).await;
    gateway.kill();
    smsc.until("the receipts wait for a bind", |smsc| smsc.undelivered() == 10).await;
    gateway.start_again();
    assert_eq!(gateway.done(push).await["delivered"], 10, "{}", gateway.log());
    smsc.server.with(|_, smsc| assert_eq!(smsc.record().submits(), 10));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_response_packet_before_the_answer_with_an_empty_id_is_kept_and_the_receipt_still_counts() {
    let faults = [Fault::EarlyPor, Fault::Id { text: String::new(), without_nul: false }];
    let smsc = Smsc::start(simulator(vec![SmppRule::on(Occasion::Submit, faults)])).await;
    let gateway = Gateway::start(smsc.port(), "");
    let push = gateway.push(1, 20).await;
    assert_eq!(gateway.done(push).await["delivered"], 1, "{}", gateway.log());
    let inbound = gateway.inbound(1).await;
    assert_eq!((&inbound[0]["udh"], &inbound[0]["sender"]), (&"7100".into(), &number(0).into()));
    assert!(inbound[0]["data"].as_str().unwrap().starts_with("000b0a"), "{inbound:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn parts_of_a_message_are_answered_one_by_one_and_joined_across_a_kill() {
    let smsc = Smsc::start(simulator(Vec::new())).await;
    let mut gateway = Gateway::start(smsc.port(), "");
    let part = |number: u8| Originated {
        source: "4915199999999".into(),
        destination: "16420".into(),
        udhi: true,
        protocol_id: 0,
        data_coding: 4,
        octets: vec![5, 0, 3, 42, 2, number, 0xA0 | number],
    };
    smsc.server.with(|now, smsc| smsc.originate(now, "esme", &part(2)));
    smsc.until("the first part is answered", |smsc| smsc.record().delivery_answers() == [0]).await;
    gateway.kill();
    smsc.server.with(|now, smsc| smsc.originate(now, "esme", &part(1)));
    gateway.start_again();
    let inbound = gateway.inbound(1).await;
    assert_eq!((&inbound[0]["data"], &inbound[0]["sender"]), (&"a1a2".into(), &"4915199999999".into()));
}
