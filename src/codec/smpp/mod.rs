//! SMPP 3.4 PDUs (with the TLVs and statuses of 5.0 by name), on top of the `smpp` dependency.
//!
//! [`Framer`] cuts the stream, [`Pdu::decode`] reads one PDU: strictly first, then field by field, so that an odd PDU
//! costs at most itself. What was odd comes as defects beside the PDU. [`Pdu::encode`] is strict. Sessions, windows and
//! timers are in `session::smpp`.

mod framer;
mod message_id;
mod number;
mod pdu;
mod receipt;
mod status;
mod time;
pub mod tlv;
mod walk;
mod wire;

#[cfg(test)]
mod tests;

pub use framer::{DEFAULT_MAX_LENGTH, Framer, HEADER_LENGTH, StreamError};
pub use message_id::{IdBase, MessageIdKeys};
pub use number::{
    CommandId, EsmClass, InterfaceVersion, MessageState, Npi, RegisteredDelivery, Ton, data_coding_meaning,
};
pub use pdu::{
    Address, AlertNotification, Bind, BindMode, BindResp, Body, CancelSm, Carried, DataSm, Destination, MessageResp,
    Octets, Outbind, Pdu, QuerySm, QuerySmResp, ReplaceSm, ShortMessage, SubmitMulti, SubmitMultiResp, UnsuccessSme,
};
pub use receipt::{DeliveryReceipt, NetworkError};
pub use status::{CommandStatus, STATUS_TABLE, StatusClass, StatusRow};
pub use time::Time;
pub use tlv::{TLV_TABLE, Tlv, TlvFormat, TlvTag};

use super::{DecodeError, EncodeError, Fault, Reader};

/// A PDU and what was wrong with it. With defects, fields may be cut short or missing (empty, zero).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decoded {
    pub pdu: Pdu,
    pub defects: Vec<DecodeError>,
}

impl Decoded {
    /// The status with which a server refuses a request that has defects; `None` without any.
    pub fn refusal(&self) -> Option<CommandStatus> {
        let defect = self.defects.first()?;
        Some(match (defect.field.as_ref(), &defect.fault) {
            ("source_addr", _) => CommandStatus::RINVSRCADR,
            ("destination_addr", _) => CommandStatus::RINVDSTADR,
            ("service_type", _) => CommandStatus::RINVSERTYP,
            ("schedule_delivery_time", _) => CommandStatus::RINVSCHED,
            ("validity_period", _) => CommandStatus::RINVEXPIRY,
            ("message_id", _) => CommandStatus::RINVMSGID,
            ("short_message", _) => CommandStatus::RINVMSGLEN,
            ("system_id", _) => CommandStatus::RINVSYSID,
            ("password", _) => CommandStatus::RINVPASWD,
            ("TLV", _) => CommandStatus::RINVTLVSTREAM,
            (field, _) if TLV_TABLE.iter().any(|(_, name, _)| *name == field) => CommandStatus::RINVTLVLEN,
            (_, Fault::Truncated { .. } | Fault::Trailing { .. }) => CommandStatus::RINVCMDLEN,
            _ => CommandStatus::RSYSERR,
        })
    }
}

impl Pdu {
    /// Reads one PDU with its header, leaving a trace of every field. Fails only without a sound header.
    pub fn read(reader: &mut Reader<'_>) -> Result<Decoded, DecodeError> {
        walk::read(reader)
    }

    /// Reads the octets of exactly one PDU, as a [`Framer`] cuts them.
    pub fn decode(bytes: &[u8]) -> Result<Decoded, DecodeError> {
        if let Some(pdu) = Self::decode_strictly(bytes) {
            return Ok(Decoded { pdu, defects: Vec::new() });
        }
        let mut reader = Reader::new("PDU", bytes);
        let decoded = Self::read(&mut reader)?;
        reader.finish()?;
        Ok(decoded)
    }

    fn decode_strictly(bytes: &[u8]) -> Option<Self> {
        let (header, body) = bytes.split_first_chunk::<HEADER_LENGTH>()?;
        let mut header = Reader::new("header", header);
        let length = header.u32("command_length").ok()?;
        let id = CommandId(header.u32("command_id").ok()?);
        let status = CommandStatus(header.u32("command_status").ok()?);
        let sequence = header.u32("sequence_number").ok()?;
        let whole = usize::try_from(length) == Ok(bytes.len());
        whole.then(|| wire::decode_body(id, body)).flatten().map(|body| Self { status, sequence, body })
    }

    /// The octets, with their header. Refuses what a field cannot hold: too long, not ASCII, not a time.
    pub fn encode(&self) -> Result<Vec<u8>, EncodeError> {
        let body = wire::encode_body(&self.body)?;
        let length = u32::try_from(body.len().saturating_add(HEADER_LENGTH))
            .map_err(|_| EncodeError::too_long("PDU", "body", DEFAULT_MAX_LENGTH, body.len()))?;
        let mut octets = Vec::with_capacity(body.len().saturating_add(HEADER_LENGTH));
        for number in [length, self.body.command().0, self.status.0, self.sequence] {
            octets.extend(number.to_be_bytes());
        }
        octets.extend(body);
        Ok(octets)
    }
}
