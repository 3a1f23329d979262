//! Logical channels and what is selected on each (TS 102 221 8.4, 11.1.17).

use super::files;
use crate::codec::apdu::{CommandApdu, ResponseApdu, StatusWord};
use crate::codec::gp::Aid;

/// Channels besides the basic one.
const EXTRA_CHANNELS: u8 = 3;

/// What a command on a channel is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Application {
    /// MF and USIM of the active subscription.
    FileSystem,
    IsdR,
    Ecasd,
    IsdP(Aid),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Selection {
    pub(super) application: Application,
    /// The current EF.
    pub(super) file: Option<u16>,
    /// The current directory.
    pub(super) directory: u16,
}

impl Selection {
    const START: Self = Self { application: Application::FileSystem, file: None, directory: files::MF };

    pub(super) const fn of(application: Application) -> Self {
        Self { application, ..Self::START }
    }
}

#[derive(Debug)]
pub(super) struct Channels {
    basic: Selection,
    extra: [Option<Selection>; EXTRA_CHANNELS as usize],
}

impl Channels {
    pub(super) const fn new() -> Self {
        Self { basic: Selection::START, extra: [None; EXTRA_CHANNELS as usize] }
    }

    /// The selection of an open channel.
    pub(super) fn get_mut(&mut self, channel: u8) -> Option<&mut Selection> {
        match channel.checked_sub(1) {
            None => Some(&mut self.basic),
            Some(index) => self.extra.get_mut(usize::from(index))?.as_mut(),
        }
    }

    /// MANAGE CHANNEL: open the next free one, open or close a named one.
    pub(super) fn manage(&mut self, command: &CommandApdu) -> ResponseApdu {
        match (command.p1, command.p2) {
            (0x00, 0x00) => match self.extra.iter().position(Option::is_none) {
                Some(index) => self.open(index, true),
                None => StatusWord::FUNCTION_NOT_SUPPORTED.into(),
            },
            (0x00, number @ 1..=EXTRA_CHANNELS) => self.open(usize::from(number) - 1, false),
            (0x80, number @ 1..=EXTRA_CHANNELS) => match self.extra.get_mut(usize::from(number) - 1) {
                Some(channel @ Some(_)) => {
                    *channel = None;
                    StatusWord::OK.into()
                }
                _ => StatusWord::CHANNEL_NOT_SUPPORTED.into(),
            },
            // Closing the channel that the command came on.
            (0x80, 0x00) if command.channel() > 0 => {
                let index = usize::from(command.channel()).saturating_sub(1);
                if let Some(channel) = self.extra.get_mut(index) {
                    *channel = None;
                }
                StatusWord::OK.into()
            }
            _ => StatusWord::WRONG_P1_P2.into(),
        }
    }

    fn open(&mut self, index: usize, tell_number: bool) -> ResponseApdu {
        match self.extra.get_mut(index) {
            Some(channel @ None) => {
                *channel = Some(Selection::START);
                let number = u8::try_from(index.saturating_add(1)).unwrap_or(0);
                ResponseApdu::ok(if tell_number { vec![number] } else { Vec::new() })
            }
            _ => StatusWord::WRONG_P1_P2.into(),
        }
    }
}
