//! A host at an AT port, with plain file I/O.

use euicc_push::{codec::sms::pdu, types::hex};
use nix::sys::termios::{FlushArg, tcflush};
use std::{
    fs::{File, OpenOptions},
    io::{Read, Write},
    os::unix::fs::OpenOptionsExt,
    path::Path,
    sync::mpsc,
    time::Duration,
};

const PATIENCE: Duration = Duration::from_secs(20);

pub struct AtClient {
    port: File,
    chunks: mpsc::Receiver<Vec<u8>>,
    received: String,
}

impl AtClient {
    /// Opens a port and switches echo off.
    pub fn open(path: &Path) -> Self {
        let flags = nix::libc::O_NOCTTY;
        let port = OpenOptions::new().read(true).write(true).custom_flags(flags).open(path).expect("the port opens");
        // As every host does: what waits is for somebody else.
        tcflush(&port, FlushArg::TCIFLUSH).expect("a tty");
        let mut reader = port.try_clone().expect("a second descriptor");
        let (sender, chunks) = mpsc::channel();
        std::thread::spawn(move || {
            let mut buffer = [0; 1024];
            // Reading 0 octets is the hang-up.
            while let Ok(count @ 1..) = reader.read(&mut buffer) {
                if sender.send(buffer[..count].to_vec()).is_err() {
                    return;
                }
            }
        });
        let mut client = Self { port, chunks, received: String::new() };
        client.at("ATE0");
        client
    }

    pub fn write(&mut self, text: &str) {
        self.port.write_all(text.as_bytes()).expect("written");
    }

    /// Waits until `end` has come; everything up to it.
    pub fn until(&mut self, end: &str) -> String {
        loop {
            if let Some(found) = self.cut(end) {
                return found;
            }
            match self.chunks.recv_timeout(PATIENCE) {
                Ok(chunk) => self.received.push_str(&String::from_utf8_lossy(&chunk)),
                Err(_) => panic!("waited for {end:?}, got {:?}", self.received),
            }
        }
    }

    /// What has come up to and with `end`.
    fn cut(&mut self, end: &str) -> Option<String> {
        let position = self.received.find(end)?;
        let rest = self.received.split_off(position + end.len());
        Some(std::mem::replace(&mut self.received, rest))
    }

    /// The TPDU of the next +CMT, however long it takes; `None` when the modem has hung up.
    pub fn delivered(&mut self) -> Option<Vec<u8>> {
        for end in ["+CMT: ", "\r\n"] {
            self.until_or_hang_up(end)?;
        }
        let line = self.until_or_hang_up("\r\n")?;
        let octets = hex::decode(line.trim()).expect("hexadecimal");
        Some(pdu::split(&octets).expect("a service centre").1.to_vec())
    }

    fn until_or_hang_up(&mut self, end: &str) -> Option<String> {
        loop {
            if let Some(found) = self.cut(end) {
                return Some(found);
            }
            let chunk = self.chunks.recv().ok()?;
            self.received.push_str(&String::from_utf8_lossy(&chunk));
        }
    }

    /// A command line and everything up to its OK.
    pub fn at(&mut self, line: &str) -> String {
        self.write(&format!("{line}\r"));
        self.until("\r\nOK\r\n")
    }

    /// Sends a TPDU; the answer up to OK.
    pub fn send(&mut self, tpdu: &str) -> String {
        self.write(&format!("AT+CMGS={}\r", tpdu.len() / 2));
        self.until("\r\n> ");
        self.write(&format!("00{tpdu}\x1a"));
        self.until("\r\nOK\r\n")
    }

    /// Waits until the modem has hung up.
    pub fn await_hang_up(&mut self) {
        loop {
            match self.chunks.recv_timeout(PATIENCE) {
                Ok(chunk) => self.received.push_str(&String::from_utf8_lossy(&chunk)),
                Err(mpsc::RecvTimeoutError::Disconnected) => break,
                Err(mpsc::RecvTimeoutError::Timeout) => panic!("the port was not hung up"),
            }
        }
        assert!(self.port.write_all(b"AT\r").is_err(), "a port that was hung up takes no more");
    }
}
