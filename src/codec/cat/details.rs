//! What every toolkit exchange carries: command details (TS 102 223 8.6), device identities (8.7), result (8.12).

use crate::codec::Reader;
use crate::codec::cursor::Result;

/// Type of proactive command (TS 102 223 9.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct CommandType(pub u8);

impl CommandType {
    pub const REFRESH: Self = Self(0x01);
    pub const MORE_TIME: Self = Self(0x02);
    pub const POLL_INTERVAL: Self = Self(0x03);
    pub const POLLING_OFF: Self = Self(0x04);
    pub const SET_UP_EVENT_LIST: Self = Self(0x05);
    pub const SEND_SHORT_MESSAGE: Self = Self(0x13);
    pub const PLAY_TONE: Self = Self(0x20);
    pub const DISPLAY_TEXT: Self = Self(0x21);
    pub const SET_UP_MENU: Self = Self(0x25);
    pub const PROVIDE_LOCAL_INFORMATION: Self = Self(0x26);
    pub const TIMER_MANAGEMENT: Self = Self(0x27);
    pub const IDLE_TEXT: Self = Self(0x28);
    pub const RUN_AT_COMMAND: Self = Self(0x34);
    pub const OPEN_CHANNEL: Self = Self(0x40);
    pub const CLOSE_CHANNEL: Self = Self(0x41);
    pub const RECEIVE_DATA: Self = Self(0x42);
    pub const SEND_DATA: Self = Self(0x43);
    pub const GET_CHANNEL_STATUS: Self = Self(0x44);

    pub const fn meaning(self) -> &'static str {
        match self {
            Self::REFRESH => "REFRESH",
            Self::MORE_TIME => "MORE TIME",
            Self::POLL_INTERVAL => "POLL INTERVAL",
            Self::POLLING_OFF => "POLLING OFF",
            Self::SET_UP_EVENT_LIST => "SET UP EVENT LIST",
            Self::SEND_SHORT_MESSAGE => "SEND SHORT MESSAGE",
            Self::PLAY_TONE => "PLAY TONE",
            Self::DISPLAY_TEXT => "DISPLAY TEXT",
            Self::SET_UP_MENU => "SET UP MENU",
            Self::PROVIDE_LOCAL_INFORMATION => "PROVIDE LOCAL INFORMATION",
            Self::TIMER_MANAGEMENT => "TIMER MANAGEMENT",
            Self::IDLE_TEXT => "SET UP IDLE MODE TEXT",
            Self::RUN_AT_COMMAND => "RUN AT COMMAND",
            Self::OPEN_CHANNEL => "OPEN CHANNEL",
            Self::CLOSE_CHANNEL => "CLOSE CHANNEL",
            Self::RECEIVE_DATA => "RECEIVE DATA",
            Self::SEND_DATA => "SEND DATA",
            Self::GET_CHANNEL_STATUS => "GET CHANNEL STATUS",
            _ => "unknown command",
        }
    }
}

/// Number, type and qualifier; a TERMINAL RESPONSE returns them unchanged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CommandDetails {
    pub number: u8,
    pub kind: CommandType,
    pub qualifier: u8,
}

impl CommandDetails {
    pub(super) fn read(value: &mut Reader<'_>) -> Result<Self> {
        let number = value.u8("command number")?;
        let kind = CommandType(value.u8("type of command")?);
        value.note("TS 102 223 9.4", || kind.meaning().to_string());
        Ok(Self { number, kind, qualifier: value.u8("command qualifier")? })
    }

    pub(super) const fn octets(self) -> [u8; 3] {
        [self.number, self.kind.0, self.qualifier]
    }
}

/// An end of a toolkit exchange (TS 102 223 8.7).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Device(pub u8);

impl Device {
    pub const KEYPAD: Self = Self(0x01);
    pub const DISPLAY: Self = Self(0x02);
    pub const EARPIECE: Self = Self(0x03);
    pub const UICC: Self = Self(0x81);
    pub const TERMINAL: Self = Self(0x82);
    pub const NETWORK: Self = Self(0x83);

    /// BIP channel 1 to 7.
    pub const fn of_channel(channel: u8) -> Option<Self> {
        if matches!(channel, 1..=7) { Some(Self(0x20 | channel)) } else { None }
    }

    /// The BIP channel, 1 to 7, when this device is one.
    pub const fn channel(self) -> Option<u8> {
        if matches!(self.0, 0x21..=0x27) { Some(self.0 & 0x07) } else { None }
    }

    pub fn meaning(self) -> String {
        match self.0 {
            0x01 => "keypad".to_string(),
            0x02 => "display".to_string(),
            0x03 => "earpiece".to_string(),
            0x10..=0x17 => format!("additional card reader {}", self.0 & 0x07),
            0x21..=0x27 => format!("channel {}", self.0 & 0x07),
            0x81 => "UICC".to_string(),
            0x82 => "terminal".to_string(),
            0x83 => "network".to_string(),
            other => format!("reserved device {other:02X}"),
        }
    }
}

/// Who speaks to whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Devices {
    pub source: Device,
    pub destination: Device,
}

impl Devices {
    pub const TERMINAL_TO_UICC: Self = Self { source: Device::TERMINAL, destination: Device::UICC };
    pub const NETWORK_TO_UICC: Self = Self { source: Device::NETWORK, destination: Device::UICC };
    pub const UICC_TO_TERMINAL: Self = Self { source: Device::UICC, destination: Device::TERMINAL };

    pub(super) fn read(value: &mut Reader<'_>) -> Result<Self> {
        let source = Device(value.u8("source")?);
        value.note("TS 102 223 8.7", || source.meaning());
        let destination = Device(value.u8("destination")?);
        value.note("TS 102 223 8.7", || destination.meaning());
        Ok(Self { source, destination })
    }
}

/// The result of a proactive command: general result and additional information (TS 102 223 8.12).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommandResult {
    pub general: u8,
    /// Usually none or one octet.
    pub additional: Vec<u8>,
}

impl CommandResult {
    pub const OK: u8 = 0x00;
    pub const MISSING_INFORMATION: u8 = 0x02;
    pub const MODIFIED_PARAMETER: u8 = 0x07;
    pub const TERMINAL_BUSY: u8 = 0x20;
    pub const NETWORK_BUSY: u8 = 0x21;
    pub const USER_REFUSED: u8 = 0x22;
    pub const TIMER_STATE: u8 = 0x24;
    pub const BEYOND_CAPABILITY: u8 = 0x30;
    pub const TYPE_NOT_UNDERSTOOD: u8 = 0x31;
    pub const DATA_NOT_UNDERSTOOD: u8 = 0x32;
    pub const RP_ERROR: u8 = 0x35;
    pub const BIP_ERROR: u8 = 0x3A;

    pub const fn new(general: u8) -> Self {
        Self { general, additional: Vec::new() }
    }

    pub fn with(general: u8, additional: u8) -> Self {
        Self { general, additional: vec![additional] }
    }

    /// 00 to 09: performed, perhaps with a remark.
    pub const fn is_success(&self) -> bool {
        self.general < 0x10
    }

    pub(super) fn read(value: &mut Reader<'_>) -> Result<Self> {
        let general = value.u8("general result")?;
        let additional = value.take_rest("additional information").to_vec();
        Ok(Self { general, additional })
    }

    pub fn meaning(&self) -> String {
        let additional = self.additional.first();
        let text = match self.general {
            0x00 => "performed",
            0x01 => "performed with partial comprehension",
            0x02 => "performed with missing information",
            0x03 => "REFRESH performed with additional EFs read",
            0x04 => "performed, icon not shown",
            0x05 => "performed, modified by call control",
            0x06 => "performed, limited service",
            0x07 => "performed with modification",
            0x08 => "REFRESH performed, NAA not active",
            0x09 => "performed, tone not played",
            0x10 => "session ended by the user",
            0x11 => "backward move by the user",
            0x12 => "no response from the user",
            0x13 => "help asked for by the user",
            0x20 => match additional {
                Some(0x04) => "terminal cannot process it now: no service",
                _ => "terminal cannot process it now",
            },
            0x21 => "network cannot process it now",
            0x22 => "refused by the user",
            0x23 => "cleared down by the user",
            0x24 => "contradiction with the timer's state",
            0x25 => "interaction with call control, temporary",
            0x26 => "launch browser error",
            0x30 => "beyond the terminal's capabilities",
            0x31 => "type not understood",
            0x32 => "data not understood",
            0x33 => "command number not known",
            0x34 => "SS return error",
            0x35 => "SMS RP-ERROR",
            0x36 => "required values are missing",
            0x37 => "USSD return error",
            0x38 => "multiple card commands error",
            0x39 => "interaction with call control, permanent",
            0x3A => return format!("bearer independent protocol error: {}", bip_cause(additional.copied())),
            0x3B => "access technology unable to process",
            0x3C => "frames error",
            0x3D => "MMS error",
            _ => "reserved result",
        };
        text.to_string()
    }
}

/// TS 102 223 8.12.11.
const fn bip_cause(additional: Option<u8>) -> &'static str {
    match additional {
        None | Some(0x00) => "no specific cause",
        Some(0x01) => "no channel free",
        Some(0x02) => "channel closed",
        Some(0x03) => "channel identifier not valid",
        Some(0x04) => "requested buffer size not available",
        Some(0x05) => "security error",
        Some(0x06) => "requested transport level not available",
        Some(0x07) => "remote device not reachable",
        Some(0x08) => "service error",
        Some(0x09) => "service identifier unknown",
        Some(0x10) => "port not available",
        Some(_) => "reserved cause",
    }
}
