//! The card seen by the host (TS 27.007 8.3, 8.17, 8.18, 8.43 to 8.46).

use super::super::call::{Call, Executed, Failure, NOT_SUPPORTED, OK, WRONG_PARAMETERS, line};
use super::super::personality::ToolkitOwner;
use super::super::sim::Pin;
use super::super::{Air, Modem};
use super::Table;
use crate::codec::apdu::{CommandApdu, FollowUp, ResponseApdu, StatusWord};
use crate::codec::at::Form;
use crate::types::hex;

pub(super) const TABLE: Table = &[
    ("+CPIN", pin),
    ("+CIMI", imsi),
    ("+CCID", iccid),
    ("+CSIM", generic_access),
    ("+CRSM", restricted_access),
    ("+CCHO", open_channel),
    ("+CGLA", channel_access),
    ("+CCHC", close_channel),
];

const PIN_WANTED: Failure = Failure::Cme(11);
const PUK_WANTED: Failure = Failure::Cme(12);
const SIM_FAILURE: Failure = Failure::Cme(13);
const WRONG_PASSWORD: Failure = Failure::Cme(16);
const NOT_FOUND: Failure = Failure::Cme(22);

fn pin(modem: &mut Modem, air: &mut Air<'_>, call: &Call<'_>) -> Executed {
    match call.form {
        Form::Read => line(call.answer(match modem.sim.pin(air.now) {
            Pin::Ready => "READY",
            Pin::Wanted => "SIM PIN",
            Pin::Blocked => "SIM PUK",
        })),
        Form::Test => OK,
        Form::Execute => NOT_SUPPORTED,
        Form::Set(_) => {
            let code = call.text(0).ok_or(WRONG_PARAMETERS)?;
            let new = call.text(1);
            // VERIFY PIN, or UNBLOCK PIN with the new one (TS 102 221 11.1.9, 11.1.13); padded with FF.
            let ins = if new.is_some() { 0x2C } else { 0x20 };
            let data = [Some(code), new].into_iter().flatten().flat_map(padded).collect();
            match modem.sim.command(air.now, &CommandApdu::new(0x00, ins, 0x00, 0x01).with_data(data)).sw {
                sw if sw.is_ok() => OK,
                StatusWord::PIN_BLOCKED | StatusWord(0x63C0) => Err(PUK_WANTED),
                _ => Err(WRONG_PASSWORD),
            }
        }
    }
}

fn padded(code: &str) -> Vec<u8> {
    code.bytes().chain([0xFF; 8]).take(8).collect()
}

fn need_pin(modem: &mut Modem, air: &Air<'_>) -> Result<(), Failure> {
    match modem.sim.pin(air.now) {
        Pin::Ready => Ok(()),
        Pin::Wanted => Err(PIN_WANTED),
        Pin::Blocked => Err(PUK_WANTED),
    }
}

fn imsi(modem: &mut Modem, air: &mut Air<'_>, call: &Call<'_>) -> Executed {
    match call.form {
        Form::Execute => {
            need_pin(modem, air)?;
            let subscription = modem.sim.subscription().ok_or(SIM_FAILURE)?;
            line(subscription.imsi.clear())
        }
        Form::Test => OK,
        _ => NOT_SUPPORTED,
    }
}

/// EF_ICCID may be read without PIN (TS 102 221 13.2).
fn iccid(modem: &mut Modem, _: &mut Air<'_>, call: &Call<'_>) -> Executed {
    match call.form {
        Form::Execute | Form::Read => {
            let subscription = modem.sim.subscription().ok_or(SIM_FAILURE)?;
            line(call.answer(subscription.iccid.clear()))
        }
        Form::Test => OK,
        Form::Set(_) => NOT_SUPPORTED,
    }
}

/// The APDU at a place, whose number of characters stands before it.
fn apdu(call: &Call<'_>, place: usize) -> Result<Vec<u8>, Failure> {
    let length = call.number(place)?.ok_or(WRONG_PARAMETERS)?;
    let text = call.text(place + 1).ok_or(WRONG_PARAMETERS)?;
    if usize::try_from(length) != Ok(text.len()) {
        return Err(WRONG_PARAMETERS);
    }
    hex::decode(text).map_err(|_| WRONG_PARAMETERS)
}

/// Answer and status word; 91xx is not for the host where the baseband owns the toolkit.
fn show(modem: &mut Modem, call: &Call<'_>, mut answer: ResponseApdu) -> Executed {
    modem.note_proactive(answer.sw);
    if modem.personality.toolkit == ToolkitOwner::Baseband && answer.sw.proactive().is_some() {
        answer.sw = StatusWord::OK;
    }
    let text = hex::encode(&answer.encode()).to_ascii_uppercase();
    line(call.answer(format!("{},\"{text}\"", text.len())))
}

fn generic_access(modem: &mut Modem, air: &mut Air<'_>, call: &Call<'_>) -> Executed {
    match call.form {
        Form::Set(_) => {
            let apdu = apdu(call, 0)?;
            let answer = modem.sim.transmit(air.now, &apdu);
            show(modem, call, answer)
        }
        Form::Test => OK,
        _ => NOT_SUPPORTED,
    }
}

/// AT+CRSM=<command>,<file>,<P1>,<P2>,<P3>[,<data>[,<path>]]; the files of this card are found without their path.
fn restricted_access(modem: &mut Modem, air: &mut Air<'_>, call: &Call<'_>) -> Executed {
    match call.form {
        Form::Set(_) => {}
        Form::Test => return OK,
        _ => return NOT_SUPPORTED,
    }
    let ins = call.octet(0)?.ok_or(WRONG_PARAMETERS)?;
    let mut answer = ResponseApdu::from(StatusWord::OK);
    if let Some(file) = call.number(1)? {
        let id = u16::try_from(file).map_err(|_| WRONG_PARAMETERS)?.to_be_bytes();
        answer =
            modem.sim.command(air.now, &CommandApdu::new(0x00, 0xA4, 0x00, 0x04).with_data(id.to_vec()).with_le(0));
    }
    // GET RESPONSE (192) asks for what SELECT has answered.
    if answer.sw.is_ok() && ins != 0xC0 {
        let octet = |place| Ok(call.octet(place)?.unwrap_or(0));
        let class = if ins == 0xF2 { 0x80 } else { 0x00 };
        let command = CommandApdu::new(class, ins, octet(2)?, octet(3)?);
        let command = match call.text(5).filter(|data| !data.is_empty()) {
            Some(data) => command.with_data(hex::decode(data).map_err(|_| WRONG_PARAMETERS)?),
            None => command.with_le(octet(4)?),
        };
        answer = modem.sim.command(air.now, &command);
    }
    modem.note_proactive(answer.sw);
    let [sw1, sw2] = if answer.sw.proactive().is_some() { [0x90, 0x00] } else { answer.sw.octets() };
    let data = hex::encode(&answer.data).to_ascii_uppercase();
    let data = if data.is_empty() { data } else { format!(",\"{data}\"") };
    line(call.answer(format!("{sw1},{sw2}{data}")))
}

fn open_channel(modem: &mut Modem, air: &mut Air<'_>, call: &Call<'_>) -> Executed {
    match call.form {
        Form::Set(_) => {}
        Form::Test => return OK,
        _ => return NOT_SUPPORTED,
    }
    let aid = call.text(0).and_then(|text| hex::decode(text).ok()).ok_or(WRONG_PARAMETERS)?;
    let opened = modem.sim.transmit(air.now, &[0x00, 0x70, 0x00, 0x00, 0x01]);
    // Memory full: all channels are in use.
    let channel = opened.data.first().copied().filter(|_| opened.sw.is_ok()).ok_or(Failure::Cme(20))?;
    let select = CommandApdu::new(0x00, 0xA4, 0x04, 0x00).with_data(aid).with_le(0).on_channel(channel);
    let selected = select.map(|select| modem.sim.command(air.now, &select));
    let found = |answer: &ResponseApdu| answer.sw.is_ok() || answer.sw.sw1() == 0x61;
    if !selected.as_ref().is_some_and(found) {
        close(modem, air, channel);
        return Err(SIM_FAILURE);
    }
    modem.sim.last_session += 1;
    let session = modem.sim.last_session;
    modem.sim.sessions.insert(session, channel);
    line(call.answer(session))
}

fn close(modem: &mut Modem, air: &mut Air<'_>, channel: u8) {
    modem.sim.transmit(air.now, &[0x00, 0x70, 0x80, channel, 0x00]);
}

fn channel_access(modem: &mut Modem, air: &mut Air<'_>, call: &Call<'_>) -> Executed {
    match call.form {
        Form::Set(_) => {}
        Form::Test => return OK,
        _ => return NOT_SUPPORTED,
    }
    let session = call.number(0)?.ok_or(WRONG_PARAMETERS)?;
    let channel = modem.sim.sessions.get(&session).copied().ok_or(NOT_FOUND)?;
    let apdu = apdu(call, 1)?;
    let command = CommandApdu::decode(&apdu).map_err(|_| WRONG_PARAMETERS)?;
    // The host writes the class of the basic channel, the modem puts its own channel in (TS 27.007 8.43).
    let command = command.on_channel(channel).ok_or(WRONG_PARAMETERS)?;
    let mut answer = modem.sim.command(air.now, &command);
    if let Some(FollowUp::GetResponse(follow)) = answer.sw.follow_up(channel) {
        answer = modem.sim.command(air.now, &follow);
    }
    show(modem, call, answer)
}

fn close_channel(modem: &mut Modem, air: &mut Air<'_>, call: &Call<'_>) -> Executed {
    match call.form {
        Form::Set(_) => {}
        Form::Test => return OK,
        _ => return NOT_SUPPORTED,
    }
    let session = call.number(0)?.ok_or(WRONG_PARAMETERS)?;
    let channel = modem.sim.sessions.remove(&session).ok_or(NOT_FOUND)?;
    close(modem, air, channel);
    line(call.name)
}
