//! F9 and F10: the database file is deleted, replaced or corrupt.

use crate::prelude::*;
use std::path::{Path, PathBuf};

fn start() -> (Service, PathBuf) {
    let service = Backend::Sqlite.service().start();
    let Database::Sqlite(path) = &service.database else { unreachable!() };
    let path = path.clone();
    (service, path)
}

/// Once unlinked, the file is lost to other processes, but a process that has it open could continue
/// indefinitely.
#[test]
fn a_deleted_file_acknowledges_nothing() {
    let (service, path) = start();
    let (account, pair) = service.session();
    let aside = path.with_extension("aside");
    let histories = service.watched(|| {
        work(&[&service], |progress| {
            for _ in 0..3 {
                progress.acknowledge(60);
                fs::rename(&path, &aside).unwrap();
                expect_refused(&service, &account, &pair);
                assert!(!path.exists(), "it is not made anew behind the operator's back");
                fs::rename(&aside, &path).unwrap();
                service.expect_healed();
            }
        })
    });
    check(&histories, &service);
    fs::remove_file(&path).unwrap();
    expect_refused(&service, &account, &pair);
    service.stop();
}

/// Checks that every call gets 503, including calls that were in progress.
fn expect_refused(service: &Service, account: &Account, pair: &Pair) {
    for _ in 0..5 {
        within_deadline(|| service.register(&fresh_email(), "long enough")).expect_unavailable();
        within_deadline(|| service.login(&account.email, &account.password)).expect_unavailable();
        within_deadline(|| service.refresh(&pair.refresh)).expect_unavailable();
        within_deadline(|| service.logout(&pair.refresh)).expect_unavailable();
        within_deadline(|| service.me(&pair.access)).expect_unavailable();
    }
}

#[test]
fn a_replaced_file_acknowledges_nothing() {
    let (service, path) = start();
    let (account, pair) = service.session();
    let (other, impostor) = start();
    other.account();
    other.stop();
    let before = fs::read(&impostor).unwrap();
    let aside = path.with_extension("aside");
    let histories = service.watched(|| {
        work(&[&service], |progress| {
            for _ in 0..3 {
                progress.acknowledge(60);
                fs::rename(&path, &aside).unwrap();
                fs::rename(&impostor, &path).unwrap();
                expect_refused(&service, &account, &pair);
                fs::rename(&path, &impostor).unwrap();
                fs::rename(&aside, &path).unwrap();
                service.expect_healed();
            }
        })
    });
    assert_eq!(fs::read(&impostor).unwrap(), before, "nothing was written into the other file");
    check(&histories, &service);
    service.refresh(&pair.refresh).expect(200);
    service.stop();
}

#[test]
fn a_corrupt_file_is_refused_and_left_as_it_is() {
    let (service, path) = start();
    (0..30).for_each(|_| drop(service.session()));
    service.stop();
    let whole = fs::read(&path).unwrap();
    let damaged = |damage: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = whole.clone();
        damage(&mut bytes);
        bytes
    };
    let half = whole.len() / 2;
    for (name, bytes) in [
        ("text", b"this is no database, ".repeat(1000)),
        ("its magic is gone", damaged(&|bytes| bytes[..16].fill(b'x'))),
        ("its page size is none", damaged(&|bytes| bytes[16..18].fill(0xff))),
        ("cut off", damaged(&|bytes| bytes.truncate(half))),
        ("its pages are noise", damaged(&|bytes| bytes[4096..half].fill(0xa5))),
        ("a page is blank", damaged(&|bytes| bytes[4096..8192].fill(0))),
    ] {
        let path = fresh_folder().join("app.db");
        fs::write(&path, &bytes).unwrap();
        expect_start_refused(&path, name);
        assert!(fs::read(&path).unwrap() == bytes, "{name}: the bytes were touched");
    }
}

/// Checks that the start fails with one line that names the file.
fn expect_start_refused(path: &Path, name: &str) {
    let ended = ServiceBuilder::over(&Database::Sqlite(path.to_path_buf())).run();
    let line = ended.refusal();
    assert!(line.contains(path.to_str().unwrap()) && !line.contains("panicked"), "{name}: {ended:?}");
}

#[test]
fn what_is_no_file_is_refused() {
    let folder = fresh_folder();
    for path in [folder.join("missing/app.db"), folder] {
        let ended = ServiceBuilder::over(&Database::Sqlite(path)).run();
        assert!(!ended.refusal().contains("panicked"), "{ended:?}");
    }
}

/// Damage to an open file is detected when it is read.
#[test]
fn a_file_that_is_overwritten_while_open_is_an_outage() {
    let (service, path) = start();
    let (account, pair) = service.session();
    service.stop();
    let whole = fs::read(&path).unwrap();
    let service = service.again().start();
    let noise = vec![0xa5; whole.len() - 4096];
    fs::write(&path, [&whole[..4096], &noise].concat()).unwrap();
    service.watched(|| {
        for _ in 0..10 {
            within_deadline(|| service.login(&account.email, &account.password)).expect_unavailable();
            within_deadline(|| service.refresh(&pair.refresh)).expect_unavailable();
            within_deadline(|| service.me(&pair.access)).expect_unavailable();
        }
    });
    service.kill();
}
