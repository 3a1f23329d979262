//! The daemon: opens the store, the authority and the listeners, and serves until it is asked to stop.

use super::{admin, api::Api, core::Core, enrol::Enroller, gateway, metrics::SmsrMetrics, waves};
use crate::{
    config,
    daemon::{Context, Fatal},
    io::{
        clock, http_server,
        http_server::ServerParameters,
        listener::Listener,
        store::smsr::Registry,
        tls::{Accept, Acceptor, ServerParameters as TlsParameters, TlsError, VerificationTime},
    },
    types::ListenAddress,
};
use std::{sync::Arc, time::Duration};
use tokio::task::JoinSet;

/// Loops that do not turn for this long make the process unhealthy.
const PATIENCE: Duration = Duration::from_secs(120);
/// Clients are given this long for the head of a request.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// Requests being answered get this long at the end.
const GRACE: Duration = Duration::from_secs(15);
/// Management connections; event streams hold one each.
const API_CONNECTIONS: usize = 256;

/// The daemon, until it is asked to stop.
pub async fn run(context: Context) -> Result<(), Fatal> {
    let config = context.config.smsr.clone().ok_or_else(|| Fatal::start("smsr", "its table is missing"))?;
    let enroller = Enroller::open(&config).map_err(|error| Fatal::start("enrolment", error))?;
    let metrics = SmsrMetrics::new(&context.metrics);
    let core = Core::open(config, enroller, metrics, context.log_limit.clone())
        .map_err(|error| Fatal::start("the store", error))?;
    write_revocations(&core).await?;
    let client = gateway::client(&core.config.gateway).map_err(|error| Fatal::start("the gateway", error))?;
    let api_tls = api_acceptor(&core.config).map_err(|error| Fatal::start("TLS of the API", error))?;
    let admin_tls = Arc::new(admin_acceptor(&core.config).map_err(|error| Fatal::start("TLS for terminals", error))?);
    let bind =
        async |address: &ListenAddress| Listener::bind(address).await.map_err(|error| Fatal::start("listener", error));
    let (mut apis, mut admins) = (Vec::new(), Vec::new());
    for address in &core.config.listen {
        apis.push(bind(address).await?);
    }
    for address in &core.config.admin.listen {
        admins.push(bind(address).await?);
    }
    let mut tasks = JoinSet::new();
    let heartbeat = |name| context.health.essential(name, PATIENCE);
    tasks.spawn(waves::run(core.clone(), heartbeat("waves"), context.shutdown.clone()));
    tasks.spawn(gateway::run(core.clone(), client, heartbeat("the way to the gateway"), context.shutdown.clone()));
    let reloading = tokio::spawn(reload(context.clone(), api_tls.clone(), admin_tls.clone()));
    let mut addresses = Vec::new();
    let local = |listener: &Listener| listener.local_address().map_err(|error| Fatal::start("listener", error));
    let api = Api::new(core.clone(), context.clone(), admin_tls.clone());
    for listener in apis {
        let address = local(&listener)?;
        let tls = match &address {
            ListenAddress::Unix(_) => None,
            ListenAddress::Tcp(_) => api_tls.clone().map(|acceptor| acceptor as Arc<dyn Accept>),
        };
        addresses.push(("API", address));
        let stopped = context.shutdown.requested();
        tasks.spawn(http_server::serve(listener, tls, api.clone().router(), server_parameters(&core), stopped));
    }
    for listener in admins {
        addresses.push(("ADMIN", local(&listener)?));
        tasks.spawn(admin::serve(core.clone(), listener, admin_tls.clone(), context.shutdown.requested()));
    }
    context.ready_at("waits for management requests and terminals", &addresses);
    context.shutdown.requested().await;
    reloading.abort();
    let ended = async { while tasks.join_next().await.is_some() {} };
    if clock::timeout(GRACE + Duration::from_secs(5), ended).await.is_err() {
        tracing::warn!("some requests were cut off; what was acknowledged is durable");
    }
    Ok(())
}

/// The list in its file follows the registry, whatever became of the last attempt to write it.
async fn write_revocations(core: &Core) -> Result<(), Fatal> {
    let Some(enroller) = &core.enroller else { return Ok(()) };
    let revoked = core.store.revoked().await.map_err(|error| Fatal::start("the store", error))?;
    enroller.write_revocations(&revoked, clock::now().utc).map_err(|error| Fatal::start("revocation list", error))
}

fn server_parameters(core: &Core) -> ServerParameters {
    let log_limit = core.log_limit.clone();
    ServerParameters {
        connections: API_CONNECTIONS,
        head_timeout: HEAD_TIMEOUT,
        grace: GRACE,
        refused: Arc::new(move |peer, error| {
            if log_limit.admit(clock::now().mono, peer).is_some() {
                tracing::warn!("a TLS handshake with {peer} failed: {error}");
            }
        }),
    }
}

fn api_acceptor(config: &config::Smsr) -> Result<Option<Arc<Acceptor>>, TlsError> {
    let Some(tls) = &config.tls else { return Ok(None) };
    let parameters = TlsParameters {
        certificate_file: tls.certificate_file.clone(),
        key: tls.key_file.clone(),
        client_ca_file: tls.client_ca_file.clone(),
        revocation_file: None,
        handshake_timeout: HEAD_TIMEOUT,
        time: VerificationTime::system(),
    };
    Acceptor::new(parameters).map(|acceptor| Some(Arc::new(acceptor)))
}

/// For terminals: only those with a certificate of their authority.
pub fn admin_acceptor(config: &config::Smsr) -> Result<Acceptor, TlsError> {
    Acceptor::new(TlsParameters {
        certificate_file: config.admin.certificate_file.clone(),
        key: config.admin.key_file.clone(),
        client_ca_file: config.admin.client_ca_file.clone(),
        revocation_file: config.admin.revocation_file.clone(),
        handshake_timeout: config.limits.handshake_timeout,
        time: VerificationTime::system(),
    })
}

/// On SIGHUP: certificates and revocation list anew.
async fn reload(context: Context, api: Option<Arc<Acceptor>>, admin: Arc<Acceptor>) {
    let mut changes = context.reload.clone();
    while changes.changed().await.is_ok() {
        for acceptor in api.iter().chain([&admin]) {
            if let Err(error) = acceptor.reload() {
                tracing::error!("the old certificates stay: {error}");
            }
        }
    }
}
