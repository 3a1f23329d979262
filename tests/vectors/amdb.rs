//! `amdb.json`: Amendment B trigger parameters and the PSK identity.

use crate::Op;
use crate::row::{Fields, Outcome, Row, same, same_hex, text};
use crate::sgp02::{aid, eid};
use euicc_push::codec::gp::PskIdentity;
use euicc_push::codec::gp::connection::{Bearer, Connection, TransportLevel, TransportProtocol};
use euicc_push::codec::gp::trigger::{AdminTrigger, HttpPost, Retry, Security, Template, TimerCoding};

pub const OPS: &[Op] = &[
    ("amdb_decode", decode),
    ("amdb_trigger", trigger),
    ("amdb_trigger_wrapped", wrapped),
    ("psk_identity", psk_identity),
];

const TRANSPORTS: &[(&str, TransportProtocol)] = &[
    ("udp_client_remote", TransportProtocol::UDP_CLIENT_REMOTE),
    ("tcp_client_remote", TransportProtocol::TCP_CLIENT_REMOTE),
    ("tcp_server", TransportProtocol::TCP_SERVER),
    ("udp_client_local", TransportProtocol::UDP_CLIENT_LOCAL),
    ("tcp_client_local", TransportProtocol::TCP_CLIENT_LOCAL),
    ("direct", TransportProtocol::DIRECT),
];

fn psk_identity(row: &Row) -> Outcome {
    let identity = PskIdentity {
        eid: eid(&row.inputs, "eid")?,
        isd_r: aid(&row.inputs, "isdr_aid")?,
        key_id: row.inputs.int("key_id")?,
        key_version: row.inputs.int("key_version")?,
    };
    let tlv = row.expected.hex("tlv")?;
    let clear = row.expected.str("identity_utf8")?;
    same_hex("encode", &identity.encode().map_err(text)?, &tlv)?;
    same("text", identity.clear().map_err(text)?.as_str(), clear)?;
    same("decode", PskIdentity::decode(&tlv).map_err(text)?, identity)?;
    same("decode text", PskIdentity::from_text(clear).map_err(text)?, identity)
}

fn object(fields: &Fields, key: &str) -> Result<Option<Fields>, String> {
    if fields.has(key) { fields.object(key).map(Some) } else { Ok(None) }
}

fn string(fields: &Fields, key: &str) -> Result<Option<String>, String> {
    if fields.has(key) { Ok(Some(fields.str(key)?.to_owned())) } else { Ok(None) }
}

fn int<T: TryFrom<i64>>(fields: &Fields, key: &str) -> Result<Option<T>, String> {
    if fields.has(key) { fields.int(key).map(Some) } else { Ok(None) }
}

/// The parts that a row names, as a trigger: what is not named is not there.
fn parts(fields: &Fields) -> Result<AdminTrigger, String> {
    let mut trigger = AdminTrigger::default();
    if let Some(part) = object(fields, "connection")? {
        trigger.connection = Some(connection(&part)?);
        part.all_used()?;
    }
    if let Some(part) = object(fields, "security")? {
        trigger.security = Some(Security {
            psk_identity: part.str("psk_identity")?.to_owned(),
            key_version: part.int("key_version")?,
            key_id: part.int("key_id")?,
            sha_type: int(&part, "sha_type")?,
        });
        part.all_used()?;
    }
    if let Some(part) = object(fields, "retry")? {
        trigger.retry = Some(Retry::new(part.int("retry_counter")?, part.int("delay_seconds")?));
        part.all_used()?;
    }
    if let Some(part) = object(fields, "http_post")? {
        trigger.http_post = Some(HttpPost {
            admin_host: string(&part, "admin_host")?,
            agent_id: string(&part, "agent_id")?,
            admin_uri: string(&part, "admin_uri")?,
        });
        part.all_used()?;
    }
    Ok(trigger)
}

fn connection(part: &Fields) -> Result<Connection, String> {
    let bearer_type = int(part, "bearer_type")?;
    let transport = match (string(part, "transport")?, int(part, "port")?) {
        (Some(word), Some(port)) => {
            let known = TRANSPORTS.iter().find(|(name, _)| *name == word);
            let protocol = known.ok_or_else(|| format!("transport `{word}`"))?.1;
            Some(TransportLevel { protocol, port })
        }
        (None, None) => None,
        _ => return Err("transport and port belong together".into()),
    };
    Ok(Connection {
        bearer: bearer_type.map(|bearer_type| Bearer { bearer_type, parameters: Vec::new() }),
        buffer_size: int(part, "buffer_size")?,
        network_access_name: string(part, "apn")?,
        transport,
        destination: string(part, "address")?.map(|address| address.parse().map_err(text)).transpose()?,
    })
}

fn trigger(row: &Row) -> Outcome {
    let trigger = parts(&row.inputs)?;
    let octets = row.expected.hex("hex")?;
    same_hex("encode", &trigger.encode().map_err(text)?, &octets)?;
    if row.expected.has("length") {
        same("length", octets.len(), row.expected.int::<usize>("length")?)?;
    }
    same("decode", AdminTrigger::decode(&octets).map_err(text)?, trigger)
}

fn wrapped(row: &Row) -> Outcome {
    let trigger = parts(&row.inputs)?;
    let template = match row.inputs.str("form")? {
        "aa" => Template::Definite,
        "ae" => Template::Indefinite,
        other => return Err(format!("inputs: form `{other}`")),
    };
    let octets = row.expected.hex("hex")?;
    same_hex("encode", &template.encode(&trigger).map_err(text)?, &octets)?;
    same("decode", Template::decode(&octets, TimerCoding::default()).map_err(text)?, (template, trigger))
}

fn decode(row: &Row) -> Outcome {
    let found = AdminTrigger::decode(&row.inputs.hex("hex")?);
    if row.expected.has("error") {
        return same("error", found.is_err(), row.expected.bool("error")?);
    }
    same("decode", found.map_err(text)?, parts(&row.expected)?)
}
