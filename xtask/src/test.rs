//! `cargo xtask test`: runs the tests of the whole workspace and counts them by database. Finds or
//! installs PostgreSQL, PgBouncer, Redis, Python and Node; the tests start the servers they need.

use crate::test_summary::TestSummary;
use anyhow::Result;
use parking_lot::Mutex;
use std::io::{BufRead, BufReader, IsTerminal, PipeReader, Write};
use std::process::ExitCode;
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};
use xtask::install::{database_extras, database_server, languages, redis_server};
use xtask::repository::cargo_debug;

/// Tests of one program that run at the same time. Most of them wait for a server, a limit or a fault, so
/// there are two for each core.
const THREADS: &str = "RUST_TEST_THREADS";

#[derive(clap::Args)]
pub(crate) struct Test {
    /// Run only tests whose path contains one of these
    filter: Vec<String>,
}

impl Test {
    pub(crate) fn run(self) -> Result<ExitCode> {
        let started = Instant::now();
        let programs = database_server::programs()?;
        database_extras::prepare(&programs)?;
        let redis = redis_server::program()?;
        languages::prepare()?;
        println!("PostgreSQL: {}, Redis: {}", programs.display(), redis.display());
        println!("building the workspace and its tests; the first time takes some minutes");
        // One pipe for both, since cargo names the file on one and libtest its tests on the other.
        let (reader, writer) = std::io::pipe()?;
        let mut tests = cargo_debug();
        tests.args(["test", "--workspace", "--no-fail-fast", "--"]).args(&self.filter);
        if std::env::var_os(THREADS).is_none() {
            tests.env(THREADS, (2 * std::thread::available_parallelism()?.get()).to_string());
        }
        tests.env(redis_server::VARIABLE, redis);
        tests.env(database_server::VARIABLE, programs).stdout(writer.try_clone()?).stderr(writer);
        let mut child = tests.spawn()?;
        drop(tests);
        let tally = Arc::default();
        let end = follow(reader, Arc::clone(&tally));
        let status = child.wait()?;
        // A process that a test left behind may hold the pipe open: what it writes is not waited for.
        let _ = end.recv_timeout(Duration::from_secs(2));
        let tally = tally.lock();
        Ok(self.conclude(&tally, status.success(), started.elapsed()))
    }

    fn conclude(&self, tally: &TestSummary, success: bool, elapsed: Duration) -> ExitCode {
        let mut count = tally.all;
        let none = success && count.passed == 0;
        if none {
            println!("no test ran: none has a path that contains one of {:?}", self.filter);
        } else if !success && count.failed == 0 {
            println!("a test program was not built or died");
            count.failed = 1;
        }
        println!(
            "\n{}{}; {:.1} s in all, building included",
            tally.failures(),
            tally.by_database(),
            elapsed.as_secs_f64()
        );
        println!("{} passed, {} failed", count.passed, count.failed);
        ExitCode::from(u8::from(none || !success))
    }
}

/// Prints the lines as they come and counts them; the channel closes after the last one.
fn follow(reader: PipeReader, tally: Arc<Mutex<TestSummary>>) -> mpsc::Receiver<()> {
    let (alive, end) = mpsc::channel();
    std::thread::spawn(move || {
        let _alive: mpsc::Sender<()> = alive;
        let mut out = std::io::stdout();
        let person = out.is_terminal();
        for line in BufReader::new(reader).split(b'\n').map_while(Result::ok) {
            let line = String::from_utf8_lossy(&line);
            tally.lock().read(&line);
            if person || !is_progress(&line) {
                let _ = writeln!(out, "{line}");
            }
        }
    });
    end
}

/// Whether a line only shows that cargo is at work: too many for a log.
fn is_progress(line: &str) -> bool {
    let word = line.split_whitespace().next().unwrap_or_default();
    line.starts_with(' ') && ["Compiling", "Downloading", "Downloaded", "Updating", "Locking"].contains(&word)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_summary::Count;

    fn code(filter: &[&str], count: Count, success: bool) -> ExitCode {
        let test = Test { filter: filter.iter().map(ToString::to_string).collect() };
        let mut tally = TestSummary::default();
        tally.read(&format!("test result: all. {} passed; {} failed;", count.passed, count.failed));
        test.conclude(&tally, success, Duration::ZERO)
    }

    #[test]
    fn success_is_some_tests_that_all_passed() {
        assert_eq!(code(&[], Count { passed: 9, failed: 0 }, true), ExitCode::SUCCESS);
        assert_eq!(code(&[], Count { passed: 9, failed: 1 }, false), ExitCode::FAILURE);
        assert_eq!(code(&[], Count { passed: 9, failed: 0 }, false), ExitCode::FAILURE, "not built");
        assert_eq!(code(&["loggin"], Count::default(), true), ExitCode::FAILURE, "a filter that names none");
    }

    #[test]
    fn a_log_is_spared_the_progress_only() {
        assert!(is_progress("   Compiling portcullis-domain v0.1.0"));
        assert!(!is_progress("error[E0308]: mismatched types"));
        assert!(!is_progress("     Running tests/login.rs (target/debug/deps/login-1)"));
    }
}
