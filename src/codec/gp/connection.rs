//! Connection parameters of an Amendment B session (tag `84`): the objects of OPEN CHANNEL (TS 102 223 6.6.27).
//!
//! Bit 8 of the tags is written set and read either way. Objects not listed here (alpha identifier, login) are passed
//! over on reading.

use crate::codec::cat::{Bearer, NetworkAccessName, Object, OtherAddress, Transport};
use crate::codec::cursor::Result as Read;
use crate::codec::{EncodeError, Fault, Reader, tlv};

const STRUCTURE: &str = "connection parameters";

/// What the card is to open; absent parts come from what is stored in the security domain.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Connection {
    pub bearer: Option<Bearer>,
    /// Octets that one SEND or RECEIVE DATA may carry.
    pub buffer_size: Option<u16>,
    pub access_name: Option<NetworkAccessName>,
    pub transport: Option<Transport>,
    /// An address object before the transport level is the card's own and is passed over.
    pub destination: Option<OtherAddress>,
}

impl Connection {
    /// The value of tag `84`.
    pub fn encode(&self) -> Result<Vec<u8>, EncodeError> {
        if self.destination.is_some() && self.transport.is_none() {
            let problem = "without a transport level before it, it would be the card's own address";
            return Err(EncodeError::new(STRUCTURE, "destination address", problem));
        }
        let objects = [
            self.bearer.clone().map(Object::Bearer),
            self.buffer_size.map(Object::BufferSize),
            self.access_name.clone().map(Object::NetworkAccessName),
            self.transport.map(Object::Transport),
            self.destination.clone().map(Object::OtherAddress),
        ];
        let mut out = Vec::new();
        for object in objects.into_iter().flatten() {
            object.put(&mut out, true)?;
        }
        Ok(out)
    }

    /// The whole of `reader` as the value of tag `84`.
    pub fn read(reader: &mut Reader<'_>) -> Read<Self> {
        let mut connection = Self::default();
        while !reader.is_empty() {
            let start = reader.offset();
            let object = Object::read(reader)?;
            let tag = object.tag();
            let new = match object {
                Object::Bearer(bearer) => connection.bearer.replace(bearer).is_none(),
                Object::BufferSize(size) => connection.buffer_size.replace(size).is_none(),
                Object::NetworkAccessName(name) => connection.access_name.replace(name).is_none(),
                Object::Transport(transport) => connection.transport.replace(transport).is_none(),
                Object::OtherAddress(address) if connection.transport.is_some() => {
                    connection.destination.replace(address).is_none()
                }
                _ => true,
            };
            if !new {
                return Err(reader.error_at(start, tlv::tag_name(tag), Fault::Duplicate));
            }
        }
        Ok(connection)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::cat::TransportKind;
    use std::net::{IpAddr, Ipv4Addr};

    fn decode(bytes: &[u8]) -> Read<Connection> {
        Connection::read(&mut Reader::new(STRUCTURE, bytes))
    }

    #[test]
    fn every_object_survives_the_round_trip() {
        let connection = Connection {
            bearer: Some(Bearer { kind: 0x0B, parameters: vec![1, 2, 3] }),
            buffer_size: Some(1400),
            access_name: Some(NetworkAccessName::from_text("iot.example").unwrap()),
            transport: Some(Transport { kind: TransportKind::TCP_CLIENT_REMOTE, port: 443 }),
            destination: Some(OtherAddress::Ip("2001:db8::1".parse().unwrap())),
        };
        assert_eq!(decode(&connection.encode().unwrap()), Ok(connection));
    }

    #[test]
    fn an_address_before_the_transport_level_is_the_cards_own() {
        let connection = decode(&[0xBE, 0x05, 0x21, 10, 0, 0, 1, 0xBC, 0x03, 0x02, 0x01, 0xBB]).unwrap();
        assert_eq!(connection.destination, None);
        let destination = Some(OtherAddress::Ip(IpAddr::V4(Ipv4Addr::LOCALHOST)));
        assert!(Connection { destination, ..Connection::default() }.encode().is_err());
    }

    #[test]
    fn refuses_duplicates_and_values_that_do_not_fill_their_object() {
        assert_eq!(decode(&[0xB9, 2, 0, 1, 0x39, 2, 0, 1]).unwrap_err().fault, Fault::Duplicate);
        assert!(decode(&[0xB9, 3, 0, 1, 0]).is_err());
        assert!(decode(&[0xC7, 2, 5, b'a']).is_err());
    }
}
