//! ENVELOPE: what the terminal passes to the card (TS 102 223 7, TS 31.111 7): SMS-PP download, events, timers.

use super::bip::ChannelStatus;
use super::details::Devices;
use super::object::{Object, picked, read_all, take_first};
use super::value::{Location, TimerValue};
use crate::codec::apdu::CommandApdu;
use crate::codec::cursor::Result;
use crate::codec::sms::Address;
use crate::codec::{EncodeError, Fault, Reader, tlv};

/// The content of an ENVELOPE.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Envelope {
    /// D1: a whole SMS-DELIVER TPDU without its service centre address, which goes along where it is known.
    SmsPpDownload { smsc: Option<Address>, tpdu: Vec<u8> },
    /// D6.
    EventDownload(Event),
    /// D7: the timer and how long it ran.
    TimerExpiration { timer: u8, value: TimerValue },
    /// Menu selection, call control and everything else, by its BER tag.
    Other { tag: u8, objects: Vec<Object> },
}

/// An event of the list that SET UP EVENT LIST asked for (TS 102 223 7.5, 8.25).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// 03: 0 normal service, 1 limited, 2 none; the place goes along with normal service.
    LocationStatus { status: u8, location: Option<Location> },
    /// 09: octets that wait in the channel's receive buffer, 255 for 255 or more.
    DataAvailable { status: ChannelStatus, available: u8 },
    /// 0A.
    ChannelStatus(ChannelStatus),
    /// Its code, device identities and the rest.
    Other { code: u8, devices: Devices, objects: Vec<Object> },
}

impl Event {
    pub const LOCATION_STATUS: u8 = 0x03;
    pub const DATA_AVAILABLE: u8 = 0x09;
    pub const CHANNEL_STATUS: u8 = 0x0A;

    pub const fn code(&self) -> u8 {
        match self {
            Self::LocationStatus { .. } => Self::LOCATION_STATUS,
            Self::DataAvailable { .. } => Self::DATA_AVAILABLE,
            Self::ChannelStatus(_) => Self::CHANNEL_STATUS,
            Self::Other { code, .. } => *code,
        }
    }
}

impl Envelope {
    /// Reads the whole command, header included. The 2G class A0 is accepted too.
    pub fn read(reader: &mut Reader<'_>) -> Result<Self> {
        let (apdu, offset) = super::read_command(reader, 0xC2, "ENVELOPE")?;
        let mut body = reader.substitute("ENVELOPE", &apdu.data, offset);
        let envelope = Self::read_data(&mut body)?;
        body.finish()?;
        Ok(envelope)
    }

    /// Reads the data of the command.
    fn read_data(reader: &mut Reader<'_>) -> Result<Self> {
        let mut outer = reader.ber_tlv()?;
        reader.label(name(outer.tag), "TS 102 223 7", String::new);
        let mut objects = read_all(&mut outer.value)?;
        let missing = |name: &'static str| outer.value.error_at(outer.offset, name, Fault::Missing);
        Ok(match outer.tag {
            0xD1 => Self::SmsPpDownload {
                smsc: take_first(&mut objects, picked!(Address)),
                tpdu: take_first(&mut objects, picked!(SmsTpdu)).ok_or_else(|| missing("SMS TPDU"))?,
            },
            0xD6 => Self::EventDownload(take_event(&mut objects).map_err(missing)?),
            0xD7 => Self::TimerExpiration {
                timer: take_first(&mut objects, picked!(TimerId)).ok_or_else(|| missing("timer identifier"))?,
                value: take_first(&mut objects, picked!(TimerValue)).ok_or_else(|| missing("timer value"))?,
            },
            tag => {
                let tag = u8::try_from(tag).map_err(|_| {
                    reader.value_error(outer.offset, "tag", "a tag of one octet", tlv::tag_name(outer.tag))
                })?;
                Self::Other { tag, objects }
            }
        })
    }

    pub fn decode(bytes: &[u8]) -> Result<Self> {
        let mut reader = Reader::new("ENVELOPE", bytes);
        let envelope = Self::read(&mut reader)?;
        reader.finish()?;
        Ok(envelope)
    }

    /// The whole command `80 C2 00 00 Lc ..`, without Le.
    pub fn encode(&self) -> std::result::Result<Vec<u8>, EncodeError> {
        self.command()?.encode()
    }

    /// The same as a value, to be sent on another channel or with an Le.
    pub fn command(&self) -> std::result::Result<CommandApdu, EncodeError> {
        let (tag, objects) = match self {
            Self::SmsPpDownload { smsc, tpdu } => {
                let devices = Object::Devices(Devices::NETWORK_TO_UICC);
                let smsc = smsc.clone().map(Object::Address);
                let objects = [Some(devices), smsc, Some(Object::SmsTpdu(tpdu.clone()))];
                (0xD1, objects.into_iter().flatten().collect())
            }
            Self::EventDownload(event) => (0xD6, event.objects()),
            Self::TimerExpiration { timer, value } => {
                let devices = Object::Devices(Devices::TERMINAL_TO_UICC);
                (0xD7, vec![devices, Object::TimerId(*timer), Object::TimerValue(*value)])
            }
            Self::Other { tag, objects } => (*tag, objects.clone()),
        };
        let mut body = Vec::new();
        for object in &objects {
            object.put(&mut body, true)?;
        }
        let mut data = Vec::new();
        tlv::put(&mut data, u32::from(tag), &body)?;
        match data.len() {
            0..=255 => Ok(CommandApdu::new(0x80, 0xC2, 0x00, 0x00).with_data(data)),
            found => Err(EncodeError::too_long("ENVELOPE", "data", 255, found)),
        }
    }
}

const fn name(tag: u32) -> &'static str {
    match tag {
        0xD1 => "SMS-PP download",
        0xD3 => "menu selection",
        0xD4 => "call control",
        0xD5 => "MO short message control",
        0xD6 => "event download",
        0xD7 => "timer expiration",
        _ => "envelope",
    }
}

fn take_event(objects: &mut Vec<Object>) -> std::result::Result<Event, &'static str> {
    let events: Vec<u8> = take_first(objects, picked!(EventList)).ok_or("event list")?;
    let devices = take_first(objects, picked!(Devices)).ok_or("device identities")?;
    Ok(match events.as_slice() {
        [Event::LOCATION_STATUS] => Event::LocationStatus {
            status: take_first(objects, picked!(LocationStatus)).ok_or("location status")?,
            location: take_first(objects, picked!(Location)),
        },
        [Event::DATA_AVAILABLE] => Event::DataAvailable {
            status: take_first(objects, picked!(ChannelStatus)).ok_or("channel status")?,
            available: take_first(objects, picked!(ChannelDataLength)).ok_or("channel data length")?,
        },
        [Event::CHANNEL_STATUS] => {
            Event::ChannelStatus(take_first(objects, picked!(ChannelStatus)).ok_or("channel status")?)
        }
        [code] => Event::Other { code: *code, devices, objects: std::mem::take(objects) },
        // One event per envelope (TS 102 223 7.5).
        _ => return Err("one event"),
    })
}

impl Event {
    fn objects(&self) -> Vec<Object> {
        let devices = match self {
            Self::Other { devices, .. } => *devices,
            _ => Devices::TERMINAL_TO_UICC,
        };
        let mut objects = vec![Object::EventList(vec![self.code()]), Object::Devices(devices)];
        match self {
            Self::LocationStatus { status, location } => {
                objects.push(Object::LocationStatus(*status));
                objects.extend(location.clone().map(Object::Location));
            }
            Self::DataAvailable { status, available } => {
                objects.extend([Object::ChannelStatus(*status), Object::ChannelDataLength(*available)]);
            }
            Self::ChannelStatus(status) => objects.push(Object::ChannelStatus(*status)),
            Self::Other { objects: further, .. } => objects.extend_from_slice(further),
        }
        objects
    }
}
