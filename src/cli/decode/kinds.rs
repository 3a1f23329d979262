//! What `euicc decode` can read: the name people type, and the codec that reads it.

use super::sms;
use crate::codec::Reader;
use crate::codec::apdu::{
    CommandApdu, CompactCommand, CompactResponse, ExpandedCommand, ExpandedResponse, ResponseApdu,
};
use crate::codec::cat::{Envelope, ProactiveCommand, TerminalResponse};
use crate::codec::cursor::Result;
use crate::codec::ota::{UnverifiedCommand, UnverifiedResponse};
use crate::codec::smpp::Pdu;
use crate::codec::sms::{ReportKind, StatusReport};
use crate::codec::trigger::Trigger;

/// A structure that can be decoded by name.
pub struct Kind {
    pub name: &'static str,
    pub about: &'static str,
    pub read: fn(&mut Reader<'_>) -> Result<()>,
}

/// In the order of `--help`.
pub const KINDS: &[Kind] = &[
    Kind { name: "tlv", about: "BER-TLV objects, one after the other", read: tlv_objects },
    Kind { name: "apdu", about: "command APDU", read: |reader| CommandApdu::read(reader).map(drop) },
    Kind { name: "apdu-response", about: "response APDU", read: |reader| ResponseApdu::read(reader).map(drop) },
    Kind {
        name: "envelope",
        about: "ENVELOPE command (TS 102 223 7)",
        read: |reader| Envelope::read(reader).map(drop),
    },
    Kind {
        name: "proactive",
        about: "proactive command, the answer to FETCH (TS 102 223 6.6)",
        read: |reader| ProactiveCommand::read(reader).map(drop),
    },
    Kind {
        name: "terminal-response",
        about: "TERMINAL RESPONSE command (TS 102 223 6.8)",
        read: |reader| TerminalResponse::read(reader).map(drop),
    },
    Kind {
        name: "script",
        about: "expanded remote command script (TS 102 226)",
        read: |reader| ExpandedCommand::read(reader).map(drop),
    },
    Kind {
        name: "script-response",
        about: "expanded remote response script (TS 102 226)",
        read: |reader| ExpandedResponse::read(reader).map(drop),
    },
    Kind {
        name: "compact-script",
        about: "compact remote command script (TS 102 226)",
        read: |reader| CompactCommand::read(reader).map(drop),
    },
    Kind {
        name: "compact-response",
        about: "compact remote response (TS 102 226)",
        read: |reader| CompactResponse::read(reader).map(drop),
    },
    Kind {
        name: "trigger",
        about: "trigger object of a host trigger (E1)",
        read: |reader| Trigger::read(reader).map(drop),
    },
    Kind {
        name: "command-packet",
        about: "SCP80 command packet from CPL on, without keys (TS 102 225)",
        read: |reader| UnverifiedCommand::read(reader).map(drop),
    },
    Kind {
        name: "response-packet",
        about: "SCP80 response packet from RPL on, without keys (TS 102 225)",
        read: |reader| UnverifiedResponse::read(reader).map(drop),
    },
    Kind {
        name: "sms-pdu",
        about: "short message as in AT+CMGS and +CMT: service centre address and TPDU (TS 27.005)",
        read: sms::pdu,
    },
    Kind { name: "deliver", about: "SMS-DELIVER (TS 23.040)", read: sms::deliver },
    Kind { name: "submit", about: "SMS-SUBMIT (TS 23.040)", read: sms::submit },
    Kind {
        name: "status-report",
        about: "SMS-STATUS-REPORT (TS 23.040)",
        read: |reader| StatusReport::read(reader).map(drop),
    },
    Kind {
        name: "deliver-report",
        about: "SMS-DELIVER-REPORT in RP-ACK (TS 23.040)",
        read: |reader| sms::report(reader, ReportKind::Ack),
    },
    Kind {
        name: "deliver-error",
        about: "SMS-DELIVER-REPORT in RP-ERROR (TS 23.040)",
        read: |reader| sms::report(reader, ReportKind::Error),
    },
    Kind { name: "user-data", about: "TP-UD that begins with a user data header (TS 23.040)", read: sms::user_data },
    Kind { name: "smpp", about: "SMPP PDUs, one after the other", read: smpp_pdus },
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

fn tlv_objects(reader: &mut Reader<'_>) -> Result<()> {
    tlv_level(reader, 0)
}

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
