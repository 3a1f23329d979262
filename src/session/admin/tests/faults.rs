//! The whole loop, undisturbed and with each fault at each step.

use super::rig::{Fault, Rig};
use super::*;

const JOBS: [u8; 5] = [1, 2, 3, 4, 5];

#[test]
fn an_undisturbed_session_delivers_every_packet_once_and_ends() {
    for piece in [usize::MAX, 1, 7] {
        let mut rig = Rig::new(&JOBS);
        rig.piece = piece;
        rig.run();
        assert_eq!(rig.ended, Some(End::Finished));
        assert_eq!(rig.card.executed, JOBS);
        assert_eq!(rig.store.done.iter().copied().collect::<Vec<_>>(), JOBS);
        assert_eq!(rig.acknowledged, [0, 1, 2, 3]);
        assert_eq!((rig.pauses.len(), rig.refusals.len(), rig.requests), (0, 0, 1));
    }
}

/// Whatever fails at whatever step: the session ends, every job is executed exactly once, the SM-SR knows it, no
/// octets reach the card twice, and after an unknown outcome the first thing the card hears is an audit.
///
/// Gives the number of steps, and that of the audits over all runs.
fn holds_at_every_step(fault: Fault) -> (usize, usize) {
    let mut step = 0;
    let mut audits = 0;
    loop {
        let mut rig = Rig::new(&JOBS);
        rig.fault = Some((step, fault));
        if !rig.run() {
            return (step, audits);
        }
        let place = format!("{fault:?} before step {step}");
        assert_eq!(rig.ended, Some(End::Finished), "{place}");
        let mut executed = rig.card.executed.clone();
        executed.sort_unstable();
        assert_eq!(executed, JOBS, "{place}");
        assert_eq!(rig.store.done.iter().copied().collect::<Vec<_>>(), JOBS, "{place}");
        let mut delivered = rig.card.delivered.clone();
        delivered.sort();
        delivered.dedup();
        assert_eq!(delivered.len(), rig.card.delivered.len(), "{place}: a packet was delivered twice");
        assert!(rig.refusals.is_empty(), "{place}: {:?}", rig.refusals);
        audits += rig.card.delivered.iter().filter(|packet| packet[0] == 0xAA).count();
        step += 1;
    }
}

#[test]
fn a_power_loss_of_the_terminal_at_any_step_is_survived() {
    // Each of the five deliveries can be struck at four steps after "begun" is on the disk: two before the card
    // executes the packet, two after.
    let (steps, audits) = holds_at_every_step(Fault::AgentPower);
    assert!(steps > 60, "{steps}");
    assert_eq!(audits, 20);
}

#[test]
fn a_lost_connection_at_any_step_is_survived_without_an_audit() {
    let (steps, audits) = holds_at_every_step(Fault::Cut);
    assert!(steps > 60 && audits == 0, "{steps} {audits}");
}

#[test]
fn a_death_of_the_sm_sr_at_any_step_is_survived_without_an_audit() {
    let (steps, audits) = holds_at_every_step(Fault::SmSrCrash);
    assert!(steps > 60 && audits == 0, "{steps} {audits}");
}

#[test]
fn two_power_losses_at_any_two_steps_are_survived() {
    for first in 0..60 {
        for second in (first + 1..first + 40).step_by(3) {
            let mut rig = Rig::new(&[1, 2, 3]);
            rig.fault = Some((first, Fault::AgentPower));
            rig.second_fault = Some((second, Fault::AgentPower));
            rig.run();
            let mut executed = rig.card.executed.clone();
            executed.sort_unstable();
            assert_eq!((executed.as_slice(), &rig.ended), (&[1, 2, 3][..], &Some(End::Finished)), "{first} {second}");
        }
    }
}

#[test]
fn busy_is_obeyed_as_often_as_it_comes_and_costs_nothing() {
    let mut rig = Rig::new(&JOBS);
    rig.busy = [600, 1200].into();
    rig.run();
    let busy = |seconds| Pause::Busy { retry_after: Duration::from_secs(seconds) };
    assert_eq!(rig.pauses, [busy(600), busy(1200)]);
    assert_eq!(rig.now.mono, start().mono + Duration::from_secs(1800));
    assert_eq!((rig.card.executed.as_slice(), rig.requests), (&JOBS[..], 3));
}

#[test]
fn a_status_word_other_than_success_stops_the_script() {
    let mut rig = Rig::new(&JOBS);
    rig.card.refuses = Some((3, 0x6985));
    rig.run();
    assert_eq!(rig.ended, Some(End::Finished));
    assert_eq!(rig.card.executed, [1, 2]);
    assert_eq!(rig.card.delivered.len(), 3, "job 4 was in the same script as job 3");
    assert_eq!(rig.store.refused.into_iter().collect::<Vec<_>>(), [(3, 0x6985)]);
}

#[test]
fn another_eid_than_the_certificates_is_refused_for_good() {
    let mut rig = Rig::new(&JOBS);
    rig.certificate = OTHER_EID;
    rig.run();
    assert_eq!(rig.ended, Some(End::Refused { status: 403 }));
    assert_eq!(rig.refusals, [Refusal::WrongEid]);
    assert!(rig.card.delivered.is_empty());
}
