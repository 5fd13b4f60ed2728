//! Outbox, in addition to the conformance suite.

use crate::databases::TestDatabase;
use crate::logs::logged_by;
use crate::samples::{now, order};
use chrono::TimeDelta;
use portcullis_domain::mail::NewMail;
use portcullis_domain::registration::EmailAddress;
use portcullis_ports::{MailId, OutboxCounts, QueuedMail, Store, StoreError, StoreExt};
use std::collections::BTreeSet;
use std::sync::Barrier;
use tracing::Level;

on_both! {
    two_processes_share_the_work_and_send_nothing_twice,
    a_mail_that_cannot_be_read_stands_in_nobodys_way,
    what_a_mail_server_says_is_kept_in_one_line,
}

/// Claims an email that is due `later` from now, for 90 seconds.
pub(crate) fn take(store: &dyn Store, later: TimeDelta) -> Result<Option<QueuedMail>, StoreError> {
    store.write(|tx| tx.outbox().claim_next(now() + later, now() + later + TimeDelta::seconds(90)))
}

/// Enqueues `count` emails, with ids from 1 in an empty outbox.
pub(crate) fn enqueue(store: &dyn Store, count: u32) {
    store.write(|tx| (0..count).try_for_each(|_| tx.outbox().enqueue(&order(None)))).unwrap();
}

/// Two processes with several threads each claim and settle a thousand emails, each exactly once. Every
/// tenth is lost by its first claimer, and claimed again when the lease ends.
fn two_processes_share_the_work_and_send_nothing_twice<D: TestDatabase>() {
    let sandbox = D::new();
    let (one, two): (&dyn Store, &dyn Store) = (&sandbox.store(), &sandbox.store());
    enqueue(one, 1_000);
    let start = Barrier::new(16);
    let work = |store: &dyn Store| {
        let mut sent = Vec::new();
        start.wait();
        while let Some(mail) = take(store, TimeDelta::zero()).unwrap() {
            assert_eq!(mail.tries, 1);
            if mail.id.0 % 10 != 0 {
                assert!(store.write(|tx| tx.outbox().remove(mail.id, mail.tries)).unwrap());
                sent.push(mail.id);
            }
        }
        sent
    };
    let sent: Vec<_> = std::thread::scope(|scope| {
        let (stores, work) = ([one, two].into_iter().cycle().take(16), &work);
        let running: Vec<_> = stores.map(|store| scope.spawn(move || work(store))).collect();
        running.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    let each: BTreeSet<_> = sent.iter().copied().collect();
    assert_eq!((sent.len(), each.len()), (900, 900), "none was sent twice");
    let mut lost = BTreeSet::new();
    while let Some(mail) = take(two, TimeDelta::seconds(90)).unwrap() {
        assert_eq!(mail.tries, 2);
        lost.insert(mail.id);
    }
    assert!(lost.is_disjoint(&each));
    assert_eq!(lost.len(), 100);
    assert!(!one.write(|tx| tx.outbox().remove(*lost.first().unwrap(), 1)).unwrap(), "another has it by now");
}

/// An unreadable email does not block others: it is postponed and finally becomes dead.
fn a_mail_that_cannot_be_read_stands_in_nobodys_way<D: TestDatabase>() {
    let sandbox = D::new();
    let store = &sandbox.store();
    enqueue(store, 1);
    sandbox.run("UPDATE outbox SET occasion = 'of_the_next_release'");
    let bob = EmailAddress::from_stored("bob@example.com".to_owned());
    store.write(|tx| tx.outbox().enqueue(&NewMail { to: bob.clone(), ..order(None) })).unwrap();
    let logged = logged_by("app.mail", Level::DEBUG, || {
        let taken = take(store, TimeDelta::zero()).unwrap();
        assert_eq!(taken.map(|mail| (mail.id, mail.mail.to)), Some((MailId(2), bob)));
    });
    let why = "outbox.occasion of row 1 is unreadable: not an occasion";
    let put_off = format!("WARN message=Mail is unreadable and was put off mail=1 damage={why}");
    assert_eq!(logged, std::slice::from_ref(&put_off));
    assert!(store.write(|tx| tx.outbox().remove(MailId(2), 1)).unwrap());
    let load = || store.read(|tx| tx.outbox().count(9)).unwrap();
    assert_eq!(load(), OutboxCounts { waiting: 1, dead: 0 });
    let mut logged = Vec::new();
    for hour in 1..60 {
        logged.extend(logged_by("app.mail", Level::DEBUG, || {
            assert_eq!(take(store, TimeDelta::hours(hour)), Ok(None));
        }));
    }
    assert_eq!((logged.len(), logged.first()), (39, Some(&put_off)));
    let given_up = format!("ERROR message=Mail is unreadable and was given up mail=1 damage={why}");
    assert_eq!(logged.last(), Some(&given_up));
    assert_eq!(load(), OutboxCounts { waiting: 0, dead: 1 });
    assert!(store.read(|tx| tx.outbox().list(None, 9)).is_err(), "whoever lists it is told");
    assert_eq!(store.write(|tx| tx.outbox().retry(MailId(1), now())), Ok(true));
    assert_eq!(load(), OutboxCounts { waiting: 1, dead: 0 });
}

/// A mail server's error is stored in one line of limited length.
fn what_a_mail_server_says_is_kept_in_one_line<D: TestDatabase>() {
    let sandbox = D::new();
    let store = &sandbox.store();
    enqueue(store, 1);
    let mail = take(store, TimeDelta::zero()).unwrap().unwrap();
    let error = format!("550\r\n\0{}", "ü".repeat(9_999));
    assert_eq!(store.write(|tx| tx.outbox().postpone(mail.id, 1, now(), &error)), Ok(true));
    let kept = store.read(|tx| tx.outbox().list(None, 9)).unwrap().remove(0).last_error.unwrap();
    assert_eq!(kept, format!("550   {}", "ü".repeat(494)));
}
