//! From the trigger to the result, over everything that can come between.

use super::cut::{self, Point};
use super::device::subscription;
use super::rig::{PATIENCE, Rig, TX};
use super::sm_sr;
use crate::codec::apdu::{ExpandedCommand, ScriptForm, StatusWord};
use crate::codec::gp::isd_r::ProfileState;
use crate::codec::gp::{Aid, Es5Command};
use crate::codec::ota::Spi;
use crate::codec::trigger::Trigger;
use crate::io::clock;
use crate::types::{AccessControl, Operation, Tar, TransactionId, TransactionResult};

fn trigger(operation: Operation) -> Trigger {
    Trigger { operation: Some(operation), ..Trigger::new(TX) }
}

fn state_of(rig: &Rig, tar: u16) -> Option<u8> {
    rig.device.state().profile(Aid::isd_p(tar).unwrap()).map(|profile| profile.state)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_profile_is_installed() {
    let data = subscription(3).profile_data(1500).unwrap();
    let mut rig = Rig::new(Operation::Install, Some(data)).await;
    rig.start();
    rig.trigger(&Trigger { access_control: Some(AccessControl::Backoff(1)), ..trigger(Operation::Install) }, 6);
    rig.until_over().await;
    rig.until_counted("transaction_total{result=\"done\"} 1").await;
    assert_eq!(state_of(&rig, 0x12), Some(ProfileState::DISABLED.0));
    assert_eq!(rig.stored_messages(), 0);
    let request = rig.sm_sr.look(|brain| brain.requests[0].clone());
    assert_eq!((request.operation, request.transaction), (Some(Operation::Install), TX));
    assert!(request.received.is_some() && request.access_time >= request.received);
    rig.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_enabled_profile_reports_in_a_session_of_its_own() {
    let mut rig = Rig::new(Operation::Enable, None).await;
    rig.start();
    rig.trigger(&trigger(Operation::Enable), 6);
    rig.until_over().await;
    assert_eq!(state_of(&rig, 0x11), Some(ProfileState::ENABLED.0));
    assert_eq!(rig.device.state().change, None, "the notification is confirmed");
    let requests = rig.sm_sr.look(|brain| brain.requests.clone());
    assert_eq!(requests.len(), 2);
    assert_eq!(requests[1].results, [(TX, TransactionResult::Done)]);
}

/// How often a profile was switched is counted by the notifications.
async fn survives(point: Point) -> bool {
    let mut rig = Rig::new(Operation::Enable, None).await;
    let cut = cut::plan(&rig.config.state_dir, point);
    rig.start();
    rig.trigger(&trigger(Operation::Enable), 6);
    let reached = tokio::select! {
        () = cut.notified() => true,
        () = rig.until_over() => false,
    };
    rig.kill().await;
    if reached {
        rig.start();
        rig.until_over().await;
    }
    assert_eq!(state_of(&rig, 0x11), Some(ProfileState::ENABLED.0), "{point:?}");
    assert_eq!(rig.device.state().notification_sequence, 1, "{point:?}: the operation ran once");
    reached
}

#[tokio::test(flavor = "multi_thread")]
async fn a_power_cut_before_or_after_any_write_neither_loses_nor_repeats_the_operation() {
    for at in [Point::Before as fn(u32) -> Point, Point::After] {
        let mut writes = 0;
        while survives(at(writes + 1)).await {
            writes += 1;
            assert!(writes < 100, "the writes come to an end");
        }
        assert!(writes >= 8, "only {writes} writes were cut");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_busy_sm_sr_is_called_again_after_the_time_it_names() {
    let mut rig = Rig::new(Operation::Enable, None).await;
    rig.sm_sr.look(|brain| brain.busy = vec![1, 1]);
    rig.start();
    let start = clock::now().mono;
    rig.trigger(&trigger(Operation::Enable), 6);
    rig.until_over().await;
    assert!((clock::now().mono - start).as_secs() >= 2);
    rig.until_counted("connection_total{result=\"busy\"} 2").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn too_many_busy_answers_end_the_transaction_and_the_next_session_tells() {
    let mut rig = Rig::new(Operation::Enable, None).await;
    rig.config.busy_attempts = 1;
    rig.sm_sr.look(|brain| brain.busy = vec![1, 1]);
    rig.start();
    rig.trigger(&trigger(Operation::Enable), 6);
    rig.until_counted("transaction_total{result=\"expired\"} 1").await;
    let other = TransactionId([9; 8]);
    rig.trigger(&Trigger { transaction: other, ..trigger(Operation::Enable) }, 7);
    rig.until_over().await;
    let results = rig.sm_sr.look(|brain| brain.requests[2].results.clone());
    assert_eq!(results, [(TX, TransactionResult::Expired)]);
}

fn forwarded() -> Trigger {
    let enable = Es5Command::EnableProfile { isd_p: Aid::isd_p(0x11).unwrap() };
    let script = ExpandedCommand::of_apdus(ScriptForm::Definite, vec![enable.encode().unwrap()]).encode().unwrap();
    let packet = sm_sr::sender(1).send(Spi::new(0x16, 0x19), Tar::ISD_R, script).unwrap().packet;
    Trigger { card_packet: Some(packet), ..trigger(Operation::Enable) }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_packet_of_a_trigger_is_forwarded_first_and_its_response_handed_over() {
    let mut rig = Rig::new(Operation::Enable, None).await;
    rig.start();
    rig.trigger(&forwarded(), 6);
    rig.until(|rig| rig.sm_sr.look(|brain| !brain.requests.is_empty())).await;
    assert!(rig.sm_sr.look(|brain| brain.requests[0].por.is_some()));
    assert_eq!(rig.device.state().enabled().map(|profile| profile.isd_p), Aid::isd_p(0x11));
    rig.until_counted("packet_total{result=\"response\"} 1").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_packet_that_the_euicc_refuses_ends_the_trigger_without_a_call() {
    let mut rig = Rig::new(Operation::Enable, None).await;
    rig.device.refuse(StatusWord::NO_INFORMATION);
    rig.start();
    rig.trigger(&forwarded(), 6);
    rig.until_counted("transaction_total{result=\"refused-by-euicc\"} 1").await;
    assert_eq!((rig.device.envelopes(), rig.sm_sr.look(|brain| brain.requests.len())), (1, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_script_answered_with_an_error_is_reported_and_ends_as_failed() {
    let mut rig = Rig::new(Operation::Enable, None).await;
    rig.device.refuse(StatusWord::CONDITIONS_NOT_SATISFIED);
    rig.start();
    rig.trigger(&trigger(Operation::Enable), 6);
    rig.until_counted("transaction_total{result=\"failed\"} 1").await;
    assert!(matches!(rig.sm_sr.look(|brain| brain.over.clone()), Some(Err(why)) if why.contains("6985")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeated_transaction_is_answered_with_its_result_and_not_forwarded_again() {
    let mut rig = Rig::new(Operation::Enable, None).await;
    rig.device.refuse(StatusWord::NO_INFORMATION);
    rig.start();
    rig.trigger(&forwarded(), 6);
    rig.until_counted("transaction_total{result=\"refused-by-euicc\"} 1").await;
    rig.sm_sr.look(|brain| brain.over = Some(Ok(())));
    rig.trigger(&forwarded(), 7);
    rig.until_counted("trigger_total{result=\"repeated\"} 1").await;
    rig.until(|rig| rig.sm_sr.look(|brain| !brain.requests.is_empty())).await;
    let request = rig.sm_sr.look(|brain| brain.requests[0].clone());
    assert_eq!(request.results, [(TX, TransactionResult::RefusedByEuicc)]);
    assert_eq!((request.por, rig.device.envelopes()), (None, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_of_another_euicc_opens_no_connection() {
    let mut rig = Rig::new(Operation::Enable, None).await;
    rig.foreign_certificate();
    rig.start();
    rig.trigger(&trigger(Operation::Enable), 6);
    rig.until_counted("connection_total{result=\"misconfigured\"} 1").await;
    assert_eq!(rig.sm_sr.look(|brain| (brain.requests.len(), brain.refused)), (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_sm_sr_that_another_authority_certifies_is_not_talked_to() {
    let mut rig = Rig::new(Operation::Enable, None).await;
    rig.config.sm_sr[0].ca_file = rig.scratch.path("strangers.pem");
    rig.config.retry.attempts = 1;
    rig.start();
    rig.trigger(&trigger(Operation::Enable), 6);
    rig.until_counted("connection_total{result=\"unconnected\"} 1").await;
    rig.until_counted("transaction_total{result=\"expired\"} 1").await;
    assert_eq!(rig.sm_sr.look(|brain| (brain.requests.len(), brain.refused)), (0, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_sm_sr_that_refuses_our_certificate_is_tried_again() {
    let mut rig = Rig::new(Operation::Enable, None).await;
    rig.unknown_certificate();
    rig.start();
    rig.trigger(&trigger(Operation::Enable), 6);
    rig.until(|rig| rig.sm_sr.look(|brain| brain.refused) > 1).await;
    assert_eq!(rig.sm_sr.look(|brain| brain.requests.len()), 0);
    clock::timeout(PATIENCE, rig.stop()).await.unwrap().unwrap();
}
