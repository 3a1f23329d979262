//! How many short messages a host trigger takes, computed before anything is secured.

use super::Trigger;
use crate::codec::EncodeError;
use crate::codec::ota::{CcLength, command::packet_length};
use crate::codec::sms::{Ie, Ports, Reference, Segmentation};

/// Sizes of one host trigger under AES with ciphering, each from the one before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HostTriggerSize {
    /// Octets of the trigger object.
    pub object: usize,
    /// Octets of the command packet around it, CPL included.
    pub packet: usize,
    /// Short messages with ports.
    pub segments: usize,
}

/// Why a trigger is not sent: it would take more messages than the configuration allows.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "the trigger takes {} short messages, max-segments is {max_segments}: object {} octets, packet {} octets, room for {room} octets",
    .size.segments, .size.object, .size.packet
)]
pub struct SizeRefused {
    pub size: HostTriggerSize,
    pub max_segments: usize,
    /// Octets of packet that `max_segments` messages hold.
    pub room: usize,
}

const AES_BLOCK: usize = 16;

impl HostTriggerSize {
    /// Of this trigger, secured with SPI1 `16` and AES, addressed by ports, with this width of reference when cut.
    pub fn of(trigger: &Trigger, cc_length: CcLength, reference: Reference) -> Result<Self, EncodeError> {
        let object = trigger.encode()?.len();
        let packet = packet_length(Some(AES_BLOCK), cc_length.octets(), object);
        let segments = segmentation(reference)
            .count(packet)
            .ok_or_else(|| EncodeError::new("host trigger", "packet", format!("{packet} octets cannot be cut")))?;
        Ok(Self { object, packet, segments })
    }

    /// Refuses more messages than `max_segments`, naming the sizes.
    pub fn within(self, max_segments: usize, reference: Reference) -> Result<Self, SizeRefused> {
        if self.segments <= max_segments {
            return Ok(self);
        }
        Err(SizeRefused { size: self, max_segments, room: segmentation(reference).capacity(max_segments) })
    }
}

/// Which ports makes no difference to the size.
pub(super) fn segmentation(reference: Reference) -> Segmentation {
    Segmentation::new(vec![Ie::ports(Ports { destination: 0, source: 0 })], Vec::new(), reference)
}
