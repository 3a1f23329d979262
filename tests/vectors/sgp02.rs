//! `sgp02.json`: ES5 commands, notifications, identifiers.

use crate::Op;
use crate::row::{Fields, Outcome, Row, same, same_hex, text};
use euicc_push::codec::gp::isd_r::{self, ExtendedResources, ProfileState};
use euicc_push::codec::gp::notification::NotificationType;
use euicc_push::codec::gp::{AgentId, Aid, Es5Command, Notification, ecasd};
use euicc_push::types::{Eid, hex};
use serde_json::Value;

pub const OPS: &[Op] = &[
    ("agent_id", agent_id),
    ("aid_to_tar", aid_to_tar),
    ("confirmation_response", confirmation_response),
    ("es5_command", es5_command),
    ("extended_resources", extended_resources),
    ("get_eid", get_eid),
    ("get_status_response", get_status_response),
    ("notification", notification),
];

pub fn aid(fields: &Fields, key: &str) -> Result<Aid, String> {
    fields.str(key)?.parse().map_err(text)
}

pub fn eid(fields: &Fields, key: &str) -> Result<Eid, String> {
    fields.str(key)?.parse().map_err(text)
}

fn optional<T>(
    fields: &Fields,
    key: &str,
    read: impl Fn(&Fields, &str) -> Result<T, String>,
) -> Result<Option<T>, String> {
    if fields.has(key) { read(fields, key).map(Some) } else { Ok(None) }
}

fn command(inputs: &Fields) -> Result<Es5Command, String> {
    let isd_p = || aid(inputs, "isdp_aid");
    Ok(match inputs.str("function")? {
        "CreateISDP" => Es5Command::CreateIsdP {
            isd_p: isd_p()?,
            memory: optional(inputs, "memory", |fields, key| fields.int(key))?,
        },
        "EnableProfile" => Es5Command::EnableProfile { isd_p: isd_p()? },
        "DisableProfile" => Es5Command::DisableProfile { isd_p: isd_p()? },
        "SetFallBackAttribute" => Es5Command::SetFallBackAttribute { isd_p: isd_p()? },
        "DeleteProfile" => Es5Command::DeleteProfile { isd_p: isd_p()? },
        "HandleNotificationConfirmation" => {
            Es5Command::HandleNotificationConfirmation { sequence: inputs.int("sequence_number")? }
        }
        "FinaliseISDRhandover" => Es5Command::FinaliseIsdRHandover {
            key_version: inputs.int("key_version")?,
            first_key: inputs.int("first_key")?,
            last_key: inputs.int("last_key")?,
        },
        "eUICCCapabilityAudit" => Es5Command::AuditProfiles { isd_p: optional(inputs, "isdp_aid", aid)? },
        other => return Err(format!("inputs: function `{other}`")),
    })
}

fn es5_command(row: &Row) -> Outcome {
    let command = command(&row.inputs)?;
    let apdu = row.expected.hex("apdu")?;
    same_hex("encode", &command.encode().map_err(text)?, &apdu)?;
    same("decode", Es5Command::decode(&apdu).map_err(text)?, command)?;
    same("function", Some(command.function()), row.inputs.get("function").and_then(Value::as_str))
}

fn notification(row: &Row) -> Outcome {
    let octets = row.inputs.hex("hex")?;
    let expected = Notification {
        eid: eid(&row.expected, "eid")?,
        notification_type: NotificationType(row.expected.int("type")?),
        sequence: row.expected.int("sequence_number")?,
        isd_p: aid(&row.expected, "isdp_aid")?,
        imei: optional(&row.expected, "imei_raw", |fields, key| fields.hex(key))?,
        meid: optional(&row.expected, "meid_raw", |fields, key| fields.hex(key))?,
    };
    same("decode", &Notification::decode(&octets).map_err(text)?, &expected)?;
    same_hex("encode", &expected.encode().map_err(text)?, &octets)
}

fn confirmation_response(row: &Row) -> Outcome {
    let octets = row.inputs.hex("hex")?;
    let deleted = isd_r::decode_confirmation(&octets).map_err(text)?;
    let expected: Vec<_> = row.expected.hex_list("deleted")?;
    same("deleted", deleted.iter().map(|aid| aid.octets().to_vec()).collect::<Vec<_>>(), expected)?;
    same_hex("encode", &isd_r::encode_confirmation(&deleted).map_err(text)?, &octets)
}

fn state(word: &str) -> Result<ProfileState, String> {
    [
        ProfileState::CREATED,
        ProfileState::SELECTABLE,
        ProfileState::PERSONALISED,
        ProfileState::DISABLED,
        ProfileState::ENABLED,
    ]
    .into_iter()
    .find(|state| state.meaning() == word)
    .ok_or_else(|| format!("expected: state `{word}`"))
}

fn get_status_response(row: &Row) -> Outcome {
    let octets = row.inputs.hex("hex")?;
    let profiles = isd_r::decode_profiles(&octets).map_err(text)?;
    let expected = row.expected.objects("profiles")?;
    same("profiles", profiles.len(), expected.len())?;
    for (profile, expected) in profiles.iter().zip(&expected) {
        same("aid", profile.aid, aid(expected, "aid")?)?;
        same("state", profile.state, state(expected.str("state")?)?)?;
        same("fallback", profile.fall_back, expected.bool("fallback")?)?;
        if expected.has("memory") {
            same("memory", profile.memory, Some(expected.int("memory")?))?;
        }
        expected.all_used()?;
    }
    same_hex("encode", &isd_r::encode_profiles(&profiles).map_err(text)?, &octets)
}

fn extended_resources(row: &Row) -> Outcome {
    let octets = row.inputs.hex("hex")?;
    let expected = ExtendedResources {
        applications: row.expected.int("applications")?,
        free_nonvolatile: row.expected.int("free_nonvolatile")?,
        free_volatile: row.expected.int("free_volatile")?,
    };
    same("decode", ExtendedResources::decode(&octets).map_err(text)?, expected)?;
    same_hex("encode", &expected.encode().map_err(text)?, &octets)
}

fn aid_to_tar(row: &Row) -> Outcome {
    let tar = aid(&row.inputs, "aid")?.tar().ok_or("no TAR")?;
    same_hex("tar", &tar.0, &row.expected.hex("tar")?)
}

fn agent_id(row: &Row) -> Outcome {
    let agent_id = AgentId { eid: eid(&row.inputs, "eid")?, agent: Some(aid(&row.inputs, "aid")?) };
    let value = row.expected.str("value")?;
    same("encode", agent_id.clear().as_str(), value)?;
    same("decode", value.parse(), Ok(agent_id))
}

fn get_eid(row: &Row) -> Outcome {
    same_hex("select", &ecasd::select(), &row.expected.hex("select")?)?;
    same_hex("get_data", &ecasd::GET_EID, &row.expected.hex("get_data")?)?;
    let response = row.expected.hex("response_example")?;
    let eid = eid(&row.expected, "eid")?;
    same("decode", ecasd::decode_eid(&response).map_err(text)?, eid)?;
    same("encode", ecasd::encode_eid(&eid).map(|octets| hex::encode(&octets)), Ok(hex::encode(&response)))
}
