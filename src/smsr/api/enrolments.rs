//! `/v1/enrolments`: keys, certificate and configuration for a new terminal; and taking them back.

use super::{
    Api, Client,
    eis::{self, EisRequest},
    json, store_problem,
};
use crate::{
    io::{http_server::Problem, store::smsr::Registry},
    smsr::enrol::{self, EnrolError, Enroller},
};
use axum::{
    Json,
    body::Bytes,
    extract::{Path, State},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};

fn enroller(api: &Api) -> Result<&Enroller, Problem> {
    api.core.enroller.as_ref().ok_or_else(|| {
        let detail = "this SM-SR has no authority for terminals";
        Problem::new(StatusCode::CONFLICT, "no-authority", detail)
            .remedy("configure ca-certificate-file and ca-key-file in [smsr.enrolment]")
    })
}

fn problem(error: EnrolError) -> Problem {
    match error {
        EnrolError::Store(error) => store_problem(error),
        error => {
            tracing::error!("enrolment: {error}");
            Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "enrolment", "the enrolment cannot be made; see the log")
        }
    }
}

/// The answer holds secrets: it is not to be stored on the way.
pub(super) async fn create(State(api): State<Api>, client: Client, body: Bytes) -> Result<Response, Problem> {
    let eis = json::read::<EisRequest>(&body, eis::REMEDY)?.eis()?;
    let enrolled = enrol::enrol(&api.core, enroller(&api)?, eis, client.actor()).await.map_err(problem)?;
    tracing::info!("eUICC {} is enrolled by {}", enrolled.eid, client.0);
    reload(&api)?;
    api.core.outbound.notify_one();
    let headers = [(header::CACHE_CONTROL, "no-store")];
    Ok((StatusCode::CREATED, headers, Json(enrolled)).into_response())
}

/// All certificates of the terminal: it cannot connect any more.
pub(super) async fn revoke(
    State(api): State<Api>,
    client: Client,
    Path(text): Path<String>,
) -> Result<Json<Value>, Problem> {
    let eid = eis::eid(&text)?;
    let by = client.actor();
    let now = by.now;
    let revoked = api.core.store.revoke(eid, by).await.map_err(store_problem)?;
    let list = api.core.store.revoked().await.map_err(store_problem)?;
    enroller(&api)?.write_revocations(&list, now).map_err(problem)?;
    reload(&api)?;
    tracing::info!("{revoked} certificates of eUICC {eid} are revoked by {}", client.0);
    Ok(Json(json!({ "revoked": revoked })))
}

fn reload(api: &Api) -> Result<(), Problem> {
    api.admin_tls.reload().map_err(|error| {
        tracing::error!("the revocation list is written, but TLS goes on with the old one: {error}");
        Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "revocation", "the new list cannot be used; see the log")
    })
}
