//! Card application toolkit (TS 102 223, TS 31.111): what terminal and card say to each other beyond plain files.
//!
//! The terminal begins with TERMINAL PROFILE, passes messages and events in [`Envelope`]s, fetches what the card wants
//! (status word 91xx) as [`ProactiveCommand`] and answers each with one [`TerminalResponse`]. Who runs that cycle is
//! not decided here.

pub mod bip;
pub mod details;
pub mod envelope;
pub mod object;
pub mod proactive;
pub mod response;
#[cfg(test)]
mod tests;
pub mod value;

pub use bip::{Bearer, ChannelStatus, LinkState, NetworkAccessName, OtherAddress, Transport, TransportKind};
pub use details::{CommandDetails, CommandResult, CommandType, Device, Devices};
pub use envelope::{Envelope, Event};
pub use object::Object;
pub use proactive::{Command, OpenChannel, ProactiveCommand, TimerAction, refresh};
pub use response::TerminalResponse;
pub use value::{Duration, Location, MobileIdentity, TextString, TimerValue};

use super::apdu::CommandApdu;
use super::cursor::Result;
use super::{Fault, Reader};

/// TERMINAL PROFILE, once after each reset: without it a card does no toolkit (TS 102 223 5.2). At most 255 octets.
pub const fn terminal_profile(profile: Vec<u8>) -> CommandApdu {
    CommandApdu { cla: 0x80, ins: 0x10, p1: 0x00, p2: 0x00, data: profile, le: None }
}

/// FETCH, with the length that 91xx announced (TS 102 223 6.2).
pub fn fetch(length: u8) -> CommandApdu {
    CommandApdu::new(0x80, 0x12, 0x00, 0x00).with_le(length)
}

/// Reads a command with data of this instruction; its data and where they begin.
fn read_command(reader: &mut Reader<'_>, ins: u8, name: &'static str) -> Result<(CommandApdu, usize)> {
    let start = reader.offset();
    let apdu = CommandApdu::read(reader)?;
    if apdu.ins != ins {
        let expected = format!("{ins:02X} ({name})");
        return Err(reader.value_error(start.saturating_add(1), "INS", expected, format_args!("{:02X}", apdu.ins)));
    }
    if apdu.data.is_empty() {
        return Err(reader.error_at(start.saturating_add(5), "data", Fault::Missing));
    }
    Ok((apdu, start.saturating_add(5)))
}
