//! The files that settings name: secrets and keys. What a file must hold is left to the setting.

use std::fs::{File, Metadata};
use std::io::{Error, ErrorKind, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// No secret and no key is longer than this.
const MAX_BYTES: u64 = 64 * 1024;

/// How files are read: the real ones by [`Contents::decode`].
pub(crate) type ReadFile = fn(&Path) -> Result<Contents, ErrorKind>;

/// What a file holds.
pub(crate) struct Contents {
    pub(crate) text: String,
    /// Whether everybody on the machine may read it.
    pub(crate) world_readable: bool,
}

/// Whether there is a file that everybody on the machine may read.
pub(super) fn is_open(path: &Path) -> bool {
    path.metadata().is_ok_and(|metadata| metadata.is_file() && readable_by_all(&metadata))
}

fn readable_by_all(metadata: &Metadata) -> bool {
    metadata.permissions().mode() & 0o004 != 0
}

impl Contents {
    /// Reads a file, or a pipe, of at most 64 KiB.
    pub(crate) fn read(path: &Path) -> Result<Self, ErrorKind> {
        Self::try_read(path).map_err(|error| error.kind())
    }

    fn try_read(path: &Path) -> Result<Self, Error> {
        let file = File::open(path)?;
        let open = file.metadata().is_ok_and(|metadata| readable_by_all(&metadata));
        let mut text = String::new();
        file.take(MAX_BYTES + 1).read_to_string(&mut text)?;
        if u64::try_from(text.len()).is_ok_and(|length| length > MAX_BYTES) {
            return Err(ErrorKind::FileTooLarge.into());
        }
        Ok(Self { text, world_readable: open })
    }
}
