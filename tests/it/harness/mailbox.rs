//! Terminals that take every message at once, in one mailbox.

use super::AtClient;
use euicc_push::codec::sms::Deliver;
use std::{collections::HashMap, path::Path, sync::mpsc, time::Duration};

/// A short message as a terminal got it.
#[derive(Debug, Clone)]
pub struct Received {
    /// The terminal's place among those the mailbox was opened with.
    pub terminal: usize,
    pub deliver: Deliver,
}

/// Everything that arrives at the terminals, in the order in which each got it.
pub struct Mailbox {
    arriving: mpsc::Receiver<Received>,
    pub received: Vec<Received>,
}

impl Mailbox {
    /// Lets these modems hand over what they receive (+CMT).
    pub fn open<P: AsRef<Path>>(ports: impl IntoIterator<Item = P>) -> Self {
        let (sender, arriving) = mpsc::channel();
        for (terminal, port) in ports.into_iter().enumerate() {
            let mut client = AtClient::open(port.as_ref());
            client.at("AT+CNMI=2,2,0,0,0");
            let sender = sender.clone();
            std::thread::spawn(move || {
                while let Some(tpdu) = client.delivered() {
                    let deliver = Deliver::decode(&tpdu).expect("an SMS-DELIVER");
                    if sender.send(Received { terminal, deliver }).is_err() {
                        return;
                    }
                }
            });
        }
        Self { arriving, received: Vec::new() }
    }

    /// Waits for the next message; `None` after this time, or when all terminals are gone.
    pub fn next(&mut self, patience: Duration) -> Option<&Received> {
        let received = self.arriving.recv_timeout(patience).ok()?;
        self.received.push(received);
        self.received.last()
    }

    /// All messages, once there are so many.
    pub fn wait_for(&mut self, number: usize) -> &[Received] {
        while self.received.len() < number {
            let count = self.received.len();
            assert!(self.next(Duration::from_secs(60)).is_some(), "{count} of {number} messages have arrived");
        }
        self.drain()
    }

    /// All messages that have arrived.
    pub fn drain(&mut self) -> &[Received] {
        self.received.extend(self.arriving.try_iter());
        &self.received
    }

    /// How often each whole user data arrived, by terminal.
    pub fn copies(&mut self) -> HashMap<(usize, Vec<u8>), usize> {
        let mut copies = HashMap::new();
        for Received { terminal, deliver } in self.drain() {
            *copies.entry((*terminal, deliver.ud.octets.clone())).or_default() += 1;
        }
        copies
    }
}
