//! How long commands may take. Defaults follow what ModemManager, Kannel and vendors' manuals allow; too short is worse
//! than too long: a command given up may still be carried out.

use std::time::Duration;

/// The classes of commands that take similar time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Timing {
    /// Settings and status held by the modem itself.
    Control,
    /// Whatever asks the SIM, which is busy after a start.
    Sim,
    /// `>` after +CMGS.
    Prompt,
    /// Final result after the PDU was handed over.
    Send,
    Read,
    Delete,
    List,
    /// +CSIM, +CCHO, +CCHC
    Apdu,
    /// +CGLA: a segment of a profile download takes minutes on some cards.
    LogicalApdu,
    /// +COPS=?, +COPS=0
    Search,
    /// +CFUN=1,1
    Reset,
}

/// The time allowed to each class.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Timeouts {
    pub control: Duration,
    pub sim: Duration,
    pub prompt: Duration,
    pub send: Duration,
    pub read: Duration,
    pub delete: Duration,
    pub list: Duration,
    pub apdu: Duration,
    pub logical_apdu: Duration,
    pub search: Duration,
    pub reset: Duration,
    /// Silence that ends a recovery, and the time between ESC and the first probe.
    pub settle: Duration,
    /// From +CMGS: to the final result: the network has the message, only the modem's OK is missing.
    pub final_result: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        let seconds = Duration::from_secs;
        Self {
            control: seconds(5),
            sim: seconds(10),
            prompt: seconds(10),
            send: seconds(120),
            read: seconds(10),
            delete: seconds(30),
            list: seconds(60),
            apdu: seconds(30),
            logical_apdu: seconds(240),
            search: seconds(180),
            reset: seconds(15),
            settle: Duration::from_millis(100),
            final_result: seconds(5),
        }
    }
}

impl Timeouts {
    pub fn limit(&self, timing: Timing) -> Duration {
        match timing {
            Timing::Control => self.control,
            Timing::Sim => self.sim,
            Timing::Prompt => self.prompt,
            Timing::Send => self.send,
            Timing::Read => self.read,
            Timing::Delete => self.delete,
            Timing::List => self.list,
            Timing::Apdu => self.apdu,
            Timing::LogicalApdu => self.logical_apdu,
            Timing::Search => self.search,
            Timing::Reset => self.reset,
        }
    }
}
