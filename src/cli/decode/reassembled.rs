//! Several SMS-DELIVER inputs that are the parts of one message, read once more as the whole they make.

use super::keys::Keys;
use super::{Decoded, messages};
use crate::codec::sms::{Deliver, Udh};
use crate::codec::{Reader, Trace};
use crate::session::reassembly::{Limits, Message, Outcome, Reassembler, WhenFull};
use crate::types::{Now, UnixSeconds, hex};
use std::time::Duration;

/// Nothing is left out for want of room: the inputs are the caller's own.
const LIMITS: Limits = Limits {
    timeout: Duration::MAX,
    parts: u8::MAX,
    messages_per_sender: usize::MAX,
    senders: usize::MAX,
    octets: usize::MAX,
    when_full: WhenFull::Refuse,
};

/// The messages that the inputs complete. Inputs that cannot be decoded are passed over: they have their own error.
pub fn messages(inputs: &[String], keys: &Keys) -> Vec<Decoded> {
    let now = Now { mono: Duration::ZERO, utc: UnixSeconds(0) };
    let mut reassembler = Reassembler::new(LIMITS);
    let mut messages = Vec::new();
    for (index, input) in inputs.iter().enumerate() {
        let Some(deliver) = hex::decode(input).ok().and_then(|octets| Deliver::decode(&octets).ok()) else { continue };
        let sender = deliver.oa.clear().to_string();
        if let Outcome::Complete(message) = reassembler.handle_user_data(now, sender, &deliver.ud, index + 1)
            && message.tokens.len() > 1
        {
            messages.push(show(message, keys));
        }
    }
    messages
}

fn show(message: Message<usize>, keys: &Keys) -> Decoded {
    let inputs: Vec<_> = message.tokens.iter().map(usize::to_string).collect();
    let title = format!("inputs {} together: {} octets", inputs.join(", "), message.payload.len());
    let trace = Trace::new();
    let mut reader = Reader::traced("message", &message.payload, &trace);
    reader.take_rest("payload");
    reader.note("TS 23.040 9.2.3.24.1", || format!("user data of {} parts", message.tokens.len()));
    let udh = Udh { ies: message.ies };
    let error = messages::whole_payload(&reader, &udh, &message.payload, 0, keys).err();
    Decoded { title: Some(title), spans: trace.into_spans(), error: error.map(|error| error.to_string()) }
}
