//! Triggers that come to nothing: the counter, the line in the log, and what stays on the disk.

use super::rig::{Rig, TX, packet, tpdus, trigger_keys};
use crate::agent::keys;
use crate::codec::ota::{CommandPacket, Counter, Spi};
use crate::codec::trigger::{SessionOwner, Trigger};
use crate::session::scp80::StoredKeySet;
use crate::types::{AccessControl, Operation, SecretSource, Tar, TransactionResult};
use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// The clear sender of every trigger here.
const SENDER: &str = "491710000042";

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, octets: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(octets);
        Ok(octets.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Runs on one thread, so that its log can be heard.
fn logged<F: Future<Output = ()>>(work: impl FnOnce() -> F) -> String {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(move || writer.clone()).finish();
    tracing::subscriber::with_default(subscriber, || {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work());
    });
    let octets = log.0.lock().unwrap().clone();
    String::from_utf8(octets).unwrap()
}

fn trigger() -> Trigger {
    // Late enough that an accepted one would not call.
    Trigger { access_control: Some(AccessControl::Backoff(u32::MAX)), ..Trigger::new(TX) }
}

/// One message, one refusal.
fn refused(message: Vec<Vec<u8>>, word: &'static str, line: &'static str) {
    let log = logged(|| async {
        let mut rig = Rig::new(Operation::Enable, None).await;
        rig.start();
        rig.receive(message);
        rig.until_counted(&format!("trigger_total{{result=\"{word}\"}} 1")).await;
        rig.until(|rig| rig.stored_messages() == 0).await;
        rig.stop().await.unwrap();
        assert_eq!(rig.sm_sr.look(|brain| brain.requests.len()), 0);
    });
    let refusal = log.lines().find(|text| text.contains("trigger refused")).expect("a line in the log");
    assert!(refusal.contains(line), "{line} in {refusal}");
    assert!(refusal.contains("+491…42") && !log.contains(SENDER), "{refusal}");
}

fn changed(place: usize) -> Vec<Vec<u8>> {
    let mut packet = packet(&trigger(), 6);
    let place = place.min(packet.len() - 1);
    packet[place] ^= 1;
    tpdus(&packet)
}

fn with_data(data: Vec<u8>) -> Vec<Vec<u8>> {
    let packet = CommandPacket { spi: Spi::new(0x16, 0), tar: Tar::AGENT, counter: Counter::new(6).unwrap(), data };
    tpdus(&packet.secure(&trigger_keys(true).prepare().unwrap()).unwrap())
}

#[test]
fn a_wrong_cc_is_refused() {
    refused(changed(usize::MAX), "not-authentic", "RC/CC/DS failed");
}

#[test]
fn a_foreign_tar_is_refused() {
    refused(changed(9), "not-authentic", "TAR unknown");
}

#[test]
fn an_equal_and_a_lower_counter_are_refused() {
    for counter in [5, 4] {
        refused(tpdus(&packet(&trigger(), counter)), "counter", "CNTR low");
    }
}

#[test]
fn an_sm_sr_outside_the_list_is_refused() {
    let other = Trigger { sm_sr_id: Some("other.example".into()), ..trigger() };
    refused(tpdus(&packet(&other, 6)), "sm-sr-unknown", "not in the list");
}

#[test]
fn an_identifier_and_an_address_that_disagree_are_refused() {
    let other = Trigger {
        sm_sr_id: Some("sm-sr.example".into()),
        sm_sr_address: Some("https://other.example:8443/admin".into()),
        ..trigger()
    };
    refused(tpdus(&packet(&other, 6)), "sm-sr-disagrees", "disagree");
}

#[test]
fn a_truncated_and_an_over_long_object_are_refused() {
    let object = trigger().encode().unwrap();
    refused(with_data(object[..object.len() - 1].to_vec()), "object", "malformed trigger object");
    refused(with_data([object, vec![0]].concat()), "object", "malformed trigger object");
}

#[test]
fn a_session_of_the_euicc_is_refused_where_nobody_relays_it() {
    let own = Trigger { owner: SessionOwner::Euicc, card_packet: Some(vec![1; 20]), ..trigger() };
    refused(tpdus(&packet(&own, 6)), "no-relay", "cannot open a session of its own");
}

#[test]
fn a_missing_part_is_given_up_after_its_time_and_across_a_restart() {
    let log = logged(|| async {
        let mut rig = Rig::new(Operation::Enable, None).await;
        rig.config.reassembly_timeout = Duration::from_secs(2);
        rig.start();
        let long = Trigger { card_packet: Some(vec![7; 150]), ..trigger() };
        let mut parts = tpdus(&packet(&long, 6));
        parts.truncate(1);
        rig.receive(parts);
        rig.until(|rig| rig.stored_messages() == 0).await;
        rig.kill().await;
        rig.start();
        rig.until_counted("trigger_total{result=\"incomplete\"} 1").await;
    });
    assert!(log.contains("1 of 2 parts came") && !log.contains(SENDER), "{log}");
}

#[test]
fn noise_is_counted_in_full_and_logged_within_limits() {
    let log = logged(|| async {
        let mut rig = Rig::new(Operation::Enable, None).await;
        rig.start();
        for _ in 0..30 {
            rig.receive(changed(usize::MAX));
        }
        rig.until_counted("trigger_total{result=\"not-authentic\"} 30").await;
    });
    assert_eq!(log.lines().filter(|line| line.contains("trigger refused")).count(), 10);
}

#[tokio::test]
async fn a_refusal_of_an_authentic_trigger_is_reported_at_the_next_contact() {
    let mut rig = Rig::new(Operation::Enable, None).await;
    rig.start();
    rig.trigger(&Trigger { sm_sr_id: Some("other.example".into()), ..trigger() }, 6);
    rig.until_counted("trigger_total{result=\"sm-sr-unknown\"} 1").await;
    let next = crate::types::TransactionId([9; 8]);
    rig.trigger(&Trigger::new(next), 7);
    rig.until(|rig| rig.sm_sr.look(|brain| !brain.requests.is_empty())).await;
    assert_eq!(rig.sm_sr.look(|brain| brain.requests[0].results.clone()), [(TX, TransactionResult::Rejected)]);
}

#[tokio::test]
async fn without_a_valid_counter_file_no_trigger_is_accepted() {
    let mut rig = Rig::new(Operation::Enable, None).await;
    rig.start();
    rig.trigger(&trigger(), 6);
    rig.until_counted("trigger_total{result=\"accepted\"} 1").await;
    let text = std::fs::read_to_string(rig.scratch.path("keys.toml")).unwrap();
    assert!(!text.contains("new"), "the mark is taken out once the counter is kept: {text}");
    rig.stop().await.unwrap();
    // The old trigger again, after the state is damaged or gone.
    let state = rig.config.state_dir.join("triggers.json");
    std::fs::write(&state, "{\"schema\": 1, \"coun").unwrap();
    for _ in 0..2 {
        rig.start();
        rig.trigger(&trigger(), 6);
        rig.until_counted("trigger_total{result=\"no-counter\"} 1").await;
        rig.stop().await.unwrap();
        std::fs::remove_dir_all(&rig.config.state_dir).unwrap();
    }
}

#[tokio::test]
async fn keys_that_everybody_knows_or_may_read_do_not_start() {
    let mut rig = Rig::new(Operation::Enable, None).await;
    let path = rig.scratch.path("keys.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text.replace("f3dfea98a2a0356902d210ab3c2d53de", "000102030405060708090a0b0c0d0e0f"))
        .unwrap();
    let refusal = rig.refused_start().await;
    assert!(refusal.contains("published test key") && !refusal.contains("000102"), "{refusal}");
    std::fs::write(&path, text.replace("BFFF16", "BFFF17")).unwrap();
    assert!(rig.refused_start().await.contains("no key set with owner"));
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
    assert!(rig.refused_start().await.contains("chmod"));
}

#[test]
fn the_mark_new_is_believed_only_where_nothing_was_lost() {
    let key_sets: Vec<StoredKeySet> = vec![trigger_keys(true), StoredKeySet { version: 2, ..trigger_keys(true) }];
    let mut triggers = crate::agent::state::Triggers::default();
    assert!(!keys::adopt(&mut triggers, &key_sets, false));
    assert!(keys::adopt(&mut triggers, &key_sets[..1], true));
    // A set that is added later comes beside counters that are kept.
    assert!(keys::adopt(&mut triggers, &key_sets, false));
    assert_eq!(triggers.counters.len(), 2);
    let old = [StoredKeySet { version: 3, new: false, ..trigger_keys(true) }];
    assert!(!keys::adopt(&mut triggers, &old, true));
    assert!(keys::load(&SecretSource::from("/nonexistent"), Tar::AGENT).is_err());
}
