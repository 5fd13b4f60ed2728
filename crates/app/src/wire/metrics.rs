//! Wraps ports in metrics decorators and registers the gauges and counters of the metrics page.
//! Without `METRICS_ADDR` nothing is counted and nothing is decorated.

use crate::system;
use anyhow::Context;
use parking_lot::Mutex;
use portcullis_diesel::Database;
use portcullis_domain::ErrorCode;
use portcullis_domain::health::CircuitState;
use portcullis_domain::mail::Occasion;
use portcullis_http::{LaneLoad, LaneObserver, LoginObserver, METHODS, ROUTES, RequestObserver, RequestRecord};
use portcullis_ports::{
    CircuitMonitor, Clock, MailObserver, OutboxCounts, PasswordHasher, RateLimiter, RefreshObserver,
    SecondFactorObserver, SignInObserver, Store,
};
use portcullis_telemetry::{
    HasherMetrics, HttpMetrics, LaneMetrics, LimiterMetrics, LoginMetrics, MailMetrics, Metered, MetricsRegistry,
    SecondFactorMetrics, SignInMetrics, StoreMetrics, VerdictMetrics,
};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// Metrics of the process; empty if metrics are off.
#[derive(Clone, Default)]
pub(crate) struct Metrics(Option<Inner>);

/// Emails in the outbox at the last count.
#[derive(Default)]
pub(crate) struct OutboxLoad {
    pub(super) counts: OutboxCounts,
    pub(super) waiting: Vec<(Occasion, u64)>,
}

#[derive(Clone)]
struct Inner {
    telemetry: Arc<MetricsRegistry>,
    clock: Arc<dyn Clock>,
}

impl Metrics {
    /// Creates the metrics, if there is an address to serve them on.
    pub(crate) fn new(address: Option<SocketAddr>, clock: &Arc<dyn Clock>) -> anyhow::Result<Self> {
        if address.is_none() {
            return Ok(Self(None));
        }
        let telemetry = Arc::new(MetricsRegistry::new(env!("CARGO_PKG_VERSION"))?);
        // Without /proc there is nothing to read.
        if system::process_usage().is_some() {
            telemetry.process(clock.now(), system::process_usage)?;
        }
        Ok(Self(Some(Inner { telemetry, clock: clock.clone() })))
    }

    /// Serves the metrics page until the process ends. Returns the bound address, or `None` if metrics
    /// are off.
    pub(crate) fn serve(&self, address: Option<SocketAddr>) -> anyhow::Result<Option<SocketAddr>> {
        let (Some(kept), Some(address)) = (&self.0, address) else { return Ok(None) };
        let telemetry = kept.telemetry.clone();
        let (server, bound) = portcullis_http::serve_metrics(address, move || telemetry.render())
            .with_context(|| format!("cannot listen on METRICS_ADDR {address}"))?;
        tokio::spawn(server);
        Ok(Some(bound))
    }

    pub(crate) fn store(&self, store: Arc<dyn Store>) -> anyhow::Result<Arc<dyn Store>> {
        let Some(kept) = &self.0 else { return Ok(store) };
        Ok(Arc::new(Metered::new(store, StoreMetrics::register(&kept.telemetry)?, kept.clock.clone())))
    }

    pub(crate) fn hasher(
        &self,
        hasher: Arc<dyn PasswordHasher>,
        waiting: impl Fn() -> usize + Send + Sync + 'static,
    ) -> anyhow::Result<Arc<dyn PasswordHasher>> {
        let Some(kept) = &self.0 else { return Ok(hasher) };
        let help = "Hash jobs waiting for a thread.";
        kept.telemetry.gauge_fn("password_hash_queue", help, &[], move || number(waiting()))?;
        Ok(Arc::new(Metered::new(hasher, HasherMetrics::register(&kept.telemetry)?, kept.clock.clone())))
    }

    pub(crate) fn limiter(&self, limiter: Arc<dyn RateLimiter>) -> anyhow::Result<Arc<dyn RateLimiter>> {
        let Some(kept) = &self.0 else { return Ok(limiter) };
        Ok(Arc::new(Metered::new(limiter, LimiterMetrics::register(&kept.telemetry)?, kept.clock.clone())))
    }

    pub(crate) fn verdicts(&self) -> anyhow::Result<Arc<dyn RefreshObserver>> {
        let Some(kept) = &self.0 else { return Ok(Arc::new(())) };
        Ok(Arc::new(VerdictMetrics::register(&kept.telemetry)?))
    }

    pub(crate) fn second_factors(&self) -> anyhow::Result<Arc<dyn SecondFactorObserver>> {
        let Some(kept) = &self.0 else { return Ok(Arc::new(())) };
        Ok(Arc::new(SecondFactorMetrics::register(&kept.telemetry)?))
    }

    pub(crate) fn sign_ins(&self) -> anyhow::Result<Arc<dyn SignInObserver>> {
        let Some(kept) = &self.0 else { return Ok(Arc::new(())) };
        Ok(Arc::new(SignInMetrics::register(&kept.telemetry)?))
    }

    pub(crate) fn logins(&self) -> anyhow::Result<Arc<dyn LoginObserver>> {
        let Some(kept) = &self.0 else { return Ok(Arc::new(())) };
        Ok(Arc::new(LoginObserverImpl(LoginMetrics::register(&kept.telemetry)?)))
    }

    pub(crate) fn mails(&self) -> anyhow::Result<Arc<dyn MailObserver>> {
        let Some(kept) = &self.0 else { return Ok(Arc::new(())) };
        Ok(Arc::new(MailMetrics::register(&kept.telemetry)?))
    }

    pub(crate) fn requests(&self) -> anyhow::Result<Option<Arc<dyn RequestObserver>>> {
        let Some(kept) = &self.0 else { return Ok(None) };
        let requests: Arc<dyn RequestObserver> =
            Arc::new(RequestMetrics(HttpMetrics::new(&kept.telemetry, &ROUTES, &METHODS)?));
        Ok(Some(requests))
    }

    /// Registers observers of the lanes with these names, which are the labels on the metrics page.
    pub(crate) fn lanes<const N: usize>(&self, names: [&str; N]) -> anyhow::Result<[Option<Arc<dyn LaneObserver>>; N]> {
        let Some(kept) = &self.0 else { return Ok([const { None }; N]) };
        Ok(LaneMetrics::register(&kept.telemetry, names)?
            .map(|lane| -> Option<Arc<dyn LaneObserver>> { Some(Arc::new(LaneObserverImpl(lane))) }))
    }

    /// Registers the load gauges of a lane.
    pub(crate) fn lane(&self, name: &str, load: impl Fn() -> LaneLoad + Send + Sync + 'static) -> anyhow::Result<()> {
        let Some(Inner { telemetry, .. }) = &self.0 else { return Ok(()) };
        let (labels, load) = ([("lane", name)], Arc::new(load));
        let again = load.clone();
        let help = "Running jobs; for batch lanes, running calls.";
        telemetry.gauge_fn("lane_running", help, &labels, move || number(load().running))?;
        telemetry.gauge_fn("lane_waiting", "Jobs waiting for a permit.", &labels, move || number(again().waiting))?;
        Ok(())
    }

    /// Registers the gauges of the database connections.
    pub(crate) fn database(&self, database: &Database) -> anyhow::Result<()> {
        let Some(Inner { telemetry, .. }) = &self.0 else { return Ok(()) };
        let (one, other) = (database.clone(), database.clone());
        let help = "Database connections in use; on SQLite, read connections.";
        telemetry.gauge_fn("store_connections_in_use", help, &[], move || number(one.load().in_use))?;
        let help = "Maximum number of database connections.";
        telemetry.gauge_fn("store_connections_max", help, &[], move || number(other.load().size))?;
        Ok(())
    }

    /// Registers the state gauges of circuits.
    pub(crate) fn circuits(&self, circuits: &[Arc<dyn CircuitMonitor>]) -> anyhow::Result<()> {
        let Some(Inner { telemetry, .. }) = &self.0 else { return Ok(()) };
        let help = "1 for the current state of the circuit breaker, 0 for the others.";
        for circuit in circuits {
            for state in [CircuitState::Closed, CircuitState::Open, CircuitState::HalfOpen] {
                let (name, circuit) = (circuit.status().name, circuit.clone());
                let labels = [("circuit", name), ("state", state.as_str())];
                telemetry.gauge_fn("circuit_state", help, &labels, move || {
                    if circuit.status().state == state { 1.0 } else { 0.0 }
                })?;
            }
        }
        Ok(())
    }

    /// Registers the gauges of the outbox and returns the counts that the worker updates, or `None` if
    /// metrics are off.
    pub(crate) fn outbox(&self) -> anyhow::Result<Option<Arc<Mutex<OutboxLoad>>>> {
        let Some(Inner { telemetry, .. }) = &self.0 else { return Ok(None) };
        let load = Arc::new(Mutex::new(OutboxLoad::default()));
        let (one, other) = (load.clone(), load.clone());
        let last = |load: &Mutex<OutboxLoad>| load.lock().counts;
        let help = "Emails waiting to be sent, counted up to 10000.";
        telemetry.gauge_fn("mails_waiting", help, &[], move || number(last(&one).waiting))?;
        let help = "Dead emails (no more attempts), counted up to 10000.";
        telemetry.gauge_fn("mails_dead", help, &[], move || number(last(&other).dead))?;
        let help = "Emails waiting to be sent, by occasion, counted up to 10000 in total.";
        for occasion in Occasion::ALL {
            let load = load.clone();
            let read =
                move || number(load.lock().waiting.iter().find(|(of, _)| *of == occasion).map_or(0, |(_, n)| *n));
            telemetry.gauge_fn("mails_queued", help, &[("occasion", occasion.as_str())], read)?;
        }
        Ok(Some(load))
    }

    /// Registers the counters of sent and dropped spans.
    pub(crate) fn traces(
        &self,
        sent: impl Fn() -> u64 + Send + Sync + 'static,
        dropped: impl Fn() -> u64 + Send + Sync + 'static,
    ) -> anyhow::Result<()> {
        let Some(Inner { telemetry, .. }) = &self.0 else { return Ok(()) };
        telemetry.counter_fn("trace_spans_sent_total", "Spans that the collector accepted.", sent)?;
        let help = "Spans dropped because the queue was full or the collector did not accept them.";
        Ok(telemetry.counter_fn("trace_spans_dropped_total", help, dropped)?)
    }

    /// Registers the counter of failed calls to Redis.
    pub(crate) fn redis(&self, failures: impl Fn() -> u64 + Send + Sync + 'static) -> anyhow::Result<()> {
        let Some(Inner { telemetry, .. }) = &self.0 else { return Ok(()) };
        let help = "Calls to Redis that failed or found no connection.";
        Ok(telemetry.counter_fn("redis_errors_total", help, failures)?)
    }

    /// Registers the counter of dropped log lines.
    pub(crate) fn log(&self, dropped: impl Fn() -> u64 + Send + Sync + 'static) -> anyhow::Result<()> {
        let Some(Inner { telemetry, .. }) = &self.0 else { return Ok(()) };
        let help = "Log lines dropped because standard output was too slow or a write failed.";
        Ok(telemetry.counter_fn("log_lines_dropped_total", help, dropped)?)
    }
}

fn number(count: impl TryInto<u32>) -> f64 {
    count.try_into().map_or(f64::INFINITY, f64::from)
}

/// Records requests that `http` reports.
struct RequestMetrics(HttpMetrics);

impl RequestObserver for RequestMetrics {
    fn on_response(&self, request: RequestRecord) {
        self.0.record(request.route, request.method, request.status, request.took);
    }
}

/// Records logins that `http` reports.
struct LoginObserverImpl(LoginMetrics);

impl LoginObserver for LoginObserverImpl {
    fn on_login(&self, outcome: Result<(), ErrorCode>) {
        self.0.record(outcome);
    }
}

/// Records lane jobs that `http` reports.
struct LaneObserverImpl(LaneMetrics);

impl LaneObserver for LaneObserverImpl {
    fn on_start(&self, waited: Duration) {
        self.0.on_start(waited);
    }

    fn on_rejected(&self) {
        self.0.on_rejected();
    }
}
