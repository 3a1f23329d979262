//! Both ends of sessions, over connections in memory.

use super::{Driver, Events, Link};
use crate::{
    codec::smpp::{Bind, BindMode, Body, CommandStatus, InterfaceVersion, MessageResp, ShortMessage},
    io::clock,
    session::smpp::{CloseReason, Config, Event, Outcome, Session, Timer},
    types::Secret,
};
use std::{sync::Arc, time::Duration};
use tokio::{
    io::{AsyncReadExt, DuplexStream, duplex},
    sync::Semaphore,
    task::JoinHandle,
};

const PATIENCE: Duration = Duration::from_secs(20);

struct End {
    link: Link,
    events: Events,
    driver: JoinHandle<CloseReason>,
}

fn start(session: Session, stream: DuplexStream, write_timeout: Duration) -> End {
    let (driver, link, events) = Driver::new(session, Box::new(stream), write_timeout);
    End { link, events, driver: tokio::spawn(driver.run()) }
}

fn esme(config: Config, stream: DuplexStream, write_timeout: Duration) -> End {
    let now = clock::now();
    let mut session = Session::esme(config, now);
    let bind = Bind {
        system_id: "esme".into(),
        password: Secret::new(b"secret".to_vec()),
        system_type: String::new(),
        interface_version: InterfaceVersion::V3_4,
        address_range: Default::default(),
    };
    session.bind(now, BindMode::Transceiver, bind).unwrap();
    start(session, stream, write_timeout)
}

async fn next(events: &mut Events) -> Event {
    clock::timeout(PATIENCE, events.recv()).await.expect("an event in time").expect("the session goes on")
}

/// Both ends, bound. The connection holds `room` octets on its way.
async fn bound(window: usize, room: usize) -> (End, End) {
    let (one, other) = duplex(room);
    let mut smsc = start(Session::smsc(Config::smsc(), clock::now()), other, PATIENCE);
    let mut esme = esme(Config { window, ..Config::esme() }, one, PATIENCE);
    assert!(matches!(next(&mut smsc.events).await, Event::BindRequested { .. }));
    smsc.link.accept_bind("smsc");
    assert!(matches!(next(&mut esme.events).await, Event::Bound { .. }));
    (esme, smsc)
}

fn message() -> Body {
    Body::SubmitSm(ShortMessage { short_message: vec![0x55; 140].into(), ..ShortMessage::default() })
}

fn accepted(id: u32) -> Option<Body> {
    Some(Body::SubmitSmResp(Some(MessageResp { message_id: id.to_string(), tlvs: Vec::new() })))
}

#[tokio::test]
async fn many_requests_share_the_window_and_all_are_settled() {
    let (esme, mut smsc) = bound(3, 50).await;
    let answering = tokio::spawn(async move {
        let mut held = Vec::new();
        let mut most = 0;
        for number in 0..50 {
            let Event::Request { id, .. } = next(&mut smsc.events).await else { panic!("a request") };
            held.push(id);
            most = most.max(held.len());
            // Answers come in bunches, the last first.
            if held.len() == 3 || number >= 48 {
                while let Some(id) = held.pop() {
                    smsc.link.respond(id, CommandStatus::ROK, accepted(number));
                }
            }
        }
        most
    });
    let requests: Vec<_> = (0..50)
        .map(|_| {
            let link = esme.link.clone();
            tokio::spawn(async move { link.request(message()).await.unwrap().outcome })
        })
        .collect();
    for request in requests {
        let outcome = clock::timeout(PATIENCE, request).await.expect("in time").unwrap();
        assert!(matches!(outcome, Outcome::Answered { status: CommandStatus::ROK, .. }), "{outcome:?}");
    }
    assert_eq!(answering.await.unwrap(), 3);
}

#[tokio::test]
async fn a_lost_connection_makes_what_was_sent_unknown_and_what_waits_unsent() {
    let (esme, mut smsc) = bound(2, 4096).await;
    let requests: Vec<_> = (0..5)
        .map(|_| {
            let link = esme.link.clone();
            tokio::spawn(async move { link.request(message()).await.unwrap().outcome })
        })
        .collect();
    for _ in 0..2 {
        assert!(matches!(next(&mut smsc.events).await, Event::Request { .. }));
    }
    smsc.driver.abort();
    assert!(smsc.driver.await.unwrap_err().is_cancelled());
    let mut outcomes = Vec::new();
    for request in requests {
        outcomes.push(clock::timeout(PATIENCE, request).await.expect("in time").unwrap());
    }
    let unknown = outcomes.iter().filter(|outcome| **outcome == Outcome::Unknown).count();
    let unsent = outcomes.iter().filter(|outcome| **outcome == Outcome::NotSent).count();
    assert_eq!((unknown, unsent), (2, 3), "{outcomes:?}");
    drop(esme.events);
    assert_eq!(esme.driver.await.unwrap(), CloseReason::Disconnected);
}

#[tokio::test]
async fn unbinding_waits_for_answers_and_both_ends_learn_why_they_ended() {
    let (mut esme, mut smsc) = bound(2, 4096).await;
    let link = esme.link.clone();
    let request = tokio::spawn(async move { link.request(message()).await.unwrap().outcome });
    let Event::Request { id, .. } = next(&mut smsc.events).await else { panic!("a request") };
    esme.link.unbind();
    // Too late for this session, and not a failure of the message.
    let late = clock::timeout(PATIENCE, esme.link.request(message()));
    smsc.link.respond(id, CommandStatus::ROK, accepted(1));
    assert!(matches!(request.await.unwrap(), Outcome::Answered { .. }));
    assert_eq!(next(&mut esme.events).await, Event::Close(CloseReason::Unbound));
    assert_eq!(next(&mut smsc.events).await, Event::Close(CloseReason::PeerUnbound));
    assert_eq!(late.await.expect("in time").unwrap().outcome, Outcome::NotSent);
    assert_eq!(esme.driver.await.unwrap(), CloseReason::Unbound);
    assert_eq!(smsc.driver.await.unwrap(), CloseReason::PeerUnbound);
}

#[tokio::test]
async fn a_peer_that_takes_nothing_is_given_up_after_the_write_timeout() {
    let (stream, _peer) = duplex(8);
    let mut esme = esme(Config::esme(), stream, Duration::from_millis(50));
    assert_eq!(next(&mut esme.events).await, Event::Close(CloseReason::Disconnected));
    assert_eq!(esme.driver.await.unwrap(), CloseReason::Disconnected);
}

#[tokio::test]
async fn an_owner_that_takes_no_events_stops_the_reading_and_loses_nothing() {
    let (mut esme, smsc) = bound(10, 4096).await;
    let permits = Arc::new(Semaphore::new(10));
    let feeding = tokio::spawn(async move {
        let mut answers = Vec::new();
        for number in 0..300_u32 {
            let permit = permits.clone().acquire_owned().await.unwrap();
            let link = smsc.link.clone();
            let body = ShortMessage { short_message: number.to_be_bytes().to_vec().into(), ..ShortMessage::default() };
            answers.push(tokio::spawn(async move {
                let settled = link.request(Body::DeliverSm(body)).await.unwrap();
                drop(permit);
                settled.outcome
            }));
        }
        for answer in answers {
            assert!(matches!(answer.await.unwrap(), Outcome::Answered { status: CommandStatus::ROK, .. }));
        }
    });
    let mut seen = Vec::new();
    while seen.len() < 300 {
        let Event::Request { id, body: Body::DeliverSm(message), .. } = next(&mut esme.events).await else {
            panic!("a deliver_sm")
        };
        seen.push(message.short_message.0.clone());
        esme.link.respond(id, CommandStatus::ROK, Some(Body::DeliverSmResp(Some(MessageResp::default()))));
    }
    clock::timeout(PATIENCE, feeding).await.expect("in time").unwrap();
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), 300);
}

#[tokio::test]
async fn no_answer_to_the_bind_ends_the_session() {
    let (stream, mut peer) = duplex(4096);
    let mut config = Config::esme();
    config.timers = config.timers.with(Timer::Response, Some(Duration::from_millis(50)));
    let mut esme = esme(config, stream, PATIENCE);
    assert_eq!(next(&mut esme.events).await, Event::Close(CloseReason::NoBind));
    let mut seen = Vec::new();
    peer.read_to_end(&mut seen).await.unwrap();
    assert_eq!(&seen[4..8], [0, 0, 0, 9]);
}
