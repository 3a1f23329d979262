//! Agent id of Amendment B in the form SGP.02 gives it: `//se-id/eid/<EID>;//aa-id/aid/<RID>/<PIX>`.

use super::Aid;
use crate::types::{Eid, Invalid, hex};
use std::str::FromStr;

const KIND: &str = "agent id";

/// Who posts: the eUICC, and the administration agent on it.
///
/// The text carries the EID in clear, so that it is asked for by name ([`clear`](Self::clear)).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AgentId {
    pub eid: Eid,
    /// Absent when the text names only the eUICC.
    pub agent: Option<Aid>,
}

impl AgentId {
    /// The ISD-R of this eUICC.
    pub const fn isd_r(eid: Eid) -> Self {
        Self { eid, agent: Some(Aid::ISD_R) }
    }

    pub fn clear(&self) -> String {
        let eid = self.eid.clear();
        match self.agent {
            Some(aid) => format!("//se-id/eid/{eid};//aa-id{}", application_path(&aid)),
            None => format!("//se-id/eid/{eid}"),
        }
    }
}

/// `/aid/<RID>/<PIX>`, the form in agent ids and, after one more slash, in `X-Admin-Targeted-Application`.
pub fn application_path(aid: &Aid) -> String {
    let (rid, pix) = aid.rid_and_pix();
    format!("/aid/{}/{}", hex::encode(rid).to_ascii_uppercase(), hex::encode(pix).to_ascii_uppercase())
}

/// The inverse of [`application_path`].
pub fn parse_application_path(text: &str) -> Result<Aid, Invalid> {
    let wrong = || Invalid::new("application", "expected /aid/<RID of 10 digits>/<PIX of up to 22 digits>");
    let (rid, pix) = text.strip_prefix("/aid/").and_then(|rest| rest.split_once('/')).ok_or_else(wrong)?;
    let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_hexdigit());
    if rid.len() != 10 || !digits(rid) || !digits(pix) {
        return Err(wrong());
    }
    format!("{rid}{pix}").parse().map_err(|_| wrong())
}

/// Parts of other kinds (`//aa-id/...` in another form) are refused: nothing here could compare them.
impl FromStr for AgentId {
    type Err = Invalid;
    fn from_str(text: &str) -> Result<Self, Invalid> {
        let wrong = || Invalid::new(KIND, "expected //se-id/eid/<EID>, then optionally ;//aa-id/aid/<RID>/<PIX>");
        let rest = text.strip_prefix("//se-id/eid/").ok_or_else(wrong)?;
        let (eid, agent) = match rest.split_once(';') {
            Some((eid, agent)) => (eid, Some(agent.strip_prefix("//aa-id").ok_or_else(wrong)?)),
            None => (rest, None),
        };
        Ok(Self { eid: eid.parse()?, agent: agent.map(parse_application_path).transpose()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EID: &str = "89049032123451234512345678901235";

    #[test]
    fn both_forms_survive_the_round_trip() {
        let eid = EID.parse().unwrap();
        for agent_id in [AgentId::isd_r(eid), AgentId { eid, agent: None }] {
            assert_eq!(agent_id.clear().parse(), Ok(agent_id));
        }
    }

    #[test]
    fn refuses_other_identifiers_and_trailing_text() {
        for text in [
            "//se-id/cin/8904".to_owned(),
            format!("//se-id/eid/{EID};"),
            format!("//se-id/eid/{EID};//aa-id/aid/A00000055/91010"),
            format!("//se-id/eid/{EID};//aa-id/aid/A000000559/1010;x"),
        ] {
            assert!(text.parse::<AgentId>().is_err(), "{text}");
        }
    }

    #[test]
    fn prints_the_eid_masked() {
        assert!(!format!("{:?}", AgentId::isd_r(EID.parse().unwrap())).contains(EID));
    }
}
