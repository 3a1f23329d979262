//! Octets that upset clients.

use super::pdu::{Writer, command};
use crate::{config::emulator_smpp::Garbage, emulator::network::Random};

fn deliver(sequence: u32, source: &[u8]) -> Writer {
    Writer::new(command::DELIVER_SM, 0, sequence)
        .text("")
        .octets(&[1, 1])
        .octets(source)
        .octet(0)
        .address(1, 1, "16420")
        .octets(&[0, 0, 0])
        .text("")
        .text("")
        .octets(&[0, 0, 4, 0])
}

fn text(sequence: u32, source: &[u8]) -> Writer {
    deliver(sequence, source).octet(2).octets(b"hi")
}

/// Sequence numbers of these, so that they meet no other.
const SEQUENCE: u32 = 0x7000_0000;

pub(super) fn octets(form: Garbage, random: &mut Random) -> Vec<u8> {
    let sequence = SEQUENCE | (random.next() as u32 & 0xFF_FFFF);
    match form {
        Garbage::ShortLength => Writer::new(command::ENQUIRE_LINK, 0, sequence).finish_with_length(12),
        Garbage::LongLength => Writer::new(command::ENQUIRE_LINK, 0, sequence).finish_with_length(100_000),
        Garbage::HugeLength => Writer::new(command::ENQUIRE_LINK, 0, sequence).finish_with_length(u32::MAX),
        Garbage::Truncated => {
            let whole = text(sequence, b"4915112345678").finish();
            let half = (whole.len() / 2).max(16);
            Writer::new(command::DELIVER_SM, 0, sequence).octets(&whole[16..half]).finish()
        }
        Garbage::Random => {
            let body: Vec<u8> = (0..40).map(|_| random.next() as u8).collect();
            Writer::new(command::DELIVER_SM, 0, sequence).octets(&body).finish()
        }
        Garbage::TrailingOctets => text(sequence, b"4915112345678").octets(&[0xAA]).finish(),
        Garbage::UnknownCommand => Writer::new(0x0001_0200, 0, sequence).octets(b"vendor").finish(),
        Garbage::MissingNul => Writer::new(command::DELIVER_SM, 0, sequence).octets(b"no end at all").finish(),
        Garbage::Latin1Address => text(sequence, b"Fu\xDFg\xE4nger").finish(),
        Garbage::LongAddress => text(sequence, b"4915112345678901234567890").finish(),
        Garbage::BadTlv => text(sequence, b"4915112345678").tlv(0x0427, &[2, 2, 2]).tlv(0x0423, &[3]).finish(),
        Garbage::DuplicateTlv => text(sequence, b"4915112345678").tlv(0x0427, &[2]).tlv(0x0427, &[5]).finish(),
        Garbage::TruncatedTlv => text(sequence, b"4915112345678").octets(&[0x04, 0x27, 0x00, 0x09, 0x02]).finish(),
        Garbage::VendorTlv => text(sequence, b"4915112345678").tlv(0x1400, b"vendor").tlv(0x000E, &[1]).finish(),
        Garbage::BothPayloads => text(sequence, b"4915112345678").tlv(0x0424, b"payload").finish(),
        Garbage::UnsolicitedResponse => Writer::new(0x8000_0004, 0, sequence).text("stray").finish(),
    }
}
