//! Metrics of the process, with the names that Prometheus's client libraries share.

use crate::{MetricsError, MetricsRegistry};
use chrono::{DateTime, Utc};
use prometheus::core::{AtomicF64, GenericCounter};
use prometheus::{Gauge, Opts};

/// Resources that the process uses.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ProcessUsage {
    /// CPU time, user and system, in seconds.
    pub cpu_seconds: f64,
    /// Resident memory, in bytes.
    pub resident_bytes: f64,
    /// Open file descriptors.
    pub open_fds: f64,
    /// Limit of open file descriptors.
    pub max_fds: f64,
}

impl MetricsRegistry {
    /// Registers the metrics of the process. `read` is called when the page is rendered; a value that cannot
    /// be read, `None`, keeps its last one. Fails if the metrics are already registered.
    ///
    /// ```
    /// use portcullis_telemetry::{MetricsRegistry, ProcessUsage};
    /// let telemetry = MetricsRegistry::new("1.0.0")?;
    /// let usage = ProcessUsage { cpu_seconds: 1.5, resident_bytes: 4096.0, open_fds: 9.0, max_fds: 1024.0 };
    /// telemetry.process(chrono::DateTime::UNIX_EPOCH, move || Some(usage))?;
    /// assert!(telemetry.render().contains("\nprocess_cpu_seconds_total 1.5\n"));
    /// # Ok::<(), portcullis_telemetry::MetricsError>(())
    /// ```
    pub fn process(
        &self,
        started_at: DateTime<Utc>,
        read: impl Fn() -> Option<ProcessUsage> + Send + Sync + 'static,
    ) -> Result<(), MetricsError> {
        let gauge = |name, help| self.register(Gauge::with_opts(Opts::new(name, help))?);
        let help = "User and system CPU time, in seconds.";
        let cpu =
            self.register(GenericCounter::<AtomicF64>::with_opts(Opts::new("process_cpu_seconds_total", help))?)?;
        let resident = gauge("process_resident_memory_bytes", "Resident memory, in bytes.")?;
        let open = gauge("process_open_fds", "Open file descriptors.")?;
        let max = gauge("process_max_fds", "Limit of open file descriptors.")?;
        let start = gauge("process_start_time_seconds", "Start of the process, in seconds since the Unix epoch.")?;
        start.set(started_at.timestamp_micros().to_string().parse().map_or(0.0, |micros: f64| micros / 1e6));
        self.add_sample(Box::new(move || {
            let Some(usage) = read() else { return };
            // Pages are rendered one at a time.
            cpu.inc_by((usage.cpu_seconds - cpu.get()).max(0.0));
            resident.set(usage.resident_bytes);
            open.set(usage.open_fds);
            max.set(usage.max_fds);
        }));
        Ok(())
    }
}
