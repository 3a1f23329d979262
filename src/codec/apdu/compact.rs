//! Compact remote APDU format (TS 102 226 5.1): plain commands one after the other, one answer for all.

use super::{CommandApdu, StatusWord};
use crate::codec::{DecodeError, EncodeError, Reader};

/// A script of commands. The card stops at the first failure and answers with [`CompactResponse`].
///
/// Every command has a P3: Lc, or Le, which only the instruction tells apart. Case 4 does not exist here: its response
/// data is asked for by GET RESPONSE as last command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CompactCommand {
    pub commands: Vec<CommandApdu>,
}

impl CompactCommand {
    pub fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let mut commands = Vec::new();
        while !reader.is_empty() {
            let length = match reader.peek() {
                [cla, ins, p1, _, p3, ..] if !p3_is_le(*cla, *ins, *p1) => usize::from(*p3).saturating_add(5),
                _ => 5,
            };
            let mut inner = reader.nested(length, "C-APDU")?.structure("C-APDU");
            commands.push(CommandApdu::read(&mut inner)?);
        }
        Ok(Self { commands })
    }

    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        Self::read(&mut Reader::new("compact script", bytes))
    }

    pub fn encode(&self) -> Result<Vec<u8>, EncodeError> {
        let mut out = Vec::new();
        for command in &self.commands {
            let without_data = command.data.is_empty();
            if !without_data && (command.le.is_some() || p3_is_le(command.cla, command.ins, command.p1)) {
                let problem = "a command with data has no Le in the compact format, add GET RESPONSE";
                return Err(EncodeError::new("compact script", "C-APDU", problem));
            }
            if without_data && !matches!(command.le, None | Some(0)) && !p3_is_le(command.cla, command.ins, command.p1)
            {
                let problem = "Le would be read as Lc in the compact format";
                return Err(EncodeError::new("compact script", "C-APDU", problem));
            }
            out.extend(command.encode()?);
            if without_data && command.le.is_none() {
                out.push(0x00);
            }
        }
        Ok(out)
    }
}

/// Whether P3 is Le, so that no data follows: the case 2 commands of TS 102 221 table 10.5 and GlobalPlatform GET DATA.
const fn p3_is_le(cla: u8, ins: u8, p1: u8) -> bool {
    match ins {
        0x12 | 0x70 | 0x84 | 0xB0 | 0xB2 | 0xC0 | 0xCA => true,
        // STATUS of TS 102 221 has P1 00 to 02; GET STATUS of GlobalPlatform has the scope in b8-b5 and brings data.
        0xF2 => cla & 0x80 != 0 && p1 & 0xF0 == 0,
        _ => false,
    }
}

/// The answer: how many commands ran, and the status and data of the last of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CompactResponse {
    pub executed: u8,
    pub sw: StatusWord,
    pub data: Vec<u8>,
}

impl CompactResponse {
    pub fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let executed = reader.u8("number of executed commands")?;
        reader.note("TS 102 226 5.1.2", || format!("{executed} commands executed"));
        let sw = StatusWord(reader.u16("last SW")?);
        reader.note("TS 102 226 5.1.2", || sw.meaning());
        let data = reader.take_rest("last response data").to_vec();
        Ok(Self { executed, sw, data })
    }

    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        Self::read(&mut Reader::new("compact response", bytes))
    }

    pub fn encode(&self) -> Vec<u8> {
        let mut out = vec![self.executed];
        out.extend(self.sw.octets());
        out.extend_from_slice(&self.data);
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_outgoing_command_brings_no_data_whatever_its_p3() {
        let bytes = [0x00, 0xB0, 0x00, 0x00, 0x0A, 0x80, 0xF2, 0x40, 0x02, 0x02, 0x4F, 0x00, 0x00, 0xC0, 0, 0, 0];
        let script = CompactCommand::decode(&bytes).unwrap();
        let shape: Vec<_> = script.commands.iter().map(|c| (c.ins, c.data.len(), c.le)).collect();
        assert_eq!(shape, [(0xB0, 0, Some(10)), (0xF2, 2, None), (0xC0, 0, Some(0))]);
        assert_eq!(script.encode().unwrap(), bytes);
    }

    #[test]
    fn refuses_what_the_format_cannot_say() {
        let script = |command| CompactCommand { commands: vec![command] }.encode();
        assert!(script(CommandApdu::new(0x80, 0xE2, 0, 0).with_data(vec![1]).with_le(0)).is_err());
        assert!(script(CommandApdu::new(0x80, 0xE2, 0, 0).with_le(5)).is_err());
        assert_eq!(script(CommandApdu::new(0x00, 0x44, 0, 0)).unwrap(), [0x00, 0x44, 0, 0, 0]);
        assert!(CompactCommand::decode(&[0x00, 0xA4, 0x00, 0x04, 0x02, 0x3F]).is_err());
    }

    proptest! {
        #[test]
        fn what_is_accepted_is_written_back_the_same(bytes in proptest::collection::vec(any::<u8>(), 0..60)) {
            if let Ok(script) = CompactCommand::decode(&bytes) {
                prop_assert_eq!(script.encode().unwrap(), bytes);
            }
        }
    }
}
