//! The commands that are built in, a table per subject.

mod control;
mod network;
mod sim;
mod sms;
mod storage;

pub(super) use control::Remembered;

use super::call::{Call, Executed};
use super::{Air, Modem};

pub(super) type Handler = fn(&mut Modem, &mut Air<'_>, &Call<'_>) -> Executed;

/// Name in upper case, and who executes it.
type Table = &'static [(&'static str, Handler)];

const TABLES: [Table; 5] = [control::TABLE, network::TABLE, sim::TABLE, sms::TABLE, storage::TABLE];

pub(super) fn extended(name: &str) -> Option<Handler> {
    TABLES.into_iter().flatten().find(|(known, _)| *known == name).map(|(_, handler)| *handler)
}

/// Names of all built-in extended commands.
fn names() -> impl Iterator<Item = &'static str> {
    TABLES.into_iter().flatten().map(|(name, _)| *name)
}
