//! Reads the files that settings name: secrets, keys, and the style sheet and logo of the pages.

use rustix::fs::{StatVfs, StatVfsMountFlags, fstatvfs, statvfs};
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
    path.metadata().is_ok_and(|metadata| metadata.is_file() && readable_by_all(&metadata, statvfs(path)))
}

/// Returns whether every user can read a file. `false` on a read-only mount, such as that of a secret in a
/// container (Docker's have mode 0444): nothing there can change the mode.
fn readable_by_all(metadata: &Metadata, mount: rustix::io::Result<StatVfs>) -> bool {
    let is_read_only = mount.is_ok_and(|mount| mount.f_flag.contains(StatVfsMountFlags::RDONLY));
    metadata.permissions().mode() & 0o004 != 0 && !is_read_only
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
        let open = file.metadata().is_ok_and(|metadata| readable_by_all(&metadata, fstatvfs(&file)));
        let mut text = String::new();
        file.take(MAX_BYTES + 1).read_to_string(&mut text)?;
        if u64::try_from(text.len()).is_ok_and(|length| length > MAX_BYTES) {
            return Err(ErrorKind::FileTooLarge.into());
        }
        Ok(Self { text, world_readable: open })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{Permissions, set_permissions};

    #[test]
    fn file_on_a_read_only_mount_is_not_open() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let open = |mode: u32, flags: StatVfsMountFlags| {
            set_permissions(file.path(), Permissions::from_mode(mode)).unwrap();
            let mount = statvfs(file.path()).unwrap();
            readable_by_all(&file.path().metadata().unwrap(), Ok(StatVfs { f_flag: flags, ..mount }))
        };
        let (read_only, none) = (StatVfsMountFlags::RDONLY, StatVfsMountFlags::empty());
        assert_eq!([open(0o444, none), open(0o444, read_only), open(0o440, none)], [true, false, false]);
        assert!(!is_open(file.path()));
        set_permissions(file.path(), Permissions::from_mode(0o644)).unwrap();
        assert!(is_open(file.path()));
    }
}
