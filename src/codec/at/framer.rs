//! Modem output cut into lines and prompts (V.250 5.7, TS 27.005 3.5.1).
//!
//! Firmware frames its lines as CR LF text CR LF, text CR LF, CR CR LF or bare CR (V0), drops the leading CR LF, adds
//! blank lines or NUL octets: here every run of CR and LF ends a line, empty lines vanish, NUL octets vanish. The result
//! does not depend on how the octets were chunked. What a line means is not decided here.

/// Longest line by default: a +CGLA answer with an extended response exceeds 1 KiB, none comes near this.
pub const DEFAULT_LINE_LIMIT: usize = 16 * 1024;

/// What modem output consists of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Frame<'a> {
    /// A line without its ends, never empty.
    Line(&'a [u8]),
    /// `>` where a line would begin, and the blank after it where there is one.
    Prompt,
    /// A line longer than the limit; it is skipped up to its end.
    Overlong,
}

/// Cuts modem output into [`Frame`]s; keeps at most one incomplete line.
#[derive(Debug, Clone)]
pub struct Framer {
    partial: Vec<u8>,
    limit: usize,
    discarding: bool,
    after_prompt: bool,
}

impl Default for Framer {
    fn default() -> Self {
        Self::new(DEFAULT_LINE_LIMIT)
    }
}

impl Framer {
    /// A framer whose lines have at most `limit` octets.
    pub fn new(limit: usize) -> Self {
        Self { partial: Vec::new(), limit, discarding: false, after_prompt: false }
    }

    /// Takes octets as they came and hands each frame that they complete to `each`.
    pub fn feed(&mut self, bytes: &[u8], mut each: impl FnMut(Frame<'_>)) {
        let mut rest = bytes;
        while !rest.is_empty() {
            rest = self.step(rest, &mut each);
        }
    }

    /// Forgets an incomplete line, e.g. after the port was opened anew.
    pub fn clear(&mut self) {
        *self = Self::new(self.limit);
    }

    fn step<'a>(&mut self, input: &'a [u8], each: &mut impl FnMut(Frame<'_>)) -> &'a [u8] {
        let input = if self.partial.is_empty() && !self.discarding { self.line_start(input, each) } else { input };
        let Some(end) = input.iter().position(|byte| matches!(byte, b'\r' | b'\n')) else {
            self.keep(input, each);
            return &[];
        };
        let (line, rest) = input.split_at_checked(end).unwrap_or((input, &[]));
        self.complete(line, each);
        rest
    }

    /// Passes over what may precede a line; prompts are taken here because nothing ends them.
    fn line_start<'a>(&mut self, mut input: &'a [u8], each: &mut impl FnMut(Frame<'_>)) -> &'a [u8] {
        while let Some((first, rest)) = input.split_first() {
            match first {
                0 => {}
                b'\r' | b'\n' => self.after_prompt = false,
                b' ' if self.after_prompt => self.after_prompt = false,
                b'>' => {
                    each(Frame::Prompt);
                    self.after_prompt = true;
                }
                _ => {
                    self.after_prompt = false;
                    break;
                }
            }
            input = rest;
        }
        input
    }

    fn keep(&mut self, input: &[u8], each: &mut impl FnMut(Frame<'_>)) {
        if self.discarding {
            return;
        }
        let room = self.limit.saturating_sub(self.partial.len()).saturating_add(1);
        self.partial.extend(input.iter().copied().filter(|byte| *byte != 0).take(room));
        if self.partial.len() > self.limit {
            each(Frame::Overlong);
            self.partial.clear();
            self.discarding = true;
        }
    }

    fn complete(&mut self, line: &[u8], each: &mut impl FnMut(Frame<'_>)) {
        if std::mem::take(&mut self.discarding) {
            return;
        }
        if self.partial.is_empty() && line.len() <= self.limit && !line.contains(&0) {
            if !line.is_empty() {
                each(Frame::Line(line));
            }
            return;
        }
        self.keep(line, each);
        if !std::mem::take(&mut self.discarding) && !self.partial.is_empty() {
            each(Frame::Line(&self.partial));
        }
        self.partial.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frames(chunks: &[&[u8]], limit: usize) -> Vec<String> {
        let mut framer = Framer::new(limit);
        let mut seen = Vec::new();
        for chunk in chunks {
            framer.feed(chunk, |frame| {
                seen.push(match frame {
                    Frame::Line(line) => String::from_utf8_lossy(line).into_owned(),
                    Frame::Prompt => "<prompt>".into(),
                    Frame::Overlong => "<overlong>".into(),
                });
            });
        }
        seen
    }

    const DIALOGUE: &[u8] =
        b"\0AT+CMGS=19\r\r\n> 0011\x1a\r\n+CMGS: 5\r\r\n\r\nO\0K\r\n\r\n>\r\n>> +CREG: 1\nRDY\r0123456789012345\r\n0\r";
    const DIALOGUE_FRAMES: &[&str] = &[
        "AT+CMGS=19",
        "<prompt>",
        "0011\u{1a}",
        "+CMGS: 5",
        "OK",
        "<prompt>",
        "<prompt>",
        "<prompt>",
        "+CREG: 1",
        "RDY",
        "<overlong>",
        "0",
    ];

    #[test]
    fn frames_whole_input_with_every_kind_of_line_end() {
        assert_eq!(frames(&[DIALOGUE], 12), DIALOGUE_FRAMES);
    }

    #[test]
    fn frames_do_not_depend_on_the_chunks() {
        let bytewise: Vec<&[u8]> = DIALOGUE.chunks(1).collect();
        assert_eq!(frames(&bytewise, 12), DIALOGUE_FRAMES);
        for cut in 0..=DIALOGUE.len() {
            let (head, tail) = DIALOGUE.split_at(cut);
            assert_eq!(frames(&[head, tail], 12), DIALOGUE_FRAMES, "cut at {cut}");
        }
    }

    #[test]
    fn a_truncated_line_is_kept_until_its_end_comes() {
        assert_eq!(frames(&[b"\r\n+CSQ: 2"], 100), [""; 0]);
        assert_eq!(frames(&[b"\r\n+CSQ: 2", b"1,99\r\n"], 100), ["+CSQ: 21,99"]);
    }

    #[test]
    fn glued_answers_come_apart() {
        let glued = [b"\r\nOK\r\n\r\n+CMTI: \"ME\",1\r\n".as_slice(); 3].concat();
        assert_eq!(frames(&[&glued], 100), ["OK", "+CMTI: \"ME\",1"].repeat(3));
    }

    #[test]
    fn memory_stays_bounded_without_a_line_end() {
        let mut framer = Framer::new(64);
        for _ in 0..1000 {
            framer.feed(&[b'x'; 1000], |_| {});
            assert!(framer.partial.capacity() <= 256);
        }
    }
}
