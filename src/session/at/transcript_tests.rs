//! The recorded dialogues, with the channel in the place of the program that was recorded.

use super::*;
use crate::codec::at::transcript::{Direction, Transcript, all};
use crate::codec::at::{CommandLine, CommandReader, Input, Payload};
use crate::types::{Now, UnixSeconds};
use std::time::Duration;

/// The commands of a recording, each with its payload and with what the modem sent after it.
struct Exchange {
    line: String,
    payload: Option<Vec<u8>>,
    answer: Vec<u8>,
    after_payload: Vec<u8>,
}

fn exchanges(transcript: &Transcript) -> Vec<Exchange> {
    let mut reader = CommandReader::new(2048);
    let mut list: Vec<Exchange> = Vec::new();
    for (direction, bytes) in &transcript.parts {
        if *direction == Direction::FromModem {
            if let Some(exchange) = list.last_mut() {
                let part = if exchange.payload.is_some() { &mut exchange.after_payload } else { &mut exchange.answer };
                part.extend(bytes);
            }
            if bytes.ends_with(b"> ") {
                reader.enter_prompt();
            }
            continue;
        }
        for input in bytes.iter().filter_map(|byte| reader.feed(*byte)) {
            match input {
                Input::Line(body) => list.push(Exchange {
                    line: format!("AT{}", String::from_utf8(body).unwrap()),
                    payload: None,
                    answer: Vec::new(),
                    after_payload: Vec::new(),
                }),
                Input::Payload(payload) => list.last_mut().unwrap().payload = Some(payload),
                other => panic!("{other:?}"),
            }
        }
    }
    list
}

#[test]
fn every_recorded_exchange_completes_and_loses_no_line() {
    let now = Now { mono: Duration::from_secs(1), utc: UnixSeconds(0) };
    let after_pause = Now { mono: Duration::from_secs(2), utc: UnixSeconds(0) };
    let mut total = 0;
    for transcript in all() {
        for exchange in exchanges(&transcript) {
            let context = format!("{}: {}", transcript.name, exchange.line);
            let mut channel = Channel::new(Timeouts::default());
            let line = CommandLine::raw(&exchange.line).unwrap();
            let expect = match exchange.line.as_str() {
                line if line.starts_with("AT+CMGR=") => Expect::WithPdu("+CMGR"),
                line if line.starts_with("AT+CMGL=") => Expect::WithPdu("+CMGL"),
                line if line.starts_with("AT+CREG") => Expect::Prefix("+CREG".into()),
                _ => Expect::Text,
            };
            let mut request = Request::new(line, expect, Timing::Control);
            request.payload = exchange.payload.as_ref().map(|payload| {
                Payload::pdu(&crate::types::hex::decode(std::str::from_utf8(payload).unwrap()).unwrap())
            });
            channel.submit(now, request).unwrap();
            channel.handle_input(now, &exchange.answer);
            channel.handle_timeout(after_pause);
            channel.handle_input(after_pause, &exchange.after_payload);
            let events: Vec<_> = std::iter::from_fn(|| channel.poll_event()).collect();
            let completions = events.iter().filter(|event| matches!(event, Event::Completed(_))).count();
            assert_eq!(completions, 1, "{context}: {events:?}");
            assert!(channel.is_idle(), "{context}");
            for event in &events {
                assert!(!matches!(event, Event::Unclaimed(_) | Event::Overlong | Event::Dead), "{context}: {event:?}");
                if let Event::Completed(completion) = event {
                    let refused_with_pdu =
                        matches!(completion.outcome, Err(Failure::PromptLost | Failure::Timeout { .. }));
                    assert!(!refused_with_pdu, "{context}: {completion:?}");
                }
            }
            total += 1;
        }
    }
    assert!(total > 400, "{total}");
}
