//! One payload as the user data of one or several messages (TS 23.040 9.2.3.24.1, TS 31.115 4).

use super::{Concatenation, Ie, MAX_UD, Udh};
use crate::codec::EncodeError;

/// The reference that the parts of one message share; its width is the width of the concatenation element.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reference {
    Short(u8),
    Long(u16),
}

impl Reference {
    fn part(self, total: u8, sequence: u8) -> Concatenation {
        match self {
            Self::Short(reference) => Concatenation { reference: u16::from(reference), wide: false, total, sequence },
            Self::Long(reference) => Concatenation { reference, wide: true, total, sequence },
        }
    }
}

/// How to cut.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Segmentation {
    /// Elements of every part: the ports of a host trigger.
    pub every_part: Vec<Ie>,
    /// Elements of part 1 only: `70 00` or `71 00`.
    pub first_part: Vec<Ie>,
    pub reference: Reference,
    /// The concatenation element stands before the others. Both orders are legal; some peers know only one.
    pub concatenation_first: bool,
    /// Octets of TP-UD in one message, at most 140.
    pub max_ud: usize,
}

impl Segmentation {
    /// 140 octets a message, concatenation first.
    pub fn new(every_part: Vec<Ie>, first_part: Vec<Ie>, reference: Reference) -> Self {
        Self { every_part, first_part, reference, concatenation_first: true, max_ud: MAX_UD }
    }

    /// The user data of each message: a single one without concatenation when the payload fits into it.
    pub fn segments(&self, payload: &[u8]) -> Result<Vec<Vec<u8>>, EncodeError> {
        if payload.len() > self.single_capacity() {
            return self.concatenated(payload);
        }
        let ies = self.every_part.iter().chain(&self.first_part).cloned().collect();
        self.part(ies, payload).map(|ud| vec![ud])
    }

    /// The user data of each message, with the concatenation element even when there is only one.
    pub fn concatenated(&self, payload: &[u8]) -> Result<Vec<Vec<u8>>, EncodeError> {
        let (first, rest) = payload.split_at(payload.len().min(self.first_capacity()));
        let later = self.later_capacity();
        if !rest.is_empty() && later == 0 {
            return Err(EncodeError::new("segments", "max-ud", "the headers leave no room for payload"));
        }
        let count = rest.len().div_ceil(later.max(1)).saturating_add(1);
        let total = u8::try_from(count).map_err(|_| {
            EncodeError::new("segments", "payload", format!("at most 255 parts can be numbered, {count} needed"))
        })?;
        let chunks = std::iter::once(first).chain(rest.chunks(later.max(1)));
        let number = |(sequence, chunk)| self.part(self.part_ies(total, sequence), chunk);
        (1..=total).zip(chunks).map(number).collect()
    }

    /// How many messages [`segments`](Self::segments) makes of a payload of this length; `None` when it refuses.
    pub fn count(&self, payload: usize) -> Option<usize> {
        if payload <= self.single_capacity() {
            return (self.max_ud <= MAX_UD && self.header_len(true, false) <= self.max_ud).then_some(1);
        }
        (1..=255).find(|parts| self.capacity(*parts) >= payload && *parts > 1)
    }

    /// Payload octets that fit into this many messages.
    pub fn capacity(&self, parts: usize) -> usize {
        match parts {
            0 => 0,
            1 => self.single_capacity(),
            _ => self.first_capacity().saturating_add(self.later_capacity().saturating_mul(parts.saturating_sub(1))),
        }
    }

    fn single_capacity(&self) -> usize {
        self.room(self.header_len(true, false))
    }

    fn first_capacity(&self) -> usize {
        self.room(self.header_len(true, true))
    }

    fn later_capacity(&self) -> usize {
        self.room(self.header_len(false, true))
    }

    fn room(&self, header: usize) -> usize {
        self.max_ud.min(MAX_UD).saturating_sub(header)
    }

    /// Octets of the header with UDHL; no elements, no header.
    fn header_len(&self, first: bool, concatenated: bool) -> usize {
        let concatenation = concatenated.then(|| Ie::from(self.reference.part(1, 1)));
        let in_first = if first { self.first_part.as_slice() } else { &[] };
        let elements = self.every_part.iter().chain(in_first).chain(&concatenation);
        match elements.map(Ie::encoded_len).fold(0, usize::saturating_add) {
            0 => 0,
            length => length.saturating_add(1),
        }
    }

    fn part_ies(&self, total: u8, sequence: u8) -> Vec<Ie> {
        let in_first = if sequence == 1 { self.first_part.as_slice() } else { &[] };
        let mut ies: Vec<_> = self.every_part.iter().chain(in_first).cloned().collect();
        let place = if self.concatenation_first { 0 } else { ies.len() };
        ies.insert(place, self.reference.part(total, sequence).into());
        ies
    }

    /// Refuses a header that does not fit; without elements there is no header (and TP-UDHI must be off).
    fn part(&self, ies: Vec<Ie>, payload: &[u8]) -> Result<Vec<u8>, EncodeError> {
        let mut ud = if ies.is_empty() { Vec::new() } else { Udh { ies }.encode()? };
        ud.extend_from_slice(payload);
        let limit = self.max_ud.min(MAX_UD);
        if ud.len() > limit {
            return Err(EncodeError::too_long("segments", "TP-UD", limit, ud.len()));
        }
        Ok(ud)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::sms::Ports;
    use proptest::prelude::*;

    fn host(reference: Reference) -> Segmentation {
        Segmentation::new(vec![Ie::ports(Ports { destination: 16_420, source: 0 })], vec![], reference)
    }

    fn sim(reference: Reference) -> Segmentation {
        Segmentation::new(vec![], vec![Ie::command_packet()], reference)
    }

    #[test]
    fn capacities_are_those_of_the_two_triggers() {
        let short = Reference::Short(7);
        let long = Reference::Long(7);
        assert_eq!([1, 2, 3].map(|parts| host(short).capacity(parts)), [133, 256, 384]);
        assert_eq!([1, 2].map(|parts| host(long).capacity(parts)), [133, 254]);
        assert_eq!([1, 2, 3].map(|parts| sim(short).capacity(parts)), [137, 266, 400]);
        assert_eq!([1, 2].map(|parts| sim(long).capacity(parts)), [137, 264]);
        assert_eq!([133, 134, 256, 257].map(|length| host(short).count(length)), [1, 2, 2, 3].map(Some));
    }

    #[test]
    fn ports_are_in_every_part_and_the_command_packet_only_in_the_first() {
        let payload = [9; 300];
        let parts = host(Reference::Short(7)).segments(&payload).unwrap();
        assert!(parts.iter().all(|ud| Udh::split(ud).unwrap().0.ports().is_some()));
        let parts = sim(Reference::Short(7)).segments(&payload).unwrap();
        let marked: Vec<_> = parts.iter().map(|ud| Udh::split(ud).unwrap().0.has(Ie::COMMAND_PACKET)).collect();
        assert_eq!(marked, [true, false, false]);
    }

    #[test]
    fn refuses_more_than_255_parts_and_headers_without_room() {
        let mut segmentation = sim(Reference::Short(0));
        assert!(segmentation.segments(&vec![0; 132 + 134 * 254]).is_ok());
        assert!(segmentation.segments(&vec![0; 132 + 134 * 254 + 1]).is_err());
        assert_eq!(segmentation.count(132 + 134 * 254 + 1), None);
        segmentation.max_ud = 6;
        assert!(segmentation.segments(&[0; 10]).is_err());
        segmentation.max_ud = 2;
        assert!(segmentation.segments(&[]).is_err());
        assert_eq!(segmentation.count(0), None);
    }

    proptest! {
        #[test]
        fn parts_fit_and_hold_the_payload_in_order(length in 0_usize..1500, wide: bool, first: bool, max_ud in 20_usize..=140) {
            let payload: Vec<u8> = (0_u8..=255).cycle().take(length).collect();
            let reference = if wide { Reference::Long(0x1234) } else { Reference::Short(0x12) };
            let segmentation = Segmentation { concatenation_first: first, max_ud, ..host(reference) };
            let parts = segmentation.segments(&payload).unwrap();
            prop_assert_eq!(Some(parts.len()), segmentation.count(length));
            prop_assert!(parts.iter().all(|ud| ud.len() <= max_ud));
            let together: Vec<u8> = parts.iter().flat_map(|ud| Udh::split(ud).unwrap().1.to_vec()).collect();
            prop_assert_eq!(together, payload);
        }
    }
}
