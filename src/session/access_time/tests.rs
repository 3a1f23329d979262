//! Every rule of drawing and of drawing again, on a virtual clock.

use super::*;

const NOON: u64 = 1_800_000_000;
const MONO: Duration = Duration::from_secs(77);
const SPREAD: u64 = 3_600;

fn at(utc: u64, clock: ClockQuality, random: f64) -> Circumstances {
    let now = Now { mono: MONO, utc: UnixSeconds(utc) };
    Circumstances { now, clock, random, no_clock_spread: Duration::from_secs(SPREAD) }
}

/// Seconds to wait when the trigger comes at noon.
fn drawn(control: AccessControl, clock: ClockQuality, random: f64) -> u64 {
    let circumstances = at(NOON, clock, random);
    AccessTime::draw(Some(control), circumstances).remaining(circumstances.now).as_secs()
}

fn window(start: u64, end: u64) -> AccessControl {
    AccessControl::Window { start: UnixSeconds(start), end: UnixSeconds(end) }
}

const USABLE: [ClockQuality; 3] = [ClockQuality::Scts, ClockQuality::Nitz, ClockQuality::Ntp];

#[test]
fn without_access_control_it_is_now() {
    let circumstances = at(NOON, ClockQuality::Floor, 0.9);
    let access = AccessTime::draw(None, circumstances);
    assert!(access.is_due(circumstances.now));
    assert_eq!((access.due(), access.utc(), access.spread()), (MONO, None, Duration::ZERO));
}

#[test]
fn a_back_off_counts_from_receipt_with_and_without_a_clock() {
    for clock in [ClockQuality::Floor, ClockQuality::Ntp] {
        for (random, seconds) in [(0.0, 0), (0.5, 300), (0.999, 599)] {
            assert_eq!(drawn(AccessControl::Backoff(600), clock, random), seconds);
            assert_eq!(drawn(AccessControl::WindowFromReceipt(600), clock, random), seconds);
        }
    }
}

#[test]
fn a_window_is_drawn_in_the_part_that_is_not_past() {
    for clock in USABLE {
        assert_eq!(drawn(window(NOON + 100, NOON + 300), clock, 0.5), 200);
        assert_eq!(drawn(window(NOON - 100, NOON + 300), clock, 0.5), 150);
        assert_eq!(drawn(window(NOON - 100, NOON + 300), clock, 0.0), 0);
        assert_eq!(drawn(window(NOON, NOON + 10), clock, 0.999), 9);
    }
}

#[test]
fn a_window_that_is_past_is_drawn_over_its_length_from_now() {
    assert_eq!(drawn(window(NOON - 1000, NOON - 600), ClockQuality::Nitz, 0.5), 200);
    assert_eq!(drawn(window(NOON - 400, NOON), ClockQuality::Nitz, 0.5), 200);
}

#[test]
fn a_window_without_a_clock_is_drawn_over_its_length_from_receipt() {
    assert_eq!(drawn(window(NOON + 5000, NOON + 5400), ClockQuality::Floor, 0.5), 200);
}

#[test]
fn a_time_point_is_itself_and_without_a_clock_anywhere_in_the_spread() {
    let point = AccessControl::At(UnixSeconds(NOON + 42));
    assert_eq!(drawn(point, ClockQuality::Scts, 0.9), 42);
    assert_eq!(drawn(AccessControl::At(UnixSeconds(NOON - 42)), ClockQuality::Scts, 0.9), 0);
    assert_eq!(drawn(point, ClockQuality::Floor, 0.5), SPREAD / 2);
}

#[test]
fn waiting_ignores_a_stepping_wall_clock() {
    let circumstances = at(NOON, ClockQuality::Nitz, 0.5);
    let access = AccessTime::draw(Some(AccessControl::Backoff(600)), circumstances);
    assert_eq!(access.utc(), Some(UnixSeconds(NOON + 300)));
    let stepped = Now { mono: MONO + Duration::from_secs(299), utc: UnixSeconds(NOON + 100_000) };
    assert!(!access.is_due(stepped));
    assert_eq!(access.remaining(stepped), Duration::from_secs(1));
    assert!(access.is_due(Now { mono: MONO + Duration::from_secs(300), ..stepped }));
}

/// Draws at noon with `random` 0.5, loses the power at once, and comes back at `utc`.
fn restored(control: AccessControl, before: ClockQuality, utc: u64, after: ClockQuality, random: f64) -> u64 {
    let drawn = AccessTime::draw(Some(control), at(NOON, before, 0.5));
    let text = serde_json::to_string(&drawn.stored(at(NOON, before, 0.0).now)).unwrap();
    let circumstances = at(utc, after, random);
    let restored = AccessTime::restore(&serde_json::from_str(&text).unwrap(), circumstances);
    assert_eq!(restored.spread(), drawn.spread());
    restored.remaining(circumstances.now).as_secs()
}

#[test]
fn after_a_power_loss_of_known_length_the_point_is_the_same() {
    let backoff = AccessControl::Backoff(600);
    assert_eq!(restored(backoff, ClockQuality::Nitz, NOON + 100, ClockQuality::Ntp, 0.9), 200);
    assert_eq!(
        restored(AccessControl::At(UnixSeconds(NOON + 500)), ClockQuality::Ntp, NOON + 100, ClockQuality::Scts, 0.9),
        400
    );
}

#[test]
fn after_a_power_loss_of_unknown_length_what_was_left_is_drawn_again() {
    let backoff = AccessControl::Backoff(600);
    for (before, after) in [
        (ClockQuality::Nitz, ClockQuality::Floor),
        (ClockQuality::Floor, ClockQuality::Nitz),
        (ClockQuality::Floor, ClockQuality::Floor),
    ] {
        assert_eq!(restored(backoff, before, NOON + 100, after, 0.5), 150);
        assert_eq!(restored(backoff, before, NOON + 9_999, after, 0.999), 299);
    }
}

#[test]
fn a_missed_point_is_drawn_again_and_never_all_at_once() {
    let clock = ClockQuality::Ntp;
    let window = window(NOON + 100, NOON + 500);
    assert_eq!(restored(window, clock, NOON + 400, clock, 0.5), 50, "in what is left of the window");
    assert_eq!(restored(window, clock, NOON + 9_000, clock, 0.5), 200, "over its length");
    assert_eq!(restored(AccessControl::Backoff(600), clock, NOON + 9_000, clock, 0.5), 300);
    assert_eq!(restored(AccessControl::At(UnixSeconds(NOON + 5)), clock, NOON + 9_000, clock, 0.5), SPREAD / 2);
}

#[test]
fn what_is_left_is_written_anew_while_waiting() {
    let circumstances = at(NOON, ClockQuality::Floor, 0.5);
    let access = AccessTime::draw(Some(AccessControl::Backoff(600)), circumstances);
    let later = Now { mono: MONO + Duration::from_millis(200_500), utc: UnixSeconds(0) };
    assert_eq!(access.stored(later).remaining, 100);
    assert_eq!(access.stored(later).deadline, None);
}
