//! A card in a terminal and an SM-SR that talks to it; the tests proper are in the modules.

mod profiles;
mod scp80;
mod terminal;

use super::*;
use crate::codec::apdu::{CommandApdu, EnvelopeAnswer, ExpandedCommand, ExpandedResponse, ResponseApdu, ScriptForm};
use crate::codec::cat::{
    self, Command as Proactive, CommandResult, Envelope, Event, ProactiveCommand, TerminalResponse,
};
use crate::codec::gp::isd_r::{ExtendedResources, ProfileState, decode_confirmation, decode_profiles};
use crate::codec::gp::notification::NotificationType;
use crate::codec::gp::profile_data::blocks;
use crate::codec::gp::{Aid, Es5Command, Notification, ecasd};
use crate::codec::ota::{CommandPacket, Counter, Proof, ReceivedResponse, ResponseStatus, Spi};
use crate::codec::sms::{Address, Dcs, Deliver, Ie, Npi, Pid, Reference, Scts, Segmentation, Submit, Ton, UserData};
use crate::session::scp80::{CounterBlock, Expected, Reading, Sender};
use crate::types::{Iccid, Now, Secret, Tar, UnixSeconds, hex};
use proptest::prelude::*;
use std::time::Duration;

const NOW: Now = Now { mono: Duration::ZERO, utc: UnixSeconds(1_790_000_000) };
/// CC and ciphering, counter higher; PoR with CC and ciphering in the answer to ENVELOPE.
const SPI: Spi = Spi::new(0x16, 0x19);
const PROFILE: [u8; 33] = [0xFF; 33];

fn subscription(number: u32) -> Subscription {
    Subscription {
        iccid: Iccid::with_check_digit(&format!("894900000000000{number:03}")).unwrap(),
        imsi: format!("262010000000{number:03}").parse().unwrap(),
        msisdn: Some(format!("49151000000{number:03}").parse().unwrap()),
    }
}

fn key_set() -> CardKeySet {
    CardKeySet::aes(1, Secret::new(vec![0x11; 16]), Secret::new(vec![0x22; 16]))
}

fn issued() -> CardState {
    let eid = "89049032123451234512345678901235".parse().unwrap();
    CardState::issued(eid, key_set(), subscription(1), subscription(2))
}

fn isd_p(tar: u16) -> Aid {
    Aid::isd_p(tar).unwrap()
}

/// A card in a terminal, and the SM-SR that talks to it.
struct Rig {
    card: Card,
    sender: Sender,
    commits: Vec<CardState>,
    /// ENVELOPEs of the last packet.
    envelopes: usize,
}

impl Rig {
    fn new(state: CardState, options: CardOptions) -> Self {
        let keys = state.key_sets[0].prepare().unwrap();
        let mut sender = Sender::new(keys, 8);
        let first = Counter::new(state.key_sets[0].counter + 1).unwrap();
        sender.reserve(CounterBlock::new(first, first.advanced(100_000).unwrap()).unwrap());
        let mut rig = Self { card: Card::new(state, options).unwrap(), sender, commits: Vec::new(), envelopes: 0 };
        rig.boot();
        rig
    }

    fn issued() -> Self {
        Self::new(issued(), CardOptions::default())
    }

    fn boot(&mut self) {
        let profile = cat::terminal_profile(PROFILE.to_vec()).encode().unwrap();
        assert!(self.transmit(&profile).sw.is_ok());
    }

    fn reset(&mut self) {
        self.card.reset();
        self.boot();
    }

    fn transmit(&mut self, apdu: &[u8]) -> ResponseApdu {
        let commits = &mut self.commits;
        let answer = self.card.transmit(NOW, apdu, &mut |state| commits.push(state.clone()));
        ResponseApdu::decode(&answer).unwrap()
    }

    fn hex(&mut self, apdu: &str) -> String {
        let answer = self.transmit(&hex::decode(apdu).unwrap());
        hex::encode(&answer.encode())
    }

    /// Delivers a packet as a terminal does; the answer to the last ENVELOPE, and the length to fetch.
    fn deliver(&mut self, packet: &[u8]) -> (Option<Vec<u8>>, Option<u8>) {
        let cut = Segmentation::new(Vec::new(), vec![Ie::command_packet()], Reference::Short(7));
        let mut last = (None, None);
        let segments = cut.segments(packet).unwrap();
        self.envelopes = segments.len();
        for segment in segments {
            let mut answer = self.transmit(&envelope(segment));
            last = loop {
                match EnvelopeAnswer::judge(&answer, 0) {
                    EnvelopeAnswer::Acknowledge { user_data, fetch } => break (user_data, fetch),
                    EnvelopeAnswer::GetResponse { command, error: None } => {
                        answer = self.transmit(&command.encode().unwrap());
                    }
                    other => panic!("{other:?}"),
                }
            };
        }
        last
    }

    fn send(&mut self, tar: Tar, spi: Spi, data: Vec<u8>) -> (Option<Reading>, Option<u8>) {
        let packet = self.sender.send(spi, tar, data).unwrap().packet;
        let (por, fetch) = self.deliver(&packet);
        let reading = por.map(|ud| self.sender.responses().read(ud.strip_prefix(&[2, 0x71, 0]).unwrap()).unwrap());
        (reading, fetch)
    }

    /// One script to a TAR; the R-APDUs, whose PoR must be proved.
    fn script(&mut self, tar: Tar, apdus: Vec<Vec<u8>>) -> (Vec<ResponseApdu>, Option<u8>) {
        let script = ExpandedCommand::of_apdus(ScriptForm::Definite, apdus).encode().unwrap();
        let (reading, fetch) = self.send(tar, SPI, script);
        let response = proved(reading.unwrap());
        assert_eq!((response.proof, response.packet.status), (Proof::Authentic, ResponseStatus::POR_OK));
        let results = ExpandedResponse::decode(&response.packet.data).unwrap();
        assert_eq!(results.executed.map(usize::from), Some(results.responses().count()));
        (results.responses().cloned().collect(), fetch)
    }

    fn es5(&mut self, command: Es5Command) -> ResponseApdu {
        let (mut answers, _) = self.script(Tar::ISD_R, vec![command.encode().unwrap()]);
        assert_eq!(answers.len(), 1);
        answers.remove(0)
    }

    fn sw(&mut self, command: Es5Command) -> u16 {
        self.es5(command).sw.0
    }

    fn fetch(&mut self, length: u8) -> ProactiveCommand {
        let answer = self.transmit(&cat::fetch(length).encode().unwrap());
        assert_eq!(answer.sw.0, 0x9000);
        ProactiveCommand::decode(&answer.data).unwrap()
    }

    fn respond(&mut self, command: &ProactiveCommand, general: u8) -> ResponseApdu {
        self.transmit(&TerminalResponse::to(command, CommandResult::new(general)).encode().unwrap())
    }

    /// Enable or disable, REFRESH, reset.
    fn switch(&mut self, command: Es5Command) {
        let (answers, fetch) = self.script(Tar::ISD_R, vec![command.encode().unwrap()]);
        assert_eq!(answers[0].sw.0, 0x9000);
        let refresh = self.fetch(fetch.expect("REFRESH is announced"));
        assert_eq!((&refresh.command, refresh.qualifier), (&Proactive::Refresh, cat::refresh::UICC_RESET));
        self.respond(&refresh, CommandResult::OK);
        self.reset();
    }

    fn load(&mut self, tar: u16, subscription: &Subscription, size: usize) -> Vec<u16> {
        let data = subscription.profile_data(size).unwrap();
        let commands: Vec<_> = blocks(&data).unwrap().iter().map(|block| block.encode().unwrap()).collect();
        let of = isd_p(tar).tar().unwrap();
        commands.into_iter().map(|command| self.script(of, vec![command]).0[0].sw.0).collect()
    }

    fn states(&mut self) -> Vec<(u8, bool)> {
        let answer = self.es5(Es5Command::AuditProfiles { isd_p: None });
        let profiles = decode_profiles(&answer.data).unwrap();
        profiles.iter().map(|profile| (profile.state.0, profile.fall_back)).collect()
    }

    fn free(&mut self) -> u32 {
        ExtendedResources::decode(&self.es5(Es5Command::AuditResources).data).unwrap().free_nonvolatile
    }

    fn imsi(&self) -> &str {
        self.card.subscription().unwrap().imsi.clear()
    }
}

fn proved(reading: Reading) -> ReceivedResponse {
    match reading {
        Reading::Response(response) => response,
        Reading::Hint(hint) => panic!("not proved: {hint:?}"),
    }
}

fn envelope(segment: Vec<u8>) -> Vec<u8> {
    let oa = Address::digits(Ton::INTERNATIONAL, Npi::ISDN, "491710760000").unwrap();
    let scts = Scts::from_unix(UnixSeconds(1_790_000_000), 0).unwrap();
    let deliver = Deliver::new(oa, Pid(0x7F), Dcs(0xF6), scts, UserData::with_header(segment));
    Envelope::SmsPpDownload { smsc: None, tpdu: deliver.encode().unwrap() }.encode().unwrap()
}

fn all_es5() -> Vec<Vec<u8>> {
    let isd_p = isd_p(0x11);
    let commands = [
        Es5Command::CreateIsdP { isd_p: Aid::isd_p(0x12).unwrap(), memory: None },
        Es5Command::EnableProfile { isd_p },
        Es5Command::DisableProfile { isd_p: Aid::isd_p(0x10).unwrap() },
        Es5Command::SetFallBackAttribute { isd_p },
        Es5Command::DeleteProfile { isd_p },
        Es5Command::HandleNotificationConfirmation { sequence: 1 },
        Es5Command::FinaliseIsdRHandover { key_version: 1, first_key: 1, last_key: 3 },
        Es5Command::AuditProfiles { isd_p: None },
        Es5Command::AuditProfiles { isd_p: Some(isd_p) },
        Es5Command::AuditResources,
        Es5Command::AuditCertificate,
        Es5Command::ConfirmProfile { isd_p },
    ];
    let data = subscription(3).profile_data(300).unwrap();
    let store = blocks(&data).unwrap().iter().map(|block| block.encode().unwrap()).collect::<Vec<_>>();
    commands.iter().map(|command| command.encode().unwrap()).chain(store).collect()
}
