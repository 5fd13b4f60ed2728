//! Ids and attempts of emails on SQLite.

use super::{Sandbox, TestDatabase};
use crate::mail::{enqueue, take};
use chrono::TimeDelta;
use portcullis_ports::{MailId, StoreExt};

#[test]
fn a_mail_whose_tries_cannot_be_read_is_given_up_at_once() {
    let sandbox = Sandbox::new();
    let store = sandbox.store();
    enqueue(&store, 1);
    sandbox.run("UPDATE outbox SET tries = 1e99");
    assert_eq!(take(&store, TimeDelta::zero()), Ok(None));
    assert_eq!(sandbox.query("SELECT last_error FROM outbox WHERE dead_at IS NOT NULL").len(), 1);
}

#[test]
fn no_number_of_a_mail_is_given_twice() {
    let sandbox = Sandbox::new();
    let store = sandbox.store();
    enqueue(&store, 1);
    let first = take(&store, TimeDelta::zero()).unwrap().unwrap();
    assert_eq!(store.write(|tx| tx.outbox().remove(first.id, 1)), Ok(true));
    enqueue(&store, 1);
    let next = take(&store, TimeDelta::zero()).unwrap().unwrap();
    assert_eq!((first.id, next.id), (MailId(1), MailId(2)), "who is slow to settle the first must not settle this");
}
