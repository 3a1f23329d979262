//! What time it is on a terminal that may never have been told.

use crate::types::{ClockQuality, Now, UnixSeconds};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// No terminal runs this program before it was written: the floor of a terminal that knows nothing else.
const WRITTEN: UnixSeconds = UnixSeconds(1_793_491_200);

/// A moment and what its UTC is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    pub now: Now,
    pub quality: ClockQuality,
}

impl Moment {
    /// UTC where it is worth telling others.
    pub fn utc(&self) -> Option<UnixSeconds> {
        self.quality.is_usable().then_some(self.now.utc)
    }
}

/// The best of: the system's clock when something keeps it right, the network's time, the SCTS of a proved trigger, and
/// the latest time that is certainly past.
#[derive(Debug)]
pub struct TerminalClock(Mutex<Knowledge>);

#[derive(Debug)]
struct Knowledge {
    floor: UnixSeconds,
    reading: Option<Reading>,
}

#[derive(Debug, Clone, Copy)]
struct Reading {
    quality: ClockQuality,
    utc: UnixSeconds,
    mono: Duration,
}

impl TerminalClock {
    /// `persisted` is the latest time that was written down.
    pub fn new(persisted: UnixSeconds) -> Self {
        Self(Mutex::new(Knowledge { floor: persisted.max(WRITTEN), reading: None }))
    }

    /// Somebody told the time. What is before the floor is wrong; what is worth less than what is known is not taken.
    pub fn learn(&self, quality: ClockQuality, utc: UnixSeconds, mono: Duration) {
        let mut knowledge = self.knowledge();
        let better = knowledge.reading.is_none_or(|known| quality >= known.quality);
        if utc >= knowledge.floor && better {
            knowledge.reading = Some(Reading { quality, utc, mono });
        }
    }

    /// The moment that the system calls `system`; `synchronised`: something keeps its clock right.
    pub fn moment(&self, system: Now, synchronised: bool) -> Moment {
        let knowledge = self.knowledge();
        if synchronised && system.utc >= knowledge.floor {
            return Moment { now: system, quality: ClockQuality::Ntp };
        }
        match knowledge.reading {
            Some(Reading { quality, utc, mono }) => {
                let utc = utc.saturating_add(system.mono.saturating_sub(mono).as_secs());
                Moment { now: Now { utc, ..system }, quality }
            }
            None => Moment { now: Now { utc: knowledge.floor, ..system }, quality: ClockQuality::Floor },
        }
    }

    /// What certificates are judged against: the best time known, and never one before the floor. A system clock that
    /// nobody vouches for is better than the floor when it is later.
    pub fn verification_time(&self, system: Now, synchronised: bool) -> UnixSeconds {
        let moment = self.moment(system, synchronised);
        moment.utc().unwrap_or_else(|| system.utc.max(moment.now.utc))
    }

    fn knowledge(&self) -> std::sync::MutexGuard<'_, Knowledge> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const T: UnixSeconds = UnixSeconds(1_800_000_000);

    fn system(mono: u64, utc: u64) -> Now {
        Now { mono: Duration::from_secs(mono), utc: UnixSeconds(utc) }
    }

    #[test]
    fn without_any_source_there_is_only_the_floor() {
        let clock = TerminalClock::new(UnixSeconds(5));
        let moment = clock.moment(system(10, 3), false);
        assert_eq!((moment.now.utc, moment.quality, moment.utc()), (WRITTEN, ClockQuality::Floor, None));
        assert_eq!(TerminalClock::new(T).moment(system(10, 3), false).now.utc, T);
        assert_eq!(clock.verification_time(system(10, 3), false), WRITTEN);
        assert_eq!(clock.verification_time(system(10, T.0), false), T);
    }

    #[test]
    fn better_sources_replace_worse_ones_and_time_goes_on() {
        let clock = TerminalClock::new(UnixSeconds(0));
        clock.learn(ClockQuality::Scts, T, Duration::from_secs(100));
        assert_eq!(clock.moment(system(130, 0), false).utc(), Some(T.saturating_add(30)));
        clock.learn(ClockQuality::Nitz, T.saturating_add(500), Duration::from_secs(130));
        clock.learn(ClockQuality::Scts, T.saturating_add(10), Duration::from_secs(140));
        let moment = clock.moment(system(140, 0), false);
        assert_eq!((moment.now.utc, moment.quality), (T.saturating_add(510), ClockQuality::Nitz));
        let moment = clock.moment(system(140, T.0), true);
        assert_eq!((moment.now.utc, moment.quality), (T, ClockQuality::Ntp));
    }

    #[test]
    fn times_before_the_floor_are_not_believed() {
        let clock = TerminalClock::new(T);
        clock.learn(ClockQuality::Nitz, UnixSeconds(T.0 - 1), Duration::ZERO);
        assert_eq!(clock.moment(system(0, T.0 - 1), true).quality, ClockQuality::Floor);
    }
}
