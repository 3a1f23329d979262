//! An application of the card, selected on a logical channel of our own (TS 102 221 11.1.17, TS 27.007 8.43-8.46).

use super::{Card, CardChannel, CardError, Method, Way, modem};
use crate::codec::apdu::{CommandApdu, ResponseApdu, StatusWord};

/// A channel that stays open until it is closed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Handle {
    /// The session that +CCHO named.
    Session(String),
    /// A channel number by MANAGE CHANNEL.
    Number(u8),
}

/// A selected application. To be closed; what is not is closed when the next one is opened.
#[derive(Debug)]
pub struct Application<'c> {
    card: &'c mut Card,
    handle: Handle,
}

impl Card {
    /// Opens a logical channel and selects an application on it.
    pub async fn application(&mut self, aid: &[u8]) -> Result<Application<'_>, CardError> {
        if let Some(stale) = self.stale.take() {
            self.close(stale).await;
        }
        let handle = self.open(aid).await?;
        self.stale = Some(handle.clone());
        Ok(Application { card: self, handle })
    }

    async fn open(&mut self, aid: &[u8]) -> Result<Handle, CardError> {
        let modem = match (&self.way, self.applications.unwrap_or(self.method)) {
            (Way::Vpcd(_), _) | (Way::Modem(_), Method::Csim) => return self.open_numbered(aid).await,
            (Way::Modem(modem), Method::Cgla) => return modem::open(modem, aid).await.map(Handle::Session),
            (Way::Modem(modem), Method::Auto | Method::Cusat) => modem,
        };
        // +CCHO first: where it exists it works, while EC25 opens channels by +CSIM that then fail.
        match modem::open(modem, aid).await {
            Ok(session) => {
                self.applications = Some(Method::Cgla);
                Ok(Handle::Session(session))
            }
            Err(refusal @ CardError::Refused(_)) => {
                tracing::debug!(%refusal, "no AT+CCHO, trying AT+CSIM");
                match self.open_numbered(aid).await {
                    Ok(handle) => {
                        self.applications = Some(Method::Csim);
                        Ok(handle)
                    }
                    // The modem knows neither: its first word is the better explanation.
                    Err(CardError::Refused(_)) => Err(refusal),
                    Err(error) => Err(error),
                }
            }
            Err(error) => Err(error),
        }
    }

    async fn open_numbered(&mut self, aid: &[u8]) -> Result<Handle, CardError> {
        let opened = self.transmit(&CommandApdu::new(0x00, 0x70, 0x00, 0x00).with_le(1)).await?;
        let [number @ 1..=19] = opened.data[..] else {
            return Err(CardError::NoApplication { step: "MANAGE CHANNEL", status: opened.sw });
        };
        let handle = Handle::Number(number);
        let select = CommandApdu::new(0x00, 0xA4, 0x04, 0x00).with_data(aid.to_vec()).with_le(0);
        let selected = Application { card: self, handle: handle.clone() }.transmit(&select).await;
        let refusal = match selected {
            Ok(answer) if answer.sw.is_ok() => return Ok(handle),
            // Warnings (62xx, 63xx) come with a selected application.
            Ok(answer) if matches!(answer.sw.sw1(), 0x62 | 0x63) => return Ok(handle),
            Ok(answer) => CardError::NoApplication { step: "SELECT", status: answer.sw },
            Err(error) => error,
        };
        self.close(handle).await;
        Err(refusal)
    }

    async fn close(&mut self, handle: Handle) {
        match (handle, &self.way) {
            (Handle::Session(session), Way::Modem(modem)) => modem::close(modem, &session).await,
            (Handle::Session(_), Way::Vpcd(_)) => {}
            (Handle::Number(number), _) => {
                let closed = self.exchange(&CommandApdu::new(0x00, 0x70, 0x80, number)).await;
                if !matches!(&closed, Ok(answer) if answer.sw == StatusWord::OK) {
                    tracing::debug!(?closed, "a logical channel was not closed");
                }
            }
        }
    }
}

impl Application<'_> {
    /// Closes the channel. Errors are of no consequence: the card's next reset closes it too.
    pub async fn close(self) {
        self.card.stale = None;
        self.card.close(self.handle).await;
    }
}

impl CardChannel for Application<'_> {
    async fn exchange(&mut self, command: &CommandApdu) -> Result<ResponseApdu, CardError> {
        match (&self.handle, &self.card.way) {
            (Handle::Session(session), Way::Modem(modem)) => modem::cgla(modem, session, command).await,
            (Handle::Session(_), Way::Vpcd(_)) => Err(CardError::Unreachable("the channel belongs to a modem".into())),
            (Handle::Number(number), _) => {
                let on_channel = command.clone().on_channel(*number).ok_or_else(|| {
                    crate::codec::EncodeError::new("C-APDU", "CLA", "this class has no logical channels")
                })?;
                self.card.exchange(&on_channel).await
            }
        }
    }
}
