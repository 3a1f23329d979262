//! A profile change from the command to the SM-SR's confirmation (SGP.02 3.2, 3.4, 4.1.1.11), and the ways back.

use super::device::{Card, Commit};
use crate::codec::apdu::{ResponseApdu, StatusWord};
use crate::codec::cat::{Command as Proactive, Event, refresh};
use crate::codec::gp::isd_r::ProfileState;
use crate::codec::gp::notification::NotificationType;
use crate::codec::gp::{Aid, Notification};
use crate::codec::ota::{Counter, ResponsePacket, ResponseStatus, Spi};
use crate::codec::sms::{Address, Npi, Ton};
use crate::session::scp80::Command;
use crate::types::Tar;
use serde::{Deserialize, Serialize};

/// A change the SM-SR has not confirmed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Change {
    /// Enabled before; what a roll-back returns to.
    pub previous: Option<Aid>,
    pub enabled: Aid,
    /// Type of the notification: 02 succeeded, 03 rolled back, 05 after fall-back.
    pub notification: u8,
    pub sequence: u16,
    /// How a notification by SMS is secured.
    pub cause: Option<Cause>,
}

/// The command that caused a change: its key set, SPI and counter secure the notification.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Cause {
    pub key_version: u8,
    pub spi: [u8; 2],
    pub counter: u64,
}

impl Cause {
    pub(super) fn new(key_version: u8, command: &Command) -> Self {
        Self { key_version, spi: command.spi.octets(), counter: command.counter.value() }
    }
}

/// What was answered to the latest confirmation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Confirmation {
    pub sequence: u16,
    pub deleted: Vec<Aid>,
}

impl Card {
    /// A command of the SM-SR shows that it reaches the card: an earlier change needs no confirmation any more.
    pub(super) fn switch_by_command(&mut self, isd_p: Aid, cause: Cause) {
        let previous = self.state.enabled().map(|profile| profile.isd_p);
        self.switch(isd_p, previous, NotificationType::CHANGE_SUCCEEDED, Some(cause));
    }

    fn switch(&mut self, isd_p: Aid, previous: Option<Aid>, kind: NotificationType, cause: Option<Cause>) {
        for profile in &mut self.state.profiles {
            if profile.isd_p == isd_p {
                profile.state = ProfileState::ENABLED.0;
            } else if profile.state == ProfileState::ENABLED.0 {
                profile.state = ProfileState::DISABLED.0;
            }
        }
        self.state.notification_sequence = self.state.notification_sequence.wrapping_add(1);
        let sequence = self.state.notification_sequence;
        self.state.change = Some(Change { previous, enabled: isd_p, notification: kind.0, sequence, cause });
    }

    /// REFRESH (UICC reset) when another profile is enabled than the active one. Without a toolkit the change waits for
    /// the next reset.
    pub(super) fn refresh_after_change(&mut self) {
        let enabled = self.state.enabled().map(|profile| profile.isd_p);
        if enabled != self.session.active && !self.session.refresh_requested {
            self.session.refresh_requested = self.session.toolkit.queue(refresh::UICC_RESET, Proactive::Refresh);
        }
    }

    /// The terminal could not attach with the enabled profile, or no confirmation came in time: whoever drives the card
    /// decides that, as the card has no clock. One step back: an unconfirmed change is rolled back; where there is
    /// nothing to roll back to, the fall-back profile is enabled. `false` when there is no way back left.
    ///
    /// The change takes effect like any other: with the REFRESH that waits to be fetched, or at the next reset.
    pub fn connectivity_failed(&mut self, commit: &mut Commit<'_>) -> bool {
        let change = self.state.change.as_ref();
        let exists = |isd_p: &Aid| self.state.profile(*isd_p).is_some();
        let previous = change.and_then(|change| change.previous).filter(exists);
        let cause = change.and_then(|change| change.cause);
        let enabled = self.state.enabled().map(|profile| profile.isd_p);
        let fall_back = self.state.fall_back().map(|profile| profile.isd_p);
        match (previous, fall_back) {
            (Some(previous), _) => self.switch(previous, None, NotificationType::CHANGE_ROLLED_BACK, cause),
            (None, Some(fall_back)) if Some(fall_back) != enabled => {
                self.switch(fall_back, None, NotificationType::CHANGE_AFTER_FALL_BACK, cause);
            }
            _ => return false,
        }
        commit(&self.state);
        self.refresh_after_change();
        true
    }

    /// The notification that waits for its confirmation. A change is notified once it is effective.
    pub fn notification(&self) -> Option<Notification> {
        let change = self.state.change.as_ref()?;
        let effective = self.session.active == Some(change.enabled);
        effective.then_some(Notification {
            eid: self.state.eid,
            notification_type: NotificationType(change.notification),
            sequence: change.sequence,
            isd_p: change.enabled,
            imei: None,
            meid: None,
        })
    }

    /// GET DATA `E1`.
    pub(super) fn notification_object(&self) -> ResponseApdu {
        match self.notification().map(|notification| notification.encode()) {
            Some(Ok(data)) => ResponseApdu::ok(data),
            Some(Err(_)) => StatusWord::NO_INFORMATION.into(),
            None => StatusWord::REFERENCE_NOT_FOUND.into(),
        }
    }

    /// After TERMINAL PROFILE: where a notification is to go by SMS, the card asks to be told of the attach.
    pub(super) fn await_attach(&mut self) {
        if self.state.sm_sr.is_some() && self.notification().is_some() {
            self.session.toolkit.queue(0, Proactive::SetUpEventList(vec![Event::LOCATION_STATUS]));
        }
    }

    /// Normal service: the notification leaves by SMS, once per reset.
    ///
    /// It is a further response to the command that caused the change, as a PoR is: the SM-SR knows its keys, SPI and
    /// counter, and cannot take it for a command of its own that is reflected to it.
    pub(super) fn notify_by_sms(&mut self) {
        if self.session.notified {
            return;
        }
        let (Some(notification), Some(number)) = (self.notification(), self.state.sm_sr.as_ref()) else { return };
        let Ok(recipient) = Address::digits(Ton::INTERNATIONAL, Npi::ISDN, number.clear()) else { return };
        if let Some(packet) = self.secured(&notification) {
            self.session.notified = true;
            self.send_by_sms(&recipient, &packet);
        }
    }

    fn secured(&self, notification: &Notification) -> Option<Vec<u8>> {
        let cause = self.state.change.as_ref()?.cause?;
        let keys = self.state.key_sets.iter().find(|key_set| key_set.version == cause.key_version)?.prepare().ok()?;
        let packet = ResponsePacket {
            tar: Tar::ISD_R,
            counter: Counter::new(cause.counter).ok()?,
            status: ResponseStatus::POR_OK,
            data: notification.encode().ok()?,
        };
        packet.secure(Spi::from_octets(cause.spi), &keys).ok()
    }

    /// HandleNotificationConfirmation: the change is final; profiles that POL1 wants deleted go now. The same number
    /// again gets the same answer.
    pub(super) fn confirm_notification(&mut self, sequence: u16) -> Result<Vec<Aid>, StatusWord> {
        let confirmed = |confirmation: &&Confirmation| confirmation.sequence == sequence;
        if let Some(confirmation) = self.state.confirmation.as_ref().filter(confirmed) {
            return Ok(confirmation.deleted.clone());
        }
        self.notification().filter(|notification| notification.sequence == sequence).ok_or(StatusWord::WRONG_DATA)?;
        let change = self.state.change.take().ok_or(StatusWord::WRONG_DATA)?;
        let deleted: Vec<Aid> =
            change.previous.into_iter().filter(|previous| self.is_to_be_deleted(*previous)).collect();
        for isd_p in &deleted {
            self.remove(*isd_p);
        }
        self.state.confirmation = Some(Confirmation { sequence, deleted: deleted.clone() });
        Ok(deleted)
    }

    fn is_to_be_deleted(&self, isd_p: Aid) -> bool {
        self.state.profile(isd_p).is_some_and(|profile| {
            profile.policy.deleted_when_disabled && profile.state == ProfileState::DISABLED.0 && !profile.fall_back
        })
    }

    pub(super) fn remove(&mut self, isd_p: Aid) {
        self.state.profiles.retain(|profile| profile.isd_p != isd_p);
    }
}
