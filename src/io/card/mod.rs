//! The way to the card: APDUs through a modem, or straight to a virtual card.
//!
//! [`Card`] hides which of the modem's commands carries an APDU, follows 61xx, 6Cxx and 9Fxx, and keeps to itself: the
//! modem goes on using the card meanwhile, so applications get a logical channel of their own and the basic channel is
//! left as it was found (ENVELOPE and the toolkit's commands select nothing).

mod application;
mod envelope;
mod error;
mod modem;
mod vpcd;

pub use application::Application;
pub use error::CardError;
pub use vpcd::Vpcd;

use crate::codec::apdu::{CommandApdu, FollowUp, ResponseApdu};
use crate::io::modem::Modem;
use std::future::Future;

/// Which of the modem's commands to use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Method {
    /// Whatever works, found out once: some modems offer the one and fail at it, some the other.
    #[default]
    Auto,
    /// +CSIM, with logical channels by MANAGE CHANNEL.
    Csim,
    /// +CCHO and +CGLA for applications.
    Cgla,
    /// +CUSATE for envelopes.
    Cusat,
}

/// Something that answers command APDUs.
pub trait CardChannel: Send {
    /// One exchange, the answer as it is.
    fn exchange(&mut self, command: &CommandApdu) -> impl Future<Output = Result<ResponseApdu, CardError>> + Send;

    /// One command with all that it takes to get its complete answer.
    fn transmit(&mut self, command: &CommandApdu) -> impl Future<Output = Result<ResponseApdu, CardError>> + Send
    where
        Self: Sized,
    {
        follow(self, command)
    }
}

/// Answers of more GET RESPONSE than this come from a card gone wild: 64 KiB.
const MOST_ROUNDS: usize = 256;

async fn follow(channel: &mut impl CardChannel, command: &CommandApdu) -> Result<ResponseApdu, CardError> {
    let mut command = command.clone();
    let mut data = Vec::new();
    for _ in 0..MOST_ROUNDS {
        let mut answer = channel.exchange(&command).await?;
        // The channel puts its own number into the class, so here all commands are those of channel 0.
        match answer.sw.follow_up(0) {
            Some(FollowUp::GetResponse(next)) => {
                data.append(&mut answer.data);
                command = next;
            }
            Some(FollowUp::RepeatWithLe(le)) => command.le = Some(le),
            None => {
                data.append(&mut answer.data);
                return Ok(ResponseApdu { data, ..answer });
            }
        }
    }
    Err(CardError::Endless)
}

#[derive(Debug)]
enum Way {
    Modem(Modem),
    Vpcd(Vpcd),
}

/// One card. What it transmits goes over the basic channel.
#[derive(Debug)]
pub struct Card {
    way: Way,
    method: Method,
    /// What `Auto` has found to work for applications and for envelopes.
    applications: Option<Method>,
    envelopes: Option<Method>,
    /// The channel of an application that was not closed.
    stale: Option<application::Handle>,
}

impl Card {
    /// The card in a modem.
    pub fn in_modem(modem: Modem, method: Method) -> Self {
        Self::new(Way::Modem(modem), method)
    }

    /// A virtual card.
    pub fn virtual_card(vpcd: Vpcd) -> Self {
        Self::new(Way::Vpcd(vpcd), Method::Csim)
    }

    fn new(way: Way, method: Method) -> Self {
        Self { way, method, applications: None, envelopes: None, stale: None }
    }
}

impl CardChannel for Card {
    async fn exchange(&mut self, command: &CommandApdu) -> Result<ResponseApdu, CardError> {
        match &mut self.way {
            Way::Modem(modem) => modem::csim(modem, command).await,
            Way::Vpcd(vpcd) => vpcd.exchange(command).await,
        }
    }
}

#[cfg(test)]
mod tests;
