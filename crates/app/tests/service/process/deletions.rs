//! Deleting an account: while the service is in use, with many rows, and interrupted.

use super::cli_harness::{command, done};
use crate::prelude::*;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;

on_both_databases!(
    a_deletion_under_load_leaves_no_row_behind,
    a_deletion_that_is_killed_is_finished_by_a_purge,
    nobody_waits_for_the_deletion_of_many_rows,
);

/// Counts rows that do not belong to the kept accounts. Zero if everything else was deleted.
fn rows_besides(database: &Database, kept: &[i64]) -> [i64; 4] {
    let kept = kept.iter().map(i64::to_string).collect::<Vec<_>>().join(",");
    let kept = if kept.is_empty() { "0".to_owned() } else { kept };
    [
        database.count(&format!("FROM users WHERE id NOT IN ({kept})")),
        database.count(&format!("FROM refresh_tokens WHERE user_id NOT IN ({kept})")),
        database.count(&format!("FROM sessions WHERE user_id NOT IN ({kept})")),
        database.count(&format!(
            "FROM session_events WHERE session_id NOT IN (SELECT id FROM sessions WHERE user_id IN ({kept}))"
        )),
    ]
}

/// Logs in, refreshes and presents spent tokens until the account is locked out.
fn use_until_out(service: &Service, account: &Account, uses: &AtomicU32) {
    loop {
        let reply = service.login(&account.email, &account.password);
        if reply.status != 200 {
            reply.wrong_credentials();
            return;
        }
        let mut pair = Pair::of(&reply);
        for _ in 0..5 {
            let reply = service.refresh(&pair.refresh);
            uses.fetch_add(1, Ordering::Relaxed);
            if reply.status != 200 {
                assert_eq!(reply.status, 401, "{}", reply.text());
                break;
            }
            let next = Pair::of(&reply);
            let again = service.refresh(&pair.refresh);
            assert_eq!(again.status, 401, "{}", again.text());
            pair = next;
        }
    }
}

fn a_deletion_under_load_leaves_no_row_behind(backend: Backend) {
    let service = backend.service().set("REFRESH_GRACE_SECONDS", "60").start();
    let (bystander, pair) = service.session();
    for round in 0..3 {
        let account = service.account();
        let uses = AtomicU32::new(0);
        thread::scope(|scope| {
            for _ in 0..6 {
                scope.spawn(|| use_until_out(&service, &account, &uses));
            }
            eventually("it is used", || (uses.load(Ordering::Relaxed) > 30).then_some(()));
            let told = done(&service.database, &format!("user delete {} --yes", account.id));
            assert!(told.starts_with(&format!("Deleted account {} ({}) and ", account.id, account.email)), "{told}");
        });
        assert_eq!(rows_besides(&service.database, &[bystander.id]), [0; 4], "round {round}");
        let anew = service.register(&account.email, "another passphrase").expect(201);
        assert!(anew["id"].as_i64().unwrap() > account.id);
        done(&service.database, &format!("user delete {} --yes", account.email));
    }
    service.refresh(&pair.refresh).expect(200);
    let errors = service.flushed_log().events().into_iter().filter(|event| event["level"] == "ERROR");
    assert_eq!(errors.collect::<Vec<_>>(), Vec::<Value>::new());
}

/// Adds `count` refresh tokens that can still be presented to an existing session.
fn give_tokens(database: &Database, account: &Account, count: u32) {
    let id = account.id;
    database.execute(&format!(
        "WITH RECURSIVE spent (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM spent WHERE n < {count}) \
         INSERT INTO refresh_tokens (jti, user_id, expires_at, revoked, created_at, session_id) \
         SELECT '{id}-' || n, {id}, '2035-01-08 00:00:00.000000', TRUE, '2026-01-01 00:00:00.000000', \
         (SELECT min(id) FROM sessions WHERE user_id = {id}) FROM spent"
    ));
}

fn a_deletion_that_is_killed_is_finished_by_a_purge(backend: Backend) {
    let service = backend.service().set("PURGE_INTERVAL_MINUTES", "0").start();
    let (account, pair) = service.session();
    let (bystander, other) = service.session();
    let database = &service.database;
    give_tokens(database, &account, 15_000);
    let left = || database.count(&format!("FROM refresh_tokens WHERE user_id = {}", account.id));
    let words = format!("user delete {} --yes", account.id);
    let mut deleting = KillOnDrop::spawn(&mut command(database, &words).command());
    eventually("some are deleted", || (left() < 14_000).then_some(()));
    deleting.child().kill().unwrap();
    deleting.child().wait().unwrap();
    let rest = left();
    assert!(rest > 0, "it was killed too late");
    service.me(&pair.access).revoked();
    service.login(&account.email, &account.password).wrong_credentials();
    assert!(!done(database, "user list").contains(&account.email));
    let by_email = command(database, &format!("user delete {} --yes", account.email)).run();
    assert_eq!(by_email.refusal(), "portcullis: no such account");
    let anew = service.account_with("another passphrase");
    service.register(&account.email, "another passphrase").expect(201);
    let told = done(database, "purge");
    let rows: i64 = told.split(' ').nth(1).unwrap().parse().unwrap();
    // The server may have committed one more batch after the kill.
    assert!(rows >= rest - 1000, "{told}, of {rest}");
    let kept = service.database.texts("id", "FROM users ORDER BY id");
    assert!(!kept.contains(&account.id.to_string()) && kept.contains(&anew.id.to_string()), "{kept:?}");
    let kept: Vec<i64> = kept.iter().map(|id| id.parse().unwrap()).collect();
    assert_eq!(rows_besides(database, &kept), [0; 4]);
    assert!(done(database, "purge").starts_with("Deleted 0 rows"));
    service.me(&other.access).expect(200);
    assert!(kept.contains(&bystander.id));
}

fn nobody_waits_for_the_deletion_of_many_rows(backend: Backend) {
    let service = backend.service().set("PURGE_INTERVAL_MINUTES", "0").start();
    let (account, _) = service.session();
    let (_, mut pair) = service.session();
    give_tokens(&service.database, &account, 15_000);
    let left = || service.database.count(&format!("FROM refresh_tokens WHERE user_id = {}", account.id));
    // Other clients' refreshes pass between the steps of the deletion.
    let between = thread::scope(|scope| {
        let deletion = scope.spawn(|| done(&service.database, &format!("user delete {} --yes", account.id)));
        let (mut between, mut last) = (0, left());
        while !deletion.is_finished() {
            pair = service.renewed(&pair);
            let now = left();
            between += u32::from(now < last && now > 0);
            last = now;
        }
        between
    });
    assert!(between > 1, "{between} steps seen between refreshes");
    assert_eq!(left(), 0);
}
