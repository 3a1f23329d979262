use super::*;
use crate::codec::at::answer::{Memory, SimState, StoredAt};
use crate::codec::at::{Domain, FinalResult, PduKind, Reported, Urc};
use crate::types::{Now, UnixSeconds};
use std::time::Duration;

/// A channel with a clock of its own.
struct Rig {
    channel: Channel,
    mono: Duration,
}

impl Rig {
    fn new() -> Self {
        Self { channel: Channel::new(Timeouts::default()), mono: Duration::from_secs(1000) }
    }

    fn now(&self) -> Now {
        Now { mono: self.mono, utc: UnixSeconds(0) }
    }

    fn submit(&mut self, request: Result<Request, crate::codec::EncodeError>) -> String {
        self.channel.submit(self.now(), request.unwrap()).unwrap();
        self.output()
    }

    fn output(&mut self) -> String {
        std::iter::from_fn(|| self.channel.poll_output()).map(|bytes| String::from_utf8(bytes).unwrap()).collect()
    }

    fn feed(&mut self, text: &str) -> Vec<Event> {
        self.channel.handle_input(self.now(), text.as_bytes());
        self.events()
    }

    fn events(&mut self) -> Vec<Event> {
        std::iter::from_fn(|| self.channel.poll_event()).collect()
    }

    /// Lets time pass, serving every time-out on the way.
    fn pass(&mut self, duration: Duration) -> Vec<Event> {
        let end = self.mono + duration;
        while let Some(deadline) = self.channel.poll_timeout().filter(|deadline| *deadline <= end) {
            self.mono = deadline;
            self.channel.handle_timeout(self.now());
        }
        self.mono = end;
        self.events()
    }
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn completed(lines: &[&str], outcome: Result<FinalResult, Failure>) -> Event {
    let lines = lines.iter().map(|line| AnswerLine { text: line.as_bytes().to_vec(), pdu: None }).collect();
    Event::Completed(Completion { lines, outcome })
}

fn ok(lines: &[&str]) -> Event {
    completed(lines, Ok(FinalResult::Ok))
}

fn stored(index: u32) -> Event {
    Event::Urc(Urc::MessageStored(StoredAt { memory: Memory::ME, index }))
}

/// The message of one octet, at the point where the modem has it.
fn sending() -> Rig {
    let mut rig = Rig::new();
    assert_eq!(rig.submit(standard::send_message(&[0xAB])), "AT+CMGS=1\r");
    assert_eq!(rig.feed("\r\n> "), []);
    rig.pass(Duration::from_millis(100));
    assert_eq!(rig.output(), "00AB\x1a");
    rig
}

#[test]
fn one_command_at_a_time() {
    let mut rig = Rig::new();
    assert_eq!(rig.submit(Request::text("+CGMI", Timing::Control)), "AT+CGMI\r");
    let second = Request::query("+CREG", Timing::Control).unwrap();
    assert_eq!(rig.channel.submit(rig.now(), second.clone()), Err(Busy));
    assert_eq!(rig.feed("\r\nQuectel\r\n\r\nOK\r\n"), [ok(&["Quectel"])]);
    assert_eq!(rig.channel.submit(rig.now(), second), Ok(()));
}

#[test]
fn the_pdu_follows_the_prompt_after_the_pause_that_a_request_asks_for() {
    let mut rig = Rig::new();
    let pause = Duration::from_millis(100);
    rig.submit(standard::send_message(&[0xAB]).map(|request| request.with_pause(pause)));
    rig.feed("\r\n> ");
    assert_eq!(rig.output(), "", "not before the pause is over");
    rig.pass(Duration::from_millis(100));
    assert_eq!(rig.output(), "00AB\x1a");
    assert_eq!(rig.feed("\r\n+CMGS: 7\r\n\r\nOK\r\n"), [ok(&["+CMGS: 7"])]);
}

#[test]
fn f1_silence_ends_in_a_time_out_then_recovery_probes_three_times() {
    let mut rig = Rig::new();
    rig.submit(Request::query("+CSQ", Timing::Control));
    assert_eq!(rig.pass(seconds(5)), [completed(&[], Err(Failure::Timeout { outcome_unknown: true }))]);
    assert_eq!(rig.output(), "\x1b\r");
    assert_eq!(rig.channel.submit(rig.now(), standard::pdu_mode().unwrap()), Err(Busy));
    assert_eq!(rig.pass(seconds(16)), [Event::Dead]);
    assert_eq!(rig.output(), "AT\rAT\rAT\r");
    assert!(rig.channel.is_idle());
}

#[test]
fn f1_a_modem_that_answers_the_probe_is_recovered() {
    let mut rig = Rig::new();
    rig.submit(Request::query("+CSQ", Timing::Control));
    rig.pass(seconds(7));
    // The late answer of the command given up, then the probe's own OK.
    assert_eq!(rig.feed("\r\n+CSQ: 1,99\r\n\r\nOK\r\n"), [Event::Unclaimed("+CSQ: 1,99".into())]);
    assert_eq!(rig.feed("\r\nOK\r\n"), []);
    assert_eq!(rig.pass(seconds(1)), [Event::Recovered]);
    rig.output();
    rig.submit(Request::query("+CSQ", Timing::Control));
    assert_eq!(rig.feed("\r\n+CSQ: 2,99\r\n\r\nOK\r\n"), [ok(&["+CSQ: 2,99"])]);
}

#[test]
fn f2_garbage_between_lines_does_not_disturb_the_answer() {
    let mut rig = Rig::new();
    rig.submit(Request::query("+CSQ", Timing::Control));
    rig.channel.handle_input(rig.now(), b"\0\0\0\xff\xfe\r\n\r\n+CSQ: 3,99\r\n\0\r\nO\0K\r\n");
    let Event::Completed(completion) = &rig.events()[0] else { panic!() };
    assert_eq!(completion.outcome, Ok(FinalResult::Ok));
    assert_eq!(completion.lines.last().unwrap().text, b"+CSQ: 3,99");
}

#[test]
fn f3_any_split_of_prompt_and_answer_gives_the_same_events() {
    let (prompt, answer) = ("\r\n> ", "\r\n+CMTI: \"ME\",4\r\n\r\n+CMGS: 7\r\n\r\nOK\r\n");
    for cut in 0..answer.len() {
        let mut rig = Rig::new();
        rig.submit(standard::send_message(&[0xAB]));
        let (head, tail) = prompt.split_at(cut.min(prompt.len()));
        rig.feed(head);
        rig.feed(tail);
        rig.pass(Duration::from_millis(100));
        let (head, tail) = answer.split_at(cut);
        let events = [rig.feed(head), rig.feed(tail)].concat();
        assert_eq!(events, [stored(4), ok(&["+CMGS: 7"])], "cut at {cut}");
    }
}

#[test]
fn f4_an_echo_is_noticed_and_is_no_answer() {
    let mut rig = Rig::new();
    rig.submit(standard::send_message(&[0xAB]));
    assert_eq!(rig.feed("AT+CMGS=1\r\r\n> "), [Event::Echo]);
    rig.pass(Duration::from_millis(100));
    assert_eq!(rig.feed("00AB\x1a\r\n+CMGS: 7\r\n\r\nOK\r\n"), [ok(&["+CMGS: 7"])]);
}

#[test]
fn f5_urcs_are_found_anywhere_in_an_answer() {
    let mut rig = Rig::new();
    rig.submit(Request::query("+CREG", Timing::Control));
    let events = rig.feed(
        "\r\n^RSSI:18\r\n\r\n+CREG: 1,\"1A2B\",\"01C3\",7\r\n\r\n+CREG: 2,5\r\n\r\n+CMTI: \"ME\",4\r\n\r\nOK\r\n",
    );
    assert!(matches!(&events[0], Event::Urc(Urc::Vendor(text)) if text == "^RSSI:18"));
    assert!(matches!(&events[1], Event::Urc(Urc::Registration(Domain::Circuit, _))));
    assert_eq!(events[2..], [stored(4), ok(&["+CREG: 2,5"])]);
}

#[test]
fn f5_a_urc_between_header_and_pdu_of_a_listed_message() {
    let mut rig = Rig::new();
    rig.submit(standard::list_messages());
    let events = rig.feed(
        "\r\n+CMGL: 1,1,,2\r\n\r\n+CDS: 3\r\n000601\r\n\r\n^RSSI:18\r\n000401\r\n+CMGL: 2,1,,2\r\n000402\r\n\r\nOK\r\n",
    );
    assert_eq!(events[0], Event::Pdu { kind: PduKind::StatusReport, length: 3, line: b"000601".to_vec() });
    let Event::Completed(completion) = &events[2] else { panic!() };
    let pdus: Vec<_> = completion.lines.iter().map(|line| line.pdu.clone().unwrap()).collect();
    assert_eq!(pdus, [b"000401", b"000402"]);
}

#[test]
fn f5_a_message_routed_directly_keeps_its_pdu_across_other_lines() {
    let mut rig = Rig::new();
    rig.submit(Request::query("+CSQ", Timing::Control));
    let events = rig.feed("\r\n+CMT: ,3\r\n\r\n^RSSI:18\r\n\r\n+CSQ: 1,99\r\n000401\r\n\r\nOK\r\n");
    assert_eq!(events[1], Event::Pdu { kind: PduKind::Deliver, length: 3, line: b"000401".to_vec() });
    assert_eq!(events[2], ok(&["+CSQ: 1,99"]));
}

#[test]
fn f5_a_urc_at_the_prompt_does_not_stop_the_message() {
    let mut rig = Rig::new();
    rig.submit(standard::send_message(&[0xAB]));
    assert_eq!(rig.feed("\r\n> \r\n+CMTI: \"ME\",4\r\n"), [stored(4)]);
    rig.pass(Duration::from_millis(100));
    assert_eq!(rig.output(), "00AB\x1a");
}

#[test]
fn f6_a_lost_prompt_sends_no_pdu_into_command_mode() {
    let mut rig = Rig::new();
    rig.submit(standard::send_message(&[0xAB]));
    assert_eq!(rig.pass(seconds(10)), [completed(&[], Err(Failure::PromptLost))]);
    assert_eq!(rig.output(), "\x1b\r");
    // The prompt comes after all: it has to be left again.
    assert_eq!(rig.feed("\r\n> "), []);
    assert_eq!(rig.output(), "\x1b");
    rig.pass(seconds(1));
    assert_eq!(rig.output(), "AT\r");
}

#[test]
fn f6_prompts_without_blank_late_and_double_are_served_once() {
    let mut rig = Rig::new();
    rig.submit(standard::send_message(&[0xAB]));
    rig.pass(seconds(9));
    rig.feed("\r\n>");
    rig.feed("> ");
    rig.pass(Duration::from_millis(100));
    rig.feed("\r\n> ");
    rig.pass(Duration::from_millis(500));
    assert_eq!(rig.output(), "00AB\x1a");
    assert_eq!(rig.feed("\r\n+CMGS: 7\r\n\r\nOK\r\n"), [ok(&["+CMGS: 7"])]);
}

#[test]
fn f6_a_prompt_that_nobody_asked_for_is_left() {
    let mut rig = Rig::new();
    rig.feed("\r\n> ");
    assert_eq!(rig.output(), "\x1b");
}

#[test]
fn f7_a_lost_final_result_leaves_the_outcome_unknown() {
    let mut rig = sending();
    assert_eq!(rig.pass(seconds(119)), []);
    assert_eq!(rig.pass(seconds(1)), [completed(&[], Err(Failure::Timeout { outcome_unknown: true }))]);
}

#[test]
fn f7_the_reference_without_ok_is_kept_and_shortens_the_wait() {
    let mut rig = sending();
    rig.feed("\r\n+CMGS: 7\r\n");
    let expected = completed(&["+CMGS: 7"], Err(Failure::Timeout { outcome_unknown: true }));
    assert_eq!(rig.pass(seconds(5)), [expected]);
}

#[test]
fn f8_errors_end_the_command_at_the_prompt_and_after_the_pdu() {
    let refused = |reported| completed(&[], Err(Failure::Refused(FinalResult::Cms(reported))));
    let mut rig = Rig::new();
    rig.submit(standard::send_message(&[0xAB]));
    assert_eq!(rig.feed("\r\n+CMS ERROR: 302\r\n"), [refused(Reported::Code(302))]);
    let mut rig = sending();
    assert_eq!(rig.feed("\r\n+CMS ERROR: unknown error\r\n"), [refused(Reported::Text("unknown error".into()))]);
    assert!(rig.channel.is_idle());
}

#[test]
fn f22_odd_line_ends_missing_prefixes_and_digits_for_results_are_understood() {
    let mut rig = Rig::new();
    rig.submit(standard::open_logical_channel(&[0xA0]));
    assert_eq!(rig.feed("2\r\r\n\r\n\r\nOK\r\r\n"), [ok(&["2"])]);
    rig.submit(standard::line_discipline());
    assert_eq!(rig.feed("ATE0Q0V1\r0\r"), [ok(&[])]);
    rig.submit(Request::query("+CPIN", Timing::Sim));
    assert_eq!(rig.feed("+CPIN: READY\rOK\r"), [ok(&["+CPIN: READY"])]);
}

#[test]
fn an_abortable_command_is_aborted_by_a_character_and_others_are_not() {
    let mut rig = Rig::new();
    assert_eq!(rig.submit(standard::search_networks()), "AT+COPS=?\r");
    rig.channel.abort(rig.now());
    assert_eq!(rig.output(), "\r");
    assert_eq!(rig.feed("\r\nOK\r\n"), [completed(&[], Err(Failure::Aborted))]);
    rig.submit(standard::delete_message(1));
    rig.channel.abort(rig.now());
    assert_eq!(rig.output(), "");
}

#[test]
fn a_lost_port_ends_the_command_and_forgets_half_a_line() {
    let mut rig = sending();
    rig.feed("\r\n+CMG");
    rig.channel.handle_lost();
    assert_eq!(rig.events(), [completed(&[], Err(Failure::Lost { outcome_unknown: true }))]);
    assert_eq!(rig.feed("S: 7\r\n"), [Event::Unclaimed("S: 7".into())]);
}

#[test]
fn a_sim_that_vanishes_is_a_urc_and_an_answer_when_asked() {
    let mut rig = Rig::new();
    let gone = Event::Urc(Urc::Sim(SimState::Other("NOT READY".into())));
    assert_eq!(rig.feed("\r\n+CPIN: NOT READY\r\n"), [gone]);
    rig.submit(Request::query("+CPIN", Timing::Sim));
    assert_eq!(rig.feed("\r\n+CPIN: NOT READY\r\n\r\nOK\r\n"), [ok(&["+CPIN: NOT READY"])]);
}

#[test]
fn a_port_just_opened_is_brought_to_a_known_state() {
    let mut rig = Rig::new();
    rig.channel.resynchronise(rig.now());
    assert_eq!(rig.output(), "\x1b\r");
    rig.pass(Duration::from_millis(100));
    assert_eq!(rig.output(), "AT\r");
    rig.feed("AT\r\r\nOK\r\n");
    assert_eq!(rig.pass(seconds(1)), [Event::Recovered]);
}
