//! What the gateway relays towards cards: the guard against its use for S@T, WIB and unsigned commands.
//!
//! Whatever a baseband would hand to the card (PID 7F, class 2, a security header) must be a whole SCP80 packet with a
//! cryptographic checksum and a counter that is checked (SPI1 counter mode 10 or 11), for an application the client may
//! address. A part of something larger cannot be judged, so it is never relayed.

use super::{Form, Payload, Shape, segments};
use crate::{
    codec::{
        ota::{CounterMode, Integrity, UnverifiedCommand},
        sms::{Dcs, Ie, MessageClass, Pid, Udh},
    },
    types::Tar,
};

/// What a client may send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RelayPolicy {
    /// Applications it may address on cards.
    pub tars: Vec<Tar>,
    /// Octets of a payload without headers.
    pub max_payload: usize,
    pub max_segments: usize,
}

/// Why a payload is not relayed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RelayRefusal {
    #[error("the payload is empty")]
    Empty,
    #[error("the payload has {found} octets, at most {limit} are accepted")]
    TooLong { limit: usize, found: usize },
    #[error("the payload needs {needed} messages, at most {limit} are accepted")]
    TooManySegments { limit: usize, needed: usize },
    #[error("the user data header is malformed: {0}")]
    MalformedHeader(String),
    #[error("one part of a concatenated message: give the whole, the gateway segments it")]
    Part,
    #[error("TP-DCS {0:02X} counts septets: only 8-bit data codings are relayed")]
    Septets(u8),
    #[error("the security header {0:02X} is not that of a command packet (70)")]
    SecurityHeader(u8),
    #[error("not a whole SCP80 command packet: {0}")]
    NotAPacket(String),
    #[error("the packet has no cryptographic checksum (SPI1 b2b1 = 10)")]
    NoChecksum,
    #[error("the card would not check the packet's counter (SPI1 b5b4 = 10 or 11)")]
    NoCounter,
    #[error("the packet's SPI uses reserved bits")]
    ReservedSpi,
    #[error("TAR {0} is not on the client's list")]
    Tar(Tar),
}

impl RelayRefusal {
    /// The reason's name in answers and metrics.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Empty => "payload-empty",
            Self::TooLong { .. } => "payload-too-long",
            Self::TooManySegments { .. } => "too-many-segments",
            Self::MalformedHeader(_) => "malformed-udh",
            Self::Part => "part-of-a-message",
            Self::Septets(_) => "not-8-bit",
            Self::SecurityHeader(_) => "security-header-not-allowed",
            Self::NotAPacket(_) => "not-a-packet",
            Self::NoChecksum => "no-checksum",
            Self::NoCounter => "no-counter",
            Self::ReservedSpi => "reserved-spi",
            Self::Tar(_) => "tar-not-allowed",
        }
    }
}

impl RelayPolicy {
    /// Judges a whole payload.
    pub fn judge(&self, payload: &Payload) -> Result<(), RelayRefusal> {
        let length = payload.data().len();
        if length == 0 {
            return Err(RelayRefusal::Empty);
        }
        if length > self.max_payload {
            return Err(RelayRefusal::TooLong { limit: self.max_payload, found: length });
        }
        match payload {
            Payload::Host { .. } => {}
            Payload::Sim { packet } => self.judge_packet(packet)?,
            Payload::Raw { user_data, pid, dcs, udh } => self.judge_raw(user_data, Pid(*pid), Dcs(*dcs), udh)?,
        }
        // The shape of a route may cost an octet more per segment; the limit is on what the payload itself needs.
        let needed = segments::count(payload, Shape::default())
            .map_err(|error| RelayRefusal::MalformedHeader(error.to_string()))?;
        if needed > self.max_segments {
            return Err(RelayRefusal::TooManySegments { limit: self.max_segments, needed });
        }
        Ok(())
    }

    fn judge_raw(&self, user_data: &[u8], pid: Pid, dcs: Dcs, udh: &[u8]) -> Result<(), RelayRefusal> {
        let header = segments::raw_header(udh).map_err(|error| RelayRefusal::MalformedHeader(error.to_string()))?;
        if header.ies.iter().any(Ie::is_concatenation) {
            return Err(RelayRefusal::Part);
        }
        if dcs.counts_septets() {
            return Err(RelayRefusal::Septets(dcs.0));
        }
        if !reaches_card(pid, dcs, &header) {
            return Ok(());
        }
        let security = header.ies.iter().find(|ie| ie.is_sim_security() && ie.iei != Ie::COMMAND_PACKET);
        match security {
            Some(ie) => Err(RelayRefusal::SecurityHeader(ie.iei)),
            None => self.judge_packet(user_data),
        }
    }

    fn judge_packet(&self, packet: &[u8]) -> Result<(), RelayRefusal> {
        let command = UnverifiedCommand::decode(packet).map_err(|error| RelayRefusal::NotAPacket(error.to_string()))?;
        let header = command.header;
        if !header.spi.is_authentic_and_fresh() {
            return Err(match (header.spi.integrity(), header.spi.counter_mode()) {
                (Integrity::CryptographicChecksum, CounterMode::Higher | CounterMode::ExactlyNext) => {
                    RelayRefusal::ReservedSpi
                }
                (Integrity::CryptographicChecksum, _) => RelayRefusal::NoCounter,
                _ => RelayRefusal::NoChecksum,
            });
        }
        if !self.tars.contains(&header.tar) {
            return Err(RelayRefusal::Tar(header.tar));
        }
        Ok(())
    }
}

impl Payload {
    /// The form by which routes decide whether they carry it: a raw payload counts as what a baseband makes of it.
    pub fn carried_as(&self) -> Form {
        match self {
            Self::Host { .. } => Form::Host,
            Self::Sim { .. } => Form::Sim,
            Self::Raw { pid, dcs, udh, .. } => {
                let header = segments::raw_header(udh).unwrap_or_default();
                if reaches_card(Pid(*pid), Dcs(*dcs), &header) { Form::Sim } else { Form::Raw }
            }
        }
    }
}

/// Some baseband may hand this to the card, or the card takes it as a command.
fn reaches_card(pid: Pid, dcs: Dcs, header: &Udh) -> bool {
    pid == Pid::SIM_DATA_DOWNLOAD
        || dcs.class() == Some(MessageClass::Sim)
        || header.ies.iter().any(Ie::is_sim_security)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::hex;

    fn policy() -> RelayPolicy {
        RelayPolicy { tars: vec![Tar::ISD_R, Tar::AMENDMENT_B, Tar::AGENT], max_payload: 1024, max_segments: 4 }
    }

    /// A command packet with the given SPI1 and TAR; integrity and counter are not verified here.
    fn packet(spi1: u8, chl: u8, tar: &str) -> Vec<u8> {
        let body = format!("{chl:02x}{spi1:02x}391515{tar}000000000100{}", "00".repeat(24));
        let body = hex::decode(&body).unwrap();
        [u16::try_from(body.len()).unwrap().to_be_bytes().as_slice(), &body].concat()
    }

    fn sim(packet: Vec<u8>) -> Result<(), RelayRefusal> {
        policy().judge(&Payload::Sim { packet })
    }

    fn raw(user_data: Vec<u8>, pid: u8, dcs: u8, udh: &[u8]) -> Result<(), RelayRefusal> {
        policy().judge(&Payload::Raw { user_data, pid, dcs, udh: udh.to_vec() })
    }

    #[test]
    fn relays_a_signed_and_counted_packet_for_an_application_on_the_list() {
        assert_eq!(sim(packet(0x16, 0x15, "000001")), Ok(()));
        assert_eq!(sim(packet(0x1E, 0x15, "b20100")), Ok(()));
        assert_eq!(sim(packet(0x16, 0x15, "534054")), Err(RelayRefusal::Tar(Tar([0x53, 0x40, 0x54]))));
        assert_eq!(sim(packet(0x16, 0x15, "505348")), Err(RelayRefusal::Tar(Tar([0x50, 0x53, 0x48]))));
    }

    #[test]
    fn of_all_security_levels_only_checksum_with_a_checked_counter_passes() {
        for spi1 in 0..=u8::MAX {
            let chl = match spi1 & 3 {
                0 => 0x0D,
                1 => 0x11,
                _ => 0x15,
            };
            let passes = sim(packet(spi1, chl, "000001")) == Ok(());
            assert_eq!(passes, [0x12, 0x16, 0x1A, 0x1E].contains(&spi1), "SPI1 {spi1:02X}");
        }
    }

    #[test]
    fn whatever_may_reach_the_card_is_judged_whatever_its_form() {
        let (unsigned, signed) = (packet(0x00, 0x0D, "000001"), packet(0x16, 0x15, "000001"));
        for (pid, dcs, udh) in [
            (0x7F, 0x04, &[][..]),
            (0x00, 0xF6, &[]),
            (0x00, 0x16, &[]),
            (0x00, 0x04, &[0x70, 0]),
            (0x7F, 0xF6, &[0x70, 0]),
        ] {
            assert_eq!(raw(unsigned.clone(), pid, dcs, udh), Err(RelayRefusal::NoChecksum), "{pid} {dcs} {udh:?}");
            assert_eq!(raw(signed.clone(), pid, dcs, udh), Ok(()));
            assert!(matches!(raw(vec![1, 2, 3], pid, dcs, udh), Err(RelayRefusal::NotAPacket(_))));
        }
        assert_eq!(raw(vec![1, 2, 3], 0, 4, &[5, 4, 0x40, 0x24, 0, 0]), Ok(()), "meant for a host");
        assert_eq!(raw(signed, 0x7F, 0xF6, &[0x72, 0]), Err(RelayRefusal::SecurityHeader(0x72)));
    }

    #[test]
    fn never_relays_a_part_septets_or_too_much() {
        assert_eq!(raw(vec![1], 0, 4, &[0, 3, 1, 2, 2]), Err(RelayRefusal::Part));
        assert_eq!(raw(vec![1], 0, 4, &[8, 4, 0, 1, 2, 2]), Err(RelayRefusal::Part));
        assert_eq!(raw(vec![1], 0, 0, &[]), Err(RelayRefusal::Septets(0)));
        assert!(matches!(raw(vec![1], 0, 4, &[5, 9]), Err(RelayRefusal::MalformedHeader(_))));
        let host = |length| policy().judge(&Payload::Host { packet: vec![0; length], port: 1 });
        assert_eq!(host(0), Err(RelayRefusal::Empty));
        assert_eq!(host(512), Ok(()));
        assert_eq!(host(513), Err(RelayRefusal::TooManySegments { limit: 4, needed: 5 }));
        assert_eq!(host(1025), Err(RelayRefusal::TooLong { limit: 1024, found: 1025 }));
    }
}
