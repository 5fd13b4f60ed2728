//! Outbox on SQLite.

use super::Sandbox;
use crate::mail::{
    assert_errors_are_kept_in_one_line, assert_the_unreadable_is_passed_over, assert_two_processes_share_the_work,
};

#[test]
fn two_processes_share_the_work_and_send_nothing_twice() {
    let sandbox = Sandbox::new();
    assert_two_processes_share_the_work(&sandbox.store(), &sandbox.store());
}

#[test]
fn a_mail_that_cannot_be_read_stands_in_nobodys_way() {
    let sandbox = Sandbox::new();
    assert_the_unreadable_is_passed_over(&sandbox.store(), || sandbox.execute("UPDATE outbox SET occasion = 'x'"));
}

#[test]
fn a_mail_whose_tries_cannot_be_read_is_given_up_at_once() {
    let sandbox = Sandbox::new();
    let store = sandbox.store();
    crate::mail::enqueue(&store, 1);
    sandbox.execute("UPDATE outbox SET tries = 1e99");
    assert_eq!(crate::mail::take(&store, chrono::TimeDelta::zero()), Ok(None));
    assert_eq!(sandbox.query("SELECT last_error FROM outbox WHERE dead_at IS NOT NULL").len(), 1);
}

#[test]
fn what_a_mail_server_says_is_kept_in_one_line() {
    assert_errors_are_kept_in_one_line(&Sandbox::new().store());
}

#[test]
fn no_number_of_a_mail_is_given_twice() {
    use portcullis_ports::{MailId, StoreExt};
    let sandbox = Sandbox::new();
    let store = sandbox.store();
    crate::mail::enqueue(&store, 1);
    let first = crate::mail::take(&store, chrono::TimeDelta::zero()).unwrap().unwrap();
    assert_eq!(store.write(|tx| tx.outbox().remove(first.id, 1)), Ok(true));
    crate::mail::enqueue(&store, 1);
    let next = crate::mail::take(&store, chrono::TimeDelta::zero()).unwrap().unwrap();
    assert_eq!((first.id, next.id), (MailId(1), MailId(2)), "who is slow to settle the first must not settle this");
}
