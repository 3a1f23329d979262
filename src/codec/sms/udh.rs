//! User data header (TS 23.040 9.2.3.24): information elements, of which we understand ports, concatenation and the
//! (U)SIM toolkit security headers of TS 31.115. Every other element is kept as it is.

use crate::codec::cursor::Result;
use crate::codec::{DecodeError, EncodeError, Fault, Reader};
use crate::types::hex;

/// An information element.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Ie {
    pub iei: u8,
    /// At most 255 octets, in practice what a header has room for.
    pub data: Vec<u8>,
}

/// Application port addressing (TS 23.040 9.2.3.24.3 and .4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ports {
    pub destination: u16,
    pub source: u16,
}

/// Concatenation (TS 23.040 9.2.3.24.1 and .8) as received: check [`is_valid`](Self::is_valid) before use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Concatenation {
    pub reference: u16,
    /// The element with a 16-bit reference. References of different width never belong together.
    pub wide: bool,
    pub total: u8,
    /// 1 to `total`.
    pub sequence: u8,
}

impl Concatenation {
    /// A part with other numbers is to be ignored.
    pub const fn is_valid(self) -> bool {
        self.sequence >= 1 && self.sequence <= self.total
    }
}

impl Ie {
    pub const CONCATENATION: u8 = 0x00;
    pub const PORTS_8: u8 = 0x04;
    pub const PORTS_16: u8 = 0x05;
    pub const CONCATENATION_16: u8 = 0x08;
    /// Command packet to the card (TS 31.115 4.1).
    pub const COMMAND_PACKET: u8 = 0x70;
    /// Response packet from the card (TS 31.115 4.3).
    pub const RESPONSE_PACKET: u8 = 0x71;

    pub fn new(iei: u8, data: &[u8]) -> Self {
        Self { iei, data: data.to_vec() }
    }

    pub fn command_packet() -> Self {
        Self::new(Self::COMMAND_PACKET, &[])
    }

    pub fn response_packet() -> Self {
        Self::new(Self::RESPONSE_PACKET, &[])
    }

    /// 16-bit ports.
    pub fn ports(ports: Ports) -> Self {
        let ([high, low], [source_high, source_low]) = (ports.destination.to_be_bytes(), ports.source.to_be_bytes());
        Self::new(Self::PORTS_16, &[high, low, source_high, source_low])
    }

    /// Octets this element takes in a header.
    pub fn encoded_len(&self) -> usize {
        self.data.len().saturating_add(2)
    }

    pub fn is_concatenation(&self) -> bool {
        matches!(self.iei, Self::CONCATENATION | Self::CONCATENATION_16)
    }

    /// A (U)SIM toolkit security header (70 to 7F).
    pub fn is_sim_security(&self) -> bool {
        self.iei & 0xF0 == 0x70
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self> {
        let mut header = reader.clone().untraced();
        let iei = header.u8("IEI")?;
        let length = usize::from(header.u8("IEL")?);
        if length > header.remaining() {
            return Err(header.error(ie_name(iei), Fault::Truncated { needed: length, available: header.remaining() }));
        }
        let mut group = reader.nested(length.saturating_add(2), ie_name(iei))?;
        group.skip(2);
        let ie = Self { iei, data: group.peek().to_vec() };
        reader.note("TS 23.040 9.2.3.24", || ie.meaning());
        Ok(ie)
    }

    /// What the element says, for decode trees.
    pub fn meaning(&self) -> String {
        match (self.iei, self.data.as_slice()) {
            (Self::COMMAND_PACKET, []) => "SCP80 command packet follows".to_string(),
            (Self::RESPONSE_PACKET, []) => "SCP80 response packet follows".to_string(),
            (_, data) => match (read_concatenation(self), read_ports(self)) {
                (Some(part), _) => format!("part {} of {}, reference {}", part.sequence, part.total, part.reference),
                (_, Some(ports)) => format!("to port {} from port {}", ports.destination, ports.source),
                _ => hex::encode(data),
            },
        }
    }
}

fn ie_name(iei: u8) -> String {
    match iei {
        Ie::CONCATENATION => "concatenation".to_string(),
        Ie::CONCATENATION_16 => "concatenation, 16-bit reference".to_string(),
        Ie::PORTS_8 => "ports, 8-bit".to_string(),
        Ie::PORTS_16 => "ports, 16-bit".to_string(),
        Ie::COMMAND_PACKET => "command packet".to_string(),
        Ie::RESPONSE_PACKET => "response packet".to_string(),
        _ => format!("information element {iei:02X}"),
    }
}

fn read_concatenation(ie: &Ie) -> Option<Concatenation> {
    match (ie.iei, ie.data.as_slice()) {
        (Ie::CONCATENATION, &[reference, total, sequence]) => {
            Some(Concatenation { reference: u16::from(reference), wide: false, total, sequence })
        }
        (Ie::CONCATENATION_16, &[high, low, total, sequence]) => {
            Some(Concatenation { reference: u16::from_be_bytes([high, low]), wide: true, total, sequence })
        }
        _ => None,
    }
}

fn read_ports(ie: &Ie) -> Option<Ports> {
    match (ie.iei, ie.data.as_slice()) {
        (Ie::PORTS_8, &[destination, source]) => {
            Some(Ports { destination: u16::from(destination), source: u16::from(source) })
        }
        (Ie::PORTS_16, &[high, low, source_high, source_low]) => Some(Ports {
            destination: u16::from_be_bytes([high, low]),
            source: u16::from_be_bytes([source_high, source_low]),
        }),
        _ => None,
    }
}

/// A user data header: its elements in their order.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Udh {
    pub ies: Vec<Ie>,
}

impl Udh {
    /// Reads UDHL and all elements, leaving the payload. Any element past UDHL refuses the whole header.
    pub fn read(reader: &mut Reader<'_>) -> Result<Self> {
        let length = usize::from(reader.peek_u8().unwrap_or(0));
        let mut group = reader.nested(length.saturating_add(1), "TP-UDH")?;
        group.u8("UDHL")?;
        let mut ies = Vec::new();
        while !group.is_empty() {
            ies.push(Ie::read(&mut group)?);
        }
        Ok(Self { ies })
    }

    /// Header and payload of user data that begins with a header.
    pub fn split(ud: &[u8]) -> std::result::Result<(Self, &[u8]), DecodeError> {
        let mut reader = Reader::new("TP-UD", ud);
        let udh = Self::read(&mut reader)?;
        Ok((udh, reader.peek()))
    }

    /// UDHL and the elements. Refuses more than a TP-UD can hold.
    pub fn encode(&self) -> std::result::Result<Vec<u8>, EncodeError> {
        let length = self.encoded_len().saturating_sub(1);
        let too_long = || EncodeError::too_long("TP-UDH", "elements", super::MAX_UD - 1, length);
        let mut out = vec![u8::try_from(length).ok().filter(|_| length < super::MAX_UD).ok_or_else(too_long)?];
        for ie in &self.ies {
            out.extend([ie.iei, u8::try_from(ie.data.len()).map_err(|_| too_long())?]);
            out.extend_from_slice(&ie.data);
        }
        Ok(out)
    }

    /// Octets of the header with UDHL.
    pub fn encoded_len(&self) -> usize {
        self.ies.iter().map(Ie::encoded_len).fold(1, usize::saturating_add)
    }

    pub fn has(&self, iei: u8) -> bool {
        self.ies.iter().any(|ie| ie.iei == iei)
    }

    /// The ports. Of several elements the last one counts (TS 23.040 9.2.3.24), one of a wrong size is passed over.
    pub fn ports(&self) -> Option<Ports> {
        self.ies.iter().rev().find_map(read_ports)
    }

    /// The concatenation; the last element counts. An error for an element of a wrong size: its message is a part of
    /// something, but nobody can tell which.
    pub fn concatenation(&self) -> std::result::Result<Option<Concatenation>, DecodeError> {
        let Some(ie) = self.ies.iter().rev().find(|ie| ie.is_concatenation()) else { return Ok(None) };
        let length = || Fault::Length { expected: "3, or 4 with a 16-bit reference".into(), found: ie.data.len() };
        read_concatenation(ie).map(Some).ok_or_else(|| DecodeError::new("TP-UDH", ie_name(ie.iei), 0, length()))
    }
}

impl From<Concatenation> for Ie {
    /// A reference that needs 16 bits always gets them.
    fn from(part: Concatenation) -> Self {
        match u8::try_from(part.reference) {
            Ok(reference) if !part.wide => Self::new(Self::CONCATENATION, &[reference, part.total, part.sequence]),
            _ => {
                let [high, low] = part.reference.to_be_bytes();
                Self::new(Self::CONCATENATION_16, &[high, low, part.total, part.sequence])
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn rejects_the_whole_header_when_an_element_overruns() {
        for ud in [&[0x03, 0x70, 0x05, 0x00][..], &[0x0A, 0x70, 0x00], &[0x01, 0x70], &[], &[0x04, 0x70, 0x00, 0x71]] {
            assert!(Udh::split(ud).is_err(), "{ud:02X?}");
        }
    }

    #[test]
    fn the_last_of_repeated_elements_counts() {
        let (udh, payload) = Udh::split(&[0x0C, 4, 2, 240, 241, 5, 4, 0x40, 0x24, 0, 0, 5, 0, 9]).unwrap();
        assert_eq!(udh.ports(), Some(Ports { destination: 16_420, source: 0 }));
        assert_eq!((udh.concatenation(), payload), (Ok(None), &[9][..]));
    }

    #[test]
    fn a_concatenation_of_a_wrong_size_is_an_error() {
        let udh = Udh { ies: vec![Ie::new(0, &[1, 2])] };
        assert_eq!(
            udh.concatenation().unwrap_err().to_string(),
            "TP-UDH, concatenation at offset 0: expected a length of 3, or 4 with a 16-bit reference, found 2"
        );
    }

    proptest! {
        #[test]
        fn headers_survive_the_round_trip(ies in proptest::collection::vec((any::<u8>(), proptest::collection::vec(any::<u8>(), 0..12)), 0..8)) {
            let udh = Udh { ies: ies.into_iter().map(|(iei, data)| Ie { iei, data }).collect() };
            let octets = udh.encode().unwrap();
            prop_assert_eq!(octets.len(), udh.encoded_len());
            prop_assert_eq!(Udh::split(&octets).unwrap(), (udh, &[][..]));
        }

        #[test]
        fn a_header_that_is_read_writes_the_same_octets(ud in proptest::collection::vec(any::<u8>(), 0..60)) {
            if let Ok((udh, payload)) = Udh::split(&ud) {
                let mut octets = udh.encode().unwrap();
                octets.extend_from_slice(payload);
                prop_assert_eq!(octets, ud);
            }
        }
    }
}
