//! Outbox and email addresses on PostgreSQL.

use super::{Sandbox, TestDatabase};
use crate::mail::{enqueue, take};
use crate::samples::{newcomer, now, patient, register};
use chrono::TimeDelta;
use portcullis_domain::registration::EmailAddress;
use portcullis_ports::{EmailChange, MailId, StoreError, StoreExt};
use std::sync::Barrier;

#[test]
fn whoever_takes_a_mail_waits_for_nobody() {
    let sandbox = Sandbox::new();
    // A claim that waited for a lock would fail.
    let (one, two) = (sandbox.store(), sandbox.open_with("?options=-c%20lock_timeout%3D50ms", &patient()));
    portcullis_diesel::Migrations::pending(&two).unwrap();
    enqueue(&one, 2);
    let taken = one.write(|tx| {
        let first = tx.outbox().claim_next(now(), now() + TimeDelta::seconds(90))?;
        let second = take(&two, TimeDelta::zero())?;
        assert_eq!(take(&two, TimeDelta::zero())?, None, "the first is another's, though nothing is committed");
        Ok::<_, StoreError>([first, second].map(|mail| mail.map(|mail| mail.id)))
    });
    assert_eq!(taken, Ok([Some(MailId(1)), Some(MailId(2))]));
}

/// The unique index rejects the change, not the query before it, and the transaction continues.
#[test]
fn email_change_to_a_concurrently_registered_email_is_taken() {
    let sandbox = Sandbox::new();
    let store = sandbox.store();
    let ada = register(&store, "ada@example.com").unwrap().unwrap();
    let (new, registered) = (EmailAddress::from_stored("new@example.com".to_owned()), Barrier::new(2));
    let waiting = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'transactionid'";
    let outcome = std::thread::scope(|scope| {
        let changing = scope.spawn(|| {
            registered.wait();
            store.write(|tx| {
                let change = tx.users().change_email(ada.id, &ada.email, &new, now())?;
                let verified = tx.users().verify_email(ada.id, &ada.email, now())?;
                Ok::<_, StoreError>((change, verified))
            })
        });
        let other = store.write(|tx| {
            let other = tx.users().insert(&newcomer("New@example.com"))?;
            registered.wait();
            // Wait until the change is blocked by the uncommitted row.
            while sandbox.execute(waiting).is_empty() && !changing.is_finished() {}
            Ok::<_, StoreError>(other.is_some())
        });
        assert_eq!(other, Ok(true));
        changing.join().unwrap()
    });
    assert_eq!(outcome, Ok((EmailChange::Taken, true)));
}

#[test]
fn adopted_duplicate_enters_the_unique_index_on_email_change() {
    let sandbox = Sandbox::of_the_application();
    let store = sandbox.store();
    let accounts = crate::samples::accounts(&store, "erin@example.com").unwrap();
    let (one, two) = (&accounts[0], &accounts[1]);
    let new = EmailAddress::from_stored("New@example.com".to_owned());
    let change = |user: &portcullis_domain::registration::User, new: &EmailAddress| {
        store.write(|tx| tx.users().change_email(user.id, &user.email, new, now())).unwrap()
    };
    assert_eq!(change(one, &two.email), EmailChange::Taken);
    assert_eq!(change(one, &new), EmailChange::Changed);
    assert_eq!(register(&store, "NEW@example.com"), Ok(None));
    let clash = sandbox
        .execute("SELECT count(*) FROM users WHERE lower(email) = 'new@example.com' AND NOT email_case_sensitive");
    assert_eq!(clash.trim(), "1");
}
