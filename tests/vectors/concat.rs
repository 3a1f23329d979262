//! `concat.json`: segmentation, reassembly, user data headers.

use crate::Op;
use crate::row::{Outcome, Row, same, same_hex, text};
use euicc_push::codec::sms::{Ie, Reference, Segmentation, Udh, UserData};
use euicc_push::session::reassembly::{self, Limits, Message, Reassembler, WhenFull};
use euicc_push::types::{Now, UnixSeconds, hex};
use std::time::Duration;

pub const OPS: &[Op] = &[("split", split), ("reassemble", reassemble), ("parse_udh", parse_udh)];

fn now() -> Now {
    Now { mono: Duration::ZERO, utc: UnixSeconds(1_800_000_000) }
}

fn reassembler() -> Reassembler<String, usize> {
    Reassembler::new(Limits {
        timeout: Duration::from_secs(3_600),
        parts: u8::MAX,
        messages_per_sender: 16,
        senders: 1,
        octets: 64 * 1024,
        when_full: WhenFull::Refuse,
    })
}

/// An element as its octets.
fn octets(ie: &Ie) -> Vec<u8> {
    [&[ie.iei, ie.data.len() as u8], ie.data.as_slice()].concat()
}

fn split(row: &Row) -> Outcome {
    let inputs = &row.inputs;
    let elements = inputs.hex("first_part_ies")?;
    let header = [&[elements.len() as u8], elements.as_slice()].concat();
    let first_part = Udh::split(&header).map_err(text)?.0.ies;
    let reference = match inputs.int("ref_bits")? {
        8 => Reference::Short(inputs.int("ref")?),
        16 => Reference::Long(inputs.int("ref")?),
        other => return Err(format!("unknown ref_bits {other}")),
    };
    let segmentation = Segmentation {
        concatenation_first: inputs.bool("concat_ie_first")?,
        max_ud: inputs.int("max_ud")?,
        ..Segmentation::new(Vec::new(), first_part.clone(), reference)
    };
    let payload = inputs.hex("payload")?;
    let parts = segmentation.concatenated(&payload).map_err(text)?;
    let expected = row.expected.hex_list("ud")?;
    for (part, expected) in parts.iter().zip(&expected) {
        same_hex("ud", part, expected)?;
    }
    same("parts", parts.len(), expected.len())?;
    if row.expected.has("udl") {
        let udl: Vec<_> = parts.iter().map(Vec::len).collect();
        same("udl", serde_json::json!(udl), row.expected.get("udl").cloned().unwrap_or_default())?;
    }
    let (complete, rejected, pending) = run(&expected, "sender");
    same("rejected", (rejected, pending), (vec![], 0))?;
    let [message] = complete.as_slice() else { return Err(format!("{} messages came back", complete.len())) };
    same_hex("payload reassembled", &message.payload, &payload)?;
    same("elements reassembled", &message.ies, &first_part)
}

/// Complete messages in their order, indexes of rejected parts, number of incomplete messages.
pub fn run(parts: &[Vec<u8>], sender: &str) -> (Vec<Message<usize>>, Vec<usize>, usize) {
    let mut machine = reassembler();
    let (mut complete, mut rejected) = (Vec::new(), Vec::new());
    for (index, part) in parts.iter().enumerate() {
        match machine.handle_user_data(now(), sender.to_string(), &UserData::with_header(part.clone()), index) {
            reassembly::Outcome::Complete(message) => complete.push(message),
            reassembly::Outcome::Rejected(_, index) => rejected.push(index),
            reassembly::Outcome::Held | reassembly::Outcome::Duplicate(_) => {}
        }
    }
    (complete, rejected, machine.pending())
}

fn reassemble(row: &Row) -> Outcome {
    let expected = &row.expected;
    let (complete, rejected, pending) = run(&row.inputs.hex_list("ud_in_arrival_order")?, row.inputs.str("sender")?);
    let payloads: Vec<_> = complete.iter().map(|message| hex::encode(&message.payload)).collect();
    if expected.has("payload") {
        same("payload", payloads.clone(), vec![hex::encode(&expected.hex("payload")?)])?;
    }
    if expected.has("payloads_in_completion_order") {
        let wanted = expected.hex_list("payloads_in_completion_order")?;
        same("payloads", payloads, wanted.iter().map(|payload| hex::encode(payload)).collect::<Vec<_>>())?;
    }
    if expected.has("first_ies") {
        let message = complete.first().ok_or("nothing is complete")?;
        let ies: Vec<_> = message.ies.iter().map(octets).collect();
        same("first_ies", ies, expected.hex_list("first_ies")?)?;
    }
    if expected.has("incomplete") {
        same("incomplete", complete.is_empty() || pending > 0, expected.bool("incomplete")?)?;
    }
    match expected.get("rejected") {
        Some(indexes) => same("rejected", &serde_json::json!(rejected), indexes),
        None => Ok(()),
    }
}

fn parse_udh(row: &Row) -> Outcome {
    let ud = row.inputs.hex("ud")?;
    let parsed = Udh::split(&ud);
    if row.expected.has("error") {
        return same("error", parsed.is_err(), row.expected.bool("error")?);
    }
    let (udh, payload) = parsed.map_err(text)?;
    let ies: Vec<_> = udh.ies.iter().map(|ie| [format!("{:02x}", ie.iei), hex::encode(&ie.data)]).collect();
    same("ies", serde_json::json!(ies), row.expected.get("ies").cloned().unwrap_or_default())?;
    same_hex("payload", payload, &row.expected.hex("payload")?)?;
    same_hex("encoded again", &[udh.encode().map_err(text)?.as_slice(), payload].concat(), &ud)
}
