//! Tables that differ from the FastAPI application's are checked before anything is changed.

use crate::databases::TestDatabase;
use crate::samples::{accounts, impatient, now, patient, register};
use chrono::TimeDelta;
use portcullis_diesel::{MigrateError, Migrations, Severity, StoreOptions};
use portcullis_domain::registration::UserId;
use portcullis_ports::{Remains, StoreError, StoreExt, Tx};
use std::num::NonZeroU32;

on_both! {
    the_applications_own_tables_give_nothing_to_tell,
    an_account_that_another_table_refers_to_keeps_its_row,
    callers_beyond_the_pool_are_busy,
}

/// Applies `change`, and returns the error that refuses adoption. Checks that nothing else was changed.
pub(crate) fn refused<D: TestDatabase>(sandbox: &D, change: &str) -> String {
    sandbox.run(change);
    let before = sandbox.rows(D::SCHEMA);
    let store = sandbox.open(&patient());
    let error = store.migrate().unwrap_err();
    assert_eq!(sandbox.rows(D::SCHEMA), before, "{change}");
    let told: Vec<_> = store.inspect().unwrap().into_iter().filter(|f| f.severity == Severity::Blocks).collect();
    let MigrateError::Unfit(refusal) = error else { panic!("{change}: {error}") };
    assert!(told.iter().any(|finding| refusal.contains(&finding.what)), "{told:?} for {refusal}");
    assert!(!refusal.contains('\n'), "{refusal}");
    refusal
}

fn the_applications_own_tables_give_nothing_to_tell<D: TestDatabase>() {
    let sandbox = D::of_the_application();
    assert_eq!(sandbox.open(&patient()).inspect(), Ok(Vec::new()));
    assert_eq!(sandbox.store().inspect(), Ok(Vec::new()));
}

/// A violated deferred foreign key would fail the commit, and with it other deletions: those of its
/// transaction and, on SQLite, of all that share the commit.
fn an_account_that_another_table_refers_to_keeps_its_row<D: TestDatabase>() {
    for clause in ["", "DEFERRABLE INITIALLY DEFERRED", "ON DELETE RESTRICT"] {
        let sandbox = D::new();
        let store = sandbox.store();
        let [ada, bob, eve] =
            ["ada@b.org", "bob@b.org", "eve@b.org"].map(|email| register(&store, email).unwrap().unwrap().id);
        sandbox.run(&format!(
            "CREATE TABLE \"my orders\" (owner_id BIGINT REFERENCES users (id) {clause}); \
             INSERT INTO \"my orders\" VALUES ({ada})"
        ));
        let finish = |tx: &mut dyn Tx, id: UserId| {
            tx.users().mark_deleted(id, now())?;
            tx.users().delete_row_if_empty(id, now() + TimeDelta::hours(1))
        };
        let finished = store.write(|tx| Ok::<_, StoreError>([finish(tx, ada)?, finish(tx, bob)?]));
        let kept = Remains::Referenced { by: "my orders".to_owned() };
        assert_eq!(finished, Ok([kept, Remains::Nothing]), "{clause}");
        let marked = "SELECT email || hashed_password FROM users WHERE NOT is_active";
        assert_eq!(sandbox.rows(marked), format!("deleted:{ada}!\n"), "{clause}");
        store.write(|tx| tx.users().mark_deleted(eve, now() + TimeDelta::minutes(1))).unwrap();
        let order = store.read(|tx| tx.users().list_marked_deleted(9));
        assert_eq!(order, Ok(vec![eve, ada]), "the kept row goes last");
        sandbox.run("DELETE FROM \"my orders\"");
        assert_eq!(store.write(|tx| finish(tx, ada)), Ok(Remains::Nothing));
    }
}

fn callers_beyond_the_pool_are_busy<D: TestDatabase>() {
    let sandbox = D::new();
    sandbox.store();
    let store = sandbox.open(&StoreOptions { connections: NonZeroU32::MIN, ..impatient() });
    assert_eq!(store.pending(), Ok(Vec::new()));
    let nested = store.read(|_| Ok::<_, StoreError>(accounts(&store, "ada@example.com")));
    assert!(matches!(nested, Ok(Err(StoreError::Busy(_)))), "{nested:?}");
    assert_eq!(accounts(&store, "ada@example.com"), Ok(Vec::new()));
}
