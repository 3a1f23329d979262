//! Command APDU (ISO 7816-4 5.1, TS 102 221 10.1.1): cases 1 to 4 with short lengths, and the channel in CLA.

use crate::codec::{DecodeError, EncodeError, Fault, Reader};

/// A command. `data` empty = no Lc; `le` of 0 asks for 256 octets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommandApdu {
    pub cla: u8,
    pub ins: u8,
    pub p1: u8,
    pub p2: u8,
    /// At most 255 octets.
    pub data: Vec<u8>,
    pub le: Option<u8>,
}

impl CommandApdu {
    /// Case 1: header only.
    pub const fn new(cla: u8, ins: u8, p1: u8, p2: u8) -> Self {
        Self { cla, ins, p1, p2, data: Vec::new(), le: None }
    }

    pub fn with_data(self, data: Vec<u8>) -> Self {
        Self { data, ..self }
    }

    pub fn with_le(self, le: u8) -> Self {
        Self { le: Some(le), ..self }
    }

    pub fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let [cla, ins] = [reader.u8("CLA"), reader.u8("INS")];
        let (cla, ins) = (cla?, ins?);
        reader.note("TS 102 221 10.1.2", || instruction(cla, ins).to_string());
        let mut apdu = Self::new(cla, ins, reader.u8("P1")?, reader.u8("P2")?);
        match reader.peek() {
            [] => {}
            [_] => apdu.le = Some(reader.u8("Le")?),
            [lc, rest @ ..] => {
                let length = usize::from(*lc);
                let extra = rest.len().checked_sub(length);
                if length == 0 || !matches!(extra, Some(0 | 1)) {
                    let expected = format!("{} or {}", rest.len(), rest.len().saturating_sub(1));
                    return Err(reader.error("Lc", Fault::Length { expected: expected.into(), found: length }));
                }
                reader.u8("Lc")?;
                apdu.data = reader.take(length, "data")?.to_vec();
                if extra == Some(1) {
                    apdu.le = Some(reader.u8("Le")?);
                }
            }
        }
        Ok(apdu)
    }

    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new("C-APDU", bytes);
        let apdu = Self::read(&mut reader)?;
        reader.finish()?;
        Ok(apdu)
    }

    pub fn encode(&self) -> Result<Vec<u8>, EncodeError> {
        let lc =
            u8::try_from(self.data.len()).map_err(|_| EncodeError::too_long("C-APDU", "data", 255, self.data.len()))?;
        let mut out = vec![self.cla, self.ins, self.p1, self.p2];
        if lc > 0 {
            out.push(lc);
            out.extend_from_slice(&self.data);
        }
        out.extend(self.le);
        Ok(out)
    }

    /// The logical channel in CLA, 0 to 19.
    pub const fn channel(&self) -> u8 {
        match self.cla >> 4 {
            0x0 | 0x8 => self.cla & 0x03,
            0x4 | 0x6 | 0xC | 0xE => (self.cla & 0x0F) + 4,
            // A0 is the 2G class, which knows no channels.
            _ => 0,
        }
    }

    /// The same command on another logical channel; `None` above 19 or where the class carries no channel.
    pub fn on_channel(mut self, channel: u8) -> Option<Self> {
        let proprietary = self.cla & 0x80;
        self.cla = match (self.cla >> 4, channel) {
            (0x0 | 0x8, 0..=3) => self.cla & 0xFC | channel,
            (0x4 | 0x6 | 0xC | 0xE, 0..=3) => proprietary | channel,
            (0x0 | 0x8 | 0x4 | 0xC, 4..=19) => proprietary | 0x40 | (channel - 4),
            (0x6 | 0xE, 4..=19) => proprietary | 0x60 | (channel - 4),
            _ => return None,
        };
        Some(self)
    }

    /// CLA without its channel: `00` or `80`, and the whole octet for classes without channel.
    pub const fn class(&self) -> u8 {
        match self.cla >> 4 {
            0x0 | 0x4 | 0x6 => 0x00,
            0x8 | 0xC | 0xE => 0x80,
            _ => self.cla,
        }
    }
}

/// The command's name (TS 102 221 table 10.5, GlobalPlatform Card Specification 11).
pub const fn instruction(cla: u8, ins: u8) -> &'static str {
    match ins {
        0x10 => "TERMINAL PROFILE",
        0x12 => "FETCH",
        0x14 => "TERMINAL RESPONSE",
        0x20 => "VERIFY PIN",
        0x70 => "MANAGE CHANNEL",
        0x84 => "GET CHALLENGE",
        0x88 => "AUTHENTICATE",
        0xA4 => "SELECT",
        0xB0 => "READ BINARY",
        0xB2 => "READ RECORD",
        0xC0 => "GET RESPONSE",
        0xC2 => "ENVELOPE",
        0xCA => "GET DATA",
        0xD6 => "UPDATE BINARY",
        0xDC => "UPDATE RECORD",
        0xE2 if cla & 0x80 != 0 => "STORE DATA",
        0xE4 if cla & 0x80 != 0 => "DELETE",
        0xE6 if cla & 0x80 != 0 => "INSTALL",
        0xF0 if cla & 0x80 != 0 => "SET STATUS",
        0xF2 => "STATUS or GET STATUS",
        _ => "unknown instruction",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn tells_the_four_cases_apart() {
        let cases: [(&[u8], usize, Option<u8>); 5] = [
            (&[0x00, 0x70, 0x80, 0x01], 0, None),
            (&[0x00, 0xC0, 0x00, 0x00, 0x2B], 0, Some(0x2B)),
            (&[0x00, 0xC0, 0x00, 0x00, 0x00], 0, Some(0x00)),
            (&[0x00, 0xA4, 0x00, 0x04, 0x02, 0x3F, 0x00], 2, None),
            (&[0x80, 0xF2, 0x40, 0x02, 0x02, 0x4F, 0x00, 0x00], 2, Some(0)),
        ];
        for (bytes, length, le) in cases {
            let apdu = CommandApdu::decode(bytes).unwrap();
            assert_eq!((apdu.data.len(), apdu.le), (length, le));
            assert_eq!(apdu.encode().unwrap(), bytes);
        }
    }

    #[test]
    fn refuses_a_wrong_lc_and_a_short_header() {
        for bytes in [
            &[0x00, 0xA4, 0x00][..],
            &[0x00, 0xA4, 0x00, 0x04, 0x03, 0x3F, 0x00],
            &[0x00, 0xA4, 0x00, 0x04, 0x01, 0x3F, 0x00, 0x00],
            &[0x00, 0xA4, 0x00, 0x04, 0x00, 0x3F],
        ] {
            assert!(CommandApdu::decode(bytes).is_err(), "{bytes:02x?}");
        }
    }

    #[test]
    fn refuses_data_that_needs_an_extended_length() {
        assert!(CommandApdu::new(0, 0xD6, 0, 0).with_data(vec![0; 256]).encode().is_err());
    }

    #[test]
    fn the_channel_moves_into_and_out_of_the_class() {
        for (cla, channel, expected) in
            [(0x00, 2, 0x02), (0x80, 1, 0x81), (0x00, 4, 0x40), (0x80, 19, 0xCF), (0xC1, 0, 0x80), (0x61, 6, 0x62)]
        {
            let moved = CommandApdu::new(cla, 0xA4, 0, 0).on_channel(channel).unwrap();
            assert_eq!((moved.cla, moved.channel()), (expected, channel));
        }
        assert_eq!(CommandApdu::new(0xA0, 0xC2, 0, 0).on_channel(1), None);
        assert_eq!(CommandApdu::new(0x00, 0xA4, 0, 0).on_channel(20), None);
        assert_eq!(
            (CommandApdu::new(0xC3, 0xCA, 0, 0x5A).class(), CommandApdu::new(0xA0, 0, 0, 0).class()),
            (0x80, 0xA0)
        );
    }

    proptest! {
        #[test]
        fn every_command_survives_the_round_trip(
            header: [u8; 4],
            data in proptest::collection::vec(any::<u8>(), 0..=255),
            le: Option<u8>,
        ) {
            let [cla, ins, p1, p2] = header;
            let apdu = CommandApdu { cla, ins, p1, p2, data, le };
            prop_assert_eq!(CommandApdu::decode(&apdu.encode().unwrap()).unwrap(), apdu);
        }

        #[test]
        fn any_octets_are_refused_or_written_back_the_same(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            if let Ok(apdu) = CommandApdu::decode(&bytes) {
                prop_assert_eq!(apdu.encode().unwrap(), bytes);
            }
        }
    }
}
