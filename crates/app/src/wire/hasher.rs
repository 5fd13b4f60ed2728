//! Wires the password hasher and its threads.

use super::AppContext;
use super::base::signer;
use super::lanes::{HASH_WAIT, hash_lane};
use crate::settings::{Settings, WithoutKeys};
use crate::system::{self, OsEntropy};
use anyhow::Context;
use portcullis_bcrypt::{BcryptHasher, Cost, HashThreads, Lanes, PoolSettings, StoredCosts};
use portcullis_http::LaneSettings;
use portcullis_ports::PasswordHasher;
use portcullis_resilience::{Bulkhead, ConcurrencyLimit};
use std::num::NonZeroUsize;
use std::sync::Arc;

/// Creates the record of stored hash costs, which is still empty.
pub(crate) fn stored_costs(settings: &Settings) -> Arc<StoredCosts> {
    Arc::new(StoredCosts::new(signer(settings, "portcullis stand-ins")))
}

/// Returns the bcrypt cost.
pub(crate) fn cost(settings: &WithoutKeys) -> anyhow::Result<Cost> {
    Cost::new(settings.passwords.bcrypt_cost).context("BCRYPT_COST is out of range")
}

/// Returns the number of cores that this process may use.
pub(crate) fn cores() -> NonZeroUsize {
    std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN)
}

/// Starts the hash threads. Returns the hasher and the settings of the lane in front of it.
pub(super) fn start(
    settings: &WithoutKeys,
    parts: &AppContext,
    costs: &Arc<StoredCosts>,
) -> anyhow::Result<(Arc<dyn PasswordHasher>, LaneSettings)> {
    let lanes = settings.passwords.hash_lanes.and_then(Lanes::new);
    let pool = PoolSettings { threads: cores(), lanes, wait: HASH_WAIT, on_start: system::lower_thread_priority };
    let bcrypt = BcryptHasher::new(cost(settings)?, Arc::new(OsEntropy)).with_stored_costs(costs.clone());
    let threads = HashThreads::start(bcrypt, pool, parts.clock.clone()).context("cannot start the hash threads")?;
    let (places, waiting, lane) = (threads.capacity(), threads.waiting(), hash_lane(&threads));
    tracing::info!(target: "app", lanes = threads.lanes().get().get(), places = places.get(), "Hash threads started");
    let bounded = Bulkhead::new(threads, ConcurrencyLimit::new(places, 0), HASH_WAIT);
    Ok((parts.traces.hasher(parts.metrics.hasher(Arc::new(bounded), waiting)?), lane))
}
