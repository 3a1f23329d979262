//! Administration session triggering parameters (GlobalPlatform Amendment B 3.5): what the SIM trigger's SCP80 data
//! carries to make the card call home.
//!
//! ```text
//! 81 L  [83 L  [84 connection] [85 security] [A5 extended security] [86 retry] [89 HTTP POST]] [B3 DNS]
//! ```
//!
//! Every part is optional; what is absent comes from the parameters stored in the security domain, and `81 00` means
//! all of them. Unknown objects are passed over on reading.

use super::AgentId;
use super::connection::Connection;
use crate::codec::cursor::Result as Read;
use crate::codec::{EncodeError, Fault, Reader, tlv};
use std::fmt;

mod retry;
mod template;

pub use retry::{Retry, TimerCoding};
pub use template::Template;

const STRUCTURE: &str = "Amendment B trigger";
const CLAUSE: &str = "GlobalPlatform Amendment B";

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AdminTrigger {
    /// Tag 84.
    pub connection: Option<Connection>,
    /// Tag 85.
    pub security: Option<Security>,
    /// Tag A5, as it is.
    pub extended_security: Option<Vec<u8>>,
    /// Tag 86.
    pub retry: Option<Retry>,
    /// Tag 89.
    pub http_post: Option<HttpPost>,
    /// Tag B3.
    pub dns: Option<Dns>,
}

/// Which pre-shared key the TLS session uses (tag 85).
#[derive(Clone, PartialEq, Eq)]
pub struct Security {
    /// Text of the identity; carries the EID in SGP.02.
    pub psk_identity: String,
    pub key_version: u8,
    pub key_id: u8,
    /// Hash of the key derivation, when given.
    pub sha_type: Option<u8>,
}

/// Where and as whom to post (tag 89).
#[derive(Clone, Default, PartialEq, Eq)]
pub struct HttpPost {
    /// 8A: value of the `Host` header.
    pub admin_host: Option<String>,
    /// 8B: value of `X-Admin-From`; carries the EID in SGP.02.
    pub agent_id: Option<String>,
    /// 8C: path and query of the first POST.
    pub admin_uri: Option<String>,
}

/// Name resolution parameters (tag B3, newer versions of Amendment B), as they are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Dns {
    /// D6.
    pub fqdn: Option<Vec<u8>>,
    /// FA.
    pub connection: Option<Vec<u8>>,
}

impl AdminTrigger {
    /// The `81` object.
    pub fn encode(&self) -> Result<Vec<u8>, EncodeError> {
        let mut session = Vec::new();
        if let Some(connection) = &self.connection {
            tlv::put(&mut session, 0x84, &connection.encode()?)?;
        }
        if let Some(security) = &self.security {
            tlv::put(&mut session, 0x85, &security.encode()?)?;
        }
        if let Some(extended) = &self.extended_security {
            tlv::put(&mut session, 0xA5, extended)?;
        }
        if let Some(retry) = &self.retry {
            tlv::put(&mut session, 0x86, &retry.encode()?)?;
        }
        if let Some(post) = &self.http_post {
            tlv::put(&mut session, 0x89, &post.encode()?)?;
        }
        let mut parameters = Vec::new();
        if !session.is_empty() {
            tlv::put(&mut parameters, 0x83, &session)?;
        }
        if let Some(dns) = &self.dns {
            tlv::put(&mut parameters, 0xB3, &dns.encode()?)?;
        }
        let mut out = Vec::new();
        tlv::put(&mut out, 0x81, &parameters)?;
        Ok(out)
    }

    /// With the retry timer in its default coding.
    pub fn decode(bytes: &[u8]) -> Read<Self> {
        let mut reader = Reader::new(STRUCTURE, bytes);
        let trigger = Self::read(&mut reader, TimerCoding::default())?;
        reader.finish()?;
        Ok(trigger)
    }

    /// The next object of `reader`, which must be `81`.
    pub fn read(reader: &mut Reader<'_>, timer: TimerCoding) -> Read<Self> {
        let object = reader.ber_tlv()?;
        if object.tag != 0x81 {
            return Err(reader.error_at(object.offset, "triggering parameters", Fault::Missing));
        }
        reader.label("administration session triggering parameters", CLAUSE, String::new);
        let mut trigger = Self::default();
        let mut has_session = false;
        let mut parameters = object.value.structure(STRUCTURE);
        while !parameters.is_empty() {
            let mut object = parameters.ber_tlv()?;
            match object.tag {
                0x83 if has_session => {
                    return Err(parameters.error_at(object.offset, "tag 83", Fault::Duplicate));
                }
                0x83 => {
                    has_session = true;
                    parameters.label("session parameters", CLAUSE, String::new);
                    trigger.read_session(&mut object.value, timer)?;
                }
                0xB3 => {
                    parameters.label("DNS parameters", CLAUSE, String::new);
                    let dns = Dns::read(&mut object.value)?;
                    once(&parameters, object.offset, object.tag, trigger.dns.replace(dns))?;
                }
                _ => parameters.note(CLAUSE, || "unknown, passed over".into()),
            }
        }
        Ok(trigger)
    }

    fn read_session(&mut self, reader: &mut Reader<'_>, timer: TimerCoding) -> Read<()> {
        while !reader.is_empty() {
            let mut object = reader.ber_tlv()?;
            let (offset, tag, value) = (object.offset, object.tag, &mut object.value);
            match tag {
                0x84 => {
                    reader.label("connection parameters", CLAUSE, String::new);
                    once(reader, offset, tag, self.connection.replace(Connection::read(value)?))?;
                }
                0x85 => {
                    reader.label("security parameters", CLAUSE, String::new);
                    once(reader, offset, tag, self.security.replace(Security::read(value)?))?;
                }
                0xA5 => {
                    reader.label("extended security parameters", CLAUSE, String::new);
                    let octets = value.take_rest("extended security").to_vec();
                    once(reader, offset, tag, self.extended_security.replace(octets))?;
                }
                0x86 => {
                    reader.label("retry policy", CLAUSE, String::new);
                    once(reader, offset, tag, self.retry.replace(Retry::read(value, timer)?))?;
                }
                0x89 => {
                    reader.label("HTTP POST parameters", CLAUSE, String::new);
                    once(reader, offset, tag, self.http_post.replace(HttpPost::read(value)?))?;
                }
                _ => reader.note(CLAUSE, || "unknown, passed over".into()),
            }
        }
        Ok(())
    }
}

/// Fails when the part was there before.
fn once<T>(reader: &Reader<'_>, offset: usize, tag: u32, previous: Option<T>) -> Read<()> {
    match previous {
        None => Ok(()),
        Some(_) => Err(reader.error_at(offset, tlv::tag_name(tag), Fault::Duplicate)),
    }
}

impl Security {
    fn encode(&self) -> Result<Vec<u8>, EncodeError> {
        let identity = self.psk_identity.as_bytes();
        let too_long = || EncodeError::too_long(STRUCTURE, "PSK identity", 0xFF, identity.len());
        let mut out = vec![u8::try_from(identity.len()).map_err(|_| too_long())?];
        out.extend_from_slice(identity);
        out.extend([0x02, self.key_version, self.key_id]);
        out.extend(self.sha_type);
        Ok(out)
    }

    fn read(reader: &mut Reader<'_>) -> Read<Self> {
        let length = reader.u8("PSK identity length")?;
        let psk_identity = text(reader.nested(usize::from(length), "PSK identity")?, "PSK identity")?;
        let start = reader.offset();
        let length = reader.u8("key reference length")?;
        if length != 2 {
            let expected = "2".into();
            return Err(reader.error_at(
                start,
                "key reference length",
                Fault::Length { expected, found: usize::from(length) },
            ));
        }
        let key_version = reader.u8("key version")?;
        let key_id = reader.u8("key id")?;
        let sha_type = if reader.is_empty() { None } else { Some(reader.u8("SHA type")?) };
        reader.finish()?;
        Ok(Self { psk_identity, key_version, key_id, sha_type })
    }
}

impl HttpPost {
    fn encode(&self) -> Result<Vec<u8>, EncodeError> {
        let mut out = Vec::new();
        for (tag, part) in [(0x8A, &self.admin_host), (0x8B, &self.agent_id), (0x8C, &self.admin_uri)] {
            if let Some(text) = part {
                tlv::put(&mut out, tag, text.as_bytes())?;
            }
        }
        Ok(out)
    }

    fn read(reader: &mut Reader<'_>) -> Read<Self> {
        let mut post = Self::default();
        while !reader.is_empty() {
            let object = reader.ber_tlv()?;
            let (place, name) = match object.tag {
                0x8A => (&mut post.admin_host, "administration host"),
                0x8B => (&mut post.agent_id, "agent id"),
                0x8C => (&mut post.admin_uri, "administration URI"),
                _ => {
                    reader.note(CLAUSE, || "unknown, passed over".into());
                    continue;
                }
            };
            let value = text(object.value, name)?;
            reader.label(name, CLAUSE, || match value.parse::<AgentId>() {
                Ok(AgentId { eid, agent }) => format!("eUICC {eid}, {}", agent.map_or("", |aid| aid.meaning())),
                Err(_) => value.clone(),
            });
            once(reader, object.offset, object.tag, place.replace(value))?;
        }
        Ok(post)
    }
}

impl Dns {
    fn encode(&self) -> Result<Vec<u8>, EncodeError> {
        let mut out = Vec::new();
        for (tag, part) in [(0xD6, &self.fqdn), (0xFA, &self.connection)] {
            if let Some(octets) = part {
                tlv::put(&mut out, tag, octets)?;
            }
        }
        Ok(out)
    }

    fn read(reader: &mut Reader<'_>) -> Read<Self> {
        let mut dns = Self::default();
        while !reader.is_empty() {
            let object = reader.ber_tlv()?;
            let place = match object.tag {
                0xD6 => &mut dns.fqdn,
                0xFA => &mut dns.connection,
                _ => continue,
            };
            once(reader, object.offset, object.tag, place.replace(object.octets().to_vec()))?;
        }
        Ok(dns)
    }
}

fn text(mut reader: Reader<'_>, field: &'static str) -> Read<String> {
    let start = reader.offset();
    let octets = reader.take_rest(field);
    let printable = |text: &&str| text.chars().all(|character| !character.is_control());
    let text = std::str::from_utf8(octets).ok().filter(printable);
    text.map(str::to_owned).ok_or_else(|| reader.value_error(start, field, "printable UTF-8", "something else"))
}

impl fmt::Debug for Security {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Security")
            .field("psk_identity", &format_args!("{} characters", self.psk_identity.chars().count()))
            .field("key_version", &self.key_version)
            .field("key_id", &self.key_id)
            .field("sha_type", &self.sha_type)
            .finish()
    }
}

impl fmt::Debug for HttpPost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let agent_id = self.agent_id.as_ref().map(|text| text.chars().count());
        f.debug_struct("HttpPost")
            .field("admin_host", &self.admin_host)
            .field("agent_id characters", &agent_id)
            .field("admin_uri", &self.admin_uri)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::Trace;
    use crate::types::hex;

    #[test]
    fn every_part_survives_the_round_trip() {
        let trigger = AdminTrigger {
            connection: Some(Connection { buffer_size: Some(1400), ..Connection::default() }),
            security: Some(Security { psk_identity: "8001".into(), key_version: 0x40, key_id: 1, sha_type: Some(2) }),
            extended_security: Some(vec![1, 2]),
            retry: Some(Retry::new(3, 90)),
            http_post: Some(HttpPost { admin_uri: Some("/a?op=02".into()), ..HttpPost::default() }),
            dns: Some(Dns { fqdn: Some(b"smsr".to_vec()), connection: None }),
        };
        assert_eq!(AdminTrigger::decode(&trigger.encode().unwrap()), Ok(trigger));
    }

    #[test]
    fn refuses_a_part_that_occurs_twice() {
        for text in ["8104 8300 8300", "8106 8304 8402 3900", "810c 830a 8903 8c012f 8903 8c0131", "8104 b300 b300"] {
            assert!(AdminTrigger::decode(&hex::decode(text).unwrap()).is_err(), "{text}");
        }
    }

    #[test]
    fn the_trace_names_the_parts() {
        let bytes = hex::decode("811c831a89188c162f67736d612f61646d696e6167656e743f6d73673d31").unwrap();
        let trace = Trace::new();
        AdminTrigger::read(&mut Reader::traced(STRUCTURE, &bytes, &trace), TimerCoding::default()).unwrap();
        let spans = trace.into_spans();
        let names: Vec<_> = spans.iter().map(|span| (span.depth, span.name.as_ref())).collect();
        assert_eq!(
            names[..4],
            [
                (0, "administration session triggering parameters"),
                (1, "session parameters"),
                (2, "HTTP POST parameters"),
                (3, "administration URI")
            ]
        );
        assert_eq!(spans[3].meaning, "/gsma/adminagent?msg=1");
    }

    #[test]
    fn debug_does_not_show_the_agent_id() {
        let post = HttpPost { agent_id: Some("//se-id/eid/8904".into()), ..HttpPost::default() };
        assert!(!format!("{post:?}").contains("8904"));
    }
}
