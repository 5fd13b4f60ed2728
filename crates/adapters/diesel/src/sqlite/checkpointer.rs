//! Copies the WAL into the file, concurrently with the writer (ADR 14).
//!
//! By default, the commit that finds 1,000 pages in the WAL copies them and syncs the file, and all
//! writers wait for it. Here a thread with its own connection does that while readers and the writer
//! continue. SQLite restarts the WAL only once all of it has been copied, and a busy writer is always
//! ahead of the thread. So the thread asks the writer to copy the few remaining pages.

use super::connection::{self, Connector, Role};
use super::file::DatabaseFile;
use diesel::SqliteConnection;
use parking_lot::{Mutex, MutexGuard};
use portcullis_ports::StoreError;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::mpsc::{self, SyncSender};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// Minimum number of WAL pages to copy. Copying them occupies the disk for 1 to 2 ms, and commits wait
/// for the disk.
const MIN_PAGES: i64 = 64;
/// WAL length at which it should restart, in pages.
const RESTART_PAGES: i64 = 4 * 1024;
/// Commits between two checks of the WAL. Most commits write few pages.
const COMMITS_PER_CHECK: u32 = 32;
/// A transaction that took this long may have written many pages.
const LONG_TRANSACTION: Duration = Duration::from_millis(2);
/// A single job that took this long, most likely a purge, has probably written many pages.
const LONG_JOB: Duration = Duration::from_micros(250);

/// Checkpoint thread, stopped on drop.
pub(super) struct Checkpointer {
    /// `None` once the thread is to end.
    looks: Option<SyncSender<()>>,
    commits: AtomicU32,
    /// Whether the open transaction contains a job that took long.
    holds_long_work: AtomicBool,
    thread: Option<JoinHandle<()>>,
    copier: Arc<CheckpointWorker>,
}

/// Work of the checkpoint thread.
struct CheckpointWorker {
    /// SQLite lets one connection run a checkpoint at a time, and rejects others at once.
    connection: Mutex<Option<SqliteConnection>>,
    /// Whether the writer should copy the remaining pages.
    rest_is_due: AtomicBool,
    opener: Connector,
    /// Last field: closed after the connection.
    file: DatabaseFile,
}

impl Checkpointer {
    /// Starts the thread. Its connection is opened now, so that the process's open files do not depend
    /// on the load. If no thread can be started, the writer does all checkpoints.
    pub(super) fn start(opener: Connector, file: DatabaseFile) -> Self {
        let (connection, rest_is_due) = (Mutex::new(opener.open(Role::Reader).ok()), AtomicBool::new(false));
        let copier = Arc::new(CheckpointWorker { connection, rest_is_due, opener, file });
        let (looks, asked) = mpsc::sync_channel(1);
        let copying = Arc::clone(&copier);
        let thread = thread::Builder::new().name("checkpoint".to_owned()).spawn(move || {
            while asked.recv().is_ok() {
                copying.check();
            }
        });
        let (commits, holds_long_work) = (AtomicU32::new(0), AtomicBool::new(false));
        Self { looks: Some(looks), commits, holds_long_work, thread: thread.ok(), copier }
    }

    /// Records the duration of one job in the open transaction.
    pub(super) fn worked(&self, took: Duration) {
        if took >= LONG_JOB {
            self.holds_long_work.store(true, Ordering::Relaxed);
        }
    }

    /// Records a commit and the duration of its transaction.
    pub(super) fn committed(&self, took: Duration) {
        let many = (self.commits.fetch_add(1, Ordering::Relaxed) + 1).is_multiple_of(COMMITS_PER_CHECK);
        let long_work = self.holds_long_work.swap(false, Ordering::Relaxed);
        if (many || long_work || took >= LONG_TRANSACTION)
            && let Some(looks) = &self.looks
        {
            // If this fails, a check is already pending.
            let _ = looks.try_send(());
        }
    }

    /// Returns whether the writer should copy the remaining pages now, and resets the request.
    pub(super) fn should_restart(&self) -> bool {
        let due = &self.copier.rest_is_due;
        due.load(Ordering::Relaxed) && due.swap(false, Ordering::Relaxed)
    }

    /// Keeps the thread from running a checkpoint until the guard is dropped.
    pub(super) fn pause(&self) -> MutexGuard<'_, Option<SqliteConnection>> {
        self.copier.connection.lock()
    }
}

impl Drop for Checkpointer {
    /// Waits for the thread, which completes requested checks first.
    fn drop(&mut self) {
        self.looks = None;
        if let Some(thread) = self.thread.take() {
            // The panic hook has already reported a panic.
            let _ = thread.join();
        }
    }
}

impl CheckpointWorker {
    /// Runs a checkpoint if one is due. Only logs errors: they recur when the writer runs the
    /// checkpoint. No data is lost, because every acknowledged commit is in the WAL.
    fn check(&self) {
        let mut idle = self.connection.lock();
        // Taken out, so that a panic leaves no half-used connection.
        match self.copy_if_worth(idle.take()) {
            Ok(connection) => *idle = Some(connection),
            Err(error) => tracing::debug!(target: "app", %error, "The write-ahead log was not copied"),
        }
    }

    /// Returns the connection for reuse if there was no error.
    fn copy_if_worth(&self, idle: Option<SqliteConnection>) -> Result<SqliteConnection, StoreError> {
        self.file.check()?;
        let mut connection = idle.map_or_else(|| self.opener.open(Role::Reader), Ok)?;
        let log = connection::wal_status(&mut connection)?;
        let is_long = log.pages >= RESTART_PAGES;
        if log.left() >= MIN_PAGES || is_long && log.left() > 0 {
            connection::checkpoint_passive(&mut connection)?;
            // SQLite syncs the file only once all of the WAL has been copied, so the writer would have
            // to do it.
            self.file.sync()?;
            if is_long && connection::wal_status(&mut connection)?.left() > 0 {
                self.rest_is_due.store(true, Ordering::Relaxed);
            }
        }
        Ok(connection)
    }
}

#[cfg(test)]
mod tests {
    use super::super::SqliteStore;
    use super::super::tests::{register, store};
    use super::*;
    use crate::migrations::Migrations;
    use crate::options::StoreOptions;
    use chrono::DateTime;
    use diesel::connection::SimpleConnection;
    use portcullis_ports::StoreExt;
    use portcullis_testkit::FixedClock;
    use tempfile::TempDir;

    /// Commits at least this many pages with the writer, without notifying the checkpointer.
    fn fill(store: &SqliteStore, pages: i64) {
        let sql = format!(
            "CREATE TABLE IF NOT EXISTS filler (page); WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL
            SELECT i + 1 FROM n WHERE i < {pages}) INSERT INTO filler SELECT zeroblob(3000) FROM n"
        );
        let fill = |connection: &mut SqliteConnection| connection.batch_execute(&sql).map_err(failed);
        store.with_writer(store.wait, fill).unwrap();
    }

    fn failed(error: diesel::result::Error) -> StoreError {
        StoreError::Failed(error.to_string())
    }

    fn log(store: &SqliteStore) -> connection::WalStatus {
        connection::wal_status(&mut store.opener.open(Role::Reader).unwrap()).unwrap()
    }

    #[test]
    fn what_is_committed_is_copied_beside_an_open_transaction() {
        let folder = TempDir::new().unwrap();
        let store = store(&folder);
        fill(&store, MIN_PAGES);
        let mut writer = store.opener.open(Role::Writer).unwrap();
        writer.batch_execute("BEGIN IMMEDIATE; INSERT INTO filler VALUES (1)").unwrap();
        assert!(log(&store).left() >= MIN_PAGES);
        store.checkpointer.copier.check();
        assert_eq!(log(&store).left(), 0);
    }

    #[test]
    fn long_wal_restarts_once_the_writer_has_copied_the_rest() {
        let folder = TempDir::new().unwrap();
        let store = store(&folder);
        fill(&store, RESTART_PAGES);
        let mut reader = store.opener.open(Role::Reader).unwrap();
        reader.batch_execute("BEGIN; SELECT count(*) FROM users").unwrap();
        register(&store, 1).unwrap();
        store.checkpointer.copier.check();
        // Pages committed after the reader began cannot be copied yet.
        assert!((1..MIN_PAGES).contains(&log(&store).left()));
        reader.batch_execute("COMMIT").unwrap();
        assert!(log(&store).pages >= RESTART_PAGES);
        register(&store, 2).unwrap();
        assert!(log(&store).pages < MIN_PAGES, "{}", log(&store).pages);
    }

    #[test]
    fn it_looks_after_some_commits_or_a_long_one_and_no_sooner() {
        let folder = TempDir::new().unwrap();
        let store = store(&folder);
        fill(&store, MIN_PAGES);
        let (short, shorter) = (Duration::ZERO, Duration::from_nanos(1));
        for (commits, work, took, copied) in [
            (COMMITS_PER_CHECK - 1, LONG_JOB - shorter, LONG_TRANSACTION - shorter, false),
            (COMMITS_PER_CHECK, short, short, true),
            (1, short, LONG_TRANSACTION, true),
            (1, LONG_JOB, LONG_JOB, true),
        ] {
            fill(&store, MIN_PAGES);
            let checkpointer = Checkpointer::start(store.opener.clone(), store.file.clone());
            for _ in 0..commits {
                checkpointer.worked(work);
                checkpointer.worked(short);
                checkpointer.committed(took);
            }
            drop(checkpointer);
            assert_eq!(log(&store).left() == 0, copied, "{commits} commits of {took:?}, with {work:?}");
        }
    }

    #[test]
    fn what_takes_long_to_write_is_copied_after_its_commit() {
        let folder = TempDir::new().unwrap();
        let clock = Arc::new(FixedClock::at(DateTime::UNIX_EPOCH));
        let mut store =
            SqliteStore::open(&folder.path().join("app.db"), &StoreOptions::default(), clock.clone()).unwrap();
        store.migrate().unwrap();
        for (work, copied) in [(Duration::ZERO, false), (LONG_JOB, true), (Duration::ZERO, false)] {
            fill(&store, MIN_PAGES);
            store
                .write(|_| {
                    clock.advance(work);
                    Ok::<_, StoreError>(())
                })
                .unwrap();
            store.checkpointer = Checkpointer::start(store.opener.clone(), store.file.clone());
            assert_eq!(log(&store).left() == 0, copied, "{work:?}");
        }
    }

    #[test]
    fn it_copies_nothing_into_a_file_that_was_replaced() {
        let folder = TempDir::new().unwrap();
        let store = store(&folder);
        fill(&store, MIN_PAGES);
        store.checkpointer.copier.check();
        assert!(store.checkpointer.pause().is_some());
        let path = folder.path().join("app.db");
        std::fs::rename(&path, folder.path().join("moved.db")).unwrap();
        std::fs::write(&path, "another").unwrap();
        store.checkpointer.copier.check();
        assert!(store.checkpointer.pause().is_none(), "the connection is closed");
        assert_eq!(std::fs::read(&path).unwrap(), b"another");
    }
}
