//! Records of AT dialogues, in the form of the recordings in `tests/transcripts`: seconds since the start, `>>` for
//! octets to the modem, `<<` for octets from it, `--` for remarks.

use crate::io::line_file::LineFile;
use std::{fmt::Write as _, path::Path, time::Duration};

/// One file per modem. Octets of one direction that follow each other share lines.
#[derive(Debug)]
pub struct Transcript {
    file: LineFile,
    start: Duration,
    /// Direction and octets that are not written yet, since when.
    open: Option<(&'static str, Duration, Vec<u8>)>,
}

const TO_MODEM: &str = ">>";
const FROM_MODEM: &str = "<<";

impl Transcript {
    pub fn open(directory: &Path, name: &str, now: Duration) -> Result<Self, crate::io::file::FileError> {
        let file = LineFile::append_to(&directory.join(format!("{name}.txt")))?;
        Ok(Self { file, start: now, open: None })
    }

    pub fn to_modem(&mut self, now: Duration, octets: &[u8]) {
        self.add(TO_MODEM, now, octets);
    }

    pub fn from_modem(&mut self, now: Duration, octets: &[u8]) {
        self.add(FROM_MODEM, now, octets);
    }

    pub fn remark(&mut self, now: Duration, text: &str) {
        self.flush();
        self.write("--", now, text);
    }

    fn add(&mut self, direction: &'static str, now: Duration, octets: &[u8]) {
        if self.open.as_ref().is_some_and(|(open, ..)| *open != direction) {
            self.flush();
        }
        let (_, since, waiting) = self.open.get_or_insert_with(|| (direction, now, Vec::new()));
        let since = *since;
        waiting.extend_from_slice(octets);
        // Typed octets are shown by the line, answers as they come.
        let ended = |last: &u8| matches!(last, b'\r' | 0x1A | 0x1B) || direction == FROM_MODEM;
        if waiting.last().is_some_and(ended) {
            let text = readable(waiting);
            self.open = None;
            self.write(direction, since, &text);
        }
    }

    fn flush(&mut self) {
        if let Some((direction, since, octets)) = self.open.take() {
            self.write(direction, since, &readable(&octets));
        }
    }

    fn write(&mut self, mark: &str, at: Duration, text: &str) {
        let at = at.saturating_sub(self.start).as_secs_f64();
        if let Err(error) = self.file.write_line(&format!("{at:8.3} {mark} {text}")) {
            tracing::warn!("a transcript is incomplete: {error}");
        }
    }
}

impl Drop for Transcript {
    fn drop(&mut self) {
        self.flush();
    }
}

fn readable(octets: &[u8]) -> String {
    let mut text = String::with_capacity(octets.len());
    for octet in octets {
        match octet {
            b'\r' => text.push_str("<CR>"),
            b'\n' => text.push_str("<LF>"),
            0x1B => text.push_str("<ESC>"),
            0x1A => text.push_str("<^Z>"),
            0x20..0x7F => text.push(char::from(*octet)),
            other => {
                let _ = write!(text, "<{other:02X}>");
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::scratch::Scratch;

    #[test]
    fn a_dialogue_is_written_by_the_line() {
        let scratch = Scratch::create();
        let at = Duration::from_millis;
        let mut transcript = Transcript::open(&scratch.path(""), "m", at(1000)).unwrap();
        transcript.to_modem(at(1000), b"AT");
        transcript.to_modem(at(1500), b"\r");
        transcript.from_modem(at(1501), b"\r\nOK\r\n");
        transcript.to_modem(at(1600), b"00\x1a");
        transcript.to_modem(at(1700), b"\xff");
        transcript.remark(at(1800), "unplugged");
        drop(transcript);
        let text = std::fs::read_to_string(scratch.path("m.txt")).unwrap();
        let lines = [
            "   0.000 >> AT<CR>",
            "   0.501 << <CR><LF>OK<CR><LF>",
            "   0.600 >> 00<^Z>",
            "   0.700 >> <FF>",
            "   0.800 -- unplugged",
        ];
        assert_eq!(text.lines().collect::<Vec<_>>(), lines);
    }
}
