//! What an answer of the SMSC asks for: of the message, and of the link (SMPP 3.4 5.1.3 and the classes of its table).

use crate::{
    codec::smpp::{CommandStatus, StatusClass},
    config::smpp_route::{MeaningClass, StatusMeaning},
    session::delivery::Refusal,
};

/// A subscriber's or server's queue is full: let it drain.
const QUEUE_PAUSE: u64 = 10;
/// "Submit failed" may mean anything: a few times, then it is permanent.
const SUBMIT_FAILURES: u32 = 3;
/// Answers that say nothing of how long it will last.
const PATIENCE: u64 = 1;

/// What the whole link has to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LinkAction {
    None,
    /// Halve the rate and pause.
    SlowDown,
    /// Close the session and bind again.
    Rebind,
    /// The configuration is wrong: an alarm, and nothing for minutes.
    Rest,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Verdict {
    /// `None`: accepted.
    pub(super) refusal: Option<Refusal>,
    pub(super) action: LinkAction,
}

impl Verdict {
    /// `meanings` are what this SMSC means by statuses that the standard leaves open.
    pub(super) fn of(status: CommandStatus, meanings: &[StatusMeaning]) -> Self {
        let own = meanings.iter().find(|meaning| meaning.code == status.0 && !status.is_ok());
        let class = match own.map(|meaning| meaning.class) {
            Some(MeaningClass::Throttled) => return Self::throttled(1),
            Some(MeaningClass::OtherRoute) => StatusClass::OtherRoute,
            Some(MeaningClass::Later) => StatusClass::Later,
            Some(MeaningClass::Permanent) => StatusClass::Permanent,
            Some(MeaningClass::Rebind) => StatusClass::Rebind,
            Some(MeaningClass::Configuration) => StatusClass::Configuration,
            None => match status {
                CommandStatus::RTHROTTLED => return Self::throttled(1),
                CommandStatus::RMSGQFUL => return Self::throttled(QUEUE_PAUSE),
                CommandStatus::RSUBMITFAIL => {
                    return Self::message(Refusal::Later { patience: PATIENCE, at_most: Some(SUBMIT_FAILURES) });
                }
                CommandStatus::RINVDSTADR => return Self::message(Refusal::NoWayHere),
                status => status.class(),
            },
        };
        match class {
            StatusClass::Done => Self { refusal: None, action: LinkAction::None },
            StatusClass::OtherRoute => Self::message(Refusal::OtherRoute),
            StatusClass::Later => Self::message(Refusal::Later { patience: PATIENCE, at_most: None }),
            StatusClass::Permanent => Self::message(Refusal::Permanent),
            StatusClass::Rebind => Self { refusal: Some(Refusal::RouteDown), action: LinkAction::Rebind },
            StatusClass::Configuration => Self { refusal: Some(Refusal::RouteDown), action: LinkAction::Rest },
        }
    }

    fn message(refusal: Refusal) -> Self {
        Self { refusal: Some(refusal), action: LinkAction::None }
    }

    /// Not the message's fault, and no attempt of it.
    fn throttled(pause: u64) -> Self {
        Self { refusal: Some(Refusal::Throttled { pause }), action: LinkAction::SlowDown }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::smpp::STATUS_TABLE;

    fn verdict(code: u32) -> Verdict {
        Verdict::of(CommandStatus(code), &[])
    }

    #[test]
    fn every_status_of_the_table_has_a_consequence_and_only_one_is_acceptance() {
        for row in STATUS_TABLE {
            assert_eq!(verdict(row.code).refusal.is_none(), row.code == 0, "{}", row.name);
        }
    }

    #[test]
    fn throttling_is_the_links_affair_and_no_attempt() {
        assert_eq!(
            verdict(0x58),
            Verdict { refusal: Some(Refusal::Throttled { pause: 1 }), action: LinkAction::SlowDown }
        );
        assert_eq!(verdict(0x14).action, LinkAction::SlowDown);
    }

    #[test]
    fn bad_credentials_and_refused_fields_rest_the_link_and_cost_no_message() {
        for code in [0x0E, 0x0F, 0x43, 0x48, 0x53] {
            assert_eq!(
                verdict(code),
                Verdict { refusal: Some(Refusal::RouteDown), action: LinkAction::Rest },
                "{code:X}"
            );
        }
        assert_eq!(verdict(0x04), Verdict { refusal: Some(Refusal::RouteDown), action: LinkAction::Rebind });
    }

    #[test]
    fn what_one_smsc_means_goes_before_the_table() {
        let meaning = |code, class| StatusMeaning { code, class };
        let own = [meaning(0x401, MeaningClass::Configuration), meaning(0x58, MeaningClass::Permanent)];
        assert_eq!(Verdict::of(CommandStatus(0x401), &own).action, LinkAction::Rest);
        assert_eq!(Verdict::of(CommandStatus(0x58), &own).refusal, Some(Refusal::Permanent));
        let later = Some(Refusal::Later { patience: 1, at_most: None });
        assert_eq!((verdict(0x401).refusal, verdict(0x22).refusal, verdict(1375).refusal), (later, later, later));
    }

    #[test]
    fn an_unknown_destination_is_left_to_another_route_and_submit_failures_are_few() {
        assert_eq!(verdict(0x0B).refusal, Some(Refusal::NoWayHere));
        assert_eq!(verdict(0x08).refusal, Some(Refusal::OtherRoute));
        assert_eq!(verdict(0x45).refusal, Some(Refusal::Later { patience: 1, at_most: Some(3) }));
    }
}
