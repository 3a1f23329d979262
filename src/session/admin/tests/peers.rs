//! Each end against a peer that does not keep to the rules, or has something special to say.

use super::rig::Rig;
use super::*;
use crate::codec::apdu::StatusWord;
use crate::codec::gp::http::{Parser, Request, RequestLine, ScriptStatus};
use crate::codec::gp::scp80_body::{self, PacketResponse};
use crate::types::hex::Octets;

fn later(seconds: u64) -> Now {
    Now { mono: start().mono + Duration::from_secs(seconds), ..start() }
}

/// An agent whose service request is out.
fn waiting_agent() -> AgentSession {
    let mut agent = AgentSession::begin(Rig::context(), service_request());
    assert_eq!(agent.poll_event(), Some(AgentEvent::Connect));
    agent.handle_connected(start());
    assert!(agent.poll_output().is_some());
    agent
}

/// What the agent makes of this answer; the status line and the headers in one text, with the protocol header.
fn agent_events(head: &str, body: &[u8]) -> Vec<AgentEvent> {
    let mut agent = waiting_agent();
    let protocol = "X-Admin-Protocol: globalplatform-remote-admin/1.0\r\n";
    let head = head.replace('\n', "\r\n");
    agent.handle_input(&[format!("HTTP/1.1 {head}\r\n{protocol}\r\n").as_bytes(), body].concat());
    std::iter::from_fn(|| agent.poll_event()).collect()
}

fn script_head(next_uri: &str, length: usize) -> String {
    let content_type = scp80_body::COMMANDS;
    format!("200 OK\nX-Admin-Next-URI: {next_uri}\nContent-Type: {content_type}\nContent-Length: {length}")
}

const NEXT: &str = "/admin?tx=0011223344556677&script=1";

fn packets() -> Vec<u8> {
    scp80_body::encode_packets(&[vec![1, 2, 3]]).unwrap()
}

fn has_failed(events: &[AgentEvent]) -> bool {
    matches!(events.last(), Some(AgentEvent::Ended(End::Failed(_))))
        && !events.iter().any(|event| matches!(event, AgentEvent::Persist(_)))
}

#[test]
fn the_agent_follows_only_scripts_that_are_its_own_and_new() {
    let body = packets();
    let good = agent_events(&script_head(NEXT, body.len()), &body);
    assert!(matches!(good.as_slice(), [AgentEvent::Acknowledged { script: 0 }, AgentEvent::Persist(_)]), "{good:?}");
    for next_uri in [
        "/admin?tx=0011223344556678&script=1",
        "/admin?script=1",
        "/admin?tx=0011223344556677",
        "/admin?tx=0011223344556677&script=0",
        "/admin?tx=0011223344556677&script=+1",
        "/admin?tx=0011223344556677&script=1&script=2",
        "//evil.example/admin?tx=0011223344556677&script=1",
        "https://evil.example/admin?tx=0011223344556677&script=1",
    ] {
        assert!(has_failed(&agent_events(&script_head(next_uri, body.len()), &body)), "{next_uri}");
    }
    let without_next = format!("200 OK\nContent-Length: {}", body.len());
    assert!(has_failed(&agent_events(&without_next, &body)));
}

#[test]
fn the_agent_refuses_a_body_above_its_limit_and_octets_that_are_no_http() {
    assert!(has_failed(&agent_events(&script_head(NEXT, 2049), &[0; 2049])));
    let chunked = script_head(NEXT, 0).replace("Content-Length: 0", "Transfer-Encoding: chunked");
    assert!(has_failed(&agent_events(&chunked, format!("801\r\n{:2049}", "").as_bytes())));
    let mut agent = waiting_agent();
    agent.handle_input(b"SSH-2.0-x\r\n");
    assert!(has_failed(&std::iter::from_fn(|| agent.poll_event()).collect::<Vec<_>>()));
}

#[test]
fn a_script_that_may_be_cut_is_not_followed() {
    let body = packets();
    let mut agent = waiting_agent();
    let head = format!("HTTP/1.1 200 OK\r\nX-Admin-Next-URI: {NEXT}\r\n\r\n");
    agent.handle_input(&[head.as_bytes(), &body].concat());
    assert_eq!(agent.poll_event(), None);
    agent.handle_closed(true);
    assert!(has_failed(&std::iter::from_fn(|| agent.poll_event()).collect::<Vec<_>>()));
}

#[test]
fn the_agent_tells_when_it_cannot_read_a_script() {
    for (content_type, body) in [(scp80_body::COMMANDS, vec![0x99, 1, 0]), ("text/plain", packets())] {
        let mut agent = waiting_agent();
        let head = format!(
            "HTTP/1.1 200 OK\r\nX-Admin-Protocol: globalplatform-remote-admin/1.0\r\nX-Admin-Next-URI: {NEXT}\r\n\
             Content-Type: {content_type}\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        agent.handle_input(&[head.as_bytes(), &body].concat());
        agent.handle_persisted(start());
        let post = String::from_utf8(agent.poll_output().unwrap()).unwrap();
        assert!(post.starts_with(&format!("POST {NEXT} HTTP/1.1\r\n")), "{post}");
        assert!(post.contains("X-Admin-Script-Status: script-format-error\r\n"), "{post}");
        assert!(post.contains("Content-Length: 0\r\n"), "{post}");
    }
}

#[test]
fn each_status_code_has_its_consequence() {
    let busy = Pause::Busy { retry_after: Duration::from_secs(90) };
    let paused = |head, pause: Pause| {
        let events = agent_events(&format!("{head}\nContent-Length: 0"), b"");
        assert_eq!(events, [AgentEvent::Disconnect, AgentEvent::Paused(pause)], "{head}");
    };
    paused("503 Service Unavailable\nX-Euicc-Status: busy\nRetry-After: 90", busy);
    for (head, status) in [
        ("503 Service Unavailable\nX-Euicc-Status: busy", 503),
        ("503 Service Unavailable\nRetry-After: 90", 503),
        ("503 Service Unavailable\nX-Euicc-Status: busy\nRetry-After: Fri, 31 Dec 1999 23:59:59 GMT", 503),
        ("502 Bad Gateway", 502),
        ("429 Too Many Requests", 429),
    ] {
        paused(head, Pause::Unavailable { status });
    }
    let ended = |head: &str, end: End| {
        let events = agent_events(head, b"");
        assert_eq!(events.last(), Some(&AgentEvent::Ended(end)), "{head}");
    };
    ended("204 No Content", End::Finished);
    ended("204 No Content\nX-Euicc-Status: nothing-pending", End::NothingPending);
    ended("100 Continue\n\nHTTP/1.1 204 No Content", End::Finished);
    ended("403 Forbidden\nContent-Length: 0", End::Refused { status: 403 });
    ended("302 Found\nLocation: https://evil.example/\nContent-Length: 0", End::Refused { status: 302 });
}

#[test]
fn an_answer_that_does_not_come_in_time_is_asked_for_again_as_a_resumption() {
    let mut agent = waiting_agent();
    assert_eq!(agent.poll_timeout(), Some(later(60).mono));
    agent.handle_timeout(later(59));
    assert_eq!(agent.poll_event(), None);
    agent.handle_timeout(later(60));
    assert_eq!(agent.poll_event(), Some(AgentEvent::Disconnect));
    assert_eq!(agent.poll_event(), Some(AgentEvent::Paused(Pause::Lost)));
    assert_eq!(agent.poll_timeout(), None);
    agent.handle_connected(later(100));
    let post = String::from_utf8(agent.poll_output().unwrap()).unwrap();
    assert!(post.contains("X-Admin-Resume: true\r\n"), "{post}");
}

#[test]
fn octets_that_nobody_asked_for_break_the_connection_but_not_the_packet_on_its_way() {
    let body = packets();
    let mut agent = waiting_agent();
    let head = script_head(NEXT, body.len()).replace('\n', "\r\n");
    let protocol = "X-Admin-Protocol: globalplatform-remote-admin/1.0";
    agent.handle_input(&[format!("HTTP/1.1 {head}\r\n{protocol}\r\n\r\n").as_bytes(), &body, b"HTTP/1.1"].concat());
    let events: Vec<_> = std::iter::from_fn(|| agent.poll_event()).collect();
    assert_eq!(events.last(), Some(&AgentEvent::Disconnect));
    agent.handle_persisted(start());
    agent.handle_persisted(start());
    let events: Vec<_> = std::iter::from_fn(|| agent.poll_event()).collect();
    assert_eq!(events.last(), Some(&AgentEvent::Deliver(vec![1, 2, 3])));
    agent.handle_packet_response(PacketResponse::StatusWord(StatusWord(0x9000)));
    agent.handle_persisted(start());
    assert_eq!(std::iter::from_fn(|| agent.poll_event()).last(), Some(AgentEvent::Connect));
}

fn server() -> SmSrSession {
    let context = SmSrContext {
        certificate_eid: EID.parse().unwrap(),
        limits: limits(),
        request_timeout: Duration::from_secs(30),
        idle_timeout: Duration::from_secs(600),
    };
    SmSrSession::new(context, start())
}

fn events(server: &mut SmSrSession) -> Vec<SmSrEvent> {
    std::iter::from_fn(|| server.poll_event()).collect()
}

/// The octets of a post, as the agent writes them, after `change`.
fn post(change: impl Fn(String) -> String) -> Vec<u8> {
    let mut agent = AgentSession::begin(Rig::context(), service_request());
    agent.handle_connected(start());
    change(String::from_utf8(agent.poll_output().unwrap()).unwrap()).into_bytes()
}

/// An answer to script 1 with this body.
fn script_post(body: &[u8], status: &str) -> Vec<u8> {
    let from = Rig::context().from.clear();
    let head = format!(
        "POST {NEXT} HTTP/1.1\r\nHost: a\r\nX-Admin-Protocol: globalplatform-remote-admin/1.0\r\n\
         X-Admin-From: {from}\r\nX-Admin-Script-Status: {status}\r\nContent-Type: {}\r\nContent-Length: {}\r\n\r\n",
        scp80_body::RESPONSES,
        body.len()
    );
    [head.as_bytes(), body].concat()
}

#[test]
fn the_sm_sr_answers_what_it_refuses_with_a_status_and_closes() {
    let cases: Vec<(Vec<u8>, &str)> = vec![
        (post(|text| text.replace("POST", "GET")), "405"),
        (post(|text| text.replace("tx=0011", "tx=0012")), "400"),
        (post(|text| text.replace("?tx=0011223344556677", "")), "400"),
        (post(|text| text.replace("X-Euicc-Operation: enable", "X-Euicc-Operation: explode")), "400"),
        (post(|text| text.replace("X-Euicc-", "X-Other-")), "400"),
        (post(|text| text.replace("X-Admin-Protocol", "X-Admin-Other")), "400"),
        (post(|text| text.replace(EID, OTHER_EID)), "403"),
        (post(|text| text.replace("Content-Length: 0", "Content-Length: 2049")), "413"),
        (post(|text| text.replace("HTTP/1.1", "HTTP/1.0")), "505"),
        (post(|text| text.replace("Content-Length: 0", "Content-Length: 0\r\nTransfer-Encoding: chunked")), "400"),
        (post(|text| text.clone() + &text), "400"),
        (script_post(&[0x8A, 0, 0x89, 2, 0x90, 0], "ok"), "400"),
    ];
    for (octets, status) in cases {
        let mut server = server();
        server.handle_input(start(), &octets);
        let text = String::from_utf8_lossy(&octets).into_owned();
        let response = String::from_utf8(server.poll_output().unwrap_or_default()).unwrap();
        assert!(response.starts_with(&format!("HTTP/1.1 {status} ")), "{text}: {response}");
        assert!(response.contains("Connection: close\r\n"), "{response}");
        assert!(matches!(events(&mut server).as_slice(), [SmSrEvent::Refused(_), SmSrEvent::Close]), "{text}");
        server.handle_input(start(), &octets);
        assert_eq!((server.poll_output(), events(&mut server)), (None, vec![]));
    }
}

#[test]
fn the_sm_sr_does_not_wait_for_ever_for_a_request() {
    let octets = post(|text| text);
    let mut server = server();
    assert_eq!(server.poll_timeout(), Some(later(30).mono));
    server.handle_timeout(later(30));
    assert_eq!((server.poll_output(), events(&mut server)), (None, vec![SmSrEvent::Close]));

    let mut server = self::server();
    server.handle_input(later(10), &octets[..10]);
    server.handle_input(later(39), &octets[10..20]);
    assert_eq!(server.poll_timeout(), Some(later(40).mono), "from its first octet");
    server.handle_timeout(later(40));
    assert!(server.poll_output().unwrap().starts_with(b"HTTP/1.1 408 "));
    assert_eq!(events(&mut server), [SmSrEvent::Refused(Refusal::TimedOut), SmSrEvent::Close]);
}

#[test]
fn the_sm_sr_gives_the_euicc_its_time_between_two_posts() {
    let mut server = server();
    server.handle_input(start(), &post(|text| text));
    assert_eq!(server.poll_timeout(), None);
    server.handle_found(start(), None);
    server.answer(start(), Answer::Packets(vec![vec![1]])).unwrap();
    server.handle_persisted(start());
    assert_eq!(server.poll_timeout(), Some(later(600).mono));
}

#[test]
fn an_unknown_transaction_has_nothing_pending() {
    let mut server = server();
    server.handle_input(start(), &script_post(&[0x89, 2, 0x90, 0], "ok"));
    assert_eq!(events(&mut server), [SmSrEvent::Lookup(TX)]);
    server.handle_found(start(), None);
    let response = String::from_utf8(server.poll_output().unwrap()).unwrap();
    assert!(response.starts_with("HTTP/1.1 204 ") && response.contains("X-Euicc-Status: nothing-pending\r\n"));
    assert_eq!(events(&mut server), [SmSrEvent::Close]);
}

fn outstanding(packets: usize) -> Exchange {
    let outstanding = Some(vec![Octets(vec![7]); packets]);
    Exchange { transaction: TX, script: 1, outstanding }
}

#[test]
fn there_is_one_response_per_packet_unless_delivery_stopped() {
    let ok = PacketResponse::StatusWord(StatusWord(0x9000));
    let refused = PacketResponse::StatusWord(StatusWord(0x6A80));
    let cases = [
        (vec![ok.clone(), ok.clone()], "ok", true),
        (vec![ok.clone(), ok.clone(), ok.clone()], "ok", false),
        (vec![ok.clone()], "ok", false),
        (vec![refused], "ok", true),
        (vec![PacketResponse::Interrupted], "ok", true),
        (vec![], "ok", false),
        (vec![], "script-format-error", true),
    ];
    for (responses, status, accepted) in cases {
        let mut server = server();
        server.handle_input(start(), &script_post(&scp80_body::encode_responses(&responses).unwrap(), status));
        server.handle_found(start(), Some(outstanding(2)));
        let expected = SmSrEvent::Responses {
            transaction: TX,
            script: 1,
            resume: false,
            status: ScriptStatus::from_word(status),
            responses: responses.clone(),
        };
        assert_eq!(events(&mut server).contains(&expected), accepted, "{responses:?}");
    }
}

#[test]
fn a_repeated_post_gets_the_same_octets_and_asks_nobody() {
    let mut server = server();
    server.handle_input(start(), &post(|text| text));
    server.handle_found(start(), Some(outstanding(2)));
    let found = events(&mut server);
    assert_eq!(found[1..], [SmSrEvent::AnsweredAgain { transaction: TX, script: 0 }]);
    let response = String::from_utf8_lossy(&server.poll_output().unwrap()).into_owned();
    assert!(response.contains(&format!("X-Admin-Next-URI: {NEXT}\r\n")), "{response}");
    assert!(response.ends_with("\r\n\r\n\u{fffd}\u{1}\u{7}\u{fffd}\u{1}\u{7}"), "{response}");
}

#[test]
fn a_notification_travels_with_the_service_request_and_a_finished_transaction_may_go_on() {
    let notification = Octets(vec![0xE1, 0x00]);
    let request = ServiceRequest { notification: Some(notification), ..service_request() };
    let mut agent = AgentSession::begin(Rig::context(), request);
    agent.handle_connected(start());
    let mut server = server();
    server.handle_input(start(), &agent.poll_output().unwrap());
    server.handle_found(start(), Some(Exchange { transaction: TX, script: 3, outstanding: None }));
    let headers = service_request().headers;
    assert_eq!(
        events(&mut server)[1..],
        [SmSrEvent::Notification(vec![0xE1, 0x00]), SmSrEvent::ServiceRequest { headers, resume: false }]
    );
    server.answer(start(), Answer::Packets(vec![vec![9]])).unwrap();
    assert_eq!(
        events(&mut server),
        [SmSrEvent::Persist(Exchange { transaction: TX, script: 4, outstanding: Some(vec![Octets(vec![9])]) })]
    );
    assert_eq!(server.poll_output(), None, "nothing goes out before it is durable");
    server.handle_persisted(start());
    assert!(server.poll_output().is_some());
}

#[test]
fn an_answer_must_be_asked_for_and_say_something() {
    let mut server = server();
    assert!(server.answer(start(), Answer::End).is_err());
    server.handle_input(start(), &post(|text| text));
    server.handle_found(start(), None);
    assert!(server.answer(start(), Answer::Packets(vec![])).is_err());
    assert!(server.answer(start(), Answer::Packets(vec![vec![]])).is_err());
    server.answer(start(), Answer::End).unwrap();
    assert!(server.poll_output().unwrap().starts_with(b"HTTP/1.1 204 "));
}

#[test]
fn the_service_request_says_what_the_patent_wants_said() {
    let octets = post(|text| text);
    let fed = Parser::<RequestLine>::new(limits()).feed(&octets).unwrap();
    let request: Request = fed.message.unwrap();
    assert_eq!(request.start.target, "/admin?tx=0011223344556677");
    let headers: Vec<_> = request.headers.iter().filter(|(name, _)| name.starts_with("X-Euicc")).collect();
    assert_eq!(
        headers,
        [
            ("X-Euicc-Operation", "enable"),
            ("X-Euicc-Management-Mode", "push"),
            ("X-Euicc-Transaction", "0011223344556677"),
            ("X-Euicc-Received", "2027-01-15T07:43:20Z")
        ]
    );
}
