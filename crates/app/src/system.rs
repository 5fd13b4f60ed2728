//! The operating system: its clock and its random source, asked here and nowhere else, its core
//! dumps, switched off, its descriptors, as many as there are, its heaps, few of them, how it
//! shares out the processor, and whether its terminal shows colours.

use chrono::{DateTime, Utc};
use portcullis_ports::{Clock, Entropy};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::num::NonZeroUsize;
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::time::{Duration, Instant};

/// The system's clocks.
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

/// A number for a request: hard to guess, but no secret. Drawn within the process from a generator
/// that the system's random source feeds, for it costs a call of the system a request otherwise.
#[expect(clippy::disallowed_methods, reason = "this is where request numbers come from")]
pub(crate) fn random_request_id() -> [u8; 16] {
    uuid::Uuid::new_v4().into_bytes()
}

/// The system's random source.
pub(crate) struct OsEntropy;

impl Entropy for OsEntropy {
    /// A system without randomness can make no identifier that is safe: the process ends.
    fn fill(&self, bytes: &mut [u8]) {
        if getrandom::fill(bytes).is_err() {
            std::process::abort();
        }
    }
}

/// Which of glibc's variables says how many arenas there are at most.
const ARENAS: &str = "MALLOC_ARENA_MAX";

/// Begins the program anew, in the same process, with as many arenas of memory as there are cores,
/// where glibc would have eight times as many: each keeps what the largest job took that a thread
/// of it ever did. glibc reads the number when a program begins. Comes back where an operator has
/// set it; or where it cannot be done, and then SIGPIPE has its default action.
pub(crate) fn limit_malloc_arenas(cores: NonZeroUsize) {
    #[expect(clippy::disallowed_methods, reason = "no setting of the service, but one of its C library")]
    let set = std::env::var_os(ARENAS).is_some();
    if set || !cfg!(all(target_os = "linux", target_env = "gnu")) {
        return;
    }
    let mut arguments = std::env::args_os();
    if let (Ok(program), Some(name)) = (std::env::current_exe(), arguments.next()) {
        let _ = Command::new(program).arg0(name).args(arguments).env(ARENAS, cores.to_string()).exec();
    }
}

/// Returns whether a terminal may be sent colours: not where `NO_COLOR` is set (no-color.org), and
/// not where it knows none.
#[expect(clippy::disallowed_methods, reason = "no settings of the service, but of every program at a terminal")]
pub(crate) fn wants_colours() -> bool {
    let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    !refused && std::env::var_os("TERM").is_none_or(|terminal| terminal != "dumb")
}

/// A core dump would hold passwords and the signing key.
pub(crate) fn disable_core_dumps() {
    let none = Rlimit { current: Some(0), maximum: Some(0) };
    // A system that does not allow it dumps none either, or has other worries.
    setrlimit(Resource::Core, none).ok();
}

/// With fewer descriptors the runtime panics, or the database cannot be opened, later and in
/// words that tell nobody why.
pub(crate) const MIN_FDS: u64 = 64;

/// Takes as many descriptors as the operator allows, which is the hard limit: the soft one is the
/// system's caution about `select`, which nothing here calls.
///
/// # Errors
/// What to change, where they are too few to serve at all.
pub(crate) fn raise_fd_limit() -> anyhow::Result<()> {
    let limits = getrlimit(Resource::Nofile);
    // Where this fails, connections wait for a free one as they would at any limit.
    setrlimit(Resource::Nofile, Rlimit { current: limits.maximum, ..limits }).ok();
    let allowed = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    anyhow::ensure!(
        allowed >= MIN_FDS,
        "the process may open {allowed} file descriptors and needs at least {MIN_FDS}: raise its limit (ulimit -n)"
    );
    Ok(())
}

/// How many descriptors the operator allows.
pub(crate) fn fd_limit() -> u64 {
    getrlimit(Resource::Nofile).maximum.unwrap_or(u64::MAX)
}

/// How much a hash thread steps back: far enough that a request which needs a moment gets it,
/// near enough that other programs on the machine do not keep logins waiting.
#[cfg(target_os = "linux")]
const NICENESS: i32 = 5;

/// Lowers the calling thread's priority under the service's other threads.
pub(crate) fn lower_thread_priority() {
    // On Linux a thread has a priority of its own; elsewhere this would slow the whole process.
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
