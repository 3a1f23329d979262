//! What +CMS ERROR (TS 27.005 3.2.5) and +CME ERROR (TS 27.007 9.2) numbers mean and what is to be done about them.

use super::result::Reported;
use std::borrow::Cow;

/// What the sender of the command should do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// R: try again, at the entry's pace.
    Retry,
    /// P: this message (or this command) will never succeed.
    Permanent,
    /// S: the SIM or its operator needs attention; nothing else will succeed either.
    Operator,
    /// Z: reset or initialise the modem anew.
    Reinitialise,
    /// I: part of the dialogue, e.g. a slot that is already empty.
    Ignore,
}

/// When a retry makes sense.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pace {
    Usual,
    /// Within seconds: SIM busy.
    Soon,
    /// Congestion, or a receiver that is full or switched off: a longer wait.
    Long,
    /// As soon as the modem is registered again.
    WhenRegistered,
}

/// One error number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ErrorEntry {
    pub code: u16,
    /// The standard's text, which is also what AT+CMEE=2 reports.
    pub name: Cow<'static, str>,
    pub class: Class,
    pub pace: Pace,
    /// After this many failures in a row with this number, another class applies.
    pub then: Option<(u8, Class)>,
    /// The message may have been sent all the same.
    pub outcome_unknown: bool,
}

/// A row as it is written down: number, text, class, pace, and what follows after so many failures.
type Row = (u16, &'static str, Class, Pace, Option<(u8, Class)>);

/// The numbers of one of the two families.
#[derive(Debug)]
pub struct ErrorTable {
    rows: &'static [Row],
    /// For numbers that no row names.
    fallback: fn(u16) -> ErrorEntry,
}

impl ErrorTable {
    pub fn entry(&self, reported: &Reported) -> Option<ErrorEntry> {
        self.code(reported).map(|code| self.of(code))
    }

    pub fn code(&self, reported: &Reported) -> Option<u16> {
        match reported {
            Reported::Code(code) => Some(*code),
            Reported::Text(text) => {
                self.rows.iter().find(|(_, name, ..)| name.eq_ignore_ascii_case(text.trim())).map(|(code, ..)| *code)
            }
        }
    }

    /// The entry of a number; numbers that no row names have an entry too.
    pub fn of(&self, code: u16) -> ErrorEntry {
        match self.rows.iter().find(|(known, ..)| *known == code) {
            Some((_, name, class, pace, then)) => ErrorEntry {
                code,
                name: Cow::Borrowed(name),
                class: *class,
                pace: *pace,
                then: *then,
                outcome_unknown: code == CMS_NETWORK_TIMEOUT && std::ptr::eq(self.rows, CMS_ROWS),
            },
            None => (self.fallback)(code),
        }
    }

    /// All named numbers, ascending.
    pub fn codes(&self) -> impl Iterator<Item = u16> {
        self.rows.iter().map(|(code, ..)| *code)
    }
}

/// The network may have taken the message although its answer never came.
const CMS_NETWORK_TIMEOUT: u16 = 332;

fn unnamed(code: u16, name: &'static str, then: Class) -> ErrorEntry {
    ErrorEntry {
        code,
        name: Cow::Borrowed(name),
        class: Class::Retry,
        pace: Pace::Usual,
        then: Some((1, then)),
        outcome_unknown: false,
    }
}

fn cms_fallback(code: u16) -> ErrorEntry {
    match code {
        224..=255 => unnamed(code, "application specific error", Class::Permanent),
        0..=127 => unnamed(code, "unnamed network cause", Class::Permanent),
        512.. => unnamed(code, "manufacturer specific error", Class::Reinitialise),
        _ => unnamed(code, "reserved error number", Class::Reinitialise),
    }
}

fn cme_fallback(code: u16) -> ErrorEntry {
    unnamed(code, "unnamed error", Class::Reinitialise)
}

use Class::{Ignore as I, Operator as S, Permanent as P, Reinitialise as Z, Retry as R};
use Pace::{Long, Soon, Usual, WhenRegistered};

/// +CMS ERROR: RP causes (TS 24.011 8.2.5.4), TP failure causes (TS 23.040 9.2.3.22), 300 and above of TS 27.005.
pub static CMS: ErrorTable = ErrorTable { rows: CMS_ROWS, fallback: cms_fallback };

static CMS_ROWS: &[Row] = &[
    (1, "unassigned number", P, Usual, None),
    (8, "operator determined barring", S, Usual, None),
    (10, "call barred", S, Usual, None),
    (17, "network failure", R, Usual, None),
    (21, "short message transfer rejected", R, Usual, Some((1, P))),
    (22, "memory capacity exceeded", R, Long, None),
    (27, "destination out of service", R, Long, None),
    (28, "unidentified subscriber", P, Usual, None),
    (29, "facility rejected", P, Usual, None),
    (30, "unknown subscriber", P, Usual, None),
    (38, "network out of order", R, Usual, None),
    (41, "temporary failure", R, Usual, None),
    (42, "congestion", R, Long, None),
    (47, "resources unavailable", R, Usual, None),
    (50, "requested facility not subscribed", S, Usual, None),
    (69, "requested facility not implemented", P, Usual, None),
    (81, "invalid short message transfer reference value", P, Usual, None),
    (95, "semantically incorrect message", P, Usual, None),
    (96, "invalid mandatory information", P, Usual, None),
    (97, "message type non-existent or not implemented", P, Usual, None),
    (98, "message not compatible with short message protocol state", P, Usual, None),
    (99, "information element non-existent or not implemented", P, Usual, None),
    (111, "protocol error, unspecified", R, Usual, Some((1, P))),
    (127, "interworking, unspecified", R, Usual, Some((1, P))),
    (128, "telematic interworking not supported", P, Usual, None),
    (129, "short message type 0 not supported", P, Usual, None),
    (130, "cannot replace short message", P, Usual, None),
    (143, "unspecified TP-PID error", P, Usual, None),
    (144, "data coding scheme (alphabet) not supported", P, Usual, None),
    (145, "message class not supported", P, Usual, None),
    (159, "unspecified TP-DCS error", P, Usual, None),
    (160, "command cannot be actioned", P, Usual, None),
    (161, "command unsupported", P, Usual, None),
    (175, "unspecified TP-Command error", P, Usual, None),
    (176, "TPDU not supported", P, Usual, None),
    (192, "SC busy", R, Usual, None),
    (193, "no SC subscription", S, Usual, None),
    (194, "SC system failure", R, Usual, None),
    (195, "invalid SME address", P, Usual, None),
    (196, "destination SME barred", P, Usual, None),
    (197, "SM rejected-duplicate SM", I, Usual, None),
    (198, "TP-VPF not supported", P, Usual, None),
    (199, "TP-VP not supported", P, Usual, None),
    (208, "SIM SMS storage full", R, Long, None),
    (209, "no SMS storage capability in SIM", R, Usual, Some((1, P))),
    (210, "error in MS", R, Usual, Some((1, P))),
    (211, "memory capacity exceeded in receiver", R, Long, None),
    (212, "SIM application toolkit busy", R, Usual, None),
    // What the refusal of an SCP80 packet by the card looks like to the sender.
    (213, "SIM data download error", P, Usual, None),
    (255, "unspecified error cause", R, Usual, Some((1, P))),
    (300, "ME failure", Z, Usual, None),
    (301, "SMS service of ME reserved", R, Usual, None),
    (302, "operation not allowed", R, Usual, Some((3, Z))),
    (303, "operation not supported", P, Usual, None),
    (304, "invalid PDU mode parameter", P, Usual, None),
    (305, "invalid text mode parameter", P, Usual, None),
    (310, "SIM not inserted", S, Usual, None),
    (311, "SIM PIN required", S, Usual, None),
    (312, "PH-SIM PIN required", S, Usual, None),
    (313, "SIM failure", Z, Usual, Some((1, S))),
    (314, "SIM busy", R, Soon, None),
    (315, "SIM wrong", S, Usual, None),
    (316, "SIM PUK required", S, Usual, None),
    (317, "SIM PIN2 required", S, Usual, None),
    (318, "SIM PUK2 required", S, Usual, None),
    (320, "memory failure", Z, Usual, None),
    (321, "invalid memory index", I, Usual, None),
    (322, "memory full", I, Usual, None),
    (330, "SMSC address unknown", S, Usual, None),
    (331, "no network service", R, WhenRegistered, None),
    (CMS_NETWORK_TIMEOUT, "network timeout", R, Usual, None),
    (340, "no +CNMA acknowledgement expected", I, Usual, None),
    (500, "unknown error", R, Usual, Some((2, Z))),
];

/// +CME ERROR. Class P speaks of the command: the feature is not there.
pub static CME: ErrorTable = ErrorTable { rows: CME_ROWS, fallback: cme_fallback };

static CME_ROWS: &[Row] = &[
    (0, "phone failure", Z, Usual, None),
    (1, "no connection to phone", Z, Usual, None),
    (2, "phone-adaptor link reserved", R, Usual, None),
    (3, "operation not allowed", R, Usual, Some((2, Z))),
    (4, "operation not supported", P, Usual, None),
    (5, "PH-SIM PIN required", S, Usual, None),
    (6, "PH-FSIM PIN required", S, Usual, None),
    (7, "PH-FSIM PUK required", S, Usual, None),
    (10, "SIM not inserted", S, Usual, None),
    (11, "SIM PIN required", S, Usual, None),
    (12, "SIM PUK required", S, Usual, None),
    (13, "SIM failure", Z, Usual, Some((1, S))),
    (14, "SIM busy", R, Soon, None),
    (15, "SIM wrong", S, Usual, None),
    (16, "incorrect password", S, Usual, None),
    (17, "SIM PIN2 required", S, Usual, None),
    (18, "SIM PUK2 required", S, Usual, None),
    (20, "memory full", I, Usual, None),
    (21, "invalid index", P, Usual, None),
    (22, "not found", I, Usual, None),
    (23, "memory failure", Z, Usual, None),
    (24, "text string too long", P, Usual, None),
    (25, "invalid characters in text string", P, Usual, None),
    (26, "dial string too long", P, Usual, None),
    (27, "invalid characters in dial string", P, Usual, None),
    (30, "no network service", R, WhenRegistered, None),
    (31, "network timeout", R, Usual, None),
    (32, "network not allowed - emergency calls only", R, WhenRegistered, None),
    (40, "network personalization PIN required", S, Usual, None),
    (41, "network personalization PUK required", S, Usual, None),
    (42, "network subset personalization PIN required", S, Usual, None),
    (43, "network subset personalization PUK required", S, Usual, None),
    (44, "service provider personalization PIN required", S, Usual, None),
    (45, "service provider personalization PUK required", S, Usual, None),
    (46, "corporate personalization PIN required", S, Usual, None),
    (47, "corporate personalization PUK required", S, Usual, None),
    (50, "incorrect parameters", P, Usual, None),
    (51, "command implemented but currently disabled", P, Usual, None),
    (52, "command aborted by user", R, Usual, None),
    (53, "not attached to network due to MT functionality restrictions", R, WhenRegistered, None),
    (54, "modem not allowed - MT restricted to emergency calls only", R, WhenRegistered, None),
    (55, "operation not allowed because of MT functionality restrictions", R, WhenRegistered, None),
    (56, "fixed dial number only allowed - called number is not a fixed dial number", S, Usual, None),
    (57, "temporarily out of service due to other MT usage", R, Usual, None),
    (58, "language/alphabet not supported", P, Usual, None),
    (59, "unexpected data value", P, Usual, None),
    (60, "system failure", Z, Usual, None),
    (61, "data missing", P, Usual, None),
    // Many firmwares answer this to a command they do not know.
    (100, "unknown", P, Usual, None),
    (103, "illegal MS", S, Usual, None),
    (106, "illegal ME", S, Usual, None),
    (107, "GPRS services not allowed", S, Usual, None),
    (111, "PLMN not allowed", S, Usual, None),
    (112, "location area not allowed", S, Usual, None),
    (113, "roaming not allowed in this location area", S, Usual, None),
    (132, "service option not supported", R, Usual, None),
    (133, "requested service option not subscribed", R, Usual, None),
    (134, "service option temporarily out of order", R, Usual, None),
    (148, "unspecified GPRS error", R, Usual, None),
    (149, "PDP authentication failure", R, Usual, None),
    (150, "invalid mobile class", R, Usual, None),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tables_are_ascending_and_their_texts_unique() {
        for table in [&CMS, &CME] {
            let codes: Vec<_> = table.codes().collect();
            assert!(codes.windows(2).all(|pair| pair[0] < pair[1]));
            for (code, name, ..) in table.rows {
                assert_eq!(table.code(&Reported::Text(name.to_uppercase())), Some(*code), "{name}");
            }
        }
    }

    #[test]
    fn only_a_network_timeout_of_the_sms_service_leaves_the_outcome_open() {
        assert!(CMS.of(332).outcome_unknown);
        assert!(!CMS.of(331).outcome_unknown);
        assert!(CME.codes().all(|code| !CME.of(code).outcome_unknown));
    }

    #[test]
    fn numbers_without_a_row_still_have_a_class() {
        for code in [0, 230, 299, 512, 604, u16::MAX] {
            assert_eq!(CMS.of(code).class, Class::Retry);
            assert!(CMS.of(code).then.is_some());
        }
        assert_eq!(CMS.of(512).then, Some((1, Class::Reinitialise)));
    }
}
