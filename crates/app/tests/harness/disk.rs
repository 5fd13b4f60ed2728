//! A disk that fails on demand, or loses its power: `disk.c`, put between the service and the
//! folder of its database.

use super::databases::Database;
use super::services::ServiceBuilder;
use super::timing::fresh_folder;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// What may be wrong with a disk.
#[derive(Debug, Clone, Copy)]
pub(crate) enum DiskFault {
    /// It takes half of what is written, and then nothing.
    Full,
    /// It refuses every write, and every file opened for writing.
    ReadOnly,
    /// It takes writes and fails to make them durable.
    Unsynced,
}

/// The disk below one SQLite database.
pub(crate) struct Disk {
    folder: PathBuf,
    switch: PathBuf,
    /// What is left after a power cut, and how many in a hundred bytes that were not synced are
    /// among it.
    copy: Option<(PathBuf, u8)>,
}

impl Disk {
    pub(crate) fn new() -> Self {
        Self { folder: fresh_folder(), switch: fresh_folder().join("fault"), copy: None }
    }

    /// A disk with the files of another, whose own power will be cut.
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

    /// The database on it.
    pub(crate) fn database(&self) -> Database {
        Database::Sqlite(self.folder.join("app.db"))
    }

    /// What a power cut leaves.
    pub(crate) fn left(&self) -> &Path {
        let (copy, _) = self.copy.as_ref().expect("a disk whose power may be cut");
        // A file whose name was not made durable is none.
        for file in fs::read_dir(copy).unwrap().map(|entry| entry.unwrap().path()) {
            if file.file_name().unwrap().to_str().unwrap().starts_with("unnamed.") {
                fs::remove_file(file).unwrap();
            }
        }
        copy
    }

    /// A service on it, still to be started.
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

    /// From now on it fails.
    pub(crate) fn fail(&self, fault: DiskFault) {
        let letter = match fault {
            DiskFault::Full => "F",
            DiskFault::ReadOnly => "R",
            DiskFault::Unsynced => "S",
        };
        fs::write(&self.switch, letter).unwrap();
    }

    /// From now on it works.
    pub(crate) fn mend(&self) {
        fs::remove_file(&self.switch).unwrap();
    }
}

/// `disk.c`, compiled.
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
