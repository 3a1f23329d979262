//! Serves the metrics where `[metrics]` says so.

use super::{Context, Fatal, metrics};
use crate::{
    config::Role,
    io::{listener::Listener, text_server},
};

pub(super) async fn start(context: &Context) -> Result<(), Fatal> {
    let table = &context.config.metrics;
    let address = match context.role {
        Role::Gateway => &table.gateway,
        Role::Agent => &table.agent,
        Role::Smsr => &table.smsr,
        Role::Emulator => &table.emulator,
    };
    let Some(address) = address else { return Ok(()) };
    let listener = Listener::bind(address).await.map_err(|error| Fatal::start("metrics", error))?;
    let (metrics, shutdown) = (context.metrics.clone(), context.shutdown.requested());
    tokio::spawn(text_server::serve(listener, "/metrics", metrics::CONTENT_TYPE, move || metrics.text(), shutdown));
    Ok(())
}
