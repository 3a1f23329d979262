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

/// In the order of `--help`.
pub const RECIPES: &[Recipe] = &[
    Recipe {
        name: "deliver",
        keys: "oa pid dcs scts ud [tp_udhi] [tp_mms] [tp_lp] [tp_sri] [tp_rp]; oa is an MSISDN or {digits|text, ton, npi}, scts 7 octets or {year, month, day, hour, minute, second, tz_quarter_hours}",
        build: |fields| hex_of(fields, sms::DeliverFields::encode),
    },
    Recipe {
        name: "submit",
        keys: "da pid dcs ud [mr] [vp] [tp_udhi] [tp_srr] [tp_rd] [tp_rp]",
        build: |fields| hex_of(fields, sms::SubmitFields::encode),
    },
    Recipe {
        name: "status-report",
        keys: "mr ra scts dt st [tp_mms] [tp_lp] [tp_srq]",
        build: |fields| hex_of(fields, sms::StatusReportFields::encode),
    },
    Recipe {
        name: "udh",
        keys: "ies=[{iei,data}..] [payload]",
        build: |fields| hex_of(fields, sms::UdhFields::encode),
    },
    Recipe {
        name: "segments",
        keys: "form=host|sim|response payload reference [ref_bits=8|16] [dest_port] [concat_ie_first]; one line per message",
        build: |fields| {
            let parts = read::<sms::SegmentFields>(fields)?.encode().map_err(|error| error.to_string())?;
            Ok(parts.iter().map(|part| crate::types::hex::encode(part)).collect())
        },
    },
    Recipe {
        name: "packet",
        keys: "spi kic kid tar cntr data [kic_key] [kid_key] [cc_len=8] [legacy]",
        build: |fields| hex_of(fields, packets::PacketFields::command),
    },
    Recipe {
        name: "por",
        keys: "spi kic kid tar cntr status [data] [kic_key] [kid_key] [cc_len=8] [legacy]; spi, kic and kid of the command",
        build: |fields| hex_of(fields, packets::PacketFields::response),
    },
    Recipe {
        name: "trigger",
        keys: "transaction [operation] [backoff | window_start window_end | window | at] [sm_sr_id] [sm_sr_address] [packet] [owner=agent|euicc]",
        build: |fields| hex_of(fields, triggers::TriggerFields::encode),
    },
    Recipe {
        name: "amendment-b",
        keys: "[connection={bearer_type, bearer_params, buffer_size, apn, transport, port, address}] [security={psk_identity, key_version, key_id, sha_type}] [retry={retry_counter, delay_seconds}] [http_post={admin_host, agent_id, admin_uri}]",
        build: |fields| hex_of(fields, triggers::AdminTriggerFields::encode),
    },
    Recipe {
        name: "envelope",
        keys: "tpdu [smsc]; SMS-PP download",
        build: |fields| hex_of(fields, toolkit::EnvelopeFields::encode),
    },
    Recipe {
        name: "proactive",
        keys: "command [number] [qualifier] [dest] [objects=[{tag,value}..]]; command by name (open_channel) or octet",
        build: |fields| hex_of(fields, toolkit::ProactiveFields::encode),
    },
    Recipe {
        name: "terminal-response",
        keys: "command result [number] [qualifier] [objects=[{tag,value}..]]",
        build: |fields| hex_of(fields, toolkit::TerminalResponseFields::encode),
    },
    Recipe { name: "apdu", keys: "cla ins [p1] [p2] [data] [le]", build: |fields| hex_of(fields, card::Apdu::encode) },
    Recipe {
        name: "script",
        keys: "form=definite|indefinite apdus=[..] [chaining=first-delete-on-reset|first-keep-on-reset|subsequent|last]",
        build: |fields| hex_of(fields, card::Script::encode),
    },
    Recipe { name: "compact-script", keys: "apdus=[..]", build: |fields| hex_of(fields, card::CompactScript::encode) },
    Recipe {
        name: "smpp",
        keys: "command sequence [status] [system_id] [password] [message_id] [source={ton,npi,addr}] [destination={..}] [esm_class] [protocol_id] [data_coding] [registered_delivery] [validity_period] [short_message] [tlvs=[{tag,value}..]] ..",
        build: |fields| hex_of(fields, links::SmppFields::encode),
    },
    Recipe {
        name: "at",
        keys: "name [form=execute|read|test] [parameters=[..]] | name=+CMGS tpdu; printed as text",
        build: |fields| read::<links::AtFields>(fields)?.lines(),
    },
];

fn hex_of<T: DeserializeOwned, E: std::fmt::Display>(
    fields: Value,
    encode: impl FnOnce(T) -> Result<Vec<u8>, E>,
) -> Result<Vec<String>, String> {
    let octets = encode(read(fields)?).map_err(|error| error.to_string())?;
    Ok(vec![crate::types::hex::encode(&octets)])
}
