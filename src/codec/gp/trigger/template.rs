//! What stands around the `81` object: nothing, or an expanded command template for TARs that use that format
//! (TS 102 226 5.2).

use super::{AdminTrigger, STRUCTURE, TimerCoding};
use crate::codec::cursor::Result as Read;
use crate::codec::{EncodeError, Reader, tlv};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Template {
    #[default]
    None,
    /// `AA L ..`
    Definite,
    /// `AE 80 .. 00 00`
    Indefinite,
}

impl Template {
    /// The trigger in this template, ready to be secured.
    pub fn encode(self, trigger: &AdminTrigger) -> Result<Vec<u8>, EncodeError> {
        let object = trigger.encode()?;
        Ok(match self {
            Self::None => object,
            Self::Definite => {
                let mut out = Vec::new();
                tlv::put(&mut out, 0xAA, &object)?;
                out
            }
            Self::Indefinite => [&[0xAE, 0x80], object.as_slice(), &[0x00, 0x00]].concat(),
        })
    }

    /// Secured data that carries a trigger: which template, and the trigger.
    pub fn decode(bytes: &[u8], timer: TimerCoding) -> Read<(Self, AdminTrigger)> {
        let mut reader = Reader::new(STRUCTURE, bytes);
        let found = Self::read(&mut reader, timer)?;
        reader.finish()?;
        Ok(found)
    }

    pub fn read(reader: &mut Reader<'_>, timer: TimerCoding) -> Read<(Self, AdminTrigger)> {
        match reader.peek() {
            [0xAA, ..] => {
                let mut object = reader.ber_tlv()?;
                reader.label("expanded command template", "TS 102 226 5.2", String::new);
                let trigger = AdminTrigger::read(&mut object.value, timer)?;
                object.value.finish()?;
                Ok((Self::Definite, trigger))
            }
            [0xAE, 0x80, ..] => {
                reader.take(2, "expanded command template, indefinite length")?;
                let trigger = AdminTrigger::read(reader, timer)?;
                let start = reader.offset();
                match reader.array("end of contents")? {
                    [0, 0] => Ok((Self::Indefinite, trigger)),
                    other => Err(reader.value_error(start, "end of contents", "0000", format_args!("{other:02X?}"))),
                }
            }
            _ => AdminTrigger::read(reader, timer).map(|trigger| (Self::None, trigger)),
        }
    }
}
