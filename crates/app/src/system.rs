//! Access to the operating system: clock, random source, core dumps, file-descriptor limit, thread
//! priority and terminal colors. The only file that reads the clock and the random source.

use chrono::{DateTime, Utc};
use portcullis_ports::{Clock, Entropy};
use portcullis_telemetry::ProcessUsage;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::time::{Duration, Instant};

/// Clock of the operating system.
pub(crate) struct SystemClock {
    started: Instant,
}

impl SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the clock that all others ask")]
    pub(crate) fn start() -> Self {
        Self { started: Instant::now() }
    }
}

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the clock that all others ask")]
    fn now(&self) -> DateTime<Utc> {
        Utc::now()
    }

    fn monotonic(&self) -> Duration {
        self.started.elapsed()
    }
}

/// Generates a request id. Hard to guess, but not a secret: it comes from a generator in the process,
/// which avoids a system call per request.
#[expect(clippy::disallowed_methods, reason = "this is where request numbers come from")]
pub(crate) fn random_request_id() -> [u8; 16] {
    uuid::Uuid::new_v4().into_bytes()
}

/// Random source of the operating system.
pub(crate) struct OsEntropy;

impl Entropy for OsEntropy {
    /// Fills the buffer with random bytes. Aborts if the system has none: no id would be safe.
    fn fill(&self, bytes: &mut [u8]) {
        if getrandom::fill(bytes).is_err() {
            std::process::abort();
        }
    }
}

/// Returns whether a terminal may get colors: false if `NO_COLOR` is set (no-color.org) or `TERM` is
/// `dumb`.
#[expect(clippy::disallowed_methods, reason = "no settings of the service, but of every program at a terminal")]
pub(crate) fn wants_colours() -> bool {
    let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    !refused && std::env::var_os("TERM").is_none_or(|terminal| terminal != "dumb")
}

/// Disables core dumps, which would contain passwords and the signing key.
pub(crate) fn disable_core_dumps() {
    let none = Rlimit { current: Some(0), maximum: Some(0) };
    // Lowering a limit needs no privilege. A failure is ignored: this is defense in depth.
    setrlimit(Resource::Core, none).ok();
}

/// Minimum number of file descriptors. With fewer, the runtime panics or the database fails to open
/// later, with an error that does not name the cause.
pub(crate) const MIN_FDS: u64 = 64;

/// Raises the file-descriptor limit to the hard limit. The soft limit protects only programs that call
/// `select`, which this one does not.
///
/// # Errors
/// If the limit is below [`MIN_FDS`].
pub(crate) fn raise_fd_limit() -> anyhow::Result<()> {
    let limits = getrlimit(Resource::Nofile);
    // If this fails, connections wait for a free descriptor, as at any limit.
    setrlimit(Resource::Nofile, Rlimit { current: limits.maximum, ..limits }).ok();
    let allowed = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    anyhow::ensure!(
        allowed >= MIN_FDS,
        "the process may open {allowed} file descriptors and needs at least {MIN_FDS}: raise its limit (ulimit -n)"
    );
    Ok(())
}

/// Returns the hard limit of file descriptors.
pub(crate) fn fd_limit() -> u64 {
    getrlimit(Resource::Nofile).maximum.unwrap_or(u64::MAX)
}

/// Returns what the process uses, or `None` if `/proc` cannot be read. Reads only `/proc/self`: a unit with
/// `ProcSubset=pid` has no more.
pub(crate) fn process_usage() -> Option<ProcessUsage> {
    let memory = std::fs::read_to_string("/proc/self/statm").ok()?;
    let pages: f64 = memory.split_whitespace().nth(1)?.parse().ok()?;
    let page_size = u32::try_from(rustix::param::page_size()).ok()?;
    // The folder is a descriptor itself while it is read.
    let open = std::fs::read_dir("/proc/self/fd").ok()?.count().saturating_sub(1);
    let limit = getrlimit(Resource::Nofile).current.and_then(|limit| u32::try_from(limit).ok());
    let cpu = Duration::try_from(rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime)).ok()?;
    Some(ProcessUsage {
        cpu_seconds: cpu.as_secs_f64(),
        resident_bytes: pages * f64::from(page_size),
        open_fds: f64::from(u32::try_from(open).ok()?),
        max_fds: limit.map_or(f64::INFINITY, f64::from),
    })
}

/// Niceness of hash threads: high enough that short requests run first, low enough that other programs
/// on the machine do not starve logins.
#[cfg(target_os = "linux")]
const NICENESS: i32 = 5;

/// Lowers the calling thread's priority below that of the service's other threads.
pub(crate) fn lower_thread_priority() {
    // Only Linux has a priority per thread; elsewhere this would slow the whole process.
    #[cfg(target_os = "linux")]
    rustix::process::setpriority_process(Some(rustix::thread::gettid()), NICENESS).ok();
}

#[cfg(test)]
mod tests {
    use super::*;
    use portcullis_domain::tokens::Jti;
    use portcullis_ports::EntropyExt;
    use std::collections::HashSet;

    #[test]
    fn a_hundred_thousand_identifiers_are_all_distinct() {
        let drawn: HashSet<Jti> = (0..100_000).map(|_| Jti::from_random(OsEntropy.array())).collect();
        assert_eq!(drawn.len(), 100_000);
    }

    #[test]
    fn monotonic_time_never_goes_back() {
        let clock = SystemClock::start();
        let times: Vec<_> = (0..1000).map(|_| clock.monotonic()).collect();
        assert!(times.is_sorted());
    }
}
