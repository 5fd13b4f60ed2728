//! Database file on disk: created with access only for its owner, and checked, so that no commit is
//! acknowledged in a file that was deleted or replaced.

use crate::error::OpenError;
use parking_lot::Mutex;
use portcullis_ports::StoreError;
use rustix::process::{Flock, FlockType, fcntl_getlk};
use std::collections::BTreeMap;
use std::fs::{self, File, Metadata, OpenOptions};
use std::io;
use std::mem;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Weak};

/// Files that this process has open. Closing any descriptor of a file releases all POSIX locks of the
/// process on it, including SQLite's, so all stores on a file share one descriptor.
static OPEN_FILES: Mutex<BTreeMap<FileId, Weak<File>>> = Mutex::new(BTreeMap::new());

/// Device and inode.
type FileId = (u64, u64);

/// File, and its identity when it was opened.
#[derive(Clone)]
pub(super) struct DatabaseFile {
    path: PathBuf,
    identity: FileId,
    held: Arc<File>,
}

impl DatabaseFile {
    /// Opens the file, or creates an empty one.
    pub(super) fn open(path: &Path) -> Result<Self, OpenError> {
        let path = std::path::absolute(path).map_err(|error| unusable(path, &error.to_string()))?;
        let folder = path.parent().filter(|folder| !folder.is_dir());
        if let Some(folder) = folder {
            return Err(OpenError::NoFolder(folder.to_path_buf()));
        }
        let made = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path);
        if let Err(error) = made
            && error.kind() != io::ErrorKind::AlreadyExists
        {
            return Err(unusable(&path, &error.to_string()));
        }
        let metadata = fs::metadata(&path).map_err(|error| unusable(&path, &error.to_string()))?;
        if !metadata.is_file() {
            return Err(unusable(&path, "it is no regular file"));
        }
        let (identity, held) = open_shared(&path, &metadata).map_err(|error| unusable(&path, &error.to_string()))?;
        Ok(Self { path, identity, held })
    }

    /// Waits until everything written to the file is on disk.
    pub(super) fn sync(&self) -> Result<(), StoreError> {
        self.held.sync_data().map_err(|error| StoreError::Unavailable(format!("the database file: {error}")))
    }

    /// Checks that the path still leads to the opened file. Takes about 1 µs.
    pub(super) fn check(&self) -> Result<(), StoreError> {
        let gone = |what: String| Err(StoreError::Unavailable(what));
        match fs::metadata(&self.path) {
            Ok(metadata) if identity(&metadata) == self.identity => Ok(()),
            Ok(_) => gone("the database file was replaced by another".to_owned()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => gone("the database file was deleted".to_owned()),
            Err(error) => gone(format!("the database file cannot be reached: {error}")),
        }
    }

    /// Returns which other process has the file open with SQLite, or `None` if there is none. A connection in
    /// WAL mode holds a shared lock on these bytes until it is closed (pager.h, os.h).
    pub(super) fn other_user(&self) -> Result<Option<String>, StoreError> {
        const SHARED_FIRST: u64 = 0x4000_0002;
        const SHARED_SIZE: u64 = 510;
        let exclusive = Flock { start: SHARED_FIRST, length: SHARED_SIZE, ..FlockType::WriteLock.into() };
        let conflict = fcntl_getlk(&self.held, &exclusive);
        let conflict = conflict.map_err(|error| StoreError::Unavailable(format!("the database file: {error}")))?;
        // The process has no id here if it runs in another container.
        Ok(conflict.map(|lock| match lock.pid {
            Some(pid) => format!("process {}", pid.as_raw_nonzero()),
            None => "another process".to_owned(),
        }))
    }

    /// Returns the size in bytes, or 0 if it cannot be determined.
    pub(super) fn size(&self) -> u64 {
        fs::metadata(&self.path).map_or(0, |metadata| metadata.len())
    }

    /// Returns the URI for SQLite, in mode `ro` or `rw`. Neither mode creates a file.
    pub(super) fn uri(&self, mode: &str) -> String {
        use std::os::unix::ffi::OsStrExt;
        let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"/._-~".contains(byte);
        let escape = |byte: &u8| if plain(byte) { char::from(*byte).to_string() } else { format!("%{byte:02X}") };
        let path: String = self.path.as_os_str().as_bytes().iter().map(escape).collect();
        format!("file:{path}?mode={mode}")
    }

    /// Creates the error for a file that cannot be opened.
    pub(super) fn unusable(&self, error: &StoreError) -> OpenError {
        match error {
            StoreError::Unavailable(reason) | StoreError::Busy(reason) | StoreError::Failed(reason) => {
                unusable(&self.path, reason)
            }
            other => unusable(&self.path, &other.to_string()),
        }
    }

    /// Creates the error for a damaged file.
    pub(super) fn damaged(&self, reason: String) -> OpenError {
        OpenError::Damaged { path: self.path.clone(), reason }
    }
}

fn identity(metadata: &Metadata) -> FileId {
    (metadata.dev(), metadata.ino())
}

/// Opens the file at the path, or returns the descriptor that other stores on it already share.
fn open_shared(path: &Path, metadata: &Metadata) -> io::Result<(FileId, Arc<File>)> {
    let mut held = OPEN_FILES.lock();
    held.retain(|_, file| file.strong_count() > 0);
    let in_use = |held: &BTreeMap<_, Weak<_>>, found| held.get(&found).and_then(Weak::upgrade);
    let found = identity(metadata);
    if let Some(file) = in_use(&held, found) {
        return Ok((found, file));
    }
    let file = File::open(path)?;
    let opened = identity(&file.metadata()?);
    if let Some(shared) = in_use(&held, opened) {
        // The path now leads to a file that another store has open. Closing this descriptor would
        // release its locks.
        mem::forget(file);
        return Ok((opened, shared));
    }
    let file = Arc::new(file);
    held.insert(opened, Arc::downgrade(&file));
    Ok((opened, file))
}

fn unusable(path: &Path, reason: &str) -> OpenError {
    OpenError::Unusable { path: path.to_path_buf(), reason: reason.to_owned() }
}
