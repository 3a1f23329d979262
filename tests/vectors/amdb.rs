//! `amdb.json`: Amendment B trigger parameters and the PSK identity.

use crate::row::{Fields, Outcome, Row, same, same_hex, text};
use crate::scp80::{RowKeys, counter, secure_and_verify, tar};
use crate::sgp02::{aid, eid};
use crate::{Op, concat};
use euicc_push::codec::cat::{Bearer, NetworkAccessName, OtherAddress, Transport, TransportKind};
use euicc_push::codec::gp::PskIdentity;
use euicc_push::codec::gp::connection::Connection;
use euicc_push::codec::gp::trigger::{AdminTrigger, HttpPost, Retry, Security, Template, TimerCoding};
use euicc_push::codec::ota::{CommandPacket, Spi};
use euicc_push::codec::sms::{Ie, Reference, Segmentation};

pub const OPS: &[Op] = &[
    ("amdb_decode", decode),
    ("amdb_trigger", trigger),
    ("amdb_secured_trigger", secured),
    ("amdb_trigger_wrapped", wrapped),
    ("psk_identity", psk_identity),
];

const TRANSPORTS: &[(&str, TransportKind)] = &[
    ("udp_client_remote", TransportKind::UDP_CLIENT_REMOTE),
    ("tcp_client_remote", TransportKind::TCP_CLIENT_REMOTE),
    ("tcp_server", TransportKind::TCP_SERVER),
    ("udp_client_local", TransportKind::UDP_CLIENT_LOCAL),
    ("tcp_client_local", TransportKind::TCP_CLIENT_LOCAL),
    ("direct", TransportKind::DIRECT),
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
            let kind = known.ok_or_else(|| format!("transport `{word}`"))?.1;
            Some(Transport { kind, port })
        }
        (None, None) => None,
        _ => return Err("transport and port belong together".into()),
    };
    let address = |text: String| text.parse().map(OtherAddress::Ip).map_err(|_| format!("address `{text}`"));
    let name = |text: String| NetworkAccessName::from_text(&text).map_err(|error| error.to_string());
    Ok(Connection {
        bearer: bearer_type.map(|kind| Bearer { kind, parameters: Vec::new() }),
        buffer_size: int(part, "buffer_size")?,
        access_name: string(part, "apn")?.map(name).transpose()?,
        transport,
        destination: string(part, "address")?.map(address).transpose()?,
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

/// Secured for the card and cut into messages, and put together and verified again.
fn secured(row: &Row) -> Outcome {
    let inputs = &row.inputs;
    let spi = inputs.hex("spi")?;
    let [spi1, spi2] = <[u8; 2]>::try_from(spi.as_slice()).map_err(|_| "spi has not two octets")?;
    let data = inputs.hex("data")?;
    let command =
        CommandPacket { spi: Spi::new(spi1, spi2), tar: tar(inputs, "tar")?, counter: counter(inputs, "cntr")?, data };
    let row_keys = RowKeys::of(inputs)?;
    let expected = row.expected.hex_list("ud")?;
    let (complete, rejected, pending) = concat::run(&expected, "sender");
    same("rejected", (rejected, pending), (vec![], 0))?;
    let [message] = complete.as_slice() else { return Err(format!("{} messages came back", complete.len())) };
    secure_and_verify(&command, &row_keys, &message.payload)?;

    let command_header = Ie { iei: 0x70, data: Vec::new() };
    same("elements of part 1", &message.ies, &vec![command_header.clone()])?;
    let reference = Reference::Short(inputs.int("concat_ref")?);
    let segmentation = Segmentation::new(Vec::new(), vec![command_header], reference);
    let segments = segmentation.segments(&message.payload).map_err(text)?;
    same("segments", segments.len(), expected.len())?;
    for (segment, expected) in segments.iter().zip(&expected) {
        same_hex("ud", segment, expected)?;
    }
    Template::decode(&command.data, TimerCoding::default()).map(drop).map_err(text)
}
