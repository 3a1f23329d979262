//! Notification of an eUICC to its SM-SR (SGP.02 4.1.1.11): the `E1` object.

use super::Aid;
use crate::codec::cursor::Result as Read;
use crate::codec::{EncodeError, Fault, Reader, tlv};
use crate::types::{Eid, hex};
use std::fmt;

const STRUCTURE: &str = "notification";
const CLAUSE: &str = "SGP.02 4.1.1.11";

/// `E1 L { 4C EID | 4D type | 4E sequence | 2F AID | [14 IMEI] | [6D MEID] }`
///
/// The same sequence number again is the same notification: answer again, act once.
#[derive(Clone, PartialEq, Eq)]
pub struct Notification {
    pub eid: Eid,
    pub notification_type: NotificationType,
    pub sequence: u16,
    /// The ISD-P that is enabled now.
    pub isd_p: Aid,
    /// As it is: no public source tells the coding inside E1.
    pub imei: Option<Vec<u8>>,
    pub meid: Option<Vec<u8>>,
}

/// Unknown values are kept.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct NotificationType(pub u8);

impl NotificationType {
    pub const DECLARATION: Self = Self(0x01);
    pub const CHANGE_SUCCEEDED: Self = Self(0x02);
    pub const CHANGE_ROLLED_BACK: Self = Self(0x03);
    pub const VOID: Self = Self(0x04);
    pub const CHANGE_AFTER_FALL_BACK: Self = Self(0x05);

    pub const fn meaning(self) -> &'static str {
        match self {
            Self::DECLARATION => "eUICC declaration (first attach)",
            Self::CHANGE_SUCCEEDED => "profile change succeeded",
            Self::CHANGE_ROLLED_BACK => "profile change failed and rolled back",
            Self::VOID => "void",
            Self::CHANGE_AFTER_FALL_BACK => "profile change after fall-back",
            _ => "unknown",
        }
    }
}

impl Notification {
    pub fn decode(bytes: &[u8]) -> Read<Self> {
        let mut reader = Reader::new(STRUCTURE, bytes);
        let notification = Self::read(&mut reader)?;
        reader.finish()?;
        Ok(notification)
    }

    /// Tags 2F/AF, 14/94 and 6D/ED are the same; other objects are passed over.
    pub fn read(reader: &mut Reader<'_>) -> Read<Self> {
        let object = reader.ber_tlv()?;
        if object.tag != 0xE1 {
            return Err(reader.error_at(object.offset, "notification (tag E1)", Fault::Missing));
        }
        reader.label("notification", CLAUSE, String::new);
        let (mut eid, mut kind, mut sequence, mut isd_p) = (None, None, None, None);
        let (mut imei, mut meid) = (None, None);
        let mut body = object.value.structure(STRUCTURE);
        while !body.is_empty() {
            let mut object = body.ber_tlv()?;
            let value = &mut object.value;
            let new = match object.tag {
                0x4C => eid.replace(super::ecasd::read_eid(value)?).is_none(),
                0x4D => {
                    let found = NotificationType(value.u8("type")?);
                    value.note(CLAUSE, || found.meaning().to_owned());
                    kind.replace(found).is_none()
                }
                0x4E => sequence.replace(value.u16("sequence number")?).is_none(),
                0x2F | 0xAF => isd_p.replace(Aid::read(value)?).is_none(),
                0x14 | 0x94 => imei.replace(value.take_rest("IMEI").to_vec()).is_none(),
                0x6D | 0xED => meid.replace(value.take_rest("MEID").to_vec()).is_none(),
                _ => {
                    value.take_rest("not interpreted");
                    true
                }
            };
            value.finish()?;
            body.label(object_name(object.tag), CLAUSE, String::new);
            if !new {
                return Err(body.error_at(object.offset, tlv::tag_name(object.tag), Fault::Duplicate));
            }
        }
        let missing = |field| body.error_at(object.offset, field, Fault::Missing);
        Ok(Self {
            eid: eid.ok_or_else(|| missing("EID (tag 4C)"))?,
            notification_type: kind.ok_or_else(|| missing("type (tag 4D)"))?,
            sequence: sequence.ok_or_else(|| missing("sequence number (tag 4E)"))?,
            isd_p: isd_p.ok_or_else(|| missing("ISD-P AID (tag 2F)"))?,
            imei,
            meid,
        })
    }

    pub fn encode(&self) -> Result<Vec<u8>, EncodeError> {
        let mut body = Vec::new();
        tlv::put(&mut body, 0x4C, self.eid.octets())?;
        tlv::put(&mut body, 0x4D, &[self.notification_type.0])?;
        tlv::put(&mut body, 0x4E, &self.sequence.to_be_bytes())?;
        tlv::put(&mut body, 0x2F, self.isd_p.octets())?;
        for (tag, part) in [(0x14, &self.imei), (0x6D, &self.meid)] {
            if let Some(octets) = part {
                tlv::put(&mut body, tag, octets)?;
            }
        }
        let mut out = Vec::new();
        tlv::put(&mut out, 0xE1, &body)?;
        Ok(out)
    }

    /// Value of the query parameter `msg` with which a notification is posted: upper-case hexadecimal. Carries the EID.
    pub fn clear_query(&self) -> Result<String, EncodeError> {
        Ok(hex::encode(&self.encode()?).to_ascii_uppercase())
    }
}

fn object_name(tag: u32) -> String {
    let name = match tag {
        0x4C => "EID",
        0x4D => "notification type",
        0x4E => "sequence number",
        0x2F | 0xAF => "ISD-P",
        0x14 | 0x94 => "IMEI",
        0x6D | 0xED => "MEID",
        _ => "",
    };
    format!("{tag:02X} {name}").trim_end().to_owned()
}

impl fmt::Debug for NotificationType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02X} ({})", self.0, self.meaning())
    }
}

/// Without the digits of IMEI and MEID.
impl fmt::Debug for Notification {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Notification")
            .field("eid", &self.eid)
            .field("notification_type", &self.notification_type)
            .field("sequence", &self.sequence)
            .field("isd_p", &self.isd_p)
            .field("imei octets", &self.imei.as_ref().map(Vec::len))
            .field("meid octets", &self.meid.as_ref().map(Vec::len))
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn notification() -> Notification {
        Notification {
            eid: "89049032123451234512345678901235".parse().unwrap(),
            notification_type: NotificationType::CHANGE_SUCCEEDED,
            sequence: 9,
            isd_p: Aid::isd_p(0x10).unwrap(),
            imei: Some(vec![0x4A; 8]),
            meid: Some(vec![0x5B; 7]),
        }
    }

    #[test]
    fn all_objects_survive_the_round_trip_and_the_tag_variants_are_equal() {
        let octets = notification().encode().unwrap();
        assert_eq!(Notification::decode(&octets), Ok(notification()));
        let variant: Vec<u8> = octets
            .iter()
            .map(|octet| match octet {
                0x2F => 0xAF,
                0x14 => 0x94,
                0x6D => 0xED,
                other => *other,
            })
            .collect();
        assert_eq!(Notification::decode(&variant), Ok(notification()));
    }

    #[test]
    fn refuses_missing_and_repeated_objects() {
        let octets = notification().encode().unwrap();
        let mut without_type = octets.clone();
        without_type[2 + 18] = 0x70;
        assert!(Notification::decode(&without_type).unwrap_err().to_string().contains("tag 4D"));
        let mut two_meids = octets;
        two_meids.extend([0x6D, 0x00]);
        two_meids[1] += 2;
        assert_eq!(Notification::decode(&two_meids).unwrap_err().fault, Fault::Duplicate);
    }
}
