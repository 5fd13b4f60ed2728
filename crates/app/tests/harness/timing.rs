//! Time in tests: timeouts, polling for things without events, and the folder that is deleted after the
//! tests, with all processes started in it.

use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant, SystemTime};
use std::{fs, thread};

/// Maximum time of a step on a busy machine before the test fails.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(60);

/// Returns whether `PORTCULLIS_TEST_LONG` asks for the long form of the tests.
#[expect(clippy::disallowed_methods, reason = "who starts the tests says so in the environment")]
pub(crate) fn long_form() -> bool {
    std::env::var_os("PORTCULLIS_TEST_LONG").is_some()
}

/// Retries until there is a result.
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

/// Sleeps, for tests whose pace matters.
#[expect(clippy::disallowed_methods, reason = "a client that works at a pace waits for nothing but time")]
pub(crate) fn pause(time: Duration) {
    thread::sleep(time);
}

/// Returns the time that something took, and its result.
#[expect(clippy::disallowed_methods, reason = "what the service promises is measured from outside")]
pub(crate) fn timed<T>(work: impl FnOnce() -> T) -> (Duration, T) {
    let start = Instant::now();
    let result = work();
    (start.elapsed(), result)
}

/// Returns the seconds since 1970.
#[expect(clippy::disallowed_methods, reason = "the service goes by the real clock")]
pub(crate) fn unix_now() -> i64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs() as i64
}

/// Returns a number that is unique within this process.
pub(crate) fn unique() -> u32 {
    static NUMBER: AtomicU32 = AtomicU32::new(1);
    NUMBER.fetch_add(1, Ordering::Relaxed)
}

/// Waits on standard input until the test process is gone, by a return or a kill. Then kills every process
/// whose id file is left, and deletes the folder.
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

/// Creates a folder that is deleted with all others when the tests end.
pub(crate) fn fresh_folder() -> PathBuf {
    let folder = root().join(unique().to_string());
    fs::create_dir(&folder).unwrap();
    folder
}

/// Child process that is killed on drop, or when the test process ends.
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
