//! ENVELOPE, which belongs on the basic channel (TS 102 221 11.2.2, TS 31.111 7.1.1).

use super::{Card, CardChannel, CardError, Method, Way, modem};
use crate::codec::apdu::{CommandApdu, ResponseApdu};

/// 9Exx: response data of an SMS-PP download that failed (TS 51.011 9.4.1).
const DOWNLOAD_ERROR: u8 = 0x9E;

impl Card {
    /// Sends an ENVELOPE command and returns its complete answer. With 9Exx the data is the card's, too.
    pub async fn envelope(&mut self, envelope: &CommandApdu) -> Result<ResponseApdu, CardError> {
        let method = self.envelopes.unwrap_or(self.method);
        if let (Method::Cusat, Way::Modem(modem)) = (method, &self.way) {
            return modem::envelope(modem, &envelope.data).await;
        }
        let refusal = match self.envelope_apdu(envelope).await {
            Err(CardError::Refused(result)) => CardError::Refused(result),
            result => return result,
        };
        // The other way only where this one has certainly not reached the card.
        match &self.way {
            Way::Modem(modem) if matches!(method, Method::Auto | Method::Cgla) && !refusal.outcome_unknown() => {
                tracing::debug!(%refusal, "no AT+CSIM, trying AT+CUSATE");
                let answer = modem::envelope(modem, &envelope.data).await?;
                self.envelopes = Some(Method::Cusat);
                Ok(answer)
            }
            _ => Err(refusal),
        }
    }

    async fn envelope_apdu(&mut self, envelope: &CommandApdu) -> Result<ResponseApdu, CardError> {
        let answer = self.transmit(envelope).await?;
        if answer.sw.sw1() != DOWNLOAD_ERROR {
            return Ok(answer);
        }
        let fetched = self.transmit(&CommandApdu::new(0x00, 0xC0, 0x00, 0x00).with_le(answer.sw.sw2())).await?;
        Ok(ResponseApdu { data: fetched.data, sw: answer.sw })
    }
}
