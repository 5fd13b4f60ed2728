//! Passkeys, in addition to the conformance suite: what `doctor` counts.

use crate::databases::TestDatabase;
use crate::samples::{clock_that_goes, passkey, patient, register};
use portcullis_diesel::{Database, DatabaseUrl};
use portcullis_domain::passkeys::{CredentialId, Passkey, PasskeyId};
use portcullis_ports::StoreExt;

on_both! {
    passkeys_of_other_rp_ids_are_counted,
}

fn passkeys_of_other_rp_ids_are_counted<D: TestDatabase>() {
    let sandbox = D::new();
    let url = DatabaseUrl::parse(&sandbox.url()).unwrap();
    let database = Database::open(&url, &patient(), clock_that_goes()).unwrap();
    assert!(database.count_passkeys_of_other_rp_ids("example.com").is_err(), "there is no table");
    database.migrations.migrate().unwrap();
    let count = |rp_id| database.count_passkeys_of_other_rp_ids(rp_id).unwrap();
    assert_eq!(count("example.com"), 0);
    let ada = register(&*database.store, "ada@example.com").unwrap().unwrap().id;
    for (number, rp_id) in (1..).zip(["example.com", "Example.com", "login.example.com", "example.org"]) {
        let new = Passkey {
            id: PasskeyId::from_random([number; 16]),
            credential_id: CredentialId::new(vec![number]).unwrap(),
            rp_id: rp_id.to_owned(),
            ..passkey(ada)
        };
        assert!(database.store.write(|tx| tx.passkeys().insert(&new)).unwrap());
    }
    assert_eq!((count("example.com"), count("example.org"), count("")), (3, 3, 4));
}
