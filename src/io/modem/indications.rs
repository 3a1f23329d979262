//! Which +CNMI to set: what the modem says it can do, against what we prefer (TS 27.005 3.4.1).

use super::Delivery;
use crate::codec::at::NumberSet;
use crate::codec::at::answer::CnmiRanges;

/// Mode, mt, bm, ds, bfr in the order to be tried. Modems refuse combinations that their ranges allow, so there are
/// several; with `refuses_mode_2` mode 2 is not among them. `keeps_reports` says that the modem has a store for reports,
/// and that they are found there.
pub(super) fn candidates(
    ranges: Option<&CnmiRanges>,
    delivery: Delivery,
    refuses_mode_2: bool,
    keeps_reports: bool,
) -> Vec<[u32; 5]> {
    let allowed = |set: Option<&NumberSet>, value| set.is_none_or(|set| set.is_empty() || set.contains(value));
    // Without a range of its own a modem has no such parameter beyond 0.
    let only_zero = |set: Option<&NumberSet>| set.is_some_and(NumberSet::is_empty);
    let preferred = |set: Option<&NumberSet>, values: &[u32]| -> Vec<u32> {
        values.iter().copied().filter(|value| if only_zero(set) { *value == 0 } else { allowed(set, *value) }).collect()
    };
    let modes = preferred(ranges.map(|ranges| &ranges.mode), if refuses_mode_2 { &[1, 3, 0] } else { &[2, 1, 3, 0] });
    let mt = preferred(
        ranges.map(|ranges| &ranges.mt),
        match delivery {
            Delivery::Stored => &[1],
            Delivery::Direct => &[2, 1],
        },
    );
    // A report that is handed over while no host listens is gone; one that is stored waits.
    let stored = keeps_reports && delivery == Delivery::Stored;
    let ds = preferred(ranges.map(|ranges| &ranges.ds), if stored { &[2, 1, 0] } else { &[1, 2, 0] });
    let bfr = preferred(ranges.map(|ranges| &ranges.bfr), &[0, 1]);
    let bfr = bfr.first().copied().unwrap_or(0);
    let mut list = Vec::new();
    for mt in mt {
        for ds in &ds {
            list.extend(modes.iter().map(|mode| [*mode, mt, 0, *ds, bfr]));
        }
    }
    list
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::at::Answer;

    fn from(line: &str, delivery: Delivery, refuses_mode_2: bool) -> Vec<[u32; 5]> {
        candidates(Some(&CnmiRanges::decode(line.as_bytes()).unwrap()), delivery, refuses_mode_2, false)
    }

    #[test]
    fn reports_are_stored_where_they_can_be() {
        let ranges = CnmiRanges::decode(b"+CNMI: (0-2),(0-3),(0,2),(0-2),(0,1)").unwrap();
        let first = |delivery| candidates(Some(&ranges), delivery, false, true)[0];
        assert_eq!((first(Delivery::Stored), first(Delivery::Direct)), ([2, 1, 0, 2, 0], [2, 2, 0, 1, 0]));
        let without = CnmiRanges::decode(b"+CNMI: (0-2),(0-3),(0,2),(0,1),(0,1)").unwrap();
        assert_eq!(candidates(Some(&without), Delivery::Stored, false, true)[0], [2, 1, 0, 1, 0]);
    }

    #[test]
    fn the_ranges_of_the_modem_decide() {
        let quectel = from("+CNMI: (0-2),(0-3),(0,2),(0-2),(0,1)", Delivery::Stored, false);
        assert_eq!(quectel[..3], [[2, 1, 0, 1, 0], [1, 1, 0, 1, 0], [0, 1, 0, 1, 0]]);
        assert_eq!(from("+CNMI: (0-2),(0-3),(0,2),(0-2),(0,1)", Delivery::Direct, false)[0], [2, 2, 0, 1, 0]);
        // Cinterion: bfr 1 only; SIM800: ds 0 and 1.
        assert_eq!(from("+CNMI: (0-3),(0,1),(0,2),(0,1),(1)", Delivery::Stored, false)[0], [2, 1, 0, 1, 1]);
        assert_eq!(from("+CNMI: (0-3),(0-3),(0,2),(0,2),(0)", Delivery::Stored, false)[0], [2, 1, 0, 2, 0]);
        assert_eq!(from("+CNMI: (0-2),(0-3)", Delivery::Stored, false)[0], [2, 1, 0, 0, 0]);
    }

    #[test]
    fn a_mode_that_is_advertised_but_refused_is_left_out() {
        assert_eq!(from("+CNMI: (0-2),(0-3),(0,2),(0-2),(0,1)", Delivery::Stored, true)[0], [1, 1, 0, 1, 0]);
    }

    #[test]
    fn without_ranges_everything_is_tried() {
        let list = candidates(None, Delivery::Stored, false, false);
        assert_eq!((list[0], list.len()), ([2, 1, 0, 1, 0], 12));
        assert!(list.contains(&[1, 1, 0, 0, 0]));
    }
}
