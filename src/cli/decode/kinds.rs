//! What `euicc decode` can read: the name people type, and the codec that reads it.

use super::keys::Keys;
use super::messages;
use crate::codec::Reader;
use crate::codec::apdu::{
    CommandApdu, CompactCommand, CompactResponse, ExpandedCommand, ExpandedResponse, ResponseApdu,
};
use crate::codec::at::describe_line;
use crate::codec::cat::{Envelope, ProactiveCommand, TerminalResponse};
use crate::codec::cursor::Result;
use crate::codec::gp::trigger::{Template, TimerCoding};
use crate::codec::gp::{Es5Command, Notification, PskIdentity, isd_r, profile_data, scp80_body};
use crate::codec::smpp::Pdu;
use crate::codec::sms::{ReportKind, StatusReport};
use crate::codec::trigger::Trigger;

/// A structure that can be decoded by name.
pub struct Kind {
    pub name: &'static str,
    pub about: &'static str,
    pub read: fn(&mut Reader<'_>, &Keys) -> Result<()>,
}

const fn kind(name: &'static str, about: &'static str, read: fn(&mut Reader<'_>, &Keys) -> Result<()>) -> Kind {
    Kind { name, about, read }
}

/// The one kind whose input is text, not hexadecimal.
pub const AT: &str = "at";

/// In the order of `--help`.
pub const KINDS: &[Kind] = &[
    kind(
        "deliver",
        "SMS-DELIVER; several lines that are parts of one message are also put together",
        messages::deliver,
    ),
    kind("submit", "SMS-SUBMIT", messages::submit),
    kind("status-report", "SMS-STATUS-REPORT", |reader, _| StatusReport::read(reader).map(drop)),
    kind("deliver-report", "SMS-DELIVER-REPORT of an acknowledgement (RP-ACK)", |reader, keys| {
        messages::report(reader, ReportKind::Ack, keys)
    }),
    kind("deliver-report-error", "SMS-DELIVER-REPORT of an error (RP-ERROR)", |reader, keys| {
        messages::report(reader, ReportKind::Error, keys)
    }),
    kind("pdu", "TPDU behind a service centre address, as in AT commands", messages::pdu),
    kind("udh", "user data header, from UDHL on, and what follows", messages::headed_user_data),
    kind("packet", "SCP80 command packet, from CPL on", messages::command_packet),
    kind("por", "SCP80 response packet (PoR), from RPL on", messages::response_packet),
    kind("trigger", "trigger object of a host trigger (E1)", |reader, _| Trigger::read(reader).map(drop)),
    kind("amendment-b", "Amendment B session triggering parameters", |reader, _| {
        Template::read(reader, TimerCoding::default()).map(drop)
    }),
    kind("psk-identity", "PSK identity of an Amendment B session", |reader, _| PskIdentity::read(reader).map(drop)),
    kind("apdu", "command APDU", |reader, _| CommandApdu::read(reader).map(drop)),
    kind("apdu-response", "response APDU", |reader, _| ResponseApdu::read(reader).map(drop)),
    kind("envelope", "ENVELOPE command", |reader, _| Envelope::read(reader).map(drop)),
    kind("proactive", "proactive command, the answer to FETCH", |reader, _| ProactiveCommand::read(reader).map(drop)),
    kind("terminal-response", "TERMINAL RESPONSE command", |reader, _| TerminalResponse::read(reader).map(drop)),
    kind("script", "expanded remote command script", |reader, _| ExpandedCommand::read(reader).map(drop)),
    kind("script-response", "expanded remote response script", |reader, _| ExpandedResponse::read(reader).map(drop)),
    kind("compact-script", "compact remote command script", |reader, _| CompactCommand::read(reader).map(drop)),
    kind("compact-response", "compact remote response", |reader, _| CompactResponse::read(reader).map(drop)),
    kind("es5", "SGP.02 ES5 command APDU", |reader, _| Es5Command::read(reader).map(drop)),
    kind("profile-data", "STORE DATA with profile data to an ISD-P", |reader, _| {
        profile_data::StoreData::read(reader).map(drop)
    }),
    kind("notification", "SGP.02 eUICC notification", |reader, _| Notification::read(reader).map(drop)),
    kind("profiles", "SGP.02 GET STATUS answer: the list of ISD-Ps", |reader, _| {
        isd_r::read_profiles(reader).map(drop)
    }),
    kind("resources", "answer of the ISD-R about its resources (FF21)", |reader, _| {
        isd_r::ExtendedResources::read(reader).map(drop)
    }),
    kind("confirmation", "answer of the ISD-R to a notification confirmation", |reader, _| {
        isd_r::read_confirmation(reader).map(drop)
    }),
    kind("scp80-body", "administration response body: command packets", |reader, _| {
        scp80_body::read_packets(reader).map(drop)
    }),
    kind("scp80-responses", "administration request body: what each packet gave", |reader, _| {
        scp80_body::read_responses(reader).map(drop)
    }),
    kind("smpp", "SMPP PDUs, one after the other", |reader, _| smpp_pdus(reader)),
    kind(AT, "AT line, as text: command, answer, URC or final result", |reader, _| describe_line(reader)),
    kind("tlv", "BER-TLV objects, one after the other", |reader, _| tlv_level(reader, 0)),
];

pub fn by_name(name: &str) -> Option<&'static Kind> {
    KINDS.iter().find(|kind| kind.name == name)
}

/// Reads on behind a defect, as a session does, and reports the first one at the end.
fn smpp_pdus(reader: &mut Reader<'_>) -> Result<()> {
    let mut defects = Vec::new();
    while !reader.is_empty() {
        defects.extend(Pdu::read(reader)?.defects);
    }
    defects.into_iter().next().map_or(Ok(()), Err)
}

/// Constructed objects nest at most this deep; deeper ones are shown as octets.
const MAX_NESTING: usize = 8;

fn tlv_level(reader: &mut Reader<'_>, nesting: usize) -> Result<()> {
    while !reader.is_empty() {
        let constructed = reader.peek_u8().is_some_and(|first| first & 0x20 != 0);
        let mut object = reader.ber_tlv()?;
        reader.note("ISO 7816-4 5.2.2", || format!("{} octets", object.octets().len()));
        if constructed && nesting < MAX_NESTING {
            tlv_level(&mut object.value, nesting + 1)?;
        }
    }
    Ok(())
}
