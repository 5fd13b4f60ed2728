//! Ids and times in a file of the FastAPI application.

use super::{Sandbox, TestDatabase};
use crate::samples::{now, register};
use portcullis_domain::registration::UserId;
use portcullis_ports::{Remains, Store, StoreExt};

#[test]
fn the_application_can_read_the_times_that_are_written() {
    let sandbox = Sandbox::of_the_application();
    register(&sandbox.store(), "judy@example.com").unwrap();
    assert_eq!(sandbox.query("SELECT created_at FROM users WHERE id = 10"), ["2026-11-23 02:13:20.000000"]);
}

/// Without AUTOINCREMENT, SQLite reuses the id of the last account after it is deleted.
#[test]
fn an_id_is_never_given_twice() {
    for (seed, first) in
        [("", 1), ("INSERT INTO users (email, hashed_password) VALUES ('a@b.org', 'x'), ('c@d.org', 'x');", 3)]
    {
        let sandbox = Sandbox::new();
        sandbox.run(&format!("{}{seed}", WITHOUT_AUTOINCREMENT));
        let store = sandbox.store();
        let mut given = Vec::new();
        for number in 0..3 {
            let user = register(&store, &format!("n{number}@example.com")).unwrap().unwrap();
            delete(&store, user.id);
            given.push(user.id.get());
        }
        assert_eq!(given, [first, first + 1, first + 2]);
        // An account that the application added and an operator deleted by hand.
        sandbox.run("INSERT INTO users (id, email, hashed_password) VALUES (50, 'e@f.org', 'x'); DELETE FROM users");
        assert_eq!(register(&store, "g@h.org").unwrap().unwrap().id.get(), 51);
    }
}

#[test]
fn id_of_an_account_deleted_before_adoption_is_not_reused() {
    let sandbox = Sandbox::new();
    sandbox.run(WITHOUT_AUTOINCREMENT);
    sandbox.run("INSERT INTO refresh_tokens (jti, user_id, expires_at) VALUES ('x', 7, '2126-10-29 14:04:44.905380')");
    assert_eq!(register(&sandbox.store(), "ada@example.com").unwrap().unwrap().id.get(), 8);
    // The application's own table has AUTOINCREMENT, which remembers the id.
    let sandbox = Sandbox::of_the_application();
    sandbox.run("UPDATE sqlite_sequence SET seq = 70 WHERE name = 'users'");
    assert_eq!(register(&sandbox.store(), "judy@example.com").unwrap().unwrap().id.get(), 71);
}

fn delete(store: &dyn Store, id: UserId) {
    let deleted = store.write(|tx| {
        tx.users().mark_deleted(id, now())?;
        tx.users().delete_row_if_empty(id, now())
    });
    assert_eq!(deleted, Ok(Remains::Nothing));
}

/// The application's tables, as SQLAlchemy creates them by default.
const WITHOUT_AUTOINCREMENT: &str =
    "CREATE TABLE users (id INTEGER NOT NULL, email VARCHAR(255) NOT NULL, hashed_password VARCHAR(255) NOT NULL,
        is_active BOOLEAN DEFAULT 1 NOT NULL, created_at DATETIME DEFAULT CURRENT_TIMESTAMP NOT NULL,
        PRIMARY KEY (id), UNIQUE (email));
    CREATE TABLE refresh_tokens (id INTEGER NOT NULL, jti VARCHAR(36) NOT NULL, user_id INTEGER NOT NULL,
        expires_at DATETIME NOT NULL, revoked BOOLEAN DEFAULT 0 NOT NULL,
        created_at DATETIME DEFAULT CURRENT_TIMESTAMP NOT NULL, PRIMARY KEY (id), UNIQUE (jti));";
