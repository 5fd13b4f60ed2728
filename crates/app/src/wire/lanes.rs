//! Wires the lanes between the HTTP threads and the blocking ones.

use super::context::STORE_WAIT;
use super::cores;
use super::metrics::Metrics;
use super::outbound::Client;
use crate::settings::{Database, Settings};
use anyhow::Context;
use portcullis_bcrypt::HashThreads;
use portcullis_diesel::DatabaseUrl;
use portcullis_http::{BatchLane, BatchSettings, Lane, LaneSettings, Lanes};
use portcullis_ports::CircuitMonitor;
use portcullis_usecases::tokens::{Authenticate, Refresh};
use std::sync::Arc;
use std::time::Duration;

/// Lane of store calls. On PostgreSQL its width is the number of connections instead.
const STORE_LANE: LaneSettings =
    LaneSettings { width: 16, queue: STORE_QUEUE, max_wait: STORE_WAIT, deadline: DEADLINE, retry_after: RETRY_SOON };
/// Lane of calls to a remote rate limiter; as wide as its connection pool.
const LIMITS_LANE: LaneSettings = LaneSettings { width: 8, ..STORE_LANE };
/// Lane of calls to an identity provider. A job makes up to four calls of up to 5 s: discovery, token, keys and
/// userinfo.
const OUTBOUND_LANE: LaneSettings = LaneSettings { width: 16, queue: 64, deadline: OUTBOUND_DEADLINE, ..STORE_LANE };
/// Maximum duration of a job that calls providers, waiting included.
const OUTBOUND_DEADLINE: Duration = Duration::from_secs(26);
/// Maximum number of requests that wait for a connection.
const STORE_QUEUE: usize = 2048;
/// Maximum duration of a store call, waiting included.
pub(super) const DEADLINE: Duration = Duration::from_secs(9);
/// Duration after which a store call counts as slow and waiting jobs start another one. Only a lock, a
/// slow disk or a slow network makes a call take this long.
const STORE_SLOW: Duration = Duration::from_millis(10);
/// Duration after which a store call counts as stuck: no statement may run this long.
const STORE_STUCK: Duration = Duration::from_secs(8);
/// Maximum wait for a hash thread.
pub(super) const HASH_WAIT: Duration = Duration::from_secs(2);
/// Time SQLite's writer spins for the next exchange before it sleeps: about the time in which a client on
/// the same network sends its next request.
const SPIN: Duration = Duration::from_micros(100);
/// `Retry-After` for short overloads.
const RETRY_SOON: Duration = Duration::from_secs(1);

/// What limits and observes the use cases. The default has no circuits and no metrics.
pub struct Operation {
    pub(super) metrics: Metrics,
    /// Lane in front of the hasher.
    pub(super) hashes: LaneSettings,
    pub(super) database: Option<Arc<dyn CircuitMonitor>>,
    /// Circuit of the database's writes.
    pub(super) writes: Option<Arc<dyn CircuitMonitor>>,
    /// Circuit around Redis, if replicas share one. Rate limits are remote then.
    pub(super) shared: Option<Arc<dyn CircuitMonitor>>,
    pub(super) mail: Option<Arc<dyn CircuitMonitor>>,
    /// Client for identity providers, with their circuits, if any are configured.
    pub(super) providers: Option<Client>,
}

impl Default for Operation {
    fn default() -> Self {
        let (database, writes, shared, mail, providers) = (None, None, None, None, None);
        Self { metrics: Metrics::default(), hashes: STORE_LANE, database, writes, shared, mail, providers }
    }
}

impl Operation {
    /// Lists the circuits for health checks and metrics.
    pub(super) fn circuits(&self) -> Vec<Arc<dyn CircuitMonitor>> {
        let providers = self.providers.clone().map(|client| -> Arc<dyn CircuitMonitor> { client });
        let others = [&self.database, &self.writes, &self.shared, &self.mail].into_iter().flatten().cloned();
        others.chain(providers).collect()
    }

    pub(super) fn lanes(
        &self,
        settings: &Settings,
        refresh: &Arc<Refresh>,
        authenticate: &Arc<Authenticate>,
    ) -> anyhow::Result<Lanes> {
        let metrics = &self.metrics;
        let [store, crypto, limits, outbound, rotation, lookup] =
            metrics.lanes(["store", "crypto", "limits", "outbound", "exchanges", "accounts"])?;
        let batches = batches(&settings.database.url);
        let (refresh, authenticate) = (refresh.clone(), authenticate.clone());
        let exchanges = BatchLane::start("exchanges", batches, move |exchanges| refresh.exchange(exchanges))
            .context("cannot start the threads of the lane exchanges")?;
        // Spinning gained nothing for reads.
        let reads = BatchSettings { spin: Duration::ZERO, ..batches };
        let accounts = BatchLane::start("accounts", reads, move |inquiries| authenticate.look_up(&inquiries))
            .context("cannot start the threads of the lane accounts")?;
        let providers = settings.providers.list.iter().map(|provider| {
            let lane = Lane::new(OUTBOUND_LANE).with_name("outbound").with_observer(outbound.clone());
            (provider.name.to_string(), lane)
        });
        let remote = self.shared.is_some().then(|| Lane::new(LIMITS_LANE));
        let lanes = Lanes {
            store: Lane::new(store_lane(&settings.database)).with_name("store").with_observer(store),
            crypto: Lane::new(self.hashes).with_name("crypto").with_observer(crypto),
            outbound: providers.collect(),
            limits: remote.map(|lane| lane.with_name("limits").with_observer(limits)),
            exchanges: exchanges.with_observer(rotation),
            accounts: accounts.with_observer(lookup),
        };
        metrics.lane("store", lanes.store.load())?;
        metrics.lane("crypto", lanes.crypto.load())?;
        lanes.limits.iter().try_for_each(|lane| metrics.lane("limits", lane.load()))?;
        metrics.lane("outbound", lanes.outbound.load())?;
        metrics.lane("exchanges", lanes.exchanges.load())?;
        metrics.lane("accounts", lanes.accounts.load())?;
        Ok(lanes)
    }
}

/// Returns the settings of the lane in front of the hasher. Each running job takes a thread and its memory,
/// so the width is twice the number of hashes computed together: hash threads always find the next jobs
/// waiting.
pub(super) fn hash_lane(threads: &HashThreads) -> LaneSettings {
    let together = cores().get().saturating_mul(threads.lanes().get().get());
    let capacity = threads.capacity().get();
    let width = capacity.min(together.saturating_mul(2));
    let queue = capacity.saturating_sub(width);
    LaneSettings { width, queue, max_wait: HASH_WAIT, retry_after: HASH_WAIT, ..STORE_LANE }
}

/// Returns the settings of the store lane: as wide as there are PostgreSQL connections. SQLite calls share
/// one writer and a few readers.
fn store_lane(database: &Database) -> LaneSettings {
    match database.url {
        DatabaseUrl::Sqlite(_) => STORE_LANE,
        _ => {
            let width = usize::try_from(database.connections.get()).unwrap_or(STORE_LANE.width);
            LaneSettings { width, ..STORE_LANE }
        }
    }
}

/// Returns the batch settings of the store. SQLite's single writer takes all waiting jobs. On PostgreSQL,
/// spinning threads would take processor time from the server.
fn batches(url: &DatabaseUrl) -> BatchSettings {
    let (width, batch, spin) = match url {
        DatabaseUrl::Sqlite(_) => (1, 256, SPIN),
        _ => (2, 64, Duration::ZERO),
    };
    let (slow_after, stuck_after) = (STORE_SLOW, STORE_STUCK);
    let (queue, max_wait) = (STORE_QUEUE, STORE_WAIT);
    BatchSettings { width, batch, slow_after, queue, max_wait, stuck_after, spin, retry_after: RETRY_SOON }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::num::NonZeroU32;

    #[test]
    fn the_store_lane_is_as_wide_as_the_connections_to_postgresql() {
        let width = |url: &str, connections: u32| {
            let (url, connections) = (DatabaseUrl::parse(url).unwrap(), NonZeroU32::new(connections).unwrap());
            store_lane(&Database { url, connections, auto_migrate: true, purge_interval: None }).width
        };
        assert_eq!((width("postgres://h/db", 1), width("postgres://h/db", 40)), (1, 40));
        assert_eq!(width("sqlite:///app.db", 40), 16);
    }
}
