//! Cuts a byte stream into PDUs by their command_length, and by nothing else (SMPP 3.4 5.1.1).
//!
//! Whatever is wrong inside a PDU costs that PDU; only a command_length that cannot be one ends the stream.

/// The common header: command_length, command_id, command_status, sequence_number.
pub const HEADER_LENGTH: usize = 16;

/// message_payload can fill 65,535 octets; the rest of a PDU fits beside it.
pub const DEFAULT_MAX_LENGTH: usize = 70_000;

/// The stream has lost its frames: answer generic_nack (ESME_RINVCMDLEN) if at all, then close.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("command_length {length} is not within 16 to {limit}")]
pub struct StreamError {
    pub length: u32,
    pub limit: usize,
    /// Of the header with that length, when it had already come in.
    pub sequence: Option<u32>,
}

/// Collects what a stream brings and hands out whole PDUs. Holds less than one PDU beyond what was pushed last.
#[derive(Debug, Clone)]
pub struct Framer {
    buffer: Vec<u8>,
    consumed: usize,
    limit: usize,
}

impl Default for Framer {
    fn default() -> Self {
        Self::new(DEFAULT_MAX_LENGTH)
    }
}

impl Framer {
    /// `limit`: the longest PDU that is accepted, in octets with its header.
    pub fn new(limit: usize) -> Self {
        Self { buffer: Vec::new(), consumed: 0, limit }
    }

    pub fn push(&mut self, bytes: &[u8]) {
        if self.consumed > 0 {
            self.buffer.drain(..self.consumed.min(self.buffer.len()));
            self.consumed = 0;
        }
        self.buffer.extend_from_slice(bytes);
    }

    fn pending(&self) -> &[u8] {
        self.buffer.get(self.consumed..).unwrap_or_default()
    }

    /// Whether a PDU has begun and not ended: the time for reading it runs.
    pub fn is_partial(&self) -> bool {
        !self.pending().is_empty()
    }

    /// The next whole PDU, with its header. `None` until more octets are pushed; an error stays one.
    pub fn next_pdu(&mut self) -> Result<Option<&[u8]>, StreamError> {
        let Some(prefix) = self.pending().first_chunk::<4>() else { return Ok(None) };
        let length = u32::from_be_bytes(*prefix);
        let octets = usize::try_from(length).unwrap_or(usize::MAX);
        if octets < HEADER_LENGTH || octets > self.limit {
            let header = self.pending().first_chunk::<HEADER_LENGTH>();
            let sequence = header.and_then(|header| header.last_chunk::<4>()).map(|last| u32::from_be_bytes(*last));
            return Err(StreamError { length, limit: self.limit, sequence });
        }
        let start = self.consumed;
        let end = start.saturating_add(octets);
        let pdu = self.buffer.get(start..end);
        if pdu.is_some() {
            self.consumed = end;
        }
        Ok(pdu)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ENQUIRE: [u8; 16] = [0, 0, 0, 16, 0, 0, 0, 0x15, 0, 0, 0, 0, 0, 0, 0, 7];

    fn drain(framer: &mut Framer) -> Vec<Vec<u8>> {
        std::iter::from_fn(|| framer.next_pdu().unwrap().map(<[u8]>::to_vec)).collect()
    }

    #[test]
    fn whole_glued_and_byte_by_byte_give_the_same_pdus() {
        let long = [&[0, 0, 0, 19][..], &ENQUIRE[4..], b"abc"].concat();
        let stream = [&ENQUIRE[..], &long, &ENQUIRE].concat();
        let expected = vec![ENQUIRE.to_vec(), long, ENQUIRE.to_vec()];
        let mut glued = Framer::default();
        glued.push(&stream);
        assert_eq!(drain(&mut glued), expected);
        let mut slow = Framer::default();
        let mut seen = Vec::new();
        for byte in &stream {
            slow.push(&[*byte]);
            seen.extend(drain(&mut slow));
        }
        assert_eq!(seen, expected);
        assert!(!slow.is_partial());
    }

    #[test]
    fn a_truncated_pdu_stays_partial() {
        let mut framer = Framer::default();
        framer.push(&ENQUIRE[..15]);
        assert_eq!(framer.next_pdu(), Ok(None));
        assert!(framer.is_partial());
    }

    #[test]
    fn impossible_lengths_end_the_stream_with_the_sequence_when_known() {
        for (length, rest) in [(15_u32, &ENQUIRE[4..]), (70_001, &ENQUIRE[4..]), (u32::MAX, &[][..])] {
            let mut framer = Framer::default();
            framer.push(&[&length.to_be_bytes()[..], rest].concat());
            let error = framer.next_pdu().unwrap_err();
            assert_eq!(error, StreamError { length, limit: 70_000, sequence: (!rest.is_empty()).then_some(7) });
            assert_eq!(framer.next_pdu(), Err(error));
        }
    }

    #[test]
    fn the_buffer_does_not_grow_with_the_stream() {
        let mut framer = Framer::default();
        for _ in 0..10_000 {
            framer.push(&ENQUIRE);
            assert_eq!(drain(&mut framer).len(), 1);
        }
        assert!(framer.buffer.capacity() < 1024);
    }
}
