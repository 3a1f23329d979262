//! Short messages in both directions (TS 27.005, TS 23.040 3, TS 31.111 7.1.1).

use super::call::{Executed, Failure, Next, OK};
use super::store::{Memory, Stores};
use super::{Air, Modem, Personality};
use crate::codec::apdu::{CommandApdu, EnvelopeAnswer};
use crate::codec::cat::Envelope;
use crate::codec::sms::{Address, BasebandRoute, Deliver, MessageClass, Submit, baseband_route, pdu};
use crate::emulator::network::{Answer, Delivery};
use crate::types::hex;
use std::{collections::VecDeque, time::Duration};

/// URCs kept for a host that wants them later (+CNMI <mode> 0).
const BUFFERED: usize = 100;
/// TP-MTI of an SMS-STATUS-REPORT, in the direction to the terminal.
const STATUS_REPORT: u8 = 0x02;
/// FF is no length of a TPDU but stands for the longest SMS-SUBMIT.
const LONGEST_SUBMIT: usize = 164;
/// GET RESPONSE and changed Le after one ENVELOPE.
const LONGEST_ENVELOPE: usize = 4;

pub(super) struct Messaging {
    pub(super) stores: Stores,
    /// Memories for reading, for writing, and for what is received (+CPMS).
    pub(super) memories: [Memory; 3],
    /// +CNMI
    pub(super) cnmi: [u8; 5],
    /// +CSMS: 1 = the host acknowledges what it is given directly.
    pub(super) service: u8,
    /// Indications that wait for a <mode> other than 0.
    buffered: VecDeque<String>,
    /// The delivery that +CNMA has to acknowledge, and until when.
    unacknowledged: Option<(u64, Duration)>,
    /// AT+CMGS whose answer is due then.
    sending: Option<(Duration, usize, Submit)>,
    last_reference: u8,
    /// The network was told that there is no place.
    full: bool,
    /// +CSCA; `None` is none.
    pub(super) service_centre: Option<Address>,
}

impl Messaging {
    pub(super) fn new(personality: &Personality) -> Self {
        Self {
            stores: Stores::new(personality.storage),
            memories: [Memory::Me; 3],
            cnmi: [0; 5],
            service: 0,
            buffered: VecDeque::new(),
            unacknowledged: None,
            sending: None,
            last_reference: 0,
            full: false,
            service_centre: None,
        }
    }

    pub(super) fn forget_settings(&mut self) {
        self.stop();
        self.memories = [Memory::Me; 3];
        self.cnmi = [0; 5];
        self.service = 0;
        self.buffered.clear();
    }

    /// What was under way is not any more.
    pub(super) fn stop(&mut self) {
        self.unacknowledged = None;
        self.sending = None;
    }

    pub(super) fn poll_timeout(&self) -> Option<Duration> {
        let sending = self.sending.as_ref().map(|(due, ..)| *due);
        [sending, self.unacknowledged.map(|(_, until)| until)].into_iter().flatten().min()
    }

    pub(super) fn stored(&self) -> [usize; 3] {
        [Memory::Sm, Memory::Me, Memory::Sr].map(|memory| self.stores.used(memory))
    }

    const fn next_reference(&mut self) -> u8 {
        let reference = self.last_reference;
        self.last_reference = self.last_reference.wrapping_add(1);
        reference
    }
}

/// Sending.
impl Modem {
    /// What was typed behind the prompt of AT+CMGS.
    pub(super) fn send_typed(&mut self, air: &mut Air<'_>, port: usize, length: usize, payload: &[u8]) -> Executed {
        let wrong = Failure::Cms(304);
        let text = std::str::from_utf8(payload).map_err(|_| wrong.clone())?;
        let octets = hex::decode(text).map_err(|_| wrong.clone())?;
        let (centre, tpdu) = pdu::split(&octets).map_err(|_| wrong.clone())?;
        if tpdu.len() != length {
            return Err(wrong);
        }
        if centre.is_none() && self.messaging.service_centre.is_none() {
            return Err(Failure::Cms(330));
        }
        // Invalid mandatory information.
        let submit = Submit::decode(tpdu).map_err(|_| Failure::Cms(96))?;
        let due = air.now.mono.saturating_add(self.settings.cmgs_delay);
        if due > air.now.mono {
            self.messaging.sending = Some((due, port, submit));
            return Ok(Next::Wait);
        }
        self.send_now(air, port, submit)
    }

    fn send_now(&mut self, air: &mut Air<'_>, port: usize, submit: Submit) -> Executed {
        if let Some(failure) = self.strike(port, "+CMGS") {
            return Err(failure);
        }
        let reference = self.submit(air, submit).map_err(Failure::Cms)?;
        Ok(Next::Done(vec![format!("+CMGS: {reference}")]))
    }

    /// Gives a message to the network under this modem's next reference; an error is a +CMS ERROR number.
    pub(super) fn submit(&mut self, air: &mut Air<'_>, submit: Submit) -> Result<u8, u16> {
        let mr = self.messaging.next_reference();
        let sent = air.network.submit(air.now, self.terminal, &Submit { mr, ..submit });
        sent.map(|()| mr).map_err(|refusal| refusal as u16)
    }

    pub(super) fn longest_submit(length: usize) -> bool {
        (8..=LONGEST_SUBMIT).contains(&length)
    }

    pub(super) fn messaging_timeout(&mut self, air: &mut Air<'_>) {
        if let Some((_, port, submit)) = self.messaging.sending.take_if(|(due, ..)| *due <= air.now.mono) {
            let executed = self.send_now(air, port, submit);
            self.conclude(air, port, executed);
        }
        if let Some((id, _)) = self.messaging.unacknowledged.take_if(|(_, until)| *until <= air.now.mono) {
            // TS 27.005 3.4.1: routing to a host that does not acknowledge is disabled.
            let [mode, _, bm, _, bfr] = self.messaging.cnmi;
            self.messaging.cnmi = [mode, 0, bm, 0, bfr];
            air.network.answer(air.now, self.terminal, id, Answer::TryLater);
        }
    }
}

/// Receiving.
impl Modem {
    /// A message from the network; the network is answered now or after +CNMA.
    pub fn deliver(&mut self, air: &mut Air<'_>, delivery: Delivery) {
        let Delivery { id, tpdu, .. } = delivery;
        if !self.powered {
            return air.network.answer(air.now, self.terminal, id, Answer::TryLater);
        }
        let answer = if tpdu.first().is_some_and(|first| first & 0x03 == STATUS_REPORT) {
            self.receive_report(air, id, tpdu)
        } else {
            match Deliver::decode(&tpdu) {
                Ok(deliver) => self.receive(air, id, &deliver, tpdu),
                Err(_) => Some(Answer::Refused { user_data: None }),
            }
        };
        if let Some(answer) = answer {
            self.messaging.full |= answer == Answer::MemoryFull;
            air.network.answer(air.now, self.terminal, id, answer);
        }
    }

    /// The answer, unless the host has to give it.
    fn receive(&mut self, air: &mut Air<'_>, id: u64, deliver: &Deliver, tpdu: Vec<u8>) -> Option<Answer> {
        // Every simulated card has the service "data download via SMS-PP".
        match baseband_route(deliver.pid, deliver.dcs, true) {
            BasebandRoute::SimEnvelope => Some(self.download(air, tpdu)),
            BasebandRoute::SimStorage => Some(self.keep(Memory::Sm, tpdu)),
            BasebandRoute::DiscardAck => Some(Answer::Accepted { user_data: None }),
            BasebandRoute::Host => {
                let [_, mt, ..] = self.messaging.cnmi;
                let class = deliver.dcs.class();
                let flash = class == Some(MessageClass::Flash);
                match mt {
                    2 => self.route(air, id, "+CMT: ,", &tpdu),
                    3 if class == Some(MessageClass::Te) => self.route(air, id, "+CMT: ,", &tpdu),
                    // Class 0 is shown, and there is nobody to see it.
                    _ if flash => Some(Answer::Accepted { user_data: None }),
                    _ => {
                        let [.., received] = self.messaging.memories;
                        Some(self.keep(received, tpdu))
                    }
                }
            }
        }
    }

    fn receive_report(&mut self, air: &mut Air<'_>, id: u64, tpdu: Vec<u8>) -> Option<Answer> {
        let [.., ds, _] = self.messaging.cnmi;
        match ds {
            1 => self.route(air, id, "+CDS: ", &tpdu),
            2 => Some(self.keep(Memory::Sr, tpdu)),
            _ => Some(Answer::Accepted { user_data: None }),
        }
    }

    /// Stores and tells the host, where it wants to know.
    fn keep(&mut self, memory: Memory, tpdu: Vec<u8>) -> Answer {
        let Some(index) = self.messaging.stores.add(memory, tpdu) else { return Answer::MemoryFull };
        let [_, mt, _, ds, _] = self.messaging.cnmi;
        let (wanted, name) = if memory == Memory::Sr { (ds == 2, "+CDSI") } else { (mt > 0, "+CMTI") };
        if wanted {
            self.indicate(format!("{name}: \"{memory}\",{index}"));
        }
        Answer::Accepted { user_data: None }
    }

    /// Gives a TPDU to the host directly.
    fn route(&mut self, air: &mut Air<'_>, id: u64, header: &str, tpdu: &[u8]) -> Option<Answer> {
        let pdu = pdu::build(Some(air.network.service_centre()), tpdu);
        self.indicate(format!("{header}{}\r\n{}", tpdu.len(), hex::encode(&pdu).to_ascii_uppercase()));
        if self.messaging.service == 0 {
            return Some(Answer::Accepted { user_data: None });
        }
        let until = air.now.mono.saturating_add(self.personality.cnma_timeout);
        self.messaging.unacknowledged = Some((id, until));
        None
    }

    fn indicate(&mut self, text: String) {
        let [mode, ..] = self.messaging.cnmi;
        if mode > 0 {
            self.urc(&text);
        } else if self.messaging.buffered.len() < BUFFERED {
            self.messaging.buffered.push_back(text);
        }
    }

    /// After AT+CNMI: what was buffered is shown, or forgotten with <bfr> 1.
    pub(super) fn flush_indications(&mut self) {
        let [mode, .., bfr] = self.messaging.cnmi;
        if bfr == 1 {
            self.messaging.buffered.clear();
        }
        if mode > 0 {
            for text in std::mem::take(&mut self.messaging.buffered) {
                self.urc(&text);
            }
        }
    }

    /// +CNMA
    pub(super) fn acknowledge(&mut self, air: &mut Air<'_>, positive: bool) -> Executed {
        let (id, _) = self.messaging.unacknowledged.take().ok_or(Failure::Cms(340))?;
        let answer = if positive { Answer::Accepted { user_data: None } } else { Answer::TryLater };
        air.network.answer(air.now, self.terminal, id, answer);
        OK
    }

    /// There is place again after a deletion.
    pub(super) fn tell_memory_available(&mut self, air: &mut Air<'_>) {
        if std::mem::take(&mut self.messaging.full) {
            air.network.memory_available(air.now, self.terminal);
        }
    }

    /// SMS-PP download (TS 31.111 7.1.1): the card's answer becomes the SMS-DELIVER-REPORT.
    fn download(&mut self, air: &mut Air<'_>, tpdu: Vec<u8>) -> Answer {
        let smsc = Some(air.network.service_centre().clone());
        let Ok(mut command) = (Envelope::SmsPpDownload { smsc, tpdu }).command() else {
            return Answer::Refused { user_data: None };
        };
        let mut failed = false;
        for _ in 0..LONGEST_ENVELOPE {
            let response = self.sim.command(air.now, &command);
            match EnvelopeAnswer::judge(&response, 0) {
                EnvelopeAnswer::Acknowledge { user_data, .. } => {
                    self.note_proactive(response.sw);
                    return if failed { Answer::Refused { user_data } } else { Answer::Accepted { user_data } };
                }
                EnvelopeAnswer::GetResponse { command: next, error } => {
                    failed |= error.is_some();
                    command = next;
                }
                EnvelopeAnswer::RepeatWithLe(le) => command = CommandApdu { le: Some(le), ..command },
                EnvelopeAnswer::Busy => return Answer::TryLater,
                EnvelopeAnswer::Error { user_data } => return Answer::Refused { user_data },
            }
        }
        Answer::Refused { user_data: None }
    }
}
