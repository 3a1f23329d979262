//! Messages whole, cut anywhere, glued, and wrong.

use super::*;
use crate::types::{ManagementMode, Operation, TransactionResult};
use proptest::prelude::*;

const LIMITS: Limits = Limits { start_line: 200, header_count: 8, header_octets: 400, body: 64 };

/// All messages in these octets when they come in pieces of the given sizes (cycled).
fn parse<S: StartLine>(octets: &[u8], pieces: &[usize]) -> Result<Vec<Message<S>>, HttpError> {
    let mut parser = Parser::new(LIMITS);
    let (mut messages, mut rest) = (Vec::new(), octets);
    for size in pieces.iter().cycle() {
        if rest.is_empty() {
            break;
        }
        let (piece, after) = rest.split_at((*size).clamp(1, rest.len()));
        let mut piece = piece;
        while !piece.is_empty() {
            let fed = parser.feed(piece)?;
            piece = &piece[fed.used..];
            messages.extend(fed.message);
        }
        rest = after;
    }
    messages.extend(parser.end_of_input()?);
    Ok(messages)
}

fn request(text: &str) -> Result<Vec<Request>, HttpError> {
    parse(text.as_bytes(), &[usize::MAX])
}

fn response(text: &str) -> Result<Vec<Response>, HttpError> {
    parse(text.as_bytes(), &[usize::MAX])
}

#[test]
fn reads_both_kinds_of_body_and_messages_that_are_glued_together() {
    let text = "POST /a?tx=1 HTTP/1.1\r\nX-aDMIN-From:  me \r\nContent-Length: 3\r\n\r\nabc\
                POST /b HTTP/1.1\r\nTransfer-Encoding: Chunked\r\n\r\n2;x=y\r\nde\r\n01\r\nf\r\n0\r\nTrailer: 1\r\n\r\n\
                POST /c HTTP/1.1\r\n\r\n";
    let messages = request(text).unwrap();
    assert_eq!(messages.iter().map(|m| m.start.target.as_str()).collect::<Vec<_>>(), ["/a?tx=1", "/b", "/c"]);
    assert_eq!(messages.iter().map(|m| m.body.as_slice()).collect::<Vec<_>>(), [&b"abc"[..], b"def", b""]);
    assert_eq!(messages[0].headers.iter().next(), Some(("X-aDMIN-From", "me")));
    assert_eq!(messages[1].headers.len(), 1);
}

#[test]
fn a_response_without_length_ends_with_the_connection_and_a_request_does_not() {
    let messages = response("HTTP/1.1 200 OK\r\n\r\nabc").unwrap();
    assert_eq!((messages[0].body.as_slice(), messages[0].framing), (&b"abc"[..], Framing::Connection));
    assert_eq!(response("HTTP/1.1 204\r\n\r\n").unwrap()[0].framing, Framing::None);
    assert_eq!(request("POST /a HTTP/1.1\r\n\r\nabc").unwrap_err().problem, Problem::Truncated);
    assert_eq!(response("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\na").unwrap_err().problem, Problem::Truncated);
}

#[test]
fn refuses_everything_on_which_two_readers_could_disagree() {
    for headers in [
        "Content-Length: 3\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: gzip, chunked",
        "Transfer-Encoding: \x0bchunked",
        "Content-Length: 3\r\ncontent-length: 3",
        "Content-Length: 3, 3",
        "Content-Length: +3",
        "Content-Length: 0x3",
        "Content-Length:",
        "Content-Length: 3\n",
        "Content-Length : 3",
        "Host: a\r\nHost: b",
        "X: a\r\n folded",
        " X: first",
        "X: a\rb",
        "X: a\0b",
        "X\u{e9}: a",
        "X: \u{e9}",
        "no colon",
        ": no name",
    ] {
        let text = format!("POST /a HTTP/1.1\r\n{headers}\r\n\r\nabc");
        assert!(request(&text).is_err(), "{headers:?}");
    }
    for chunks in [
        "-1\r\n",
        "0x1\r\na\r\n0\r\n\r\n",
        " 1\r\na\r\n0\r\n\r\n",
        "1 \r\na\r\n0\r\n\r\n",
        "\r\n",
        "1\r\nab\r\n0\r\n\r\n",
        "1\na\r\n0\r\n\r\n",
        "1\r\na\r\n0\r\n\n",
        "ffffffffffffffffff\r\n",
        ";\r\n",
    ] {
        let text = format!("POST /a HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n{chunks}");
        assert!(request(&text).is_err(), "{chunks:?}");
    }
    for line in [
        "POST  /a HTTP/1.1",
        "POST /a",
        "POST a HTTP/1.1",
        "POST http://b/a HTTP/1.1",
        "PO:ST /a HTTP/1.1",
        " POST /a HTTP/1.1",
        "",
        "POST /\u{e9} HTTP/1.1",
    ] {
        assert!(request(&format!("{line}\r\n\r\n")).is_err(), "{line:?}");
    }
    for text in [
        "HTTP/1.1 20 OK\r\n\r\n",
        "HTTP/1.1 2000 OK\r\n\r\n",
        "HTTP/1.1 +20 OK\r\n\r\n",
        "HTTP/1.1 204 No\r\nContent-Length: 1\r\n\r\na",
        "HTTP/1.1 204 No\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    ] {
        assert!(response(text).is_err(), "{text:?}");
    }
}

#[test]
fn every_limit_is_held_and_has_its_status() {
    let long = "x".repeat(500);
    let cases = [
        (format!("POST /{long} HTTP/1.1\r\n\r\n"), 414),
        (format!("POST /a HTTP/1.1\r\nX: {long}\r\n\r\n"), 431),
        (format!("POST /a HTTP/1.1\r\n{}\r\n", "X: 1\r\n".repeat(9)), 431),
        ("POST /a HTTP/1.1\r\nContent-Length: 65\r\n\r\n".to_owned(), 413),
        ("POST /a HTTP/1.1\r\nContent-Length: 99999999999999999999999\r\n\r\n".to_owned(), 413),
        (format!("POST /a HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n40\r\n{:64}\r\n1\r\n", ""), 413),
        ("POST /a HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\n".to_owned(), 501),
        ("POST /a HTTP/1.0\r\n\r\n".to_owned(), 505),
        ("POST /a HTTP/1.1\r\nX\r\n\r\n".to_owned(), 400),
    ];
    for (text, status) in cases {
        let error = request(&text).unwrap_err();
        assert_eq!(error.status(), status, "{error}");
        assert_eq!(parse::<RequestLine>(text.as_bytes(), &[1]).unwrap_err(), error);
    }
    let unbounded = format!("HTTP/1.1 200 OK\r\n\r\n{:65}", "");
    assert_eq!(response(&unbounded).unwrap_err().problem, Problem::Limit(64));
}

#[test]
fn no_value_can_begin_another_line() {
    let mut headers = Headers::default();
    for (name, value) in [("X", "a\r\nY: b"), ("X\r\n", "a"), ("X", " a"), ("", "a"), ("X", "\u{e9}")] {
        assert!(headers.push(name, value).is_err(), "{name:?} {value:?}");
    }
    assert!(Request::post("/a HTTP/1.1\r\nX: 1").encode(Transfer::Length).is_err());
    let mut with_length = Request::post("/a");
    with_length.headers.push("content-length", "7").unwrap();
    assert!(with_length.encode(Transfer::Length).is_err());
    let mut no_content = Response::with_status(204);
    no_content.body = vec![1];
    assert!(no_content.encode(Transfer::Length).is_err());
}

#[test]
fn a_service_request_survives_the_way_over_the_wire() {
    let service = ServiceHeaders {
        operation: Some(Operation::Install),
        mode: ManagementMode::Pull,
        transaction: "0011223344556677".parse().unwrap(),
        sm_dp: Some("smdp.example".into()),
        por: Some(crate::types::hex::Octets(vec![0xAB, 0xCD])),
        received: Some(crate::types::UnixSeconds(1_800_000_000)),
        access_time: Some(crate::types::UnixSeconds(1_800_000_600)),
        results: vec![
            ("0011223344556676".parse().unwrap(), TransactionResult::Done),
            ("0011223344556675".parse().unwrap(), TransactionResult::RefusedByEuicc),
        ],
    };
    let mut headers = Headers::default();
    service.put(&mut headers).unwrap();
    assert_eq!(ServiceHeaders::read(&headers), Ok(Some(service)));
    assert_eq!(ServiceHeaders::read(&Headers::default()), Ok(None));
    headers.push("X-Euicc-Transaction", "0011223344556677").unwrap();
    assert!(ServiceHeaders::read(&headers).is_err(), "a repeated header");
}

#[test]
fn a_next_uri_stays_on_the_server() {
    for (uri, relative) in [
        ("/admin?tx=1&script=2", true),
        ("//evil.example/a", false),
        ("https://evil.example/a", false),
        ("/\\evil.example", false),
        ("admin", false),
        ("", false),
    ] {
        let mut response = Response::with_status(200);
        response.headers.push("X-Admin-Protocol", "globalplatform-remote-admin/1.0").unwrap();
        response.headers.push("X-Admin-Next-URI", uri).unwrap();
        assert_eq!(AdminResponse::read(&response).is_ok(), relative, "{uri}");
    }
    assert_eq!(query_value("/a?tx=1&script=2", "script"), Ok(Some("2")));
    assert_eq!(query_value("/a?tx=1", "script"), Ok(None));
    assert!(query_value("/a?tx=1&tx=1", "tx").is_err());
}

#[test]
fn debug_shows_no_header_value_no_query_and_no_body() {
    let mut request = Request::post("/a?msg=8904");
    request.headers.push("X-Admin-From", "//se-id/eid/8904").unwrap();
    request.body = b"8904".to_vec();
    let shown = format!("{request:?}");
    assert!(shown.contains("X-Admin-From") && !shown.contains("8904"), "{shown}");
}

proptest! {
    #[test]
    fn any_cutting_gives_the_same_messages(
        bodies in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..=64), 1..4),
        chunk in 0_usize..20,
        pieces in proptest::collection::vec(1_usize..40, 1..8),
    ) {
        let transfer = if chunk == 0 { Transfer::Length } else { Transfer::Chunked(chunk) };
        let mut octets = Vec::new();
        for body in &bodies {
            let mut message = Request::post("/admin?tx=0011223344556677");
            message.headers.push("X-Admin-Script-Status", "ok").unwrap();
            message.body.clone_from(body);
            octets.extend(message.encode(transfer).unwrap());
        }
        let whole = parse::<RequestLine>(&octets, &[usize::MAX]).unwrap();
        prop_assert_eq!(&parse::<RequestLine>(&octets, &pieces).unwrap(), &whole);
        prop_assert_eq!(whole.into_iter().map(|message| message.body).collect::<Vec<_>>(), bodies);
    }

    #[test]
    fn any_cutting_of_noise_gives_the_same_verdict(
        text in "(POST /a HTTP/1.1\r\n)?((Content-Length: [0-9]{1,2}|Transfer-Encoding: chunked|X: [ -~]{0,9})\r?\n){0,3}\r\n[0-9a-f]{0,2}\r\n[ -~\r\n]{0,30}",
        pieces in proptest::collection::vec(1_usize..40, 1..8),
    ) {
        let whole = parse::<RequestLine>(text.as_bytes(), &[usize::MAX]);
        prop_assert_eq!(parse::<RequestLine>(text.as_bytes(), &pieces), whole);
    }
}
