//! What an answer changes.

use super::{Account, Answer, Command, Milestone, ProfileRecord};
use crate::codec::apdu::{ExpandedResponse, ResponseApdu, StatusWord};
use crate::codec::gp::Aid;
use crate::codec::gp::isd_r::{ProfileState, ProfileStatus, decode_confirmation, decode_profiles};
use crate::session::batch::Reason;

impl Account {
    /// Takes the answers to the commands of one body in their order. An error ends the order; what was reached before
    /// it stays. After an answer that proves nothing the others say nothing either: an audit tells.
    pub fn apply(&mut self, answered: &[(Command, Answer)]) -> Result<Option<Milestone>, Reason> {
        let mut milestone = None;
        for (command, answer) in answered {
            milestone = self.apply_one(*command, answer)?.or(milestone);
            if *answer == Answer::Unproved {
                break;
            }
        }
        Ok(milestone)
    }

    fn apply_one(&mut self, command: Command, answer: &Answer) -> Result<Option<Milestone>, Reason> {
        match answer {
            Answer::NotDelivered => Ok(None),
            Answer::Unproved => {
                self.work.certain = false;
                Ok(None)
            }
            Answer::NotTaken(sw) => Err(Reason::execution(format!("the eUICC answered {sw}: {}", sw.meaning()))),
            Answer::Refused(status) => {
                Err(Reason::execution(format!("the eUICC refused the packet: {}", status.meaning())))
            }
            Answer::Executed(script) => self.executed(command, script),
        }
    }

    fn executed(&mut self, command: Command, script: &ExpandedResponse) -> Result<Option<Milestone>, Reason> {
        let responses = Answer::responses(script);
        let good = responses.iter().take_while(|response| response.sw.is_ok()).count();
        if let Command::Load { first, .. } = command {
            self.work.blocks = first.saturating_add(u16::try_from(good).unwrap_or(u16::MAX));
        }
        match responses.get(good) {
            Some(failed) => self.refused(command, failed.sw)?,
            None if good < command.responses() => {
                let why = script.bad_format().map_or("has no response to every command", |fault| fault.meaning());
                return Err(Reason::execution(format!("the answer of the eUICC: {why}")));
            }
            None => return self.succeeded(command, responses.last().copied()),
        }
        Ok(None)
    }

    /// A status word that says no; some say it to what only shows that we knew too little.
    fn refused(&mut self, command: Command, sw: StatusWord) -> Result<(), Reason> {
        match (command, sw) {
            (Command::AuditOne { tar }, StatusWord::NOT_FOUND | StatusWord::REFERENCE_NOT_FOUND) => {
                let absent = Aid::isd_p(tar);
                self.profiles.retain(|profile| Some(profile.isd_p) != absent);
                self.audited();
                Ok(())
            }
            // An eUICC without any profile has nothing to list.
            (Command::AuditAll, StatusWord::NOT_FOUND | StatusWord::REFERENCE_NOT_FOUND) => {
                self.profiles.clear();
                self.audited();
                Ok(())
            }
            // The AID is taken: the registry did not know of that profile.
            (Command::Create, StatusWord::CONDITIONS_NOT_SATISFIED) if !self.work.audited => {
                (self.work.isd_p, self.work.certain) = (None, false);
                Ok(())
            }
            _ => Err(reason(sw)),
        }
    }

    fn succeeded(&mut self, command: Command, last: Option<&ResponseApdu>) -> Result<Option<Milestone>, Reason> {
        let data = last.map(|response| response.data.as_slice()).unwrap_or_default();
        let malformed = |error: crate::codec::DecodeError| Reason::execution(error.to_string());
        match command {
            Command::AuditAll | Command::AuditOne { .. } => {
                let found = decode_profiles(data).map_err(malformed)?;
                return Ok(self.take_audit(command == Command::AuditAll, &found));
            }
            Command::ConfirmNotification { .. } => {
                let deleted =
                    if data.is_empty() { Vec::new() } else { decode_confirmation(data).map_err(malformed)? };
                self.profiles.retain(|profile| !deleted.contains(&profile.isd_p));
                // The switch is over; what it has come to the audit tells, and until then it is awaited.
                self.work.audited = false;
                return Ok(None);
            }
            _ => self.work.audits = 0,
        }
        let Some(isd_p) = self.work.isd_p else { return Ok(None) };
        match command {
            Command::Create => {
                self.created(isd_p);
                return Ok(Some(Milestone::ContainerCreated));
            }
            Command::Load { .. } => {
                let total = self.blocks().map_or(0, |blocks| blocks.len());
                if usize::from(self.work.blocks) >= total {
                    self.set_state(isd_p, ProfileState::SELECTABLE);
                }
            }
            Command::Confirm => self.set_state(isd_p, ProfileState::DISABLED),
            Command::Enable => {
                self.enable(isd_p);
                self.work.awaiting = true;
            }
            Command::Disable => {
                let fall_back = self.profiles.iter().find(|profile| profile.fall_back).map(|profile| profile.isd_p);
                self.set_state(isd_p, ProfileState::DISABLED);
                if let Some(fall_back) = fall_back {
                    self.enable(fall_back);
                }
                self.work.awaiting = true;
            }
            Command::Delete => self.profiles.retain(|profile| profile.isd_p != isd_p),
            Command::SetFallBack => self.set_fall_back(isd_p),
            Command::AuditAll | Command::AuditOne { .. } | Command::ConfirmNotification { .. } => {}
        }
        Ok(None)
    }

    fn created(&mut self, isd_p: Aid) {
        self.work.blocks = 0;
        self.profiles.push(ProfileRecord {
            isd_p,
            iccid: self.order.iccid.clone(),
            state: ProfileState::CREATED,
            fall_back: false,
            imsi: self.order.imsi.clone(),
            msisdn: self.order.msisdn.clone(),
        });
    }

    fn set_state(&mut self, isd_p: Aid, state: ProfileState) {
        if let Some(profile) = self.profiles.iter_mut().find(|profile| profile.isd_p == isd_p) {
            profile.state = state;
        }
    }

    /// One profile is enabled at a time.
    fn enable(&mut self, isd_p: Aid) {
        for profile in &mut self.profiles {
            if profile.isd_p == isd_p {
                profile.state = ProfileState::ENABLED;
            } else if profile.state == ProfileState::ENABLED {
                profile.state = ProfileState::DISABLED;
            }
        }
    }

    /// One profile has the attribute.
    fn set_fall_back(&mut self, isd_p: Aid) {
        for profile in &mut self.profiles {
            profile.fall_back = profile.isd_p == isd_p;
        }
    }

    fn audited(&mut self) {
        (self.work.certain, self.work.audited) = (true, true);
        // How many blocks an interrupted download has loaded is not told: it begins anew.
        self.work.blocks = 0;
    }

    /// What it shows of an ISD-P whose creation was not answered is a milestone like the answer.
    fn take_audit(&mut self, all: bool, found: &[ProfileStatus]) -> Option<Milestone> {
        let mut milestone = None;
        if all {
            self.profiles.retain(|profile| found.iter().any(|status| status.aid == profile.isd_p));
        }
        for status in found {
            let position = self.profiles.iter().position(|profile| profile.isd_p == status.aid);
            match position.and_then(|position| self.profiles.get_mut(position)) {
                Some(profile) => (profile.state, profile.fall_back) = (status.state, status.fall_back),
                None => {
                    if self.downloads_into(status.aid) {
                        milestone = Some(Milestone::ContainerCreated);
                    }
                    self.profiles.push(self.shown_by_audit(status));
                }
            }
            if status.state == ProfileState::ENABLED {
                self.enable(status.aid);
            }
            if status.fall_back {
                self.set_fall_back(status.aid);
            }
        }
        self.audited();
        milestone
    }

    fn downloads_into(&self, isd_p: Aid) -> bool {
        self.order.profile_data.is_some() && self.work.isd_p == Some(isd_p)
    }

    /// A profile the registry did not know; the one being downloaded is known by its order.
    fn shown_by_audit(&self, status: &ProfileStatus) -> ProfileRecord {
        let order = Some(&self.order).filter(|_| self.downloads_into(status.aid));
        ProfileRecord {
            isd_p: status.aid,
            iccid: order.and_then(|order| order.iccid.clone()),
            state: status.state,
            fall_back: status.fall_back,
            imsi: order.and_then(|order| order.imsi.clone()),
            msisdn: order.and_then(|order| order.msisdn.clone()),
        }
    }
}

impl Command {
    /// Responses a whole execution has.
    fn responses(self) -> usize {
        match self {
            Self::Load { count, .. } => usize::from(count),
            _ => 1,
        }
    }
}

/// SGP.02 codes for the status words of ES5.
fn reason(sw: StatusWord) -> Reason {
    let text = format!("the eUICC answered {sw}: {}", sw.meaning());
    match sw {
        StatusWord::CONDITIONS_NOT_SATISFIED => Reason::new("8.3.1", "1.2", text),
        StatusWord::POLICY_FORBIDS => Reason::new("8.2.2", "3.8", text),
        StatusWord::NOT_FOUND | StatusWord::REFERENCE_NOT_FOUND => Reason::new("8.3.1", "3.9", text),
        StatusWord::NO_MEMORY => Reason::new("8.1", "4.8", text),
        _ => Reason::execution(text),
    }
}
