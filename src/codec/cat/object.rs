//! The comprehension TLV objects of TS 102 223 8, one value type per tag; what is not known is kept as octets.

use super::bip::{self, Bearer, ChannelStatus, NetworkAccessName, OtherAddress, Transport};
use super::details::{CommandDetails, CommandResult, Devices};
use super::value::{Duration, Location, MobileIdentity, TextString, TimerValue};
use crate::codec::cursor::Result;
use crate::codec::sms::{Address, Scts};
use crate::codec::{EncodeError, Reader, tlv};

/// An object. Bit 8 of the tag (comprehension required) is not kept: each direction sets it as its peers do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Object {
    CommandDetails(CommandDetails),
    Devices(Devices),
    Result(CommandResult),
    Duration(Duration),
    /// Coded text; empty = the terminal shows nothing.
    AlphaId(Vec<u8>),
    Address(Address),
    /// A whole TPDU without service centre address.
    SmsTpdu(Vec<u8>),
    Text(TextString),
    Location(Location),
    Imei(MobileIdentity),
    EventList(Vec<u8>),
    LocationStatus(u8),
    TimerId(u8),
    TimerValue(TimerValue),
    DateTime(Scts),
    Bearer(Bearer),
    ChannelData(Vec<u8>),
    /// 255 stands for 255 or more.
    ChannelDataLength(u8),
    ChannelStatus(ChannelStatus),
    BufferSize(u16),
    Transport(Transport),
    OtherAddress(OtherAddress),
    /// One octet, or several for several networks.
    AccessTechnology(Vec<u8>),
    NetworkAccessName(NetworkAccessName),
    Other {
        tag: u32,
        value: Vec<u8>,
    },
}

/// Tag, name and clause of what TS 102 223 calls each object that occurs on our way.
const NAMES: &[(u32, &str, &str)] = &[
    (0x01, "command details", "TS 102 223 8.6"),
    (0x02, "device identities", "TS 102 223 8.7"),
    (0x03, "result", "TS 102 223 8.12"),
    (0x04, "duration", "TS 102 223 8.8"),
    (0x05, "alpha identifier", "TS 102 223 8.2"),
    (0x06, "address", "TS 102 223 8.1"),
    (0x0B, "SMS TPDU", "TS 102 223 8.13"),
    (0x0D, "text string", "TS 102 223 8.15"),
    (0x13, "location information", "TS 102 223 8.19"),
    (0x14, "IMEI", "TS 102 223 8.20"),
    (0x19, "event list", "TS 102 223 8.25"),
    (0x1B, "location status", "TS 102 223 8.27"),
    (0x1E, "icon identifier", "TS 102 223 8.31"),
    (0x22, "C-APDU", "TS 102 223 8.35"),
    (0x23, "R-APDU", "TS 102 223 8.36"),
    (0x24, "timer identifier", "TS 102 223 8.37"),
    (0x25, "timer value", "TS 102 223 8.38"),
    (0x26, "date-time and time zone", "TS 102 223 8.39"),
    (0x2F, "AID", "TS 102 223 8.60"),
    (0x35, "bearer description", "TS 102 223 8.52"),
    (0x36, "channel data", "TS 102 223 8.53"),
    (0x37, "channel data length", "TS 102 223 8.54"),
    (0x38, "channel status", "TS 102 223 8.56"),
    (0x39, "buffer size", "TS 102 223 8.55"),
    (0x3C, "transport level", "TS 102 223 8.59"),
    (0x3E, "other address", "TS 102 223 8.58"),
    (0x3F, "access technology", "TS 102 223 8.61"),
    (0x47, "network access name", "TS 102 223 8.70"),
];

impl Object {
    /// The tag with bit 8 clear.
    pub const fn tag(&self) -> u32 {
        match self {
            Self::CommandDetails(_) => 0x01,
            Self::Devices(_) => 0x02,
            Self::Result(_) => 0x03,
            Self::Duration(_) => 0x04,
            Self::AlphaId(_) => 0x05,
            Self::Address(_) => 0x06,
            Self::SmsTpdu(_) => 0x0B,
            Self::Text(_) => 0x0D,
            Self::Location(_) => 0x13,
            Self::Imei(_) => 0x14,
            Self::EventList(_) => 0x19,
            Self::LocationStatus(_) => 0x1B,
            Self::TimerId(_) => 0x24,
            Self::TimerValue(_) => 0x25,
            Self::DateTime(_) => 0x26,
            Self::Bearer(_) => 0x35,
            Self::ChannelData(_) => 0x36,
            Self::ChannelDataLength(_) => 0x37,
            Self::ChannelStatus(_) => 0x38,
            Self::BufferSize(_) => 0x39,
            Self::Transport(_) => 0x3C,
            Self::OtherAddress(_) => 0x3E,
            Self::AccessTechnology(_) => 0x3F,
            Self::NetworkAccessName(_) => 0x47,
            Self::Other { tag, .. } => *tag,
        }
    }

    pub(in crate::codec) fn read(reader: &mut Reader<'_>) -> Result<Self> {
        let mut object = reader.comprehension_tlv()?;
        if let Some((_, name, clause)) = NAMES.iter().find(|(tag, ..)| *tag == object.tag) {
            reader.label(*name, clause, String::new);
        }
        let value = &mut object.value;
        let parsed = Self::read_value(object.tag, value)?;
        value.finish()?;
        Ok(parsed)
    }

    fn read_value(tag: u32, value: &mut Reader<'_>) -> Result<Self> {
        Ok(match tag {
            0x01 => Self::CommandDetails(CommandDetails::read(value)?),
            0x02 => Self::Devices(Devices::read(value)?),
            0x03 => Self::Result(CommandResult::read(value)?),
            0x04 => Self::Duration(Duration::read(value)?),
            0x05 => Self::AlphaId(value.take_rest("alpha identifier").to_vec()),
            0x06 => Self::Address(Address::read_to_end(value)?),
            0x0B => Self::SmsTpdu(value.take_rest("TPDU").to_vec()),
            0x0D => Self::Text(TextString::read(value)?),
            0x13 => Self::Location(Location::read(value)?),
            0x14 => Self::Imei(MobileIdentity(value.take_rest("mobile identity").to_vec())),
            0x19 => Self::EventList(value.take_rest("events").to_vec()),
            0x1B => Self::LocationStatus(value.u8("location status")?),
            0x24 => Self::TimerId(value.u8("timer")?),
            0x25 => Self::TimerValue(TimerValue::read(value)?),
            0x26 => Self::DateTime(Scts(value.array("date-time")?)),
            0x35 => Self::Bearer(Bearer::read(value)?),
            0x36 => Self::ChannelData(value.take_rest("data").to_vec()),
            0x37 => Self::ChannelDataLength(value.u8("length")?),
            0x38 => Self::ChannelStatus(ChannelStatus::read(value)?),
            0x39 => Self::BufferSize(bip::read_buffer_size(value)?),
            0x3C => Self::Transport(Transport::read(value)?),
            0x3E => Self::OtherAddress(OtherAddress::read(value)?),
            0x3F => Self::AccessTechnology(value.take_rest("access technology").to_vec()),
            0x47 => Self::NetworkAccessName(NetworkAccessName::read(value)?),
            _ => Self::Other { tag, value: value.take_rest("value").to_vec() },
        })
    }

    /// Appends the object. `required` sets bit 8 of the tag.
    pub(in crate::codec) fn put(&self, out: &mut Vec<u8>, required: bool) -> std::result::Result<(), EncodeError> {
        let mut value = Vec::new();
        match self {
            Self::CommandDetails(details) => value.extend(details.octets()),
            Self::Devices(devices) => value.extend([devices.source.0, devices.destination.0]),
            Self::Result(result) => {
                value.push(result.general);
                value.extend_from_slice(&result.additional);
            }
            Self::Duration(duration) => value.extend([duration.unit, duration.interval]),
            Self::Address(address) => value.extend(address.encode_to_end()),
            Self::Text(text) => text.put(&mut value),
            Self::Location(location) => location.put(&mut value),
            Self::Imei(MobileIdentity(octets)) => value.extend_from_slice(octets),
            Self::LocationStatus(octet) | Self::TimerId(octet) | Self::ChannelDataLength(octet) => value.push(*octet),
            Self::TimerValue(TimerValue(octets)) => value.extend(octets),
            Self::DateTime(Scts(octets)) => value.extend(octets),
            Self::Bearer(bearer) => {
                value.push(bearer.kind);
                value.extend_from_slice(&bearer.parameters);
            }
            Self::ChannelStatus(status) => value.extend(status.octets()?),
            Self::BufferSize(size) => value.extend(size.to_be_bytes()),
            Self::Transport(transport) => {
                value.push(transport.kind.0);
                value.extend(transport.port.to_be_bytes());
            }
            Self::OtherAddress(address) => address.put(&mut value),
            Self::NetworkAccessName(name) => name.put(&mut value)?,
            Self::AlphaId(octets)
            | Self::SmsTpdu(octets)
            | Self::EventList(octets)
            | Self::ChannelData(octets)
            | Self::AccessTechnology(octets)
            | Self::Other { value: octets, .. } => value.extend_from_slice(octets),
        }
        put_tag(out, self.tag(), required);
        tlv::put_length(out, value.len())?;
        out.extend(value);
        Ok(())
    }
}

/// TS 101 220 7.1.1.1: one octet, or 7F and two octets whose bit 16 is the flag.
fn put_tag(out: &mut Vec<u8>, tag: u32, required: bool) {
    match u8::try_from(tag) {
        Ok(tag) if tag < 0x7F => out.push(if required { tag | 0x80 } else { tag }),
        _ => {
            let [.., high, low] = tag.to_be_bytes();
            out.extend([0x7F, if required { high | 0x80 } else { high }, low]);
        }
    }
}

/// Objects up to the end of the reader.
pub(super) fn read_all(reader: &mut Reader<'_>) -> Result<Vec<Object>> {
    let mut objects = Vec::new();
    while !reader.is_empty() {
        objects.push(Object::read(reader)?);
    }
    Ok(objects)
}

/// The first object that `pick` recognises, taken out of the list.
pub(super) fn take_first<T>(objects: &mut Vec<Object>, pick: impl Fn(&Object) -> Option<T>) -> Option<T> {
    let (position, value) = objects.iter().enumerate().find_map(|(at, object)| Some((at, pick(object)?)))?;
    objects.remove(position);
    Some(value)
}

/// A pattern for [`take_first`]: the value of one variant.
macro_rules! picked {
    ($variant:ident) => {
        |object: &Object| match object {
            Object::$variant(value) => Some(value.clone()),
            _ => None,
        }
    };
}
pub(super) use picked;
