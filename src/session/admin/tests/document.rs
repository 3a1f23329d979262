//! The dialogue in `docs/wire-formats.md` is what both ends really say.

use super::rig::Rig;
use super::*;
use crate::codec::gp::scp80_body::PacketResponse;
use crate::types::hex;

/// A message as the page prints it: LF line ends, and the body in hexadecimal.
fn printed(octets: &[u8]) -> String {
    let end = octets.windows(4).position(|four| four == b"\r\n\r\n").unwrap() + 4;
    let (head, body) = octets.split_at(end);
    let head = String::from_utf8(head.to_vec()).unwrap().replace("\r\n", "\n");
    if body.is_empty() { head.trim_end().to_owned() + "\n" } else { format!("{head}{}\n", hex::encode(body)) }
}

#[test]
fn the_dialogue_of_the_documentation_is_spoken() {
    let packet = hex::decode("00301516191212000001").unwrap();
    let response = hex::decode("001c12000001").unwrap();
    let mut agent = AgentSession::begin(Rig::context(), service_request());
    agent.handle_connected(start());
    let context = SmSrContext {
        certificate_eid: EID.parse().unwrap(),
        limits: limits(),
        request_timeout: Duration::from_secs(30),
        idle_timeout: Duration::from_secs(600),
    };
    let mut sm_sr = SmSrSession::new(context, start());
    let mut spoken = Vec::new();

    let request = agent.poll_output().unwrap();
    sm_sr.handle_input(start(), &request);
    sm_sr.handle_found(start(), None);
    sm_sr.answer(start(), Answer::Packets(vec![packet])).unwrap();
    let mut exchange = None;
    while let Some(event) = sm_sr.poll_event() {
        if let SmSrEvent::Persist(state) = event {
            exchange = Some(state);
        }
    }
    sm_sr.handle_persisted(start());
    let script = sm_sr.poll_output().unwrap();
    spoken.extend([printed(&request), printed(&script)]);

    agent.handle_input(&script);
    agent.handle_persisted(start());
    agent.handle_persisted(start());
    agent.handle_packet_response(PacketResponse::Response(response));
    agent.handle_persisted(start());
    let answer = agent.poll_output().unwrap();
    sm_sr.handle_input(start(), &answer);
    sm_sr.handle_found(start(), exchange);
    sm_sr.answer(start(), Answer::End).unwrap();
    sm_sr.handle_persisted(start());
    let end = sm_sr.poll_output().unwrap();
    agent.handle_input(&end);
    spoken.extend([printed(&answer), printed(&end)]);

    let page = include_str!("../../../../docs/wire-formats.md");
    let blocks: Vec<_> = page.split("```http\n").skip(1).map(|rest| rest.split("```").next().unwrap()).collect();
    assert_eq!(blocks, spoken, "the page should have:\n{}", spoken.join("\n"));
    assert_eq!(std::iter::from_fn(|| agent.poll_event()).last(), Some(AgentEvent::Ended(End::Finished)));
}
