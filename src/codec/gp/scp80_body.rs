//! Bodies of our administration session: SCP80 packets to the eUICC, and what the terminal got for each.
//!
//! ISD-R and ISD-P take commands only under SCP80, so that the agent carries packets it cannot read.

use crate::codec::apdu::StatusWord;
use crate::codec::cursor::Result as Read;
use crate::codec::{EncodeError, Fault, Reader, tlv};

/// Content type of a sequence of command packets, each `87 L packet`.
pub const COMMANDS: &str = "application/vnd.euicc-push.scp80;version=1";
/// Content type of one [`PacketResponse`] per packet, in their order.
pub const RESPONSES: &str = "application/vnd.euicc-push.scp80-response;version=1";

/// What delivering one command packet gave.
#[derive(Clone, PartialEq, Eq)]
pub enum PacketResponse {
    /// `88 L`: the eUICC's response packet, from RPL.
    Response(Vec<u8>),
    /// `89 02`: a status word without a response packet.
    StatusWord(StatusWord),
    /// `8A 00`: delivery was begun, its outcome is unknown.
    Interrupted,
}

impl PacketResponse {
    /// Nothing more is delivered after this one: an interruption, or a status word other than 9000 and 91xx.
    pub const fn stops(&self) -> bool {
        match self {
            Self::Response(_) => false,
            Self::StatusWord(word) => !word.is_ok(),
            Self::Interrupted => true,
        }
    }
}

pub fn encode_packets(packets: &[Vec<u8>]) -> Result<Vec<u8>, EncodeError> {
    let mut out = Vec::new();
    for packet in packets {
        tlv::put(&mut out, 0x87, packet)?;
    }
    Ok(out)
}

pub fn decode_packets(bytes: &[u8]) -> Read<Vec<Vec<u8>>> {
    read_packets(&mut Reader::new("SCP80 packets", bytes))
}

/// The whole of `reader`: at least one packet, none of them empty.
pub fn read_packets(reader: &mut Reader<'_>) -> Read<Vec<Vec<u8>>> {
    let mut packets = Vec::new();
    while packets.is_empty() || !reader.is_empty() {
        let mut object = reader.ber_tlv()?;
        reader.label("command packet", "SCP80 body", String::new);
        if object.tag != 0x87 || object.value.is_empty() {
            return Err(reader.error_at(object.offset, "command packet (tag 87)", Fault::Missing));
        }
        packets.push(object.value.take_rest("command packet").to_vec());
    }
    Ok(packets)
}

pub fn encode_responses(responses: &[PacketResponse]) -> Result<Vec<u8>, EncodeError> {
    let mut out = Vec::new();
    for response in responses {
        match response {
            PacketResponse::Response(packet) => tlv::put(&mut out, 0x88, packet)?,
            PacketResponse::StatusWord(word) => tlv::put(&mut out, 0x89, &word.octets())?,
            PacketResponse::Interrupted => tlv::put(&mut out, 0x8A, &[])?,
        }
    }
    Ok(out)
}

pub fn decode_responses(bytes: &[u8]) -> Read<Vec<PacketResponse>> {
    read_responses(&mut Reader::new("SCP80 responses", bytes))
}

/// The whole of `reader`: any number of responses, none after one that stops delivery.
pub fn read_responses(reader: &mut Reader<'_>) -> Read<Vec<PacketResponse>> {
    let mut responses: Vec<PacketResponse> = Vec::new();
    while !reader.is_empty() {
        let mut object = reader.ber_tlv()?;
        let value = &mut object.value;
        if responses.last().is_some_and(PacketResponse::stops) {
            let found = tlv::tag_name(object.tag);
            return Err(reader.value_error(object.offset, "response", "the end, delivery has stopped", found));
        }
        let response = match object.tag {
            0x88 if !value.is_empty() => PacketResponse::Response(value.take_rest("response packet").to_vec()),
            0x89 => PacketResponse::StatusWord(StatusWord(value.u16("status word")?)),
            0x8A => PacketResponse::Interrupted,
            tag => {
                return Err(reader.value_error(object.offset, "tag", "88 with content, 89 or 8A", tlv::tag_name(tag)));
            }
        };
        value.finish()?;
        reader.label(tlv::tag_name(object.tag), "SCP80 body", || format!("{response:?}"));
        responses.push(response);
    }
    Ok(responses)
}

impl std::fmt::Debug for PacketResponse {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Response(packet) => write!(f, "response of {} octets", packet.len()),
            Self::StatusWord(word) => write!(f, "SW {:04X}", word.0),
            Self::Interrupted => f.write_str("interrupted"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_and_responses_survive_the_round_trip() {
        let packets = vec![vec![1; 30], vec![2; 300]];
        assert_eq!(decode_packets(&encode_packets(&packets).unwrap()), Ok(packets));
        let responses = vec![
            PacketResponse::Response(vec![3; 200]),
            PacketResponse::StatusWord(StatusWord(0x9110)),
            PacketResponse::StatusWord(StatusWord(0x6985)),
        ];
        assert_eq!(decode_responses(&encode_responses(&responses).unwrap()), Ok(responses));
        assert_eq!(decode_responses(&[]), Ok(vec![]));
    }

    #[test]
    fn refuses_responses_after_the_stop_and_empty_packets() {
        assert!(decode_responses(&[0x89, 2, 0x69, 0x85, 0x8A, 0]).is_err());
        assert!(decode_responses(&[0x8A, 0, 0x89, 2, 0x90, 0]).is_err());
        for wrong in [&[0x88, 0][..], &[0x89, 1, 0x90], &[0x8A, 1, 0], &[0x87, 1, 0]] {
            assert!(decode_responses(wrong).is_err());
        }
        for wrong in [&[][..], &[0x87, 0], &[0x88, 1, 0], &[0x87, 2, 0]] {
            assert!(decode_packets(wrong).is_err());
        }
    }
}
