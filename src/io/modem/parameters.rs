//! What a modem is started with.

use crate::io::serial::SerialParameters;
use crate::session::at::Timeouts;
use crate::types::Secret;
use std::time::Duration;

/// How incoming messages reach the host (TS 27.005 3.4.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Delivery {
    /// The modem stores and acknowledges them; they stay there until the host has made them durable.
    #[default]
    Stored,
    /// The modem hands them over; the host acknowledges them to the network with +CNMA.
    Direct,
}

/// One modem.
#[derive(Debug, Clone)]
pub struct Parameters {
    pub serial: SerialParameters,
    /// Entered once; a refused PIN is never tried again.
    pub pin: Option<Secret>,
    /// Service centre address in digits, with + when international; the SIM's own otherwise.
    pub service_centre: Option<String>,
    pub delivery: Delivery,
    pub timeouts: Timeouts,
    /// Between the prompt of AT+CMGS and the PDU, where the modem's make does not need more: modems on a UART lose what
    /// comes sooner.
    pub prompt_pause: Duration,
    /// Between two looks through the stores.
    pub sweep_interval: Duration,
    /// For a SIM that is busy after a start.
    pub sim_wait: Duration,
    /// Before the port is opened again; doubles up to the longest.
    pub reopen_wait: Duration,
    pub longest_reopen_wait: Duration,
    /// For octets that nobody takes.
    pub write_timeout: Duration,
    /// Command lines sent at the start of each initialisation; their failure is only logged.
    pub extra_commands: Vec<String>,
}

impl Parameters {
    /// The defaults for a device.
    pub fn new(serial: SerialParameters) -> Self {
        Self {
            serial,
            pin: None,
            service_centre: None,
            delivery: Delivery::default(),
            timeouts: Timeouts::default(),
            prompt_pause: Duration::ZERO,
            sweep_interval: Duration::from_secs(60),
            sim_wait: Duration::from_secs(30),
            reopen_wait: Duration::from_secs(2),
            longest_reopen_wait: Duration::from_secs(60),
            write_timeout: Duration::from_secs(5),
            extra_commands: Vec::new(),
        }
    }
}
