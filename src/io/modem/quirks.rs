//! What is known of particular firmware, as data. A new modem is a new row, not new code.

use std::time::Duration;

/// Habits of one manufacturer's modems.
#[derive(Debug, Clone, Copy)]
pub(super) struct Quirks {
    /// Part of the answer to +CGMI or +CGMM, in any case.
    pub(super) matches: &'static str,
    /// Sent once per initialisation, failures ignored.
    pub(super) commands: &'static [&'static str],
    /// The command that reports the ICCID, and the prefix of its answer. Without one EF_ICCID is read; a blind AT+CCID
    /// hangs a Huawei E3372.
    pub(super) iccid: Option<(&'static str, &'static str)>,
    /// Whether +CNMI mode 2 is advertised but refused.
    pub(super) refuses_mode_2: bool,
    /// Whether +CNMA is not to be sent.
    pub(super) no_cnma: bool,
    /// Whether +CDSI names another store than the one the report lies in.
    pub(super) misplaces_reports: bool,
    /// Between the prompt of AT+CMGS and the PDU: what comes sooner is lost.
    pub(super) prompt_pause: Duration,
}

const NONE: Quirks = Quirks {
    matches: "",
    commands: &[],
    iccid: None,
    refuses_mode_2: false,
    no_cnma: false,
    misplaces_reports: false,
    prompt_pause: Duration::ZERO,
};

const TABLE: &[Quirks] = &[
    // URCs may be routed to another of its ports: usbat is the one ModemManager's rules call AT.
    Quirks {
        matches: "quectel",
        commands: &["AT+QURCCFG=\"urcport\",\"usbat\""],
        iccid: Some(("AT+QCCID", "+QCCID")),
        misplaces_reports: true,
        ..NONE
    },
    // Most of its modules are wired to a UART.
    Quirks {
        matches: "simcom",
        iccid: Some(("AT+CICCID", "+ICCID")),
        refuses_mode_2: true,
        no_cnma: true,
        misplaces_reports: true,
        prompt_pause: Duration::from_millis(100),
        ..NONE
    },
    // ^RSSI, ^HCSQ and ^DSFLOWRPT every few seconds otherwise.
    Quirks {
        matches: "huawei",
        commands: &["AT^CURC=0"],
        iccid: Some(("AT^ICCID?", "^ICCID")),
        refuses_mode_2: true,
        ..NONE
    },
    Quirks { matches: "telit", iccid: Some(("AT#CCID", "#CCID")), ..NONE },
    Quirks { matches: "u-blox", iccid: Some(("AT+CCID", "+CCID")), ..NONE },
    Quirks { matches: "sierra", iccid: Some(("AT!ICCID?", "!ICCID")), ..NONE },
    Quirks { matches: "fibocom", iccid: Some(("AT+CCID", "+CCID")), ..NONE },
    Quirks { matches: "zte", refuses_mode_2: true, ..NONE },
    Quirks { matches: "novatel", refuses_mode_2: true, ..NONE },
];

/// The row of a modem.
pub(super) fn of(manufacturer: &str, model: &str) -> Quirks {
    let (manufacturer, model) = (manufacturer.to_ascii_lowercase(), model.to_ascii_lowercase());
    let known = |row: &&Quirks| manufacturer.contains(row.matches) || model.contains(row.matches);
    TABLE.iter().find(known).copied().unwrap_or(NONE)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::at::{Timing, standard};

    #[test]
    fn modems_are_found_by_manufacturer_or_model() {
        assert_eq!(of("Quectel", "EC25").iccid, Some(("AT+QCCID", "+QCCID")));
        assert!(of("SIMCOM INCORPORATED", "SIM7600E-H").no_cnma);
        assert_eq!(of("Unheard of", "X").iccid, None);
    }

    #[test]
    fn every_command_of_the_table_can_be_sent() {
        for row in TABLE {
            for line in row.commands.iter().copied().chain(row.iccid.map(|(line, _)| line)) {
                standard::raw(line, Timing::Control).unwrap();
            }
        }
    }
}
