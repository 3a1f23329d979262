//! The recorded dialogues through framer, describer and command reader.

use super::transcript::{Direction, all};
use super::*;
use crate::codec::Reader;

fn frames(bytes: &[u8], chunk: usize) -> Vec<String> {
    let mut framer = Framer::default();
    let mut list = Vec::new();
    for chunk in bytes.chunks(chunk) {
        framer.feed(chunk, |frame| {
            list.push(match frame {
                Frame::Line(line) => String::from_utf8(line.to_vec()).unwrap(),
                Frame::Prompt => "> ".into(),
                Frame::Overlong => panic!("no recorded line is too long"),
            });
        });
    }
    list
}

#[test]
fn recorded_modem_output_is_framed_without_loss_in_any_chunks() {
    for transcript in all() {
        let bytes = transcript.side(Direction::FromModem);
        let whole = frames(&bytes, bytes.len());
        let without_ends: Vec<u8> = bytes.iter().copied().filter(|byte| !b"\r\n".contains(byte)).collect();
        assert_eq!(whole.concat().as_bytes(), without_ends, "{}", transcript.name);
        for chunk in [1, 2, 3, 7, 64] {
            assert_eq!(frames(&bytes, chunk), whole, "{} in chunks of {chunk}", transcript.name);
        }
    }
}

#[test]
fn every_recorded_line_is_described() {
    let mut described = 0;
    for transcript in all() {
        for line in frames(&transcript.side(Direction::FromModem), 4096) {
            let result = describe_line(&mut Reader::new("AT", line.as_bytes()));
            assert_eq!(result, Ok(()), "{}: {line}", transcript.name);
            described += 1;
        }
    }
    assert!(described > 500, "{described}");
}

#[test]
fn every_recorded_command_is_read_by_the_modem_side() {
    let (mut commands, mut payloads) = (0, 0);
    for transcript in all() {
        let mut reader = CommandReader::new(2048);
        for (direction, bytes) in &transcript.parts {
            if *direction == Direction::FromModem {
                if bytes.ends_with(b"> ") {
                    reader.enter_prompt();
                }
                continue;
            }
            for input in bytes.iter().filter_map(|byte| reader.feed(*byte)) {
                match input {
                    Input::Line(body) => {
                        let read: Result<Vec<_>, _> = Commands::new(&body).collect();
                        commands += read.unwrap_or_else(|error| panic!("{}: {error}", transcript.name)).len();
                    }
                    Input::Payload(text) => {
                        assert!(text.iter().all(u8::is_ascii_hexdigit));
                        payloads += 1;
                    }
                    other => panic!("{}: {other:?}", transcript.name),
                }
            }
        }
    }
    assert!(commands > 500 && payloads >= 7, "{commands} commands, {payloads} payloads");
}

proptest::proptest! {
    #[test]
    fn random_octets_never_panic_and_frames_do_not_depend_on_chunks(
        bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..300), cut in 0_usize..300,
    ) {
        let collect = |parts: &[&[u8]]| {
            let (mut framer, mut list) = (Framer::new(50), Vec::new());
            for part in parts {
                framer.feed(part, |frame| list.push(format!("{frame:?}")));
            }
            list
        };
        let (head, tail) = bytes.split_at(cut.min(bytes.len()));
        proptest::prop_assert_eq!(collect(&[&bytes]), collect(&[head, tail]));
        let _ = describe_line(&mut Reader::new("AT", &bytes));
        let mut reader = CommandReader::new(100);
        let _ = bytes.iter().filter_map(|byte| reader.feed(*byte)).count();
    }

    #[test]
    fn mutated_lines_never_panic(
        line in "(AT)?[+^#]?(CREG|CMT|CMTI|CMGL|CMGR|CPMS|CNMI|CSIM|CGLA|CRSM|CCLK|CUSATP|CESQ)?[:=?]{0,2} ?[0-9A-F\",(); x/+-]{0,60}",
    ) {
        let bytes = line.as_bytes();
        let _ = describe_line(&mut Reader::new("AT", bytes));
        let _ = Urc::parse(bytes);
        let _ = Pdu::decode(bytes, 3);
        let _ = Commands::new(bytes).count();
    }
}
