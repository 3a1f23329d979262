//! What the ISD-R answers to audits and confirmations (SGP.02 4.1).

use super::Aid;
use crate::codec::cursor::Result as Read;
use crate::codec::{DecodeError, EncodeError, Fault, Reader, tlv};
use std::fmt;

const CLAUSE: &str = "SGP.02 4.1";

/// Life cycle state of an ISD-P (SGP.02 2.2.1.3); unknown values are kept.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct ProfileState(pub u8);

impl ProfileState {
    pub const CREATED: Self = Self(0x03);
    /// Loaded, not yet confirmed.
    pub const SELECTABLE: Self = Self(0x07);
    pub const PERSONALISED: Self = Self(0x0F);
    pub const DISABLED: Self = Self(0x1F);
    pub const ENABLED: Self = Self(0x3F);

    pub const fn meaning(self) -> &'static str {
        match self {
            Self::CREATED => "created",
            Self::SELECTABLE => "selectable",
            Self::PERSONALISED => "personalised",
            Self::DISABLED => "disabled",
            Self::ENABLED => "enabled",
            _ => "unknown",
        }
    }
}

impl fmt::Debug for ProfileState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02X} ({})", self.0, self.meaning())
    }
}

/// One `E3` object of the answer to GET STATUS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProfileStatus {
    pub aid: Aid,
    pub state: ProfileState,
    /// Tag 53, bit 1.
    pub fall_back: bool,
    /// Tag 8F, octets.
    pub memory: Option<u32>,
}

/// Answer to GET STATUS without its status word: any number of `E3` objects.
pub fn decode_profiles(bytes: &[u8]) -> Read<Vec<ProfileStatus>> {
    read_profiles(&mut Reader::new("GET STATUS response", bytes))
}

/// The whole of `reader` as an answer to GET STATUS.
pub fn read_profiles(reader: &mut Reader<'_>) -> Read<Vec<ProfileStatus>> {
    let mut profiles = Vec::new();
    while !reader.is_empty() {
        let mut object = reader.ber_tlv()?;
        if object.tag != 0xE3 {
            return Err(unexpected(reader, object.offset, object.tag, "E3"));
        }
        reader.label("ISD-P", CLAUSE, String::new);
        profiles.push(ProfileStatus::read(&mut object.value, object.offset)?);
    }
    Ok(profiles)
}

/// The inverse of [`decode_profiles`], for a card.
pub fn encode_profiles(profiles: &[ProfileStatus]) -> Result<Vec<u8>, EncodeError> {
    let mut out = Vec::new();
    for profile in profiles {
        let mut value = Vec::new();
        profile.aid.put(&mut value)?;
        tlv::put(&mut value, 0x9F70, &[profile.state.0])?;
        tlv::put(&mut value, 0x53, &[u8::from(profile.fall_back)])?;
        if let Some(memory) = profile.memory {
            tlv::put(&mut value, 0x8F, &shortest(memory))?;
        }
        tlv::put(&mut out, 0xE3, &value)?;
    }
    Ok(out)
}

impl ProfileStatus {
    fn read(reader: &mut Reader<'_>, start: usize) -> Read<Self> {
        let (mut aid, mut state, mut fall_back, mut memory) = (None, None, None, None);
        while !reader.is_empty() {
            let mut object = reader.ber_tlv()?;
            let value = &mut object.value;
            let new = match object.tag {
                0x4F => aid.replace(Aid::read(value)?).is_none(),
                0x9F70 => {
                    let found = ProfileState(value.u8("state")?);
                    value.note("SGP.02 2.2.1.3", || found.meaning().to_owned());
                    state.replace(found).is_none()
                }
                0x53 => fall_back.replace(value.u8("fall-back attribute")? & 0x01 != 0).is_none(),
                0x8F => memory.replace(number(value, "memory")?).is_none(),
                _ => {
                    value.take_rest("not interpreted");
                    true
                }
            };
            value.finish()?;
            if !new {
                return Err(reader.error_at(object.offset, tlv::tag_name(object.tag), Fault::Duplicate));
            }
        }
        let missing = |field| reader.error_at(start, field, Fault::Missing);
        Ok(Self {
            aid: aid.ok_or_else(|| missing("AID"))?,
            state: state.ok_or_else(|| missing("life cycle state"))?,
            fall_back: fall_back.unwrap_or(false),
            memory,
        })
    }
}

/// Extended card resources (`FF21`, ETSI TS 102 226 8.2.1.7.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ExtendedResources {
    pub applications: u32,
    /// Octets of free non-volatile memory.
    pub free_nonvolatile: u32,
    /// Octets of free volatile memory.
    pub free_volatile: u32,
}

impl ExtendedResources {
    pub fn decode(bytes: &[u8]) -> Read<Self> {
        let mut reader = Reader::new("extended card resources", bytes);
        let resources = Self::read(&mut reader)?;
        reader.finish()?;
        Ok(resources)
    }

    pub fn read(reader: &mut Reader<'_>) -> Read<Self> {
        let mut object = reader.ber_tlv()?;
        if object.tag != 0xFF21 {
            return Err(unexpected(reader, object.offset, object.tag, "FF21"));
        }
        let value = &mut object.value;
        let mut next = |tag, field| {
            let mut object = value.ber_tlv()?;
            if object.tag != tag {
                return Err(value.error_at(object.offset, field, Fault::Missing));
            }
            let found = number(&mut object.value, field)?;
            value.label(field, "TS 102 226 8.2.1.7.2", || found.to_string());
            Ok(found)
        };
        let applications = next(0x81, "installed applications")?;
        let free_nonvolatile = next(0x82, "free non-volatile memory")?;
        let free_volatile = next(0x83, "free volatile memory")?;
        value.finish()?;
        Ok(Self { applications, free_nonvolatile, free_volatile })
    }

    /// For a card.
    pub fn encode(&self) -> Result<Vec<u8>, EncodeError> {
        let mut value = Vec::new();
        tlv::put(&mut value, 0x81, &shortest(self.applications))?;
        tlv::put(&mut value, 0x82, &shortest(self.free_nonvolatile))?;
        tlv::put(&mut value, 0x83, &shortest(self.free_volatile))?;
        let mut out = Vec::new();
        tlv::put(&mut out, 0xFF21, &value)?;
        Ok(out)
    }
}

/// Answer to HandleNotificationConfirmation, `80 L {4F AID}*`: the ISD-Ps deleted by it.
pub fn decode_confirmation(bytes: &[u8]) -> Read<Vec<Aid>> {
    let mut reader = Reader::new("notification confirmation response", bytes);
    let deleted = read_confirmation(&mut reader)?;
    reader.finish()?;
    Ok(deleted)
}

pub fn read_confirmation(reader: &mut Reader<'_>) -> Read<Vec<Aid>> {
    let mut object = reader.ber_tlv()?;
    if object.tag != 0x80 {
        return Err(unexpected(reader, object.offset, object.tag, "80"));
    }
    let mut deleted = Vec::new();
    while !object.value.is_empty() {
        let mut aid = object.value.ber_tlv()?;
        if aid.tag != 0x4F {
            return Err(unexpected(&object.value, aid.offset, aid.tag, "4F"));
        }
        object.value.label("deleted ISD-P", CLAUSE, String::new);
        deleted.push(Aid::read(&mut aid.value)?);
    }
    Ok(deleted)
}

/// The inverse of [`decode_confirmation`], for a card.
pub fn encode_confirmation(deleted: &[Aid]) -> Result<Vec<u8>, EncodeError> {
    let mut value = Vec::new();
    for aid in deleted {
        aid.put(&mut value)?;
    }
    let mut out = Vec::new();
    tlv::put(&mut out, 0x80, &value)?;
    Ok(out)
}

fn unexpected(reader: &Reader<'_>, offset: usize, tag: u32, expected: &'static str) -> DecodeError {
    reader.value_error(offset, "tag", expected, tlv::tag_name(tag))
}

/// The whole of `reader` as a big-endian number of 1 to 4 octets.
fn number(reader: &mut Reader<'_>, field: &'static str) -> Read<u32> {
    let start = reader.offset();
    let octets = reader.take_rest(field);
    if !(1..=4).contains(&octets.len()) {
        let fault = Fault::Length { expected: "1 to 4".into(), found: octets.len() };
        return Err(reader.error_at(start, field, fault));
    }
    Ok(octets.iter().fold(0, |number, octet| number << 8 | u32::from(*octet)))
}

fn shortest(number: u32) -> Vec<u8> {
    let octets = number.to_be_bytes();
    let leading = octets.iter().take(3).take_while(|octet| **octet == 0).count();
    octets.iter().skip(leading).copied().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::hex;

    #[test]
    fn a_profile_with_memory_survives_the_round_trip() {
        let aid = Aid::isd_p(0x10).unwrap();
        let profiles = [
            ProfileStatus { aid, state: ProfileState::ENABLED, fall_back: true, memory: Some(70_000) },
            ProfileStatus { aid: Aid::ISD_R, state: ProfileState(0x42), fall_back: false, memory: None },
        ];
        assert_eq!(decode_profiles(&encode_profiles(&profiles).unwrap()).unwrap(), profiles);
    }

    #[test]
    fn refuses_a_profile_without_state_or_with_two() {
        for text in ["e3074f05a000000559", "e30e4f05a0000005599f70013f9f7001", "e30f4f05a0000005599f70013f9f70013f"] {
            assert!(decode_profiles(&hex::decode(text).unwrap()).is_err(), "{text}");
        }
    }

    #[test]
    fn numbers_of_resources_use_as_few_octets_as_they_need() {
        let resources = ExtendedResources { applications: 0, free_nonvolatile: 0x1_0000, free_volatile: 255 };
        let octets = resources.encode().unwrap();
        assert_eq!(hex::encode(&octets), "ff210b81010082030100008301ff");
        assert_eq!(ExtendedResources::decode(&octets), Ok(resources));
    }
}
