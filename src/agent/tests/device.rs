//! A terminal with a simulated eUICC: what a baseband does with it, and what the agent sees of it.

use crate::agent::euicc::Euicc;
use crate::card::{Card, CardKeySet, CardOptions, CardState, Subscription};
use crate::codec::apdu::{CommandApdu, ResponseApdu, StatusWord};
use crate::codec::cat::{self, CommandResult, ProactiveCommand, TerminalResponse};
use crate::codec::gp::Aid;
use crate::io::card::CardError;
use crate::io::clock;
use crate::types::{Eid, Iccid, Secret, hex};
use std::sync::{Arc, Mutex};

pub const CARD_KIC: &str = "be9140e9cc4a51260599d3931bd126e6";
pub const CARD_KID: &str = "4f89f2cee06a8ea4c1e26ec57c81c4e6";

pub fn secret(text: &str) -> Secret {
    Secret::new(hex::decode(text).unwrap())
}

/// Clones are the same terminal.
#[derive(Clone)]
pub struct Device(Arc<Mutex<Inside>>);

struct Inside {
    card: Card,
    /// Announced by 91xx and not fetched yet.
    waiting: Option<u8>,
    envelopes: usize,
    /// ENVELOPEs to be answered with this instead of by the card.
    refuse: Option<StatusWord>,
}

pub fn subscription(number: u32) -> Subscription {
    Subscription {
        iccid: Iccid::with_check_digit(&format!("894900000000000{number:03}")).unwrap(),
        imsi: format!("262010000000{number:03}").parse().unwrap(),
        msisdn: Some(format!("49151000000{number:03}").parse().unwrap()),
    }
}

impl Device {
    /// One enabled profile with the fall-back attribute in ISD-P 10, one disabled in 11.
    pub fn new(eid: Eid) -> Self {
        let keys = CardKeySet::aes(1, secret(CARD_KIC), secret(CARD_KID));
        let state = CardState::issued(eid, keys, subscription(1), subscription(2));
        let card = Card::new(state, CardOptions::default()).unwrap();
        let device = Self(Arc::new(Mutex::new(Inside { card, waiting: None, envelopes: 0, refuse: None })));
        device.boot();
        device
    }

    fn boot(&self) {
        let profile = cat::terminal_profile(vec![0xFF; 33]);
        assert!(self.transmit(&profile).sw.is_ok());
    }

    fn transmit(&self, command: &CommandApdu) -> ResponseApdu {
        let mut inside = self.0.lock().unwrap();
        let answer = inside.card.transmit(clock::now(), &command.encode().unwrap(), &mut |_| {});
        let answer = ResponseApdu::decode(&answer).unwrap();
        inside.waiting = answer.sw.proactive().or(inside.waiting);
        answer
    }

    pub fn state(&self) -> CardState {
        self.0.lock().unwrap().card.state().clone()
    }

    pub fn envelopes(&self) -> usize {
        self.0.lock().unwrap().envelopes
    }

    pub fn refuse(&self, sw: StatusWord) {
        self.0.lock().unwrap().refuse = Some(sw);
    }

    /// The baseband's part: fetches the REFRESH that waits, answers it and resets the card. Whether there was one.
    pub fn refresh(&self) -> bool {
        let Some(length) = self.0.lock().unwrap().waiting.take() else { return false };
        let fetched = self.transmit(&cat::fetch(length));
        let command = ProactiveCommand::decode(&fetched.data).unwrap();
        let response = TerminalResponse::to(&command, CommandResult::new(CommandResult::OK)).encode().unwrap();
        self.transmit(&CommandApdu::decode(&response).unwrap());
        let mut inside = self.0.lock().unwrap();
        inside.card.reset();
        inside.waiting = None;
        drop(inside);
        self.boot();
        true
    }
}

impl Euicc for Device {
    async fn envelope(&mut self, command: &CommandApdu) -> Result<ResponseApdu, CardError> {
        let refuse = {
            let mut inside = self.0.lock().unwrap();
            inside.envelopes += 1;
            inside.refuse
        };
        Ok(refuse.map_or_else(|| self.transmit(command), ResponseApdu::from))
    }

    async fn query(&mut self, aid: &Aid, command: &CommandApdu) -> Result<ResponseApdu, CardError> {
        let opened = self.transmit(&CommandApdu::new(0x00, 0x70, 0x00, 0x00).with_le(1));
        let channel = opened.data[0];
        let select = CommandApdu::new(0x00, 0xA4, 0x04, 0x0C).with_data(aid.octets().to_vec());
        self.transmit(&select.on_channel(channel).unwrap());
        let answer = self.transmit(&command.clone().on_channel(channel).unwrap());
        self.transmit(&CommandApdu::new(0x00, 0x70, 0x80, channel));
        Ok(answer)
    }
}
