//! Which route may carry which target, decided per pool before any row is looked at.
//!
//! Targets are queued in pools ([`PoolKey`]): form, the route the client asked for, and the longest configured prefix of
//! the address. A route claims from the pools it can serve; of routes with different priorities only the highest that is
//! up claims, those of the same priority share.

use super::routes::modem::{Bearer, DeviceView};
use crate::{
    config,
    io::store::{
        StoreError,
        gateway::{GatewayStore, PoolId, PoolKey, Pushes, Upkeep},
    },
    session::delivery::{Form, Payload},
};
use std::{
    collections::{BTreeSet, HashMap},
    sync::{
        Arc, Mutex, OnceLock, PoisonError, RwLock,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};
use tokio::sync::watch;

/// Targets looked at in one step when the prefixes have changed.
const SORTED_AT_ONCE: usize = 1000;

/// In front of the digits of an address that is an IMSI. Only routes to an SMSC that is addressed so carry these.
pub const IMSI: &str = "imsi:";

/// One route, as the choice among routes sees it.
pub struct RouteEntry {
    pub name: String,
    pub kind: &'static str,
    /// 3 is taken first.
    pub priority: u8,
    pub prefixes: Vec<String>,
    /// Carries what reaches the card.
    pub sim: bool,
    /// Carries to IMSIs, and to nothing else.
    pub imsi: bool,
    up: AtomicBool,
    /// Why it is down; empty when it is up.
    reason: RwLock<String>,
    pub in_flight: AtomicUsize,
    device: OnceLock<Arc<dyn Bearer>>,
}

impl RouteEntry {
    fn new(route: &config::Route) -> Self {
        let (kind, priority, prefixes, sim) = match route {
            config::Route::Modem(modem) => ("modem", modem.priority, &modem.prefixes, modem.sim_trigger),
            config::Route::Smpp(smpp) => ("smpp", smpp.priority, &smpp.prefixes, true),
        };
        let imsi = matches!(route, config::Route::Smpp(smpp) if smpp.addresses_imsis());
        Self {
            name: route.name().into(),
            kind,
            priority,
            prefixes: prefixes.clone(),
            sim,
            imsi,
            up: AtomicBool::new(false),
            reason: RwLock::new("starting".into()),
            in_flight: AtomicUsize::new(0),
            device: OnceLock::new(),
        }
    }

    pub fn is_up(&self) -> bool {
        self.up.load(Ordering::Acquire)
    }

    pub fn reason(&self) -> String {
        self.reason.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The device behind the route, to be shown with it.
    pub(super) fn attach(&self, device: Arc<dyn Bearer>) {
        let _ = self.device.set(device);
    }

    pub fn device(&self) -> Option<DeviceView> {
        self.device.get().map(|device| device.device())
    }

    fn serves(&self, key: &PoolKey) -> bool {
        if !key.link.is_empty() {
            return key.link == self.name;
        }
        let asked = key.route.is_empty() || key.route == self.name;
        let form = key.form != Form::Sim || self.sim;
        // The pool's prefix is the longest configured one, so every other that matches the address begins it.
        let (imsi, digits) = match key.prefix.strip_prefix(IMSI) {
            Some(digits) => (true, digits),
            None => (false, key.prefix.as_str()),
        };
        let prefix = self.prefixes.is_empty() || self.prefixes.iter().any(|prefix| digits.starts_with(prefix));
        asked && form && imsi == self.imsi && prefix && key.avoided_route != self.name
    }

    /// Prefixes as addresses have them.
    fn address_prefixes(&self) -> impl Iterator<Item = String> {
        let scheme = if self.imsi { IMSI } else { "" };
        self.prefixes.iter().map(move |prefix| format!("{scheme}{prefix}"))
    }
}

/// All routes and all pools.
pub struct Routing {
    routes: Vec<RouteEntry>,
    prefixes: BTreeSet<String>,
    pools: Mutex<HashMap<PoolKey, PoolId>>,
    /// Changes whenever something may be claimed that could not be before.
    work: watch::Sender<u64>,
}

impl Routing {
    /// Reads the pools of the store, and sorts what is queued anew if the prefixes are others than last time.
    pub async fn open(store: &GatewayStore, routes: &[config::Route]) -> Result<Self, StoreError> {
        let routes: Vec<_> = routes.iter().map(RouteEntry::new).collect();
        // IMSIs are always told apart: a number must never be made of one that was queued for another configuration.
        let scheme = [IMSI.to_string()];
        let prefixes = scheme.into_iter().chain(routes.iter().flat_map(RouteEntry::address_prefixes)).collect();
        let pools = store.pools().await?.into_iter().map(|(id, key)| (key, id)).collect();
        let routing = Self { routes, prefixes, pools: Mutex::new(pools), work: watch::Sender::new(0) };
        for route in &routing.routes {
            for form in Form::ALL {
                routing.pool(store, PoolKey::of_link(*form, &route.name, &route.name)).await?;
            }
        }
        let words: Vec<_> = routing.prefixes.iter().map(String::as_str).collect();
        let words = words.join(",");
        if store.remember("prefixes", words.clone()).await?.is_some_and(|before| before != words) {
            routing.sort_anew(store).await?;
        }
        Ok(routing)
    }

    pub fn routes(&self) -> &[RouteEntry] {
        &self.routes
    }

    pub fn route(&self, name: &str) -> Option<&RouteEntry> {
        self.routes.iter().find(|route| route.name == name)
    }

    /// The pool's key for a payload to this address; `None` if no configured route could ever carry it.
    pub fn key(&self, payload: &Payload, route: Option<&str>, address: &str) -> Option<PoolKey> {
        let key = PoolKey {
            form: payload.carried_as(),
            route: route.unwrap_or_default().into(),
            prefix: self.prefix(address),
            avoided_route: String::new(),
            link: String::new(),
        };
        self.routes.iter().any(|route| route.serves(&key)).then_some(key)
    }

    fn prefix(&self, address: &str) -> String {
        let matching = self.prefixes.iter().filter(|prefix| address.starts_with(prefix.as_str()));
        matching.max_by_key(|prefix| prefix.len()).cloned().unwrap_or_default()
    }

    /// The pool's id, made known to the store when it is new.
    pub async fn pool(&self, store: &GatewayStore, key: PoolKey) -> Result<PoolId, StoreError> {
        if let Some(id) = self.pools().get(&key) {
            return Ok(*id);
        }
        let id = store.pool(key.clone()).await?;
        self.pools().insert(key, id);
        Ok(id)
    }

    /// The pool without the route that has just refused a target of `pool`, if another route can serve it.
    pub async fn other_route(
        &self,
        store: &GatewayStore,
        pool: PoolId,
        refused_by: &str,
    ) -> Result<Option<PoolId>, StoreError> {
        let key = self.pools().iter().find(|(_, id)| **id == pool).map(|(key, _)| key.clone());
        let Some(key) = key.filter(|key| key.link.is_empty()) else { return Ok(None) };
        let key = PoolKey { avoided_route: refused_by.into(), ..key };
        if !self.routes.iter().any(|route| route.serves(&key)) {
            return Ok(None);
        }
        self.pool(store, key).await.map(Some)
    }

    /// What this route may claim now.
    pub fn claimable(&self, route: &RouteEntry) -> Vec<PoolId> {
        let first = |key: &PoolKey| {
            let better = |other: &&RouteEntry| other.priority > route.priority && other.is_up() && other.serves(key);
            !self.routes.iter().any(|other| better(&other))
        };
        let pools = self.pools();
        pools.iter().filter(|(key, _)| route.serves(key) && first(key)).map(|(_, id)| *id).collect()
    }

    pub fn up(&self, route: &RouteEntry) {
        route.reason.write().unwrap_or_else(PoisonError::into_inner).clear();
        if !route.up.swap(true, Ordering::AcqRel) {
            tracing::info!(route = route.name, "the route is up");
        }
        self.wake();
    }

    pub fn down(&self, route: &RouteEntry, reason: &str) {
        *route.reason.write().unwrap_or_else(PoisonError::into_inner) = reason.into();
        if route.up.swap(false, Ordering::AcqRel) {
            tracing::warn!(route = route.name, "the route is down: {reason}");
        }
        // Routes of lower priority may take over.
        self.wake();
    }

    /// Something may be claimed that could not be before.
    pub fn wake(&self) {
        self.work.send_modify(|version| *version = version.wrapping_add(1));
    }

    pub fn work(&self) -> watch::Receiver<u64> {
        self.work.subscribe()
    }

    fn pools(&self) -> std::sync::MutexGuard<'_, HashMap<PoolKey, PoolId>> {
        self.pools.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn sort_anew(&self, store: &GatewayStore) -> Result<(), StoreError> {
        let pools: Vec<_> = self.pools().clone().into_iter().filter(|(key, _)| key.link.is_empty()).collect();
        // Their ids are fixed before anything moves, so that nothing is looked at twice.
        for (key, id) in pools {
            let mut after = None;
            loop {
                let queued = store.queued_in(id, after, SORTED_AT_ONCE).await?;
                let Some((last, _)) = queued.last() else { break };
                after = Some(*last);
                let mut moved = Vec::new();
                for (target, address) in queued {
                    let prefix = self.prefix(&address);
                    if prefix != key.prefix {
                        moved.push((target, self.pool(store, PoolKey { prefix, ..key.clone() }).await?));
                    }
                }
                store.assign(moved).await?;
            }
        }
        Ok(())
    }
}
