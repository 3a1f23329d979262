//! What to send next.

use super::{Account, Command, Goal};
use crate::codec::EncodeError;
use crate::codec::gp::{Aid, isd_r::ProfileState};
use crate::codec::ota::command::packet_length;
use crate::codec::sms::{Ie, Reference, Segmentation};
use crate::session::batch::Reason;

/// Audits in a row that may stay without a proved step between them.
const MAX_AUDITS: u8 = 5;
/// Cipher block and CC of the largest packets that are sent.
const AES_BLOCK: usize = 16;
const CC: usize = 8;

/// How much goes into one packet and into one body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Octets of a command packet.
    pub packet: usize,
    /// Packets of one body.
    pub packets: usize,
}

impl Limits {
    /// Packets of at most so many short messages to a card.
    pub fn of_segments(segments: u8, packets: usize) -> Self {
        let segmentation = Segmentation::new(Vec::new(), vec![Ie::command_packet()], Reference::Short(0));
        Self { packet: segmentation.capacity(usize::from(segments)), packets }
    }

    fn admits(self, script: usize) -> bool {
        packet_length(Some(AES_BLOCK), CC, script) <= self.packet
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// These commands, one packet each, in this order.
    Send(Vec<Command>),
    /// The session ends; the eUICC reports the switch of the profile in another one.
    AwaitNotification,
    Done,
    Failed(Reason),
}

fn refused(error: EncodeError) -> Next {
    Next::Failed(Reason::execution(error.to_string()))
}

impl Account {
    /// The next step; to be called when every answer so far is [applied](Self::apply). It records that the step is
    /// taken: the account is to be stored before anything is sent.
    pub fn next(&mut self, limits: Limits) -> Next {
        let goal = match self.order.goal() {
            Ok(goal) => goal,
            Err(reason) => return Next::Failed(reason),
        };
        if !self.work.certain {
            return self.audit();
        }
        match goal {
            Goal::Audit if self.work.audited => Next::Done,
            Goal::Audit => Next::Send(vec![Command::AuditAll]),
            Goal::Load { confirm } => self.load(confirm, limits),
            Goal::Enable => self.switch(Command::Enable, ProfileState::ENABLED),
            Goal::Disable => self.switch(Command::Disable, ProfileState::DISABLED),
            Goal::Delete if self.work.asked && self.state().is_none() => Next::Done,
            Goal::Delete => self.ask(Command::Delete),
            Goal::FallBack if self.work.asked && self.has_fall_back() => Next::Done,
            Goal::FallBack => self.ask(Command::SetFallBack),
        }
    }

    fn audit(&mut self) -> Next {
        if self.work.audits >= MAX_AUDITS {
            return Next::Failed(Reason::new("8.4", "6.1", "the eUICC gives no valid proof of receipt"));
        }
        self.work.audits = self.work.audits.saturating_add(1);
        Next::Send(vec![Command::audit(self.work.isd_p)])
    }

    fn ask(&mut self, command: Command) -> Next {
        self.work.asked = true;
        Next::Send(vec![command])
    }

    fn has_fall_back(&self) -> bool {
        self.work.isd_p.and_then(|isd_p| self.profile(isd_p)).is_some_and(|profile| profile.fall_back)
    }

    fn switch(&mut self, command: Command, wanted: ProfileState) -> Next {
        match (self.work.asked, self.state() == Some(wanted), self.work.awaiting) {
            (false, ..) | (true, false, false) => self.ask(command),
            (true, true, _) => {
                self.work.awaiting = true;
                Next::AwaitNotification
            }
            (true, false, true) => Next::Failed(rolled_back()),
        }
    }

    fn load(&mut self, confirm: bool, limits: Limits) -> Next {
        if self.order.profile_data.is_none() && !self.work.audited {
            return Next::Send(vec![Command::audit(self.work.isd_p)]);
        }
        match self.state() {
            None if self.order.profile_data.is_none() => Next::Failed(Reason::unknown_profile()),
            None => match self.work.isd_p.or_else(|| self.free_isd_p()) {
                Some(isd_p) => {
                    self.work.isd_p = Some(isd_p);
                    Next::Send(vec![Command::Create])
                }
                None => Next::Failed(Reason::new("8.3.1", "4.8", "the eUICC has no ISD-P AID left")),
            },
            Some(ProfileState::CREATED) if self.order.profile_data.is_none() => {
                Next::Failed(Reason::new("8.3.1", "1.2", "the profile is not loaded"))
            }
            Some(ProfileState::CREATED) => self.load_blocks(limits).unwrap_or_else(refused),
            Some(ProfileState::SELECTABLE) if confirm => Next::Send(vec![Command::Confirm]),
            Some(_) => Next::Done,
        }
    }

    fn load_blocks(&self, limits: Limits) -> Result<Next, EncodeError> {
        let total = u16::try_from(self.blocks()?.len()).unwrap_or(u16::MAX);
        let mut first = self.work.blocks.min(total);
        let mut commands = Vec::new();
        while first < total && commands.len() < limits.packets {
            let fits = |count: u16| -> Result<bool, EncodeError> {
                Ok(limits.admits(Command::Load { first, count }.script(self)?.len()))
            };
            let mut count = 0;
            while count < total.saturating_sub(first) && fits(count.saturating_add(1))? {
                count = count.saturating_add(1);
            }
            if count == 0 {
                let problem = format!("a block of profile data does not fit into {} octets", limits.packet);
                return Err(EncodeError::new("operation", "packet-segments", problem));
            }
            commands.push(Command::Load { first, count });
            first = first.saturating_add(count);
        }
        Ok(Next::Send(commands))
    }

    /// The lowest ISD-P TAR that no profile of this eUICC has (SGP.02: the SM-SR chooses the AID).
    fn free_isd_p(&self) -> Option<Aid> {
        Aid::ISD_P_TARS.filter_map(Aid::isd_p).find(|isd_p| self.profile(*isd_p).is_none())
    }

    /// What to send for a notification: its confirmation, and an audit that tells whether `enabled` really is.
    pub fn notified(sequence: u16, enabled: Aid) -> Vec<Command> {
        vec![Command::ConfirmNotification { sequence }, Command::audit(Some(enabled))]
    }

    /// The outcome of a switch once the notification is confirmed and the audit answered; `None` while it is not.
    pub fn settled(&self) -> Option<Result<(), Reason>> {
        if !self.work.certain || !self.work.audited {
            return None;
        }
        let enables = self.order.goal() == Ok(Goal::Enable);
        let wanted = if enables { ProfileState::ENABLED } else { ProfileState::DISABLED };
        // A profile whose policy deletes it when disabled is gone.
        let reached = match self.state() {
            Some(state) => state == wanted,
            None => wanted == ProfileState::DISABLED,
        };
        Some(if reached { Ok(()) } else { Err(rolled_back()) })
    }
}

fn rolled_back() -> Reason {
    Reason::new("8.3.1", "4.2", "the eUICC has rolled the change back")
}
