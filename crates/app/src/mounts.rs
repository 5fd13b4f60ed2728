//! Mount points. SQLite keeps acknowledged writes in a `-wal` file next to the database file. If the
//! database file alone is mounted into a container, that file is in the container's own layer and is
//! lost with it.

use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// The problem with a database file that is mounted alone.
pub(crate) const LOST_LOG: &str = "is a mount point: its -wal file, which holds confirmed writes, is not on that mount";
/// The fix for [`LOST_LOG`].
pub(crate) const MOUNT_THE_FOLDER: &str = "mount the folder of the file instead";

/// Returns whether the file itself is a mount point, rather than its folder or one above.
pub(crate) fn is_mounted_alone(file: &Path) -> bool {
    // SQLite creates the write-ahead log next to the target of a symbolic link.
    let Ok(file) = file.canonicalize() else { return false };
    match std::fs::read("/proc/self/mountinfo") {
        Ok(table) => is_listed(&table, &file),
        Err(_) => {
            let device = |path: &Path| std::fs::metadata(path).map(|metadata| metadata.dev()).ok();
            device(&file) != file.parent().and_then(device)
        }
    }
}

/// Returns whether the mount table (proc(5)) lists the path as a mount point (field 5).
fn is_listed(table: &[u8], path: &Path) -> bool {
    let escaped: Vec<u8> = path.as_os_str().as_bytes().iter().flat_map(|byte| escaped(*byte)).collect();
    table.split(|byte| *byte == b'\n').any(|line| line.split(|byte| *byte == b' ').nth(4) == Some(&escaped))
}

fn escaped(byte: u8) -> Vec<u8> {
    if b" \t\n\\".contains(&byte) { format!("\\{byte:03o}").into_bytes() } else { vec![byte] }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mounted_file_is_told_from_a_mounted_folder() {
        let table = b"22 1 0:20 / / rw - ext4 /dev/a rw\n\
            41 22 0:33 /app.db /data/app.db rw,relatime shared:1 - ext4 /dev/b rw\n\
            42 22 0:34 /x /srv/my\\040data/app\\134.db rw - ext4 /dev/b rw\n";
        for (path, listed) in [
            ("/data/app.db", true),
            ("/srv/my data/app\\.db", true),
            ("/data/app.db-wal", false),
            ("/data", false),
            ("/app.db", false),
        ] {
            assert_eq!(is_listed(table, Path::new(path)), listed, "{path}");
        }
        assert!(!is_mounted_alone(Path::new("Cargo.toml")) && !is_mounted_alone(Path::new("nowhere")));
        // The kernel's own table.
        assert!(is_listed(&std::fs::read("/proc/self/mountinfo").unwrap(), Path::new("/")));
    }
}
