//! Values of the bearer independent protocol: bearer, transport, addresses, channel (TS 102 223 8.52 to 8.70).

use crate::codec::cursor::Result;
use crate::codec::{EncodeError, Fault, Reader};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Bearer type and its parameters (8.52), which are kept as they are: 02 packet data, 03 default, 09 UTRAN, 0B E-UTRAN.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bearer {
    pub kind: u8,
    pub parameters: Vec<u8>,
}

impl Bearer {
    pub const DEFAULT: u8 = 0x03;

    pub(super) fn read(value: &mut Reader<'_>) -> Result<Self> {
        let kind = value.u8("bearer type")?;
        value.note("TS 102 223 8.52", || {
            let text = match kind {
                0x01 => "CSD",
                0x02 => "GPRS, UTRAN or E-UTRAN packet service",
                0x03 => "default bearer",
                0x09 => "UTRAN packet service with extended parameters",
                0x0B => "E-UTRAN or mapped UTRAN packet service",
                _ => "another bearer",
            };
            text.to_string()
        });
        Ok(Self { kind, parameters: value.take_rest("bearer parameters").to_vec() })
    }
}

/// Transport protocol type (8.59).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TransportKind(pub u8);

impl TransportKind {
    pub const UDP_CLIENT_REMOTE: Self = Self(0x01);
    pub const TCP_CLIENT_REMOTE: Self = Self(0x02);
    pub const TCP_SERVER: Self = Self(0x03);
    pub const UDP_CLIENT_LOCAL: Self = Self(0x04);
    pub const TCP_CLIENT_LOCAL: Self = Self(0x05);
    pub const DIRECT: Self = Self(0x06);

    pub const fn meaning(self) -> &'static str {
        match self {
            Self::UDP_CLIENT_REMOTE => "UDP, client, remote connection",
            Self::TCP_CLIENT_REMOTE => "TCP, client, remote connection",
            Self::TCP_SERVER => "TCP, server",
            Self::UDP_CLIENT_LOCAL => "UDP, client, local connection",
            Self::TCP_CLIENT_LOCAL => "TCP, client, local connection",
            Self::DIRECT => "direct communication channel",
            _ => "reserved",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Transport {
    pub kind: TransportKind,
    pub port: u16,
}

impl Transport {
    pub(super) fn read(value: &mut Reader<'_>) -> Result<Self> {
        let kind = TransportKind(value.u8("transport protocol type")?);
        value.note("TS 102 223 8.59", || kind.meaning().to_string());
        Ok(Self { kind, port: value.u16("port")? })
    }
}

/// Other address (8.58).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OtherAddress {
    /// Length 0: a dynamic address is asked for.
    Dynamic,
    Ip(IpAddr),
    Other {
        kind: u8,
        address: Vec<u8>,
    },
}

impl OtherAddress {
    const IPV4: u8 = 0x21;
    const IPV6: u8 = 0x57;

    pub(super) fn read(value: &mut Reader<'_>) -> Result<Self> {
        if value.is_empty() {
            return Ok(Self::Dynamic);
        }
        let kind = value.u8("type of address")?;
        let address = match kind {
            Self::IPV4 => Self::Ip(Ipv4Addr::from(value.array::<4>("IPv4 address")?).into()),
            Self::IPV6 => Self::Ip(Ipv6Addr::from(value.array::<16>("IPv6 address")?).into()),
            _ => Self::Other { kind, address: value.take_rest("address").to_vec() },
        };
        value.note("TS 102 223 8.58", || match &address {
            Self::Ip(ip) => ip.to_string(),
            _ => "another kind of address".to_string(),
        });
        Ok(address)
    }

    pub(super) fn put(&self, out: &mut Vec<u8>) {
        match self {
            Self::Dynamic => {}
            Self::Ip(IpAddr::V4(ip)) => {
                out.push(Self::IPV4);
                out.extend(ip.octets());
            }
            Self::Ip(IpAddr::V6(ip)) => {
                out.push(Self::IPV6);
                out.extend(ip.octets());
            }
            Self::Other { kind, address } => {
                out.push(*kind);
                out.extend_from_slice(address);
            }
        }
    }
}

/// Network access name (8.70, TS 23.003 9.1): labels, each with its length.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NetworkAccessName(pub Vec<Vec<u8>>);

impl NetworkAccessName {
    /// From the usual text: `internet`, `iot.1nce.net`.
    pub fn from_text(text: &str) -> std::result::Result<Self, EncodeError> {
        let labels: Vec<_> = text.split('.').map(|label| label.as_bytes().to_vec()).collect();
        if labels.iter().any(|label| !matches!(label.len(), 1..=63)) {
            return Err(EncodeError::new("network access name", "label", "expected 1 to 63 characters"));
        }
        Ok(Self(labels))
    }

    /// The labels with dots between.
    pub fn text(&self) -> String {
        let labels: Vec<_> = self.0.iter().map(|label| String::from_utf8_lossy(label)).collect();
        labels.join(".")
    }

    pub(super) fn read(value: &mut Reader<'_>) -> Result<Self> {
        let mut labels = Vec::new();
        while !value.is_empty() {
            let length = value.u8("label length")?;
            labels.push(value.take(usize::from(length), "label")?.to_vec());
        }
        Ok(Self(labels))
    }

    pub(super) fn put(&self, out: &mut Vec<u8>) -> std::result::Result<(), EncodeError> {
        for label in &self.0 {
            let length = u8::try_from(label.len())
                .map_err(|_| EncodeError::too_long("network access name", "label", 255, label.len()))?;
            out.push(length);
            out.extend_from_slice(label);
        }
        Ok(())
    }
}

/// Channel status (8.56).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChannelStatus {
    /// 1 to 7, 0 for none.
    pub channel: u8,
    pub link: LinkState,
    /// 00 no further information, 05 link dropped.
    pub info: u8,
}

/// Bits 8 and 7 of the first octet of a channel status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LinkState {
    None,
    /// Server mode: the port listens.
    Listening,
    Established,
    Reserved,
}

impl ChannelStatus {
    pub const LINK_DROPPED: u8 = 0x05;

    pub const fn established(channel: u8) -> Self {
        Self { channel, link: LinkState::Established, info: 0 }
    }

    pub const fn dropped(channel: u8) -> Self {
        Self { channel, link: LinkState::None, info: Self::LINK_DROPPED }
    }

    /// What GET CHANNEL STATUS is answered with when no channel is open.
    pub const NO_CHANNEL: Self = Self { channel: 0, link: LinkState::None, info: 0 };

    pub(super) fn read(value: &mut Reader<'_>) -> Result<Self> {
        let first = value.u8("channel and link")?;
        let link = match first >> 6 {
            0 => LinkState::None,
            1 => LinkState::Listening,
            2 => LinkState::Established,
            _ => LinkState::Reserved,
        };
        let status = Self { channel: first & 0x07, link, info: 0 };
        value.note("TS 102 223 8.56", || format!("channel {}, link {:?}", status.channel, status.link));
        let info = value.u8("further information")?;
        value
            .note("TS 102 223 8.56", || if info == Self::LINK_DROPPED { "link dropped".into() } else { String::new() });
        Ok(Self { info, ..status })
    }

    pub(super) fn octets(self) -> std::result::Result<[u8; 2], EncodeError> {
        if self.channel > 7 {
            return Err(EncodeError::new("channel status", "channel", "expected 0 to 7"));
        }
        let link = match self.link {
            LinkState::None => 0x00,
            LinkState::Listening => 0x40,
            LinkState::Established => 0x80,
            LinkState::Reserved => 0xC0,
        };
        Ok([link | self.channel, self.info])
    }
}

/// The buffer size of OPEN CHANNEL (8.55), and the same octets in its answer.
pub(super) fn read_buffer_size(value: &mut Reader<'_>) -> Result<u16> {
    match value.remaining() {
        2 => value.u16("buffer size"),
        found => Err(value.error("buffer size", Fault::Length { expected: "2".into(), found })),
    }
}
