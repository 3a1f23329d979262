//! Connection parameters of an Amendment B session (tag `84`): the objects of OPEN CHANNEL (TS 102 223 6.6.27).
//!
//! Bit 8 of the tags is written set and read either way. Objects not listed here (alpha identifier, login) are passed
//! over on reading.

use crate::codec::cursor::Result as Read;
use crate::codec::{EncodeError, Fault, Reader, tlv};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

const STRUCTURE: &str = "connection parameters";
const CLAUSE: &str = "Amendment B, TS 102 223 6.6.27";
const COMPREHENSION: u32 = 0x80;

/// What the card is to open; absent parts come from what is stored in the security domain.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Connection {
    pub bearer: Option<Bearer>,
    /// Octets that one SEND or RECEIVE DATA may carry.
    pub buffer_size: Option<u16>,
    /// Access point name, labels joined by dots.
    pub network_access_name: Option<String>,
    pub transport: Option<TransportLevel>,
    /// The destination; an address object before the transport level is the card's own and is passed over.
    pub destination: Option<IpAddr>,
}

/// Bearer description (TS 102 223 8.52).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bearer {
    pub bearer_type: u8,
    pub parameters: Vec<u8>,
}

impl Bearer {
    /// Type 03: the terminal's default bearer for packet data.
    pub const DEFAULT: Self = Self { bearer_type: 0x03, parameters: Vec::new() };
}

/// UICC/terminal interface transport level (TS 102 223 8.59).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TransportLevel {
    pub protocol: TransportProtocol,
    pub port: u16,
}

/// Protocol type of a transport level; unknown values are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TransportProtocol(pub u8);

impl TransportProtocol {
    pub const UDP_CLIENT_REMOTE: Self = Self(0x01);
    pub const TCP_CLIENT_REMOTE: Self = Self(0x02);
    pub const TCP_SERVER: Self = Self(0x03);
    pub const UDP_CLIENT_LOCAL: Self = Self(0x04);
    pub const TCP_CLIENT_LOCAL: Self = Self(0x05);
    pub const DIRECT: Self = Self(0x06);

    pub const fn meaning(self) -> &'static str {
        match self {
            Self::UDP_CLIENT_REMOTE => "UDP, UICC in client mode, remote connection",
            Self::TCP_CLIENT_REMOTE => "TCP, UICC in client mode, remote connection",
            Self::TCP_SERVER => "TCP, UICC in server mode",
            Self::UDP_CLIENT_LOCAL => "UDP, UICC in client mode, local connection",
            Self::TCP_CLIENT_LOCAL => "TCP, UICC in client mode, local connection",
            Self::DIRECT => "direct communication channel",
            _ => "reserved",
        }
    }
}

impl Connection {
    /// The value of tag `84`.
    pub fn encode(&self) -> Result<Vec<u8>, EncodeError> {
        let mut out = Vec::new();
        if let Some(bearer) = &self.bearer {
            let mut value = vec![bearer.bearer_type];
            value.extend_from_slice(&bearer.parameters);
            tlv::put(&mut out, 0x35 | COMPREHENSION, &value)?;
        }
        if let Some(size) = self.buffer_size {
            tlv::put(&mut out, 0x39 | COMPREHENSION, &size.to_be_bytes())?;
        }
        if let Some(name) = &self.network_access_name {
            tlv::put(&mut out, 0x47 | COMPREHENSION, &encode_name(name)?)?;
        }
        if let Some(transport) = self.transport {
            let [high, low] = transport.port.to_be_bytes();
            tlv::put(&mut out, 0x3C | COMPREHENSION, &[transport.protocol.0, high, low])?;
        }
        if let Some(destination) = self.destination {
            if self.transport.is_none() {
                let problem = "without a transport level before it, it would be the card's own address";
                return Err(EncodeError::new(STRUCTURE, "destination address", problem));
            }
            tlv::put(&mut out, 0x3E | COMPREHENSION, &encode_address(destination))?;
        }
        Ok(out)
    }

    /// The whole of `reader` as the value of tag `84`.
    pub fn read(reader: &mut Reader<'_>) -> Read<Self> {
        let mut connection = Self::default();
        while !reader.is_empty() {
            let mut object = reader.comprehension_tlv()?;
            let offset = object.offset;
            let value = &mut object.value;
            let new = match object.tag {
                0x35 => {
                    reader.label("bearer description", CLAUSE, String::new);
                    let bearer_type = value.u8("bearer type")?;
                    let parameters = value.take_rest("bearer parameters").to_vec();
                    connection.bearer.replace(Bearer { bearer_type, parameters }).is_none()
                }
                0x39 => {
                    let size = value.u16("buffer size")?;
                    reader.label("buffer size", CLAUSE, || format!("{size} octets"));
                    connection.buffer_size.replace(size).is_none()
                }
                0x47 => {
                    let name = read_name(value)?;
                    reader.label("network access name", CLAUSE, || name.clone());
                    connection.network_access_name.replace(name).is_none()
                }
                0x3C => {
                    let protocol = TransportProtocol(value.u8("protocol type")?);
                    let port = value.u16("port")?;
                    let meaning = || format!("{}, port {port}", protocol.meaning());
                    reader.label("transport level", CLAUSE, meaning);
                    connection.transport.replace(TransportLevel { protocol, port }).is_none()
                }
                0x3E if connection.transport.is_some() => {
                    let address = read_address(value)?;
                    reader.label("destination address", CLAUSE, || address.to_string());
                    connection.destination.replace(address).is_none()
                }
                _ => {
                    value.take_rest("not interpreted");
                    true
                }
            };
            value.finish()?;
            if !new {
                return Err(reader.error_at(offset, tlv::tag_name(object.tag), Fault::Duplicate));
            }
        }
        Ok(connection)
    }
}

/// Labels, each after its length (TS 23.003 9.1).
fn encode_name(name: &str) -> Result<Vec<u8>, EncodeError> {
    let mut out = Vec::with_capacity(name.len().saturating_add(1));
    for label in name.split('.') {
        let length = u8::try_from(label.len()).ok().filter(|length| (1..=63).contains(length) && label.is_ascii());
        let wrong = || EncodeError::new(STRUCTURE, "network access name", "labels have 1 to 63 ASCII characters");
        out.push(length.ok_or_else(wrong)?);
        out.extend_from_slice(label.as_bytes());
    }
    if out.len() > 100 {
        return Err(EncodeError::too_long(STRUCTURE, "network access name", 100, out.len()));
    }
    Ok(out)
}

fn read_name(reader: &mut Reader<'_>) -> Read<String> {
    let mut name = String::new();
    while !reader.is_empty() {
        let length = reader.u8("label length")?;
        let start = reader.offset();
        let label = reader.take(usize::from(length), "label")?;
        let text = std::str::from_utf8(label).ok().filter(|text| text.is_ascii() && !text.is_empty());
        let wrong = || reader.value_error(start, "label", "ASCII text", "something else");
        if !name.is_empty() {
            name.push('.');
        }
        name.push_str(text.ok_or_else(wrong)?);
    }
    Ok(name)
}

/// Other address (TS 102 223 8.58).
fn encode_address(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(address) => [&[0x21][..], &address.octets()].concat(),
        IpAddr::V6(address) => [&[0x57][..], &address.octets()].concat(),
    }
}

fn read_address(reader: &mut Reader<'_>) -> Read<IpAddr> {
    let start = reader.offset();
    match reader.u8("address type")? {
        0x21 => reader.array("IPv4 address").map(|octets: [u8; 4]| Ipv4Addr::from(octets).into()),
        0x57 => reader.array("IPv6 address").map(|octets: [u8; 16]| Ipv6Addr::from(octets).into()),
        other => Err(reader.value_error(start, "address type", "21 or 57", format_args!("{other:02X}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decode(bytes: &[u8]) -> Read<Connection> {
        Connection::read(&mut Reader::new(STRUCTURE, bytes))
    }

    #[test]
    fn every_object_survives_the_round_trip() {
        let connection = Connection {
            bearer: Some(Bearer { bearer_type: 0x0B, parameters: vec![1, 2, 3] }),
            buffer_size: Some(1400),
            network_access_name: Some("iot.example".into()),
            transport: Some(TransportLevel { protocol: TransportProtocol::TCP_CLIENT_REMOTE, port: 443 }),
            destination: Some("2001:db8::1".parse().unwrap()),
        };
        assert_eq!(decode(&connection.encode().unwrap()), Ok(connection));
    }

    #[test]
    fn an_address_before_the_transport_level_is_the_cards_own() {
        let connection = decode(&[0xBE, 0x05, 0x21, 10, 0, 0, 1, 0xBC, 0x03, 0x02, 0x01, 0xBB]).unwrap();
        assert_eq!(connection.destination, None);
        let without_transport = Connection { destination: Some(Ipv4Addr::LOCALHOST.into()), ..Connection::default() };
        assert!(without_transport.encode().is_err());
    }

    #[test]
    fn refuses_duplicates_and_values_that_do_not_fill_their_object() {
        assert_eq!(decode(&[0xB9, 2, 0, 1, 0x39, 2, 0, 1]).unwrap_err().fault, Fault::Duplicate);
        assert!(decode(&[0xB9, 3, 0, 1, 0]).is_err());
        assert!(decode(&[0xC7, 2, 5, b'a']).is_err());
    }
}
