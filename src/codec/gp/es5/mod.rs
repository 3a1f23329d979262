//! ES5: the commands an SM-SR sends to the ISD-R (SGP.02 4.1), as C-APDUs.
//!
//! They are accepted only under SCP80 or SCP81. What goes to the ISD-P (profile data) is in
//! [`profile_data`](super::profile_data), the answers are in [`isd_r`](super::isd_r). The commands whose coding no
//! public source confirms (addressing parameters, key establishment, master delete) are not here.

use super::Aid;
use crate::codec::apdu::CommandApdu;
use crate::codec::{EncodeError, tlv};

mod decode;

pub(super) const STRUCTURE: &str = "ES5 command";
/// Install parameters of an ISD-P: SCP03 with i = 70 (`C9 04 81 02 03 70`).
const SCP03_I70: [u8; 6] = [0xC9, 0x04, 0x81, 0x02, 0x03, 0x70];
/// Security domain privilege octets of an ISD-P.
const ISD_P_PRIVILEGES: [u8; 3] = [0x80, 0xC0, 0x00];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Es5Command {
    /// INSTALL [for install and make selectable]; `memory` in octets reserves non-volatile memory.
    CreateIsdP {
        isd_p: Aid,
        memory: Option<u16>,
    },
    EnableProfile {
        isd_p: Aid,
    },
    DisableProfile {
        isd_p: Aid,
    },
    SetFallBackAttribute {
        isd_p: Aid,
    },
    DeleteProfile {
        isd_p: Aid,
    },
    /// Confirms the notification of this sequence number.
    HandleNotificationConfirmation {
        sequence: u16,
    },
    /// Deletes the keys of the previous SM-SR: this version, these key ids.
    FinaliseIsdRHandover {
        key_version: u8,
        first_key: u8,
        last_key: u8,
    },
    /// GET STATUS of one ISD-P, or of all.
    AuditProfiles {
        isd_p: Option<Aid>,
    },
    /// GET DATA `FF21`, extended card resources.
    AuditResources,
    /// GET DATA `BF30` for tag `7F21`, the certificate.
    AuditCertificate,
    /// SET STATUS to 1F (disabled): a loaded profile (07) becomes installed. Our convention, SGP.02 has no such step.
    ConfirmProfile {
        isd_p: Aid,
    },
}

impl Es5Command {
    /// The function's name in SGP.02.
    pub const fn function(&self) -> &'static str {
        match self {
            Self::CreateIsdP { .. } => "CreateISDP",
            Self::EnableProfile { .. } => "EnableProfile",
            Self::DisableProfile { .. } => "DisableProfile",
            Self::SetFallBackAttribute { .. } => "SetFallBackAttribute",
            Self::DeleteProfile { .. } => "DeleteProfile",
            Self::HandleNotificationConfirmation { .. } => "HandleNotificationConfirmation",
            Self::FinaliseIsdRHandover { .. } => "FinaliseISDRhandover",
            Self::AuditProfiles { .. } | Self::AuditResources | Self::AuditCertificate => "eUICCCapabilityAudit",
            Self::ConfirmProfile { .. } => "ConfirmProfile",
        }
    }

    /// The C-APDU, with Le where the command has an answer (case 2 and 4).
    pub fn encode(&self) -> Result<Vec<u8>, EncodeError> {
        match self {
            Self::CreateIsdP { isd_p, memory } => apdu([0x80, 0xE6, 0x0C, 0x00], &create_data(isd_p, *memory)?, true),
            Self::EnableProfile { isd_p } => store_data(0x88, 0x03, &aid_object(isd_p)?),
            Self::DisableProfile { isd_p } => store_data(0x88, 0x04, &aid_object(isd_p)?),
            Self::SetFallBackAttribute { isd_p } => store_data(0x88, 0x05, &aid_object(isd_p)?),
            Self::DeleteProfile { isd_p } => apdu([0x80, 0xE4, 0x00, 0x40], &aid_object(isd_p)?, false),
            Self::HandleNotificationConfirmation { sequence } => {
                let [high, low] = sequence.to_be_bytes();
                store_data(0x89, 0x08, &[0x4E, 0x02, high, low])
            }
            Self::FinaliseIsdRHandover { key_version, first_key, last_key } => {
                apdu([0x80, 0xE4, 0x00, 0x00], &[0xF2, 0x03, *key_version, *first_key, *last_key], false)
            }
            Self::AuditProfiles { isd_p } => {
                let data = isd_p.as_ref().map_or_else(|| Ok(vec![0x4F, 0x00]), aid_object)?;
                apdu([0x80, 0xF2, 0x40, 0x02], &data, true)
            }
            Self::AuditResources => Ok(vec![0x80, 0xCA, 0xFF, 0x21, 0x00]),
            Self::AuditCertificate => apdu([0x80, 0xCA, 0xBF, 0x30], &[0x5C, 0x02, 0x7F, 0x21], true),
            Self::ConfirmProfile { isd_p } => apdu([0x80, 0xF0, 0x40, 0x1F], isd_p.octets(), false),
        }
    }
}

/// `4F L AID`
fn aid_object(aid: &Aid) -> Result<Vec<u8>, EncodeError> {
    let mut out = Vec::new();
    aid.put(&mut out)?;
    Ok(out)
}

fn create_data(isd_p: &Aid, memory: Option<u16>) -> Result<Vec<u8>, EncodeError> {
    let mut data = Vec::new();
    for part in [
        Aid::ISD_P_LOAD_FILE.octets(),
        Aid::ISD_P_MODULE.octets(),
        isd_p.octets(),
        &ISD_P_PRIVILEGES,
        &install_parameters(memory),
    ] {
        tlv::put_length(&mut data, part.len())?;
        data.extend_from_slice(part);
    }
    data.push(0x00); // no install token
    Ok(data)
}

fn install_parameters(memory: Option<u16>) -> Vec<u8> {
    let mut parameters = SCP03_I70.to_vec();
    if let Some(memory) = memory {
        let [high, low] = memory.to_be_bytes();
        parameters.extend([0xEF, 0x04, 0x83, 0x02, high, low]);
    }
    parameters
}

/// STORE DATA to the ISD-R: one DGI `3A xx` with a length of one octet.
fn store_data(p1: u8, dgi: u8, value: &[u8]) -> Result<Vec<u8>, EncodeError> {
    let length = u8::try_from(value.len()).map_err(|_| EncodeError::too_long(STRUCTURE, "DGI", 0xFF, value.len()))?;
    let data = [&[0x3A, dgi, length], value].concat();
    apdu([0x80, 0xE2, p1, 0x00], &data, false)
}

/// A short C-APDU with data; `expects` adds Le = 00.
pub(super) fn apdu([cla, ins, p1, p2]: [u8; 4], data: &[u8], expects: bool) -> Result<Vec<u8>, EncodeError> {
    let command = CommandApdu::new(cla, ins, p1, p2).with_data(data.to_vec());
    if expects { command.with_le(0x00).encode() } else { command.encode() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::hex;

    fn isd_p() -> Aid {
        Aid::isd_p(0x10).unwrap()
    }

    #[test]
    fn every_command_survives_the_round_trip() {
        let isd_p = isd_p();
        let commands = [
            Es5Command::CreateIsdP { isd_p, memory: None },
            Es5Command::CreateIsdP { isd_p, memory: Some(0x4000) },
            Es5Command::EnableProfile { isd_p },
            Es5Command::DisableProfile { isd_p },
            Es5Command::SetFallBackAttribute { isd_p },
            Es5Command::DeleteProfile { isd_p },
            Es5Command::HandleNotificationConfirmation { sequence: 0xFFFF },
            Es5Command::FinaliseIsdRHandover { key_version: 2, first_key: 1, last_key: 3 },
            Es5Command::AuditProfiles { isd_p: None },
            Es5Command::AuditProfiles { isd_p: Some(isd_p) },
            Es5Command::AuditResources,
            Es5Command::AuditCertificate,
            Es5Command::ConfirmProfile { isd_p },
        ];
        for command in commands {
            let octets = command.encode().unwrap();
            assert_eq!(Es5Command::decode(&octets), Ok(command), "{}", hex::encode(&octets));
            for length in 0..octets.len() {
                let truncated = &octets[..length];
                let without_le = octets.len() - 1 == length && octets.ends_with(&[0]);
                assert!(without_le || Es5Command::decode(truncated).is_err(), "{}", hex::encode(truncated));
            }
        }
    }

    #[test]
    fn the_confirmation_of_a_loaded_profile_is_set_status_to_disabled() {
        let octets = Es5Command::ConfirmProfile { isd_p: isd_p() }.encode().unwrap();
        assert_eq!(hex::encode(&octets), "80f0401f10a0000005591010ffffffff8900001000");
    }

    #[test]
    fn an_le_may_follow_where_transports_add_one() {
        let mut octets = Es5Command::DeleteProfile { isd_p: isd_p() }.encode().unwrap();
        octets.push(0x00);
        assert_eq!(Es5Command::decode(&octets), Ok(Es5Command::DeleteProfile { isd_p: isd_p() }));
        octets.push(0x00);
        assert!(Es5Command::decode(&octets).is_err());
    }

    #[test]
    fn refuses_an_isd_p_made_from_another_module_and_unknown_functions() {
        let mut octets = Es5Command::CreateIsdP { isd_p: isd_p(), memory: None }.encode().unwrap();
        octets[6 + 14] = 0x0E;
        assert!(Es5Command::decode(&octets).unwrap_err().to_string().contains("load file"));
        assert!(Es5Command::decode(&hex::decode("80e28800033a0700").unwrap()).is_err());
        assert!(Es5Command::decode(&hex::decode("00a4040000").unwrap()).is_err());
    }
}
