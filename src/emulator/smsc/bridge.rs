//! Between the SMPP side and the network that all modems share: accepted messages go to terminals, their ends become
//! receipts, and what terminals or cards send to a number of an account comes to it as deliver_sm.

use super::{Accepted, Originated, Server, pdu};
use crate::{
    codec::sms::{Address, Dcs, Npi, Pid, St, StClass, Ton, UserData},
    emulator::network::{FromTerminal, Handed, Network, Outcome},
    types::{Now, UnixSeconds},
};
use std::{collections::HashMap, sync::Arc, time::Duration};
use tokio::sync::watch;

/// Marks the network's application numbers that are messages of ours.
const SMPP: u64 = 1 << 63;

/// message_state (SMPP 3.4 5.2.28).
const DELIVERED: u8 = 2;
const EXPIRED: u8 = 3;
const UNDELIVERABLE: u8 = 5;
const REJECTED: u8 = 8;

pub struct Bridge {
    server: Arc<Server>,
    changed: watch::Receiver<u64>,
    /// The account behind each number that messages came from.
    numbers: HashMap<String, String>,
}

impl Bridge {
    pub fn new(server: Arc<Server>) -> Self {
        Self { changed: server.changes(), server, numbers: HashMap::new() }
    }

    /// Returns when [`hand_in`](Self::hand_in) may have something to do.
    pub async fn changed(&mut self) {
        // The server lives as long as this does.
        let _ = self.changed.changed().await;
    }

    /// Gives the network what was accepted.
    pub fn hand_in(&mut self, now: Now, network: &mut Network) {
        // Looking changes nothing, so that nobody is woken by it.
        for accepted in self.server.take_accepted() {
            let Accepted { id, account, submit } = accepted;
            if !submit.source.digits.is_empty() {
                network.serve_application(&submit.source.digits);
                self.numbers.insert(submit.source.digits.clone(), account);
            }
            let refused = match handed(now, &submit, network) {
                Some(message) => network.hand_in(now, SMPP | id, message).is_err(),
                None => true,
            };
            if refused {
                self.server.with(|now, smsc| smsc.ended(now, id, REJECTED));
            }
        }
    }

    /// The end of a message; whether it was one of ours.
    pub fn outcome(&self, outcome: &Outcome) -> bool {
        if outcome.application & SMPP == 0 {
            return false;
        }
        let id = outcome.application & !SMPP;
        let state = match outcome.st.class() {
            StClass::Success => DELIVERED,
            _ if outcome.st == St::VALIDITY_EXPIRED => EXPIRED,
            _ => UNDELIVERABLE,
        };
        self.server.with(|now, smsc| {
            // The card's answer in the acknowledgement of its message.
            if let Some(user_data) = outcome.user_data.as_deref().filter(|user_data| !user_data.is_empty()) {
                smsc.answered_by_card(now, id, user_data);
            }
            smsc.ended(now, id, state);
        });
        true
    }

    /// A message from a terminal or a card to a number that an account sends from.
    pub fn originated(&self, message: FromTerminal) {
        let Some(account) = self.numbers.get(&message.to) else { return };
        let originated = Originated {
            source: message.msisdn,
            destination: message.to.clone(),
            udhi: message.ud.udhi,
            protocol_id: message.pid.0,
            data_coding: message.dcs.0,
            octets: message.ud.octets,
        };
        self.server.with(|now, smsc| smsc.originate(now, account, &originated));
    }
}

fn handed(now: Now, submit: &pdu::Submit, network: &Network) -> Option<Handed> {
    let source = &submit.source;
    let oa = match source.ton {
        _ if source.digits.is_empty() => Some(network.service_centre().clone()),
        5 => Address::text(&source.digits).ok(),
        ton => Address::digits(Ton::from_code(ton)?, Npi::from_code(source.npi)?, &source.digits).ok(),
    };
    // E.212: the subscriber is named by IMSI.
    let number = match submit.destination.npi {
        6 => network.number_of(&submit.destination.digits)?,
        _ => submit.destination.digits.as_str(),
    };
    let octets = submit.short_message.clone();
    let udhi = submit.esm_class & 0x40 != 0;
    Some(Handed {
        oa: oa?,
        da: Address::digits(Ton::INTERNATIONAL, Npi::ISDN, number).ok()?,
        pid: Pid(submit.protocol_id),
        dcs: Dcs(submit.data_coding),
        ud: if udhi { UserData::with_header(octets) } else { UserData::plain(octets) },
        validity: validity(now, &submit.validity_period),
    })
}

/// validity_period (SMPP 3.4 7.1.1); `None`: our own.
fn validity(now: Now, text: &str) -> Option<Duration> {
    let two = |at: usize| text.get(at..at + 2)?.parse::<u8>().ok();
    let [year, month, day] = [two(0)?, two(2)?, two(4)?];
    let [hour, minute, second] = [two(6)?, two(8)?, two(10)?];
    match text.get(15..)? {
        "R" => {
            let days = u64::from(year) * 365 + u64::from(month) * 30 + u64::from(day);
            let hours = days * 24 + u64::from(hour);
            Some(Duration::from_secs((hours * 60 + u64::from(minute)) * 60 + u64::from(second)))
        }
        _ => {
            let until = UnixSeconds::from_civil(2000 + u64::from(year), month, day, hour, minute, second)?;
            Some(Duration::from_secs(until.since(now.utc)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn validity_is_read_in_both_forms() {
        let now = Now { mono: Duration::ZERO, utc: "2026-11-23T00:00:00Z".parse().unwrap() };
        assert_eq!(validity(now, "000001020304000R"), Some(Duration::from_secs(93_784)));
        assert_eq!(validity(now, "261123000130000+"), Some(Duration::from_secs(90)));
        assert_eq!(validity(now, ""), None);
    }
}
