//! `/livez`, `/readyz` and `/metrics`.

use super::{Api, problem::Problem};
use crate::{
    daemon::metrics::CONTENT_TYPE,
    io::{clock, store::gateway::Upkeep},
};
use axum::{
    Json,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use serde_json::json;

/// The essential tasks turn.
pub async fn live(State(api): State<Api>) -> Response {
    let problems = api.health.problems(clock::now().mono);
    answer(problems)
}

/// The store can be written, and at least one route is up.
pub async fn ready(State(api): State<Api>) -> Response {
    let mut reasons = api.health.problems(clock::now().mono);
    if let Err(error) = api.core.store.probe().await {
        reasons.push(format!("store: {error}"));
    }
    let routes = api.core.routing.routes();
    if !routes.iter().any(|route| route.is_up()) {
        reasons.push("no route is up".into());
        reasons.extend(routes.iter().map(|route| format!("route {}: {}", route.name, route.reason())));
    }
    answer(reasons)
}

fn answer(reasons: Vec<String>) -> Response {
    let well = reasons.is_empty();
    let status = if well { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(json!({ "ok": well, "reasons": reasons }))).into_response()
}

pub async fn metrics(State(api): State<Api>) -> Result<Response, Problem> {
    let figures = api.core.store.figures().await?;
    api.core.metrics.queue(&figures, clock::now().utc);
    Ok(([(header::CONTENT_TYPE, CONTENT_TYPE)], api.core.metrics.text()).into_response())
}
