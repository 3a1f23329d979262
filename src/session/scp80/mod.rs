//! Both ends of SCP80 (TS 102 225): who may be addressed, which counter is next, what is answered.
//!
//! Counters live with the caller, because only he can make them durable: the [`Sender`] is handed blocks of counters
//! that are already reserved on stable storage, the [`Receiver`] says which value must be on stable storage before a
//! command is acted upon. Octets in, octets out; messages and their parts are somebody else's matter.

mod book;
mod key_file;
mod receiver;
mod sender;
pub mod test_keys;

pub use book::{Expected, Reading, ResponseBook, Unread};
pub use key_file::{KeyFileError, KeyOwner, StoredKeySet};
pub use receiver::{Accepted, Carrier, Command, Receiver, Reception, Response};
pub use sender::{CounterBlock, Secured, SendError, Sender};

#[cfg(test)]
mod tests;
