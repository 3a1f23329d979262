//! Server-sent events (WHATWG HTML 9.2): the counts of a push as they change, and messages from terminals.

use super::{
    Api,
    body::StreamBody,
    inbound::message_json,
    problem::{self, Problem},
    pushes::{own, push_json},
};
use crate::{
    gateway::client::Client,
    io::{
        clock,
        store::gateway::{Inbound, PushState},
    },
};
use axum::{
    body::Body,
    extract::{Path, State},
    http::{HeaderMap, header},
    response::{IntoResponse, Response},
};
use hyper::body::Bytes;
use serde_json::Value;
use std::time::Duration;
use tokio::sync::mpsc;

/// The least time between two counts of the same push.
const PACE: Duration = Duration::from_millis(200);
/// A comment keeps proxies and clients from giving up.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
const INBOUND_AT_ONCE: usize = 100;

fn stream() -> (mpsc::Sender<Bytes>, Response) {
    let (sender, receiver) = mpsc::channel(16);
    let headers = [(header::CONTENT_TYPE, "text/event-stream"), (header::CACHE_CONTROL, "no-store")];
    (sender, (headers, Body::new(StreamBody(receiver))).into_response())
}

fn event(name: &str, id: Option<i64>, data: &Value) -> Bytes {
    let id = id.map(|id| format!("id: {id}\n")).unwrap_or_default();
    format!("event: {name}\n{id}data: {data}\n\n").into()
}

/// `progress` events with the push as `GET /v1/pushes/{id}` shows it; the last one is `done`.
pub async fn push(State(api): State<Api>, client: Client, Path(id): Path<String>) -> Result<Response, Problem> {
    let mut view = own(&api, &client, &id).await?;
    let mut changes = api.core.progress.subscribe();
    let (sender, response) = stream();
    tokio::spawn(async move {
        loop {
            let done = matches!(view.state, PushState::Done | PushState::Cancelled) && view.done_at.is_some();
            let name = if done { "done" } else { "progress" };
            if sender.send(event(name, None, &push_json(&view))).await.is_err() || done {
                return;
            }
            loop {
                if wait(&api, &sender, &mut changes).await.is_err() {
                    return;
                }
                let Ok(now) = own(&api, &client, &id).await else { return };
                if now != view {
                    view = now;
                    break;
                }
            }
            clock::sleep(PACE).await;
        }
    });
    Ok(response)
}

/// `message` events whose ids continue where `Last-Event-ID` ends; without it, from now on.
pub async fn inbound(State(api): State<Api>, headers: HeaderMap) -> Result<Response, Problem> {
    let mut changes = api.core.inbound.subscribe();
    let mut last = match headers.get("last-event-id") {
        Some(id) => id.to_str().ok().and_then(|id| id.parse().ok()).ok_or_else(|| {
            problem::invalid("Last-Event-ID", "is no id of a message", "the id of the last event that was received")
        })?,
        None => api.core.store.newest_inbound().await?,
    };
    let (sender, response) = stream();
    tokio::spawn(async move {
        loop {
            let Ok(messages) = api.core.store.inbound(last, INBOUND_AT_ONCE).await else { return };
            for message in &messages {
                last = message.id;
                if sender.send(event("message", Some(last), &message_json(message))).await.is_err() {
                    return;
                }
            }
            if messages.len() < INBOUND_AT_ONCE && wait(&api, &sender, &mut changes).await.is_err() {
                return;
            }
        }
    });
    Ok(response)
}

/// Until something has changed; an error when the client has gone or the process ends.
async fn wait(
    api: &Api,
    sender: &mpsc::Sender<Bytes>,
    changes: &mut tokio::sync::watch::Receiver<u64>,
) -> Result<(), ()> {
    loop {
        tokio::select! {
            () = api.shutdown.requested() => return Err(()),
            () = sender.closed() => return Err(()),
            changed = changes.changed() => return changed.map_err(drop),
            () = clock::sleep(KEEP_ALIVE) => {
                sender.send(Bytes::from_static(b": still here\n\n")).await.map_err(drop)?;
            }
        }
    }
}
