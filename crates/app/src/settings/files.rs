//! Reads the files that settings name: secrets, keys, and the style sheet and logo of the pages.

use std::fs::{File, Metadata};
use std::io::{Error, ErrorKind, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// Maximum size of a file in bytes; more than any secret or key needs.
const MAX_BYTES: u64 = 64 * 1024;

/// Function that reads a file: [`Contents::read`], except in tests.
pub(crate) type ReadFile = fn(&Path) -> Result<Contents, ErrorKind>;

/// Contents of a file.
pub struct Contents {
    pub(crate) text: String,
    /// True if every user of the machine can read the file.
    pub(crate) world_readable: bool,
}

/// Returns whether the path is a file that every user of the machine can read.
pub(super) fn is_open(path: &Path) -> bool {
    path.metadata().is_ok_and(|metadata| metadata.is_file() && readable_by_all(&metadata))
}

fn readable_by_all(metadata: &Metadata) -> bool {
    metadata.permissions().mode() & 0o004 != 0
}

/// Reads a file of up to `max` bytes.
pub(super) fn read_bytes(path: &Path, max: u64) -> Result<Vec<u8>, ErrorKind> {
    let mut bytes = Vec::new();
    File::open(path).and_then(|file| file.take(max + 1).read_to_end(&mut bytes)).map_err(|error| error.kind())?;
    if u64::try_from(bytes.len()).is_ok_and(|length| length <= max) { Ok(bytes) } else { Err(ErrorKind::FileTooLarge) }
}

impl Contents {
    /// Reads a file or a pipe of up to 64 KiB.
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
