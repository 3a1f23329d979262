//! `http.json`: messages of an administration session.

use crate::Op;
use crate::row::{Fields, Outcome, Row, same, same_hex, text};
use crate::sgp02::{aid, eid};
use euicc_push::codec::gp::http::{
    AdminRequest, AdminResponse, Limits, Message, Parser, Request, Response, StartLine, query_value,
};
use euicc_push::codec::gp::{AgentId, Notification};
use euicc_push::types::hex;

pub const OPS: &[Op] = &[("http_parse", http_parse)];

fn http_parse(row: &Row) -> Outcome {
    let raw = row.inputs.hex("raw_hex")?;
    match row.expected.str("kind")? {
        "request" => request(&same_however_cut(&raw)?, &row.expected),
        "response" => response(&same_however_cut(&raw)?, &row.expected),
        other => Err(format!("expected: kind `{other}`")),
    }
}

/// The one message of these octets, fed whole and octet by octet.
fn same_however_cut<S: StartLine>(raw: &[u8]) -> Result<Message<S>, String> {
    let whole = parse(raw, raw.len())?;
    same("octet by octet", &parse(raw, 1)?, &whole)?;
    Ok(whole)
}

fn parse<S: StartLine>(raw: &[u8], size: usize) -> Result<Message<S>, String> {
    let mut parser = Parser::new(Limits::default());
    let mut messages = Vec::new();
    for piece in raw.chunks(size) {
        let fed = parser.feed(piece).map_err(text)?;
        same("used", fed.used, piece.len())?;
        messages.extend(fed.message);
    }
    messages.extend(parser.end_of_input().map_err(text)?);
    let [message] = <[_; 1]>::try_from(messages).map_err(|messages| format!("{} messages", messages.len()))?;
    Ok(message)
}

/// Compares a text that is null in the row when there is none; absent keys are not compared.
fn same_text(expected: &Fields, key: &str, found: Option<&str>) -> Outcome {
    if expected.is_present(key) { same(key, found, expected.get(key).and_then(|value| value.as_str())) } else { Ok(()) }
}

fn request(request: &Request, expected: &Fields) -> Outcome {
    let admin = AdminRequest::read(request).map_err(text)?;
    same_text(expected, "uri", Some(&request.start.target))?;
    if expected.has("eid") {
        same("eid", admin.from.eid, eid(expected, "eid")?)?;
    }
    if expected.has("isdr_aid") {
        same("isdr_aid", admin.from.agent, Some(aid(expected, "isdr_aid")?))?;
    }
    same("agent id again", admin.from.clear().parse::<AgentId>(), Ok(admin.from))?;
    same_text(expected, "script_status", admin.script_status.as_ref().map(|status| status.word()))?;
    if expected.has("resume") {
        same("resume", admin.resume, expected.bool("resume")?)?;
    }
    if expected.has("notification") {
        let query = query_value(&request.start.target, "msg").map_err(text)?.ok_or("no msg in the query")?;
        let octets = hex::decode(query).map_err(text)?;
        same_hex("notification", &octets, &expected.hex("notification")?)?;
        Notification::decode(&octets).map_err(text)?;
    }
    body(&request.body, expected)
}

fn response(response: &Response, expected: &Fields) -> Outcome {
    let admin = AdminResponse::read(response).map_err(text)?;
    same("status", response.start.status, expected.int::<u16>("status")?)?;
    same_text(expected, "next_uri", admin.next_uri.as_deref())?;
    if expected.has("targeted_application") {
        same("targeted_application", admin.targeted_application, Some(aid(expected, "targeted_application")?))?;
    }
    if expected.has("session_ends") {
        same("session_ends", admin.ends_session(), expected.bool("session_ends")?)?;
    }
    body(&response.body, expected)
}

fn body(found: &[u8], expected: &Fields) -> Outcome {
    if expected.has("body") { same_hex("body", found, &expected.hex("body")?) } else { Ok(()) }
}
