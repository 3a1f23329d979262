//! ES5: what the ISD-R does for the SM-SR (SGP.02 4.1), reached under SCP80 only.

use super::change::Cause;
use super::device::Card;
use super::state::{PROFILE_OVERHEAD, Profile};
use crate::codec::apdu::{CommandApdu, ResponseApdu, StatusWord};
use crate::codec::gp::isd_r::{ExtendedResources, ProfileState, ProfileStatus, encode_confirmation, encode_profiles};
use crate::codec::gp::{Aid, Es5Command};
use crate::session::scp80::Command;

/// Octets of working memory a simulated card claims to have free.
const FREE_VOLATILE: u32 = 4096;

/// A refusal is a status word.
type Done = Result<Vec<u8>, StatusWord>;

impl Card {
    pub(super) fn execute_isd_r(&mut self, apdu: &[u8], version: u8, command: &Command) -> ResponseApdu {
        let function = match Es5Command::decode(apdu) {
            Ok(function) => function,
            // GET DATA E1: the notification that waits for its confirmation.
            Err(_) if apdu.starts_with(&[0x80, 0xCA, 0x00, 0xE1]) => return self.notification_object(),
            Err(_) => return not_understood(apdu).into(),
        };
        let cause = Cause::new(version, command);
        let done = match function {
            Es5Command::CreateIsdP { isd_p, memory } => self.create_isd_p(isd_p, memory),
            Es5Command::EnableProfile { isd_p } => self.enable_profile(isd_p, cause),
            Es5Command::DisableProfile { isd_p } => self.disable_profile(isd_p, cause),
            Es5Command::SetFallBackAttribute { isd_p } => self.set_fall_back(isd_p),
            Es5Command::DeleteProfile { isd_p } => self.delete_profile(isd_p),
            Es5Command::ConfirmProfile { isd_p } => self.confirm_profile(isd_p),
            Es5Command::HandleNotificationConfirmation { sequence } => self
                .confirm_notification(sequence)
                .and_then(|deleted| encode_confirmation(&deleted).map_err(|_| StatusWord::NO_INFORMATION)),
            Es5Command::FinaliseIsdRHandover { key_version, .. } => self.delete_key_set(key_version, version),
            Es5Command::AuditProfiles { isd_p } => self.audit_profiles(isd_p),
            Es5Command::AuditResources => self.audit_resources(),
            // A simulated card has no certificate.
            Es5Command::AuditCertificate => Err(StatusWord::REFERENCE_NOT_FOUND),
        };
        match done {
            Ok(data) => ResponseApdu::ok(data),
            Err(sw) => sw.into(),
        }
    }

    fn found(&self, isd_p: Aid) -> Result<&Profile, StatusWord> {
        self.state.profile(isd_p).ok_or(StatusWord::REFERENCE_NOT_FOUND)
    }

    fn set_state(&mut self, isd_p: Aid, state: ProfileState) {
        if let Some(profile) = self.state.profile_mut(isd_p) {
            profile.state = state.0;
        }
    }

    /// INSTALL [for install and make selectable]: an empty ISD-P that waits for profile data.
    fn create_isd_p(&mut self, isd_p: Aid, memory: Option<u16>) -> Done {
        if !isd_p.is_isd_p() {
            return Err(StatusWord::WRONG_DATA);
        }
        if self.state.profile(isd_p).is_some() {
            return Err(StatusWord::CONDITIONS_NOT_SATISFIED);
        }
        let reserved = u32::from(memory.unwrap_or(0));
        if reserved.saturating_add(PROFILE_OVERHEAD) > self.state.free_memory() {
            return Err(StatusWord::NO_MEMORY);
        }
        self.state.profiles.push(Profile::created(isd_p, ProfileState::CREATED, reserved));
        Ok(Vec::new())
    }

    /// SGP.02 3.2: from disabled only; the profile that was enabled becomes disabled, if its POL1 allows.
    fn enable_profile(&mut self, isd_p: Aid, cause: Cause) -> Done {
        if self.found(isd_p)?.state != ProfileState::DISABLED.0 {
            return Err(StatusWord::CONDITIONS_NOT_SATISFIED);
        }
        if self.state.enabled().is_some_and(|enabled| enabled.policy.disabling_forbidden) {
            return Err(StatusWord::POLICY_FORBIDS);
        }
        self.switch_by_command(isd_p, cause);
        Ok(Vec::new())
    }

    /// SGP.02 3.4: the profile with the fall-back attribute takes over, so that one cannot be disabled.
    fn disable_profile(&mut self, isd_p: Aid, cause: Cause) -> Done {
        let profile = self.found(isd_p)?;
        if profile.state != ProfileState::ENABLED.0 || profile.fall_back {
            return Err(StatusWord::CONDITIONS_NOT_SATISFIED);
        }
        if profile.policy.disabling_forbidden {
            return Err(StatusWord::POLICY_FORBIDS);
        }
        let fall_back = self.state.fall_back().ok_or(StatusWord::CONDITIONS_NOT_SATISFIED)?.isd_p;
        self.switch_by_command(fall_back, cause);
        Ok(Vec::new())
    }

    /// Exactly one profile has the attribute.
    fn set_fall_back(&mut self, isd_p: Aid) -> Done {
        if !is_installed(self.found(isd_p)?) {
            return Err(StatusWord::CONDITIONS_NOT_SATISFIED);
        }
        for profile in &mut self.state.profiles {
            profile.fall_back = profile.isd_p == isd_p;
        }
        Ok(Vec::new())
    }

    fn delete_profile(&mut self, isd_p: Aid) -> Done {
        let profile = self.found(isd_p)?;
        let in_use = profile.state == ProfileState::ENABLED.0 || self.session.active == Some(isd_p);
        if in_use || profile.fall_back {
            return Err(StatusWord::CONDITIONS_NOT_SATISFIED);
        }
        if profile.policy.deletion_forbidden {
            return Err(StatusWord::POLICY_FORBIDS);
        }
        self.remove(isd_p);
        Ok(Vec::new())
    }

    /// Our convention: a loaded profile (07) becomes an installed one (1F). Again is no mistake.
    pub(super) fn confirm_profile(&mut self, isd_p: Aid) -> Done {
        match ProfileState(self.found(isd_p)?.state) {
            ProfileState::SELECTABLE => self.set_state(isd_p, ProfileState::DISABLED),
            ProfileState::DISABLED => {}
            _ => return Err(StatusWord::CONDITIONS_NOT_SATISFIED),
        }
        Ok(Vec::new())
    }

    /// The last key set, and the one the command came under, cannot be deleted.
    fn delete_key_set(&mut self, key_version: u8, in_use: u8) -> Done {
        if !self.state.key_sets.iter().any(|key_set| key_set.version == key_version) {
            return Err(StatusWord::REFERENCE_NOT_FOUND);
        }
        if key_version == in_use {
            return Err(StatusWord::CONDITIONS_NOT_SATISFIED);
        }
        self.state.key_sets.retain(|key_set| key_set.version != key_version);
        // What is left was prepared before: it cannot be refused now.
        if let Ok(receiver) = super::download::receiver(&self.state) {
            self.receiver = receiver;
        }
        Ok(Vec::new())
    }

    fn audit_profiles(&self, isd_p: Option<Aid>) -> Done {
        let asked = self.state.profiles.iter().filter(|profile| isd_p.is_none_or(|isd_p| profile.isd_p == isd_p));
        let profiles: Vec<_> = asked
            .map(|profile| ProfileStatus {
                aid: profile.isd_p,
                state: ProfileState(profile.state),
                fall_back: profile.fall_back,
                memory: Some(profile.memory()),
            })
            .collect();
        if profiles.is_empty() {
            return Err(StatusWord::REFERENCE_NOT_FOUND);
        }
        encode_profiles(&profiles).map_err(|_| StatusWord::NO_INFORMATION)
    }

    fn audit_resources(&self) -> Done {
        let resources = ExtendedResources {
            applications: u32::try_from(self.state.profiles.len()).unwrap_or(u32::MAX),
            free_nonvolatile: self.state.free_memory(),
            free_volatile: FREE_VOLATILE,
        };
        resources.encode().map_err(|_| StatusWord::NO_INFORMATION)
    }
}

/// Disabled or enabled: all data loaded and confirmed.
pub(super) const fn is_installed(profile: &Profile) -> bool {
    profile.state == ProfileState::DISABLED.0 || profile.state == ProfileState::ENABLED.0
}

/// Why a command is no ES5 command that this ISD-R knows.
fn not_understood(apdu: &[u8]) -> StatusWord {
    match CommandApdu::decode(apdu) {
        Err(_) => StatusWord::WRONG_LENGTH,
        Ok(CommandApdu { cla: 0x80..=0x83, ins: 0xE2 | 0xE4 | 0xE6 | 0xF0 | 0xF2, .. }) => StatusWord::WRONG_DATA,
        Ok(CommandApdu { cla: 0x80..=0x83, ins: 0xCA, .. }) => StatusWord::REFERENCE_NOT_FOUND,
        Ok(_) => StatusWord::UNKNOWN_INSTRUCTION,
    }
}
