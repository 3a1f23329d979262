//! What `euicc encode` can build. Each recipe reads its fields strictly and hands them to the codec's encoder.

mod card;
mod links;
mod packets;
mod sms;
mod toolkit;
mod triggers;

use super::fields::read;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// A structure that can be built by name. Some need several lines: one per short message.
pub struct Recipe {
    pub name: &'static str,
    /// Its fields, for `--help`.
    pub keys: &'static str,
    pub build: fn(Value) -> Result<Vec<String>, String>,
}

const fn recipe(name: &'static str, keys: &'static str, build: fn(Value) -> Result<Vec<String>, String>) -> Recipe {
    Recipe { name, keys, build }
}

/// In the order of `--help`.
pub const RECIPES: &[Recipe] = &[
    recipe(
        "deliver",
        "oa pid dcs scts ud [tp_udhi] [tp_mms] [tp_lp] [tp_sri] [tp_rp]; oa is an MSISDN or {digits|text, ton, npi}, scts 7 octets or {year, month, day, hour, minute, second, tz_quarter_hours}",
        |fields| hex_of(fields, sms::DeliverFields::encode),
    ),
    recipe("submit", "da pid dcs ud [mr] [vp] [tp_udhi] [tp_srr] [tp_rd] [tp_rp]", |fields| {
        hex_of(fields, sms::SubmitFields::encode)
    }),
    recipe("status-report", "mr ra scts dt st [tp_mms] [tp_lp] [tp_srq]", |fields| {
        hex_of(fields, sms::StatusReportFields::encode)
    }),
    recipe("udh", "ies=[{iei,data}..] [payload]", |fields| hex_of(fields, sms::UdhFields::encode)),
    recipe(
        "segments",
        "form=host|sim|response payload reference [ref_bits=8|16] [dest_port] [concat_ie_first]; one line per message",
        |fields| {
            let parts = read::<sms::SegmentFields>(fields)?.encode().map_err(|error| error.to_string())?;
            Ok(parts.iter().map(|part| crate::types::hex::encode(part)).collect())
        },
    ),
    recipe("packet", "spi kic kid tar cntr data [kic_key] [kid_key] [cc_len=8] [legacy]", |fields| {
        hex_of(fields, packets::PacketFields::command)
    }),
    recipe(
        "por",
        "spi kic kid tar cntr status [data] [kic_key] [kid_key] [cc_len=8] [legacy]; spi, kic and kid of the command",
        |fields| hex_of(fields, packets::PacketFields::response),
    ),
    recipe(
        "trigger",
        "transaction [operation] [backoff | window_start window_end | window | at] [sm_sr_id] [sm_sr_address] [packet] [owner=agent|euicc]",
        |fields| hex_of(fields, triggers::TriggerFields::encode),
    ),
    recipe(
        "amendment-b",
        "[connection={bearer_type, bearer_params, buffer_size, apn, transport, port, address}] [security={psk_identity, key_version, key_id, sha_type}] [retry={retry_counter, delay_seconds}] [http_post={admin_host, agent_id, admin_uri}]",
        |fields| hex_of(fields, triggers::AdminTriggerFields::encode),
    ),
    recipe("envelope", "tpdu [smsc]; SMS-PP download", |fields| hex_of(fields, toolkit::EnvelopeFields::encode)),
    recipe(
        "proactive",
        "command [number] [qualifier] [dest] [objects=[{tag,value}..]]; command by name (open_channel) or octet",
        |fields| hex_of(fields, toolkit::ProactiveFields::encode),
    ),
    recipe("terminal-response", "command result [number] [qualifier] [objects=[{tag,value}..]]", |fields| {
        hex_of(fields, toolkit::TerminalResponseFields::encode)
    }),
    recipe("apdu", "cla ins [p1] [p2] [data] [le]", |fields| hex_of(fields, card::Apdu::encode)),
    recipe(
        "script",
        "form=definite|indefinite apdus=[..] [chaining=first-delete-on-reset|first-keep-on-reset|subsequent|last]",
        |fields| hex_of(fields, card::Script::encode),
    ),
    recipe("compact-script", "apdus=[..]", |fields| hex_of(fields, card::CompactScript::encode)),
    recipe(
        "smpp",
        "command sequence [status] [system_id] [password] [message_id] [source={ton,npi,addr}] [destination={..}] [esm_class] [protocol_id] [data_coding] [registered_delivery] [validity_period] [short_message] [tlvs=[{tag,value}..]] ..",
        |fields| hex_of(fields, links::SmppFields::encode),
    ),
    recipe("at", "name [form=execute|read|test] [parameters=[..]] | name=+CMGS tpdu; printed as text", |fields| {
        read::<links::AtFields>(fields)?.lines()
    }),
];

fn hex_of<T: DeserializeOwned, E: std::fmt::Display>(
    fields: Value,
    encode: impl FnOnce(T) -> Result<Vec<u8>, E>,
) -> Result<Vec<String>, String> {
    let octets = encode(read(fields)?).map_err(|error| error.to_string())?;
    Ok(vec![crate::types::hex::encode(&octets)])
}
