//! The modem's commands that carry APDUs (TS 27.007 8.17, 8.43-8.46, 12.2.5).

use super::CardError;
use crate::codec::apdu::{CommandApdu, ResponseApdu, StatusWord};
use crate::codec::at::Answer;
use crate::codec::at::answer::{ApduAnswer, EnvelopeAnswer, LogicalSession};
use crate::codec::{DecodeError, EncodeError, Fault};
use crate::io::modem::Modem;
use crate::session::at::{AnswerLine, Request, standard};

async fn ask(modem: &Modem, request: Result<Request, EncodeError>) -> Result<Vec<AnswerLine>, CardError> {
    let completion = modem.execute(request?).await?;
    match completion.outcome {
        Ok(_) => Ok(completion.lines),
        Err(failure) => Err(crate::io::modem::CommandError::from(failure).into()),
    }
}

/// The line that can be read; the reason of the last that cannot.
fn read<T: Answer>(lines: &[AnswerLine]) -> Result<T, CardError> {
    let missing = DecodeError::new(T::PREFIX, "answer", 0, Fault::Missing);
    let mut result = Err(missing);
    for line in lines {
        result = T::decode(&line.text);
        if result.is_ok() {
            break;
        }
    }
    Ok(result?)
}

fn response(lines: &[AnswerLine]) -> Result<ResponseApdu, CardError> {
    let ApduAnswer { response } = read(lines)?;
    Ok(ResponseApdu::decode(&response)?)
}

/// One APDU by +CSIM, on the channel that its class says.
pub(super) async fn csim(modem: &Modem, command: &CommandApdu) -> Result<ResponseApdu, CardError> {
    response(&ask(modem, standard::csim(&command.encode()?)).await?)
}

/// One APDU by +CGLA. Its class says channel 0: the modem puts the real one there.
pub(super) async fn cgla(modem: &Modem, session: &str, command: &CommandApdu) -> Result<ResponseApdu, CardError> {
    response(&ask(modem, standard::cgla(session, &command.encode()?)).await?)
}

pub(super) async fn open(modem: &Modem, aid: &[u8]) -> Result<String, CardError> {
    read::<LogicalSession>(&ask(modem, standard::open_logical_channel(aid)).await?)
        .map(|LogicalSession(session)| session)
}

/// Missing on some modems (EM9191), refused for unknown sessions by others: the card closes channels at its reset anyway.
pub(super) async fn close(modem: &Modem, session: &str) {
    if let Err(error) = ask(modem, standard::close_logical_channel(session)).await {
        tracing::debug!(%error, "a logical channel was not closed");
    }
}

/// The body of an ENVELOPE by +CUSATE.
pub(super) async fn envelope(modem: &Modem, tlv: &[u8]) -> Result<ResponseApdu, CardError> {
    let answer: EnvelopeAnswer = read(&ask(modem, standard::envelope(tlv)).await?)?;
    Ok(envelope_response(answer))
}

/// Modems differ in whether the response ends with the status word.
fn envelope_response(answer: EnvelopeAnswer) -> ResponseApdu {
    let without = |data: Vec<u8>| ResponseApdu {
        data,
        sw: if answer.busy == Some(1) { StatusWord::BUSY } else { StatusWord::OK },
    };
    let length = answer.response.len();
    // A response packet says itself how long it is (TS 31.115 4.4): UDH 027100, then RPL.
    let packet = match answer.response.as_slice() {
        [0x02, 0x71, 0x00, high, low, ..] => Some(usize::from(u16::from_be_bytes([*high, *low])) + 5),
        _ => None,
    };
    let has_status = match (packet, answer.response.as_slice()) {
        (Some(packet), _) => length == packet + 2,
        (None, [.., sw1, _]) => matches!(sw1, 0x61..=0x6F | 0x90..=0x94 | 0x98 | 0x9E | 0x9F),
        (None, _) => false,
    };
    match ResponseApdu::decode(&answer.response) {
        Ok(response) if has_status => response,
        _ => without(answer.response),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(response: &[u8], busy: Option<u8>) -> (Vec<u8>, u16) {
        let ResponseApdu { data, sw } = envelope_response(EnvelopeAnswer { response: response.to_vec(), busy });
        (data, sw.0)
    }

    #[test]
    fn an_envelope_response_comes_with_and_without_status_word() {
        assert_eq!(read(&[], None), (vec![], 0x9000));
        assert_eq!(read(&[], Some(1)), (vec![], 0x9300));
        assert_eq!(read(&[0x91, 0x10], None), (vec![], 0x9110));
        assert_eq!(read(&[0x01, 0x02], None), (vec![0x01, 0x02], 0x9000));
        let packet = [0x02, 0x71, 0x00, 0x00, 0x02, 0x90, 0x00];
        assert_eq!(read(&packet, None), (packet.to_vec(), 0x9000));
        assert_eq!(read(&[&packet[..], &[0x91, 0x0A]].concat(), None), (packet.to_vec(), 0x910A));
    }
}
