//! F3: a power cut loses unsynced data but nothing that was acknowledged.

use crate::harness::disk::Disk;
use crate::prelude::*;

#[test]
fn a_power_cut_loses_nothing_acknowledged() {
    let mut files = fresh_folder();
    for round in 0..if long_form() { 40 } else { 6 } {
        // Unsynced bytes are lost in every other round and partly kept in the rest.
        let disk = Disk::of(&files, if round % 2 == 0 { 0 } else { 40 });
        let service = disk.service().start();
        let histories = work(&[&service], |progress| {
            // Every third round writes enough to trigger a checkpoint.
            progress.acknowledge(if round % 3 == 2 { 900 } else { 20 + round * 17 % 60 });
            service.kill();
        });
        files = disk.left().to_path_buf();
        let service = ServiceBuilder::over(&Database::Sqlite(files.join("app.db"))).start();
        check(&histories, &service);
        service.kill();
    }
}
