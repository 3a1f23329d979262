//! Registration, operator and signal (TS 27.007 7 and 8).

use super::{Answer, take_prefix};
use crate::codec::at::fields::Fields;
use crate::codec::{DecodeError, Reader};

/// `<stat>` of +CREG and its siblings (TS 27.007 7.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct RegistrationStatus(pub u8);

impl RegistrationStatus {
    /// Whether short messages can be exchanged; 6 and 7 are "SMS only".
    pub fn is_registered(self) -> bool {
        matches!(self.0, 1 | 5 | 6 | 7 | 9 | 10)
    }

    pub fn meaning(self) -> &'static str {
        match self.0 {
            0 => "not registered, not searching",
            1 => "registered, home network",
            2 => "not registered, searching",
            3 => "registration denied",
            4 => "unknown",
            5 => "registered, roaming",
            6 => "registered for SMS only, home network",
            7 => "registered for SMS only, roaming",
            8 => "attached for emergency only",
            9 => "registered, CSFB not preferred, home network",
            10 => "registered, CSFB not preferred, roaming",
            11 => "registered for restricted local operator services",
            _ => "reserved",
        }
    }
}

/// `<AcT>` (TS 27.007 7.2, 7.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct AccessTechnology(pub u8);

impl AccessTechnology {
    pub fn meaning(self) -> &'static str {
        match self.0 {
            0 => "GSM",
            1 => "GSM compact",
            2 => "UTRAN",
            3 => "GSM with EGPRS",
            4 => "UTRAN with HSDPA",
            5 => "UTRAN with HSUPA",
            6 => "UTRAN with HSPA",
            7 => "E-UTRAN",
            8 => "EC-GSM-IoT",
            9 => "E-UTRAN NB-S1",
            10 => "E-UTRA on a 5GCN",
            11 => "NR on a 5GCN",
            12 => "NG-RAN",
            13 => "E-UTRA-NR dual connectivity",
            _ => "reserved",
        }
    }
}

/// +CREG, +CGREG, +CEREG, +C5GREG: the answer to the read command or the URC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Registration {
    /// `<n>`, which only the answer to the read command has.
    pub mode: Option<u8>,
    pub status: RegistrationStatus,
    /// Location or tracking area code.
    pub area: Option<u32>,
    pub cell: Option<u32>,
    pub technology: Option<AccessTechnology>,
}

impl Registration {
    pub const CLAUSE: &'static str = "TS 27.007 7.2";

    /// Whether a line of these prefixes has the URC's shape: no `<n>`, so one parameter, or a string as the second.
    /// Firmware that forgets the quotes is told by the length of the second parameter.
    pub fn is_urc_form(line: &[u8]) -> bool {
        let parameters =
            line.iter().position(|byte| *byte == b':').and_then(|colon| line.get(colon.saturating_add(1)..));
        let mut parts = parameters.unwrap_or(line).split(|byte| *byte == b',');
        let _first = parts.next();
        match parts.next().map(<[u8]>::trim_ascii) {
            None => true,
            Some(second) => second.is_empty() || second.starts_with(b"\"") || second.len() > 2,
        }
    }

    /// Reads a line in either form.
    pub fn decode(line: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new("+CREG", line);
        take_prefix(&mut reader);
        Self::read(&mut Fields::new(&mut reader, Self::CLAUSE), Self::is_urc_form(line))
    }

    pub(in crate::codec::at) fn read(fields: &mut Fields<'_, '_>, urc_form: bool) -> Result<Self, DecodeError> {
        let mode = if urc_form { None } else { fields.number("n")? };
        let status = RegistrationStatus(fields.required_number("stat")?);
        fields.meaning(|| status.meaning().into());
        let area = fields.hex_number("area code")?;
        let cell = fields.hex_number("cell identity")?;
        let technology = fields.number("AcT")?.map(AccessTechnology);
        if let Some(technology) = technology {
            fields.meaning(|| technology.meaning().into());
        }
        Ok(Self { mode, status, area, cell, technology })
    }
}

/// +CSQ (TS 27.007 8.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SignalQuality {
    /// 0..=31, 99 unknown.
    pub rssi: u8,
    /// 0..=7, 99 unknown.
    pub ber: u8,
}

impl SignalQuality {
    pub fn rssi_dbm(self) -> Option<i16> {
        (self.rssi <= 31).then(|| i16::from(self.rssi) * 2 - 113)
    }
}

impl Answer for SignalQuality {
    const PREFIX: &'static str = "+CSQ";
    const CLAUSE: &'static str = "TS 27.007 8.5";
    fn read(fields: &mut Fields<'_, '_>) -> Result<Self, DecodeError> {
        let rssi = fields.required_number("rssi")?;
        let signal = Self { rssi, ber: 99 };
        fields.meaning(|| signal.rssi_dbm().map_or("unknown".into(), |dbm| format!("{dbm} dBm")));
        let ber = fields.number("ber")?.unwrap_or(99);
        Ok(Self { rssi, ber })
    }
}

/// +CESQ (TS 27.007 8.69). 99 and 255 mean unknown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ExtendedSignal {
    pub rxlev: u8,
    pub ber: u8,
    pub rscp: u8,
    pub ecno: u8,
    pub rsrq: u8,
    pub rsrp: u8,
}

impl ExtendedSignal {
    pub fn rsrp_dbm(self) -> Option<i16> {
        (self.rsrp <= 97).then(|| i16::from(self.rsrp) - 141)
    }

    pub fn rscp_dbm(self) -> Option<i16> {
        (self.rscp <= 96).then(|| i16::from(self.rscp) - 121)
    }

    /// In tenths of dB.
    pub fn rsrq_decidb(self) -> Option<i16> {
        (self.rsrq <= 34).then(|| i16::from(self.rsrq) * 5 - 200)
    }
}

impl Answer for ExtendedSignal {
    const PREFIX: &'static str = "+CESQ";
    const CLAUSE: &'static str = "TS 27.007 8.69";
    fn read(fields: &mut Fields<'_, '_>) -> Result<Self, DecodeError> {
        let mut signal = Self { rxlev: 99, ber: 99, rscp: 255, ecno: 255, rsrq: 255, rsrp: 255 };
        signal.rxlev = fields.required_number("rxlev")?;
        signal.ber = fields.required_number("ber")?;
        signal.rscp = fields.required_number("rscp")?;
        fields.meaning(|| signal.rscp_dbm().map_or("unknown".into(), |dbm| format!("{dbm} dBm")));
        signal.ecno = fields.required_number("ecno")?;
        signal.rsrq = fields.required_number("rsrq")?;
        fields.meaning(|| {
            signal.rsrq_decidb().map_or("unknown".into(), |tenths| format!("{} dB", f32::from(tenths) / 10.0))
        });
        signal.rsrp = fields.required_number("rsrp")?;
        fields.meaning(|| signal.rsrp_dbm().map_or("unknown".into(), |dbm| format!("{dbm} dBm")));
        Ok(signal)
    }
}

/// +COPS? (TS 27.007 7.3).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operator {
    pub mode: u8,
    /// 0 long name, 1 short name, 2 MCC and MNC.
    pub format: Option<u8>,
    /// In the character set of +CSCS.
    pub name: Option<String>,
    pub technology: Option<AccessTechnology>,
}

impl Answer for Operator {
    const PREFIX: &'static str = "+COPS";
    const CLAUSE: &'static str = "TS 27.007 7.3";
    fn read(fields: &mut Fields<'_, '_>) -> Result<Self, DecodeError> {
        let mode = fields.required_number("mode")?;
        let format = fields.number("format")?;
        let name = fields.text("oper")?.filter(|name| !name.is_empty());
        let technology = fields.number("AcT")?.map(AccessTechnology);
        if let Some(technology) = technology {
            fields.meaning(|| technology.meaning().into());
        }
        Ok(Self { mode, format, name, technology })
    }
}
