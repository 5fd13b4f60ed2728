//! Time in tests: how long anything may take, waiting for what has no event to wait on, and the
//! folder whose contents, processes included, do not outlive the tests.

use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant, SystemTime};
use std::{fs, thread};

/// How long a step may take on a busy machine before the test fails.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(60);

/// Whether the longer form of the tests was asked for.
#[expect(clippy::disallowed_methods, reason = "who starts the tests says so in the environment")]
pub(crate) fn long_form() -> bool {
    std::env::var_os("PORTCULLIS_TEST_LONG").is_some()
}

/// Tries again until there is a result.
#[expect(clippy::disallowed_methods, reason = "what another process does is not an event of this one")]
pub(crate) fn eventually<T>(what: &str, mut attempt: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(result) = attempt() {
            return result;
        }
        assert!(start.elapsed() < TIMEOUT, "not in {TIMEOUT:?}: {what}");
        thread::sleep(Duration::from_millis(10));
    }
}

/// Lets time pass, for those whose pace is a part of the test.
#[expect(clippy::disallowed_methods, reason = "a client that works at a pace waits for nothing but time")]
pub(crate) fn pause(time: Duration) {
    thread::sleep(time);
}

/// The time that something took, with its result.
#[expect(clippy::disallowed_methods, reason = "what the service promises is measured from outside")]
pub(crate) fn timed<T>(work: impl FnOnce() -> T) -> (Duration, T) {
    let start = Instant::now();
    let result = work();
    (start.elapsed(), result)
}

/// Seconds since 1970.
#[expect(clippy::disallowed_methods, reason = "the service goes by the real clock")]
pub(crate) fn unix_now() -> i64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs() as i64
}

/// A number that no other caller in this process gets.
pub(crate) fn unique() -> u32 {
    static NUMBER: AtomicU32 = AtomicU32::new(1);
    NUMBER.fetch_add(1, Ordering::Relaxed)
}

/// Backoff on standard input, which ends when the test process is gone, by a return or a kill; then
/// kills every process that still has a file of its number, and removes everything.
const JANITOR: &str = r#"
trap '' HUP INT TERM
while read -r _; do :; done
for file in "$1"/processes/*; do kill -9 "${file##*/}"; done
rm -rf "$1"
"#;

struct Root {
    folder: PathBuf,
    _janitor: Child,
}

fn root() -> &'static Path {
    static ROOT: OnceLock<Root> = OnceLock::new();
    let start = || {
        let folder = tempfile::Builder::new().prefix("portcullis-test-").tempdir().unwrap().keep();
        fs::create_dir(folder.join("processes")).unwrap();
        let mut janitor = Command::new("sh");
        janitor.args(["-c", JANITOR, "janitor"]).arg(&folder).current_dir("/").process_group(0);
        janitor.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        Root { folder, _janitor: janitor.spawn().unwrap() }
    };
    &ROOT.get_or_init(start).folder
}

/// A new folder, removed with all others when the tests are over.
pub(crate) fn fresh_folder() -> PathBuf {
    let folder = root().join(unique().to_string());
    fs::create_dir(&folder).unwrap();
    folder
}

/// A running process that is killed when this is dropped, or when the test process is gone.
pub(crate) struct KillOnDrop(Child);

impl KillOnDrop {
    pub(crate) fn spawn(command: &mut Command) -> Self {
        let child = command.spawn().unwrap();
        fs::write(Self::file(&child), "").unwrap();
        Self(child)
    }

    pub(crate) fn child(&mut self) -> &mut Child {
        &mut self.0
    }

    fn file(child: &Child) -> PathBuf {
        root().join("processes").join(child.id().to_string())
    }
}

impl Drop for KillOnDrop {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
        let _ = fs::remove_file(Self::file(&self.0));
    }
}
