//! Controls the clocks, thread creation and panics of a running service: `shim.c`, built by the C
//! compiler that links the service, and its file of control values.

use super::services::ServiceBuilder;
use super::timing::fresh_folder;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

const SOURCE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/harness/shim.c");
const NANOS: i64 = 1_000_000_000;

fn library() -> &'static PathBuf {
    static LIBRARY: OnceLock<PathBuf> = OnceLock::new();
    LIBRARY.get_or_init(|| {
        let library = fresh_folder().join("shim.so");
        let mut compiler = Command::new("cc");
        compiler.args(["-shared", "-fPIC", "-O1", "-Wall", "-Werror", SOURCE, "-o"]).arg(&library).arg("-ldl");
        let built = compiler.output().expect("a C compiler called cc (Debian: apt install gcc libc6-dev)");
        assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
        library
    })
}

/// Control values of a service that runs under the shim.
pub(crate) struct Shim {
    path: PathBuf,
    control: File,
}

impl Shim {
    pub(crate) fn new() -> Self {
        let path = fresh_folder().join("control");
        let control = File::create_new(&path).unwrap();
        control.set_len(56).unwrap();
        Self { path, control }
    }

    /// Runs a service under the shim.
    pub(crate) fn under(&self, setup: ServiceBuilder) -> ServiceBuilder {
        let setup = setup.set("LD_PRELOAD", library().to_str().unwrap());
        setup.set("SHIM_CONTROL", self.path.to_str().unwrap())
    }

    fn put(&self, place: u64, number: i64) {
        self.control.write_all_at(&number.to_ne_bytes(), place * 8).unwrap();
    }

    fn get(&self, place: u64) -> i64 {
        let mut number = [0; 8];
        self.control.read_exact_at(&mut number, place * 8).unwrap();
        i64::from_ne_bytes(number)
    }

    /// Sets the wall clock `seconds` ahead of the true time and lets it run.
    pub(crate) fn shift(&self, seconds: i64) {
        self.put(0, seconds * NANOS);
        self.put(1, 0);
    }

    /// Stops the wall clock at a time since 1970.
    pub(crate) fn stop_at(&self, second: i64, nanos: i64) {
        self.put(1, second * NANOS + nanos);
    }

    /// Lets this much time pass: both the running wall clock and the clock of waits and limits go on.
    pub(crate) fn pass(&self, seconds: i64) {
        self.put(0, self.get(0) + seconds * NANOS);
        self.put(6, self.get(6) + seconds * NANOS);
    }

    /// Makes the nth next wall-clock read by a blocking job fail.
    pub(crate) fn fail_look(&self, number: i64) {
        self.put(2, number);
    }

    /// Returns whether that read has failed.
    pub(crate) fn has_failed(&self) -> bool {
        self.get(2) == 0
    }

    /// Makes the next `count` thread creations fail.
    pub(crate) fn fail_threads(&self, count: i64) {
        self.put(3, count);
    }

    /// Makes one thread creation fail, after `count` successful ones.
    pub(crate) fn fail_thread_after(&self, count: i64) {
        self.put(5, count);
        self.fail_threads(1);
    }

    /// Returns how many more thread creations will fail.
    pub(crate) fn threads_to_fail(&self) -> i64 {
        self.get(3)
    }

    /// Prevents unwinding, so that the next panic ends the process.
    pub(crate) fn fail_unwinding(&self) {
        self.put(4, 1);
    }
}
