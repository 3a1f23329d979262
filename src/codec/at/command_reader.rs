//! What a modem does with the octets it receives (V.250 5.2, TS 27.005 3.5.1): fed one octet at a time, it hands out
//! command lines, and at the prompt what was typed there.
//!
//! Echo is the caller's: every octet goes back as received, before it is fed.

use super::command::{CTRL_Z, ESC};

/// Something the host has completed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// The body of a line, without `AT` and CR; also what `A/` repeats.
    Line(Vec<u8>),
    /// A line longer than the limit: to be answered with ERROR.
    Overlong,
    /// What was typed at the prompt, ended by Ctrl-Z.
    Payload(Vec<u8>),
    /// ESC at the prompt.
    Cancelled,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Waiting for `A`.
    Idle,
    /// `A` seen: `T` begins a line, `/` repeats the last one.
    Attention,
    Body,
    /// At the prompt.
    Prompt,
}

const BACKSPACE: u8 = 0x08;
const DELETE: u8 = 0x7F;

/// The receiving half of a modem's port.
#[derive(Debug, Clone)]
pub struct CommandReader {
    state: State,
    line: Vec<u8>,
    last: Vec<u8>,
    limit: usize,
    overlong: bool,
}

impl CommandReader {
    /// A reader whose lines and payloads have at most `limit` octets.
    pub fn new(limit: usize) -> Self {
        Self { state: State::Idle, line: Vec::new(), last: Vec::new(), limit, overlong: false }
    }

    /// The modem has shown its prompt: what follows is payload until Ctrl-Z or ESC.
    pub fn enter_prompt(&mut self) {
        self.begin(State::Prompt);
    }

    pub fn at_prompt(&self) -> bool {
        self.state == State::Prompt
    }

    /// Takes one octet.
    pub fn feed(&mut self, byte: u8) -> Option<Input> {
        match self.state {
            State::Idle => {
                if byte.eq_ignore_ascii_case(&b'A') {
                    self.state = State::Attention;
                }
                None
            }
            State::Attention => self.attention(byte),
            State::Body => self.body(byte),
            State::Prompt => self.prompt(byte),
        }
    }

    fn begin(&mut self, state: State) {
        self.state = state;
        self.line.clear();
        self.overlong = false;
    }

    fn attention(&mut self, byte: u8) -> Option<Input> {
        match byte {
            b'T' | b't' => self.begin(State::Body),
            b'/' => {
                self.begin(State::Idle);
                return Some(Input::Line(self.last.clone()));
            }
            b'A' | b'a' => {}
            _ => self.state = State::Idle,
        }
        None
    }

    fn body(&mut self, byte: u8) -> Option<Input> {
        match byte {
            b'\r' => {
                let line = std::mem::take(&mut self.line);
                let overlong = self.overlong;
                self.begin(State::Idle);
                if overlong {
                    return Some(Input::Overlong);
                }
                self.last.clone_from(&line);
                return Some(Input::Line(line));
            }
            BACKSPACE | DELETE => {
                self.line.pop();
            }
            // Other control characters are ignored (V.250 5.2.2), LF among them.
            0..0x20 => {}
            _ => self.push(byte),
        }
        None
    }

    fn prompt(&mut self, byte: u8) -> Option<Input> {
        match byte {
            CTRL_Z => {
                let payload = std::mem::take(&mut self.line);
                let overlong = self.overlong;
                self.begin(State::Idle);
                return Some(if overlong { Input::Overlong } else { Input::Payload(payload) });
            }
            ESC => {
                self.begin(State::Idle);
                return Some(Input::Cancelled);
            }
            BACKSPACE | DELETE => {
                self.line.pop();
            }
            _ => self.push(byte),
        }
        None
    }

    fn push(&mut self, byte: u8) {
        if self.line.len() < self.limit {
            self.line.push(byte);
        } else {
            self.overlong = true;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn feed(reader: &mut CommandReader, bytes: &[u8]) -> Vec<Input> {
        bytes.iter().filter_map(|byte| reader.feed(*byte)).collect()
    }

    fn line(body: &str) -> Input {
        Input::Line(body.into())
    }

    #[test]
    fn lines_end_at_cr_and_line_feeds_are_ignored() {
        let mut reader = CommandReader::new(100);
        assert_eq!(feed(&mut reader, b"AT\rate0\r\nAT+CSQ\r\n"), [line(""), line("e0"), line("+CSQ")]);
    }

    #[test]
    fn noise_before_attention_is_skipped() {
        let mut reader = CommandReader::new(100);
        assert_eq!(feed(&mut reader, b"\x1b\r\xff\0xyz\rAAT+CSQ\r"), [line("+CSQ")]);
    }

    #[test]
    fn backspace_edits_and_a_slash_repeats_without_cr() {
        let mut reader = CommandReader::new(100);
        assert_eq!(feed(&mut reader, b"AT+CSX\x08Q\rA/a/"), [line("+CSQ"), line("+CSQ"), line("+CSQ")]);
    }

    #[test]
    fn a_line_over_the_limit_is_reported_once_and_not_repeated() {
        let mut reader = CommandReader::new(4);
        assert_eq!(
            feed(&mut reader, b"ATE0\rAT+CSQ1234\rA/AT1234\r"),
            [line("E0"), Input::Overlong, line("E0"), line("1234")]
        );
    }

    #[test]
    fn at_the_prompt_ctrl_z_sends_and_esc_cancels() {
        let mut reader = CommandReader::new(100);
        reader.enter_prompt();
        assert_eq!(feed(&mut reader, b"00\r\n1x\x081\x1aAT\r"), [Input::Payload(b"00\r\n11".to_vec()), line("")]);
        reader.enter_prompt();
        assert!(reader.at_prompt());
        assert_eq!(feed(&mut reader, b"0011\x1bAT\r"), [Input::Cancelled, line("")]);
    }
}
