//! Recipes of what makes an eUICC call home: the trigger object and the Amendment B parameters.

use crate::cli::encode::fields::{Hex, Number};
use crate::codec::EncodeError;
use crate::codec::cat::{Bearer, NetworkAccessName, OtherAddress, Transport, TransportKind};
use crate::codec::gp::AdminTrigger;
use crate::codec::gp::connection::Connection;
use crate::codec::gp::trigger::{HttpPost, Retry, Security};
use crate::codec::trigger::{SessionOwner, Trigger};
use crate::types::{AccessControl, Operation, TransactionId, UnixSeconds};
use serde::Deserialize;
use std::net::IpAddr;

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Owner {
    Agent,
    Euicc,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TriggerFields {
    operation: Option<Operation>,
    backoff: Option<Number<u32>>,
    window_start: Option<Number<u64>>,
    window_end: Option<Number<u64>>,
    window: Option<Number<u32>>,
    at: Option<Number<u64>>,
    sm_sr_id: Option<String>,
    sm_sr_address: Option<String>,
    transaction: TransactionId,
    packet: Option<Hex>,
    owner: Option<Owner>,
}

impl TriggerFields {
    pub fn encode(self) -> Result<Vec<u8>, EncodeError> {
        let trigger = Trigger {
            operation: self.operation,
            access_control: self.access_control()?,
            sm_sr_id: self.sm_sr_id,
            sm_sr_address: self.sm_sr_address,
            transaction: self.transaction,
            card_packet: self.packet.map(|Hex(packet)| packet),
            owner: match self.owner {
                Some(Owner::Euicc) => SessionOwner::Euicc,
                Some(Owner::Agent) | None => SessionOwner::Agent,
            },
        };
        trigger.encode()
    }

    fn access_control(&self) -> Result<Option<AccessControl>, EncodeError> {
        let refuse = |problem: &'static str| Err(EncodeError::new("trigger", "access control", problem));
        let window = match (self.window_start, self.window_end) {
            (Some(start), Some(end)) => {
                Some(AccessControl::Window { start: UnixSeconds(start.0), end: UnixSeconds(end.0) })
            }
            (None, None) => None,
            _ => return refuse("window_start and window_end belong together"),
        };
        let given = [
            self.backoff.map(|Number(seconds)| AccessControl::Backoff(seconds)),
            window,
            self.window.map(|Number(seconds)| AccessControl::WindowFromReceipt(seconds)),
            self.at.map(|Number(seconds)| AccessControl::At(UnixSeconds(seconds))),
        ];
        let mut given = given.into_iter().flatten();
        match (given.next(), given.next()) {
            (first, None) => Ok(first),
            _ => refuse("at most one of backoff, window_start and window_end, window, at"),
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum TransportWord {
    UdpClientRemote,
    TcpClientRemote,
    TcpServer,
    UdpClientLocal,
    TcpClientLocal,
    Direct,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ConnectionFields {
    bearer_type: Option<Number<u8>>,
    #[serde(default)]
    bearer_params: Hex,
    buffer_size: Option<Number<u16>>,
    apn: Option<String>,
    transport: Option<TransportWord>,
    port: Option<Number<u16>>,
    address: Option<IpAddr>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SecurityFields {
    psk_identity: String,
    key_version: Number<u8>,
    key_id: Number<u8>,
    sha_type: Option<Number<u8>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RetryFields {
    retry_counter: Number<u16>,
    delay_seconds: Number<u32>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct HttpPostFields {
    admin_host: Option<String>,
    agent_id: Option<String>,
    admin_uri: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AdminTriggerFields {
    connection: Option<ConnectionFields>,
    security: Option<SecurityFields>,
    retry: Option<RetryFields>,
    http_post: Option<HttpPostFields>,
}

impl ConnectionFields {
    fn connection(self) -> Result<Connection, EncodeError> {
        let transport = match (self.transport, self.port) {
            (Some(word), Some(Number(port))) => {
                let kind = match word {
                    TransportWord::UdpClientRemote => TransportKind::UDP_CLIENT_REMOTE,
                    TransportWord::TcpClientRemote => TransportKind::TCP_CLIENT_REMOTE,
                    TransportWord::TcpServer => TransportKind::TCP_SERVER,
                    TransportWord::UdpClientLocal => TransportKind::UDP_CLIENT_LOCAL,
                    TransportWord::TcpClientLocal => TransportKind::TCP_CLIENT_LOCAL,
                    TransportWord::Direct => TransportKind::DIRECT,
                };
                Some(Transport { kind, port })
            }
            (None, None) => None,
            _ => return Err(EncodeError::new("connection", "transport", "transport and port belong together")),
        };
        let bearer_params = self.bearer_params.0;
        Ok(Connection {
            bearer: self.bearer_type.map(|Number(kind)| Bearer { kind, parameters: bearer_params }),
            buffer_size: self.buffer_size.map(|Number(size)| size),
            access_name: self.apn.as_deref().map(NetworkAccessName::from_text).transpose()?,
            transport,
            destination: self.address.map(OtherAddress::Ip),
        })
    }
}

impl AdminTriggerFields {
    pub fn encode(self) -> Result<Vec<u8>, EncodeError> {
        let security = |fields: SecurityFields| Security {
            psk_identity: fields.psk_identity,
            key_version: fields.key_version.0,
            key_id: fields.key_id.0,
            sha_type: fields.sha_type.map(|Number(sha_type)| sha_type),
        };
        let post = |fields: HttpPostFields| HttpPost {
            admin_host: fields.admin_host,
            agent_id: fields.agent_id,
            admin_uri: fields.admin_uri,
        };
        let trigger = AdminTrigger {
            connection: self.connection.map(ConnectionFields::connection).transpose()?,
            security: self.security.map(security),
            retry: self.retry.map(|fields| Retry::new(fields.retry_counter.0, fields.delay_seconds.0)),
            http_post: self.http_post.map(post),
            ..AdminTrigger::default()
        };
        trigger.encode()
    }
}
