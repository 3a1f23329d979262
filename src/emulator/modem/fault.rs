//! Faults that are ordered from outside: which command, which occurrence, what happens instead.

use super::call::Failure;
use serde::Deserialize;

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Fault {
    /// Name of a command, `+CMGS`, or `*` for all.
    pub on: String,
    /// The first occurrence that is hit, from 1.
    #[serde(default = "one")]
    pub nth: u32,
    /// How many are hit from there; 0 = all.
    #[serde(default = "one")]
    pub times: u32,
    pub action: Action,
}

/// What happens instead. Commands with a payload show their prompt and are hit when they have it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    Error,
    Cme(u16),
    Cms(u16),
    /// This line instead of a final result.
    Text(String),
    /// The command is neither executed nor answered.
    Silence,
    /// The command is executed and not answered.
    LoseAnswer,
}

const fn one() -> u32 {
    1
}

#[derive(Debug, Default)]
pub(super) struct Faults(Vec<Fault>);

impl Faults {
    pub(super) fn add(&mut self, fault: Fault) {
        self.0.push(Fault { on: fault.on.to_ascii_uppercase(), ..fault });
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    /// What happens to this occurrence of a command; the oldest fault that applies decides, the others count it too.
    pub(super) fn hit(&mut self, command: &str) -> Option<Action> {
        let mut action = None;
        self.0.retain_mut(|fault| {
            if fault.on != "*" && fault.on != command {
                return true;
            }
            if fault.nth > 1 {
                fault.nth -= 1;
                return true;
            }
            if action.is_some() {
                return true;
            }
            action = Some(fault.action.clone());
            if fault.times == 1 {
                return false;
            }
            fault.times = fault.times.saturating_sub(1);
            true
        });
        action
    }
}

impl Action {
    /// The result instead of execution; `None` when the command is executed.
    pub(super) fn failure(self) -> Option<Failure> {
        Some(match self {
            Self::Error => Failure::Error,
            Self::Cme(code) => Failure::Cme(code),
            Self::Cms(code) => Failure::Cms(code),
            Self::Text(text) => Failure::Text(text),
            Self::Silence => Failure::Silence,
            Self::LoseAnswer => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(on: &str, nth: u32, times: u32, action: Action) -> Fault {
        Fault { on: on.into(), nth, times, action }
    }

    #[test]
    fn a_fault_hits_the_occurrences_it_names() {
        let mut faults = Faults::default();
        faults.add(fault("+cmgs", 2, 2, Action::Cms(500)));
        let hits: Vec<_> = (0..5).map(|_| faults.hit("+CMGS").is_some()).collect();
        assert_eq!(hits, [false, true, true, false, false]);
        faults.add(fault("*", 1, 0, Action::Silence));
        assert!((0..9).all(|_| faults.hit("+CSQ") == Some(Action::Silence)));
        faults.clear();
        assert_eq!(faults.hit("+CSQ"), None);
    }
}
