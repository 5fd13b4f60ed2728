//! A disk that fails on demand or loses power: `disk.c`, preloaded between the service and the database
//! folder.

use super::databases::Database;
use super::services::ServiceBuilder;
use super::timing::fresh_folder;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// Disk fault.
#[derive(Debug, Clone, Copy)]
pub(crate) enum DiskFault {
    /// Accepts half of a write, then nothing more.
    Full,
    /// Refuses all writes and refuses to open files for writing.
    ReadOnly,
    /// Accepts writes but fails every sync.
    Unsynced,
}

/// Disk that holds one SQLite database.
pub(crate) struct Disk {
    folder: PathBuf,
    switch: PathBuf,
    /// Folder with what a power cut leaves, and the percentage of unsynced bytes kept in it.
    copy: Option<(PathBuf, u8)>,
}

impl Disk {
    pub(crate) fn new() -> Self {
        Self { folder: fresh_folder(), switch: fresh_folder().join("fault"), copy: None }
    }

    /// Creates a disk with another disk's files, whose power can be cut.
    pub(crate) fn of(files: &Path, early: u8) -> Self {
        let copy = fresh_folder();
        let disk = Self { copy: Some((copy, early)), ..Self::new() };
        let (copy, _) = disk.copy.as_ref().unwrap();
        for file in fs::read_dir(files).unwrap().map(|entry| entry.unwrap().path()) {
            for folder in [&disk.folder, copy] {
                fs::copy(&file, folder.join(file.file_name().unwrap())).unwrap();
            }
        }
        disk
    }

    /// Returns the database on this disk.
    pub(crate) fn database(&self) -> Database {
        Database::Sqlite(self.folder.join("app.db"))
    }

    /// Returns the folder with the files that survive a power cut.
    pub(crate) fn left(&self) -> &Path {
        let (copy, _) = self.copy.as_ref().expect("a disk whose power may be cut");
        // A file whose directory entry was not synced does not survive.
        for file in fs::read_dir(copy).unwrap().map(|entry| entry.unwrap().path()) {
            if file.file_name().unwrap().to_str().unwrap().starts_with("unnamed.") {
                fs::remove_file(file).unwrap();
            }
        }
        copy
    }

    /// Creates a service on this disk, still to be started.
    pub(crate) fn service(&self) -> ServiceBuilder {
        let text = |path: &Path| path.to_str().unwrap().to_owned();
        let setup = ServiceBuilder::over(&self.database());
        let setup = setup.set("LD_PRELOAD", &text(shim())).set("DISK_FOLDER", &text(&self.folder));
        let setup = setup.set("DISK_FAULT", &text(&self.switch));
        match &self.copy {
            Some((copy, early)) => setup.set("DISK_COPY", &text(copy)).set("DISK_EARLY", &early.to_string()),
            None => setup,
        }
    }

    /// Starts the fault.
    pub(crate) fn fail(&self, fault: DiskFault) {
        let letter = match fault {
            DiskFault::Full => "F",
            DiskFault::ReadOnly => "R",
            DiskFault::Unsynced => "S",
        };
        fs::write(&self.switch, letter).unwrap();
    }

    /// Ends the fault.
    pub(crate) fn mend(&self) {
        fs::remove_file(&self.switch).unwrap();
    }
}

/// Returns the compiled `disk.c`.
fn shim() -> &'static Path {
    static SHIM: OnceLock<PathBuf> = OnceLock::new();
    SHIM.get_or_init(|| {
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/harness/disk.c");
        let shim = fresh_folder().join("disk.so");
        let mut compiler = Command::new("cc");
        compiler.args(["-shared", "-fPIC", "-O1", "-o"]).arg(&shim).args([source, "-ldl", "-pthread"]);
        let output = compiler.output().expect("this test needs a C compiler, cc");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        shim
    })
}
