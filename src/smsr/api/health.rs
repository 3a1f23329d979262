//! `/livez`, `/readyz` and `/metrics`.

use super::Api;
use crate::{
    daemon::metrics::CONTENT_TYPE,
    io::{clock, store::smsr::Batches},
};
use axum::{
    Json,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use serde_json::json;

/// The essential tasks turn.
pub(super) async fn live(State(api): State<Api>) -> Response {
    answer(api.health.problems(clock::now().mono))
}

/// The essential tasks turn, and the store answers.
pub(super) async fn ready(State(api): State<Api>) -> Response {
    let mut reasons = api.health.problems(clock::now().mono);
    if let Err(error) = api.core.store.figures().await {
        reasons.push(format!("store: {error}"));
    }
    answer(reasons)
}

fn answer(reasons: Vec<String>) -> Response {
    let well = reasons.is_empty();
    let status = if well { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(json!({ "ok": well, "reasons": reasons }))).into_response()
}

pub(super) async fn metrics(State(api): State<Api>) -> Response {
    ([(header::CONTENT_TYPE, CONTENT_TYPE)], api.metrics.text()).into_response()
}
