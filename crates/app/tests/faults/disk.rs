//! F5 and F6: a disk that is full, read-only or fails to sync. The service acknowledges no write that the
//! disk did not accept, still serves reads and keeps the file consistent.

use crate::harness::disk::{Disk, DiskFault};
use crate::prelude::*;

/// Offset of SQLite's write format version; 2 means write-ahead log.
const WRITE_VERSION: usize = 18;

#[test]
fn a_full_disk_refuses_writes_and_serves_reads() {
    refuses_writes_and_serves_reads(DiskFault::Full);
}

#[test]
fn a_read_only_disk_refuses_writes_and_serves_reads() {
    refuses_writes_and_serves_reads(DiskFault::ReadOnly);
}

/// The written data may or may not be stored, so the service discards the connection that wrote it.
#[test]
fn a_disk_that_does_not_sync_acknowledges_nothing() {
    refuses_writes_and_serves_reads(DiskFault::Unsynced);
}

fn refuses_writes_and_serves_reads(fault: DiskFault) {
    let disk = Disk::new();
    let service = disk.service().start();
    let (account, pair) = service.session();
    let (_, ended) = service.session();
    service.logout(&ended.refresh).expect(200);
    let histories = service.watched(|| {
        work(&[&service], |progress| {
            progress.acknowledge(100);
            disk.fail(fault);
            progress.refuse(20);
            for _ in 0..10 {
                within_deadline(|| service.refresh(&pair.refresh)).expect_unavailable();
            }
            for _ in 0..10 {
                within_deadline(|| service.me(&pair.access)).expect(200);
                within_deadline(|| service.refresh(&pair.refresh)).expect_unavailable();
                within_deadline(|| service.login(&account.email, &account.password)).expect_unavailable();
                within_deadline(|| service.logout(&pair.refresh)).expect_unavailable();
                // A call that needs no write is answered.
                within_deadline(|| service.register(&account.email, "long enough"));
                service.get("/health/ready").has_status(503);
            }
            assert_eq!(service.circuit(), "closed", "reads go on");
            disk.mend();
            service.expect_healed();
            progress.acknowledge(100);
        })
    });
    check(&histories, &service);
    service.refresh(&ended.refresh).expect_error(401, "AUTH_TOKEN_REVOKED");
    // The refused refreshes had no effect, except that a disk that fails to sync may have stored one.
    if service.refresh(&pair.refresh).status != 200 {
        assert!(matches!(fault, DiskFault::Unsynced));
    }
    expect_whole(service);
}

fn expect_whole(service: Service) {
    service.stop();
    assert_eq!(service.database.texts("integrity_check", "FROM pragma_integrity_check"), ["ok"]);
    let (_, pair) = service.again().start().session();
    assert!(!Pair::jti(&pair).is_empty());
}

#[test]
fn a_start_on_a_read_only_disk_is_refused() {
    let disk = Disk::new();
    disk.fail(DiskFault::ReadOnly);
    let ended = disk.service().run();
    assert!(ended.refusal().contains("app.db"), "{ended:?}");
    // An older schema, so that the start has to migrate it.
    let Database::Sqlite(path) = disk.database() else { unreachable!() };
    let (Database::Sqlite(adopted), _) = Backend::Sqlite.adopted() else { unreachable!() };
    fs::copy(adopted, &path).unwrap();
    let before = fs::read(&path).unwrap();
    let ended = disk.service().run();
    assert!(ended.refusal().contains("read"), "{ended:?}");
    assert_eq!(fs::read(&path).unwrap(), before, "bytes untouched");
    disk.mend();
    disk.service().start().session();
}

/// Uses SQLite's own mark for a file that may only be read, which also binds root.
#[test]
fn a_file_that_may_only_be_read_serves_reads() {
    let service = Backend::Sqlite.service().start();
    let (_, pair) = service.session();
    service.stop();
    let Database::Sqlite(path) = &service.database else { unreachable!() };
    let mark = |version: u8| {
        let mut bytes = fs::read(path).unwrap();
        bytes[WRITE_VERSION] = version;
        fs::write(path, bytes).unwrap();
    };
    mark(9);
    let service = ServiceBuilder::over(&service.database).start();
    service.watched(|| {
        for _ in 0..10 {
            within_deadline(|| service.refresh(&pair.refresh)).expect_unavailable();
        }
        for _ in 0..10 {
            within_deadline(|| service.me(&pair.access)).expect(200);
        }
    });
    service.kill();
    mark(2);
    service.again().start().refresh(&pair.refresh).expect(200);
}
