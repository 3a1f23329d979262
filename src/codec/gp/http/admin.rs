//! Headers of Amendment B (3.3, 3.4) as values.

use super::headers::Headers;
use super::message::{Request, Response};
use super::uri::is_relative;
use crate::codec::EncodeError;
use crate::codec::gp::agent_id::{application_path, parse_application_path};
use crate::codec::gp::{AgentId, Aid};
use crate::types::Invalid;
use std::fmt;

const PROTOCOL: &str = "globalplatform-remote-admin/1.0";
const X_ADMIN_PROTOCOL: &str = "X-Admin-Protocol";
const X_ADMIN_FROM: &str = "X-Admin-From";
const X_ADMIN_RESUME: &str = "X-Admin-Resume";
const X_ADMIN_SCRIPT_STATUS: &str = "X-Admin-Script-Status";
const X_ADMIN_NEXT_URI: &str = "X-Admin-Next-URI";
const X_ADMIN_TARGETED_APPLICATION: &str = "X-Admin-Targeted-Application";
const CONTENT_TYPE: &str = "Content-Type";

/// Content type of a script in the expanded format.
pub const CONTENT_MANAGEMENT: &str = "application/vnd.globalplatform.card-content-mgt;version=1.0";
/// Content type of the answer to one.
pub const CONTENT_MANAGEMENT_RESPONSE: &str = "application/vnd.globalplatform.card-content-mgt-response;version=1.0";

/// What the administration agent says in a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AdminRequest {
    pub from: AgentId,
    /// The first request after a broken session.
    pub resume: bool,
    /// In every request that answers a script.
    pub script_status: Option<ScriptStatus>,
    pub content_type: Option<String>,
}

/// What became of a script as a whole; unknown words are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ScriptStatus {
    Ok,
    UnknownApplication,
    NotASecurityDomain,
    SecurityError,
    /// From device agents: no secure element.
    UnavailableSe,
    TemporarilyUnavailableApplication,
    ScriptFormatError,
    Other(String),
}

/// What the administration server says in a response.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AdminResponse {
    /// Where the answer goes; relative. Absent: the session ends.
    pub next_uri: Option<String>,
    /// Absent: the security domain that the session is with.
    pub targeted_application: Option<Aid>,
    pub content_type: Option<String>,
}

impl AdminRequest {
    pub fn read(request: &Request) -> Result<Self, Invalid> {
        let headers = &request.headers;
        protocol(headers)?;
        Ok(Self {
            from: headers.parsed(X_ADMIN_FROM)?.ok_or_else(|| Invalid::new(X_ADMIN_FROM, "is missing"))?,
            resume: headers.parsed(X_ADMIN_RESUME)?.unwrap_or(false),
            script_status: headers.single(X_ADMIN_SCRIPT_STATUS)?.map(ScriptStatus::from_word),
            content_type: headers.single(CONTENT_TYPE)?.map(str::to_owned),
        })
    }

    pub fn put(&self, headers: &mut Headers) -> Result<(), EncodeError> {
        headers.push(X_ADMIN_PROTOCOL, PROTOCOL)?;
        headers.push(X_ADMIN_FROM, &self.from.clear())?;
        if self.resume {
            headers.push(X_ADMIN_RESUME, "true")?;
        }
        if let Some(status) = &self.script_status {
            headers.push(X_ADMIN_SCRIPT_STATUS, status.word())?;
        }
        self.content_type.as_ref().map_or(Ok(()), |value| headers.push(CONTENT_TYPE, value))
    }
}

impl AdminResponse {
    /// Refuses a Next-URI that leads to another server.
    pub fn read(response: &Response) -> Result<Self, Invalid> {
        let headers = &response.headers;
        protocol(headers)?;
        let next_uri = headers.single(X_ADMIN_NEXT_URI)?;
        if next_uri.is_some_and(|uri| !is_relative(uri)) {
            return Err(Invalid::new(X_ADMIN_NEXT_URI, "expected a relative reference that begins with one slash"));
        }
        let application = headers.single(X_ADMIN_TARGETED_APPLICATION)?;
        let path = |text: &str| parse_application_path(text.strip_prefix('/').unwrap_or_default());
        Ok(Self {
            next_uri: next_uri.map(str::to_owned),
            targeted_application: application.map(path).transpose()?,
            content_type: headers.single(CONTENT_TYPE)?.map(str::to_owned),
        })
    }

    pub fn put(&self, headers: &mut Headers) -> Result<(), EncodeError> {
        headers.push(X_ADMIN_PROTOCOL, PROTOCOL)?;
        if let Some(uri) = &self.next_uri {
            headers.push(X_ADMIN_NEXT_URI, uri)?;
        }
        if let Some(aid) = &self.targeted_application {
            headers.push(X_ADMIN_TARGETED_APPLICATION, &format!("/{}", application_path(aid)))?;
        }
        self.content_type.as_ref().map_or(Ok(()), |value| headers.push(CONTENT_TYPE, value))
    }

    /// Whether the session is over once the body, if any, has been executed.
    pub const fn ends_session(&self) -> bool {
        self.next_uri.is_none()
    }
}

fn protocol(headers: &Headers) -> Result<(), Invalid> {
    match headers.single(X_ADMIN_PROTOCOL)? {
        Some(PROTOCOL) => Ok(()),
        _ => Err(Invalid::new(X_ADMIN_PROTOCOL, format!("expected {PROTOCOL}"))),
    }
}

impl ScriptStatus {
    pub fn from_word(word: &str) -> Self {
        [
            Self::Ok,
            Self::UnknownApplication,
            Self::NotASecurityDomain,
            Self::SecurityError,
            Self::UnavailableSe,
            Self::TemporarilyUnavailableApplication,
            Self::ScriptFormatError,
        ]
        .into_iter()
        .find(|status| status.word() == word)
        .unwrap_or_else(|| Self::Other(word.to_owned()))
    }

    pub fn word(&self) -> &str {
        match self {
            Self::Ok => "ok",
            Self::UnknownApplication => "unknown-application",
            Self::NotASecurityDomain => "not-a-security-domain",
            Self::SecurityError => "security-error",
            Self::UnavailableSe => "unavailable-se",
            Self::TemporarilyUnavailableApplication => "temporarily-unavailable-application",
            Self::ScriptFormatError => "script-format-error",
            Self::Other(word) => word,
        }
    }
}

impl fmt::Display for ScriptStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}
