//! A scripted modem on a pty, for tests.

use crate::codec::at::answer::{Memory, StoredAt};
use crate::codec::at::{CommandReader, Input};
use crate::io::scratch::Scratch;
use crate::io::serial::pty;
use std::collections::BTreeMap;
use std::fs::File;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::mpsc;
use tokio_serial::SerialStream;

/// What the modem does with a command.
pub(crate) enum Reply {
    /// Information response lines, then OK.
    Lines(Vec<String>),
    /// Octets as they are, final result included.
    Raw(String),
    /// Nothing at all.
    Silence,
    /// `> `; what is typed is answered by the override for `<payload>`, or taken.
    Prompt,
}

pub(crate) type Override = Box<dyn FnMut(&str) -> Option<Reply> + Send>;

/// What the modem is and has, open to the test.
pub(crate) struct Script {
    /// Asked first, with the command line without `AT`, in upper case, or `<payload>`.
    pub(crate) replies: Override,
    /// `stat,,length` and PDU of each stored message.
    pub(crate) stored: BTreeMap<StoredAt, (u8, usize, String)>,
    pub(crate) selected: Memory,
    pub(crate) log: Vec<String>,
    pub(crate) payloads: Vec<String>,
    echo: bool,
    reference: u8,
}

pub(crate) struct StubModem {
    script: Arc<Mutex<Script>>,
    plug: Option<mpsc::UnboundedSender<String>>,
    scratch: Scratch,
}

impl StubModem {
    /// A modem that is plugged in, with overrides.
    pub(crate) fn start(replies: impl FnMut(&str) -> Option<Reply> + Send + 'static) -> Self {
        let script = Script {
            replies: Box::new(replies),
            stored: BTreeMap::new(),
            selected: Memory::ME,
            log: Vec::new(),
            payloads: Vec::new(),
            echo: true,
            reference: 0,
        };
        let mut modem = Self { script: Arc::new(Mutex::new(script)), plug: None, scratch: Scratch::create() };
        modem.plug();
        modem
    }

    /// The link that follows the modem from pty to pty.
    pub(crate) fn device(&self) -> PathBuf {
        self.scratch.path("modem")
    }

    pub(crate) fn script(&self) -> MutexGuard<'_, Script> {
        self.script.lock().unwrap()
    }

    pub(crate) fn plug(&mut self) {
        let (master, keeper, path) = pty();
        let _ = std::fs::remove_file(self.device());
        symlink(path, self.device()).unwrap();
        let (plug, unsolicited) = mpsc::unbounded_channel();
        self.script().echo = true;
        tokio::spawn(run(master, keeper, self.script.clone(), unsolicited));
        self.plug = Some(plug);
    }

    /// The modem is gone from its pty, and the link dangles.
    pub(crate) fn unplug(&mut self) {
        self.plug = None;
    }

    /// Sends an unsolicited line.
    pub(crate) fn say(&self, line: &str) {
        self.plug.as_ref().unwrap().send(format!("\r\n{line}\r\n")).unwrap();
    }

    pub(crate) fn store(&self, memory: Memory, index: u32, tpdu: &[u8]) {
        let pdu = format!("00{}", crate::types::hex::encode(tpdu).to_uppercase());
        self.script().stored.insert(StoredAt { memory, index }, (0, tpdu.len(), pdu));
    }

    /// Whether a command was received.
    pub(crate) fn saw(&self, line: &str) -> bool {
        self.script().log.iter().any(|seen| seen == line)
    }
}

async fn run(
    mut master: SerialStream,
    _keeper: File,
    script: Arc<Mutex<Script>>,
    mut unsolicited: mpsc::UnboundedReceiver<String>,
) {
    let mut reader = CommandReader::new(4096);
    let mut buffer = [0; 512];
    loop {
        tokio::select! {
            read = master.read(&mut buffer) => {
                let Ok(length) = read else { return };
                for byte in &buffer[..length] {
                    let answer = script.lock().unwrap().on_byte(&mut reader, *byte);
                    master.write_all(answer.as_bytes()).await.unwrap();
                }
            }
            line = unsolicited.recv() => match line {
                Some(line) => master.write_all(line.as_bytes()).await.unwrap(),
                None => return,
            },
        }
    }
}

impl Script {
    fn on_byte(&mut self, reader: &mut CommandReader, byte: u8) -> String {
        let mut answer = if self.echo { char::from(byte).to_string() } else { String::new() };
        let reply = match reader.feed(byte) {
            None => return answer,
            Some(Input::Line(body)) => {
                let line = String::from_utf8(body).unwrap().to_uppercase();
                self.log.push(line.clone());
                (self.replies)(&line).unwrap_or_else(|| self.standard(&line))
            }
            Some(Input::Payload(text)) => {
                self.payloads.push(String::from_utf8(text).unwrap());
                (self.replies)("<payload>").unwrap_or_else(|| {
                    self.reference += 1;
                    Reply::Lines(vec![format!("+CMGS: {}", self.reference)])
                })
            }
            Some(Input::Cancelled) => Reply::Lines(Vec::new()),
            Some(Input::Overlong) => Reply::Raw("\r\nERROR\r\n".into()),
        };
        match reply {
            Reply::Lines(lines) => {
                let lines: String = lines.iter().map(|line| format!("\r\n{line}\r\n")).collect();
                answer.push_str(&format!("{lines}\r\nOK\r\n"));
            }
            Reply::Raw(text) => answer.push_str(&text),
            Reply::Silence => {}
            Reply::Prompt => {
                reader.enter_prompt();
                answer.push_str("\r\n> ");
            }
        }
        answer
    }

    fn standard(&mut self, line: &str) -> Reply {
        let lines = |list: &[&str]| Reply::Lines(list.iter().map(|text| (*text).to_owned()).collect());
        let (name, parameters) = line.split_once('=').unwrap_or((line, ""));
        match (name, parameters) {
            ("E0Q0V1", _) => {
                self.echo = false;
                lines(&[])
            }
            ("" | "+CMEE" | "+CMGF" | "+CREG" | "+CGREG" | "+CEREG" | "+CTZU" | "+CNMA" | "+CFUN", _) => lines(&[]),
            ("+CGMI", _) => lines(&["Stub"]),
            ("+CGMM", _) => lines(&["S1"]),
            ("+CGMR", _) => lines(&["1.0"]),
            ("+CGSN", _) => lines(&["490154203237518"]),
            ("+CIMI", _) => lines(&["204080123456789"]),
            ("+CPIN?", _) => lines(&["+CPIN: READY"]),
            ("+CFUN?", _) => lines(&["+CFUN: 1"]),
            ("+CNMI", "?") => lines(&["+CNMI: (0-2),(0-3),(0,2),(0-2),(0,1)"]),
            ("+CNMI", _) => lines(&[]),
            ("+CSMS", _) => lines(&["+CSMS: 1,1,1"]),
            ("+CSMS?", _) => lines(&["+CSMS: 0,1,1,1"]),
            ("+CREG?", _) => lines(&["+CREG: 2,0"]),
            ("+CEREG?", _) => lines(&["+CEREG: 2,1,\"1A2B\",\"01C3D4E5\",7"]),
            ("+CSQ", _) => lines(&["+CSQ: 21,99"]),
            ("+CPMS", "?") => lines(&["+CPMS: (\"ME\",\"SM\"),(\"ME\",\"SM\"),(\"ME\",\"SM\")"]),
            ("+CPMS", memories) => {
                self.selected = Memory::new(&memories[1..3]).unwrap();
                lines(&["+CPMS: 0,10,0,10,0,10"])
            }
            ("+CPMS?", _) => {
                let used = self.stored.keys().filter(|place| place.memory == self.selected).count();
                Reply::Lines(vec![format!(
                    "+CPMS: \"{0}\",{used},10,\"{0}\",{used},10,\"{0}\",{used},10",
                    self.selected
                )])
            }
            ("+CMGL", _) => Reply::Lines(self.listed()),
            ("+CMGR", index) => match self.stored.get(&self.place(index)) {
                Some((stat, length, pdu)) => Reply::Lines(vec![format!("+CMGR: {stat},,{length}\r\n{pdu}")]),
                None => Reply::Raw("\r\n+CMS ERROR: 321\r\n".into()),
            },
            ("+CMGD", index) => {
                let place = self.place(index);
                self.stored.remove(&place);
                lines(&[])
            }
            ("+CMGS", _) => Reply::Prompt,
            ("+CRSM", "176,12258,0,0,10") => lines(&["+CRSM: 144,0,\"98942000001121314151\""]),
            ("+CCLK?", _) => lines(&["+CCLK: \"26/11/23,04:41:00+08\""]),
            _ => Reply::Raw("\r\n+CME ERROR: 100\r\n".into()),
        }
    }

    fn place(&self, index: &str) -> StoredAt {
        StoredAt { memory: self.selected, index: index.parse().unwrap() }
    }

    fn listed(&self) -> Vec<String> {
        let here = self.stored.iter().filter(|(place, _)| place.memory == self.selected);
        here.map(|(place, (stat, length, pdu))| format!("+CMGL: {},{stat},,{length}\r\n{pdu}", place.index)).collect()
    }
}
