//! Adoption of an SQLite file of the FastAPI application.

use super::Sandbox;
use crate::adoption::{
    assert_accounts_are_kept, assert_differing_accounts_are_kept, assert_tokens_are_kept, assert_told,
    identifiers_keep_their_spelling, sessions_keep_adopted_identifiers,
};
use crate::logs::logged_by;
use crate::samples::{accounts, all_migrations, now, patient, register};
use portcullis_diesel::{Migrations, StoreOptions};
use portcullis_domain::registration::UserId;
use portcullis_ports::{Remains, Store, StoreExt};
use tracing::Level;

const SEED_USERS: &str =
    "SELECT id || '|' || email || '|' || hashed_password || '|' || is_active || '|' || created_at FROM users";
const SEED_TOKENS: &str = "SELECT id || '|' || jti || '|' || user_id || '|' || expires_at || '|' || revoked || '|' || created_at FROM refresh_tokens";

#[test]
fn accounts_and_tokens_are_adopted() {
    let sandbox = Sandbox::of_the_application();
    let before = (sandbox.query(SEED_USERS), sandbox.query(SEED_TOKENS));
    let store = sandbox.store();
    assert_eq!((sandbox.query(SEED_USERS), sandbox.query(SEED_TOKENS)), before);
    assert_eq!((before.0.len(), before.1.len()), (9, 32));
    assert_accounts_are_kept(&store);
    assert_differing_accounts_are_kept(&store);
    assert_tokens_are_kept(&store, "b61cdec998984cfaa1b234ea8e50c83c", "0f27355081d1476db2829701631d2e85");
}

#[test]
fn adopting_again_changes_nothing() {
    let sandbox = Sandbox::of_the_application();
    let store = sandbox.open_with(&patient());
    assert_eq!(store.pending(), Ok(all_migrations()));
    assert_eq!(store.migrate(), Ok(all_migrations()));
    let schema = sandbox.query("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY name");
    for store in [store, sandbox.open_with(&patient())] {
        assert_eq!((store.pending(), store.migrate()), (Ok(Vec::new()), Ok(Vec::new())));
        assert_accounts_are_kept(&store);
    }
    assert_eq!(sandbox.query("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY name"), schema);
}

#[test]
fn a_new_file_gets_the_schema_that_an_adopted_one_has() {
    let columns = "SELECT m.name || '.' || c.name || ' ' || c.type || ' ' || c.\"notnull\" || ' ' || ifnull(c.dflt_value, '') \
        FROM sqlite_master m, pragma_table_info(m.name) c WHERE m.type = 'table' AND m.name NOT LIKE '\\_\\_%' ESCAPE '\\' \
        ORDER BY m.name, c.cid";
    let (fresh, adopted) = (Sandbox::new(), Sandbox::of_the_application());
    fresh.store();
    adopted.store();
    assert_eq!(fresh.query(columns), adopted.query(columns));
    let indexes = "SELECT name FROM sqlite_master WHERE type = 'index' ORDER BY name";
    assert_eq!(fresh.query(indexes), adopted.query(indexes));
}

#[test]
fn the_application_goes_on_working_beside() {
    let sandbox = Sandbox::of_the_application();
    let store = sandbox.store();
    // The application's own statements, which name only its own columns.
    sandbox.execute(
        "INSERT INTO users (email, hashed_password, is_active) VALUES ('Ivan@example.com', '$2b$12$x', 1);
         INSERT INTO refresh_tokens (jti, user_id, expires_at, revoked)
         VALUES ('00000000000040008000000000000001', 10, '2126-10-29 14:04:44.905380', 0);
         UPDATE refresh_tokens SET revoked = 1 WHERE refresh_tokens.id = 33;",
    );
    assert_eq!(accounts(&store, "ivan@example.com").unwrap()[0].id.get(), 10);
    assert_eq!(register(&store, "ivan@example.com"), Ok(None));
    // The application can read what Portcullis writes: times are text in its format.
    register(&store, "judy@example.com").unwrap();
    assert_eq!(sandbox.query("SELECT created_at FROM users WHERE id = 11"), ["2026-11-23 02:13:20.000000"]);
}

#[test]
fn the_log_tells_what_was_adopted_once() {
    let sandbox = Sandbox::of_the_application();
    assert_told(&logged_by("app", Level::INFO, || drop(sandbox.store())));
    assert_eq!(logged_by("app", Level::INFO, || drop(sandbox.store())), [""; 0]);
    assert_eq!(logged_by("app", Level::INFO, || drop(Sandbox::new().store())), [""; 0]);
}

#[test]
fn statements_are_logged_without_their_values() {
    let sandbox = Sandbox::new();
    sandbox.store();
    let store = sandbox.open_with(&StoreOptions { log_statements: true, ..patient() });
    let lines = logged_by("app.store", Level::DEBUG, || drop(register(&store, "secret@example.com")));
    assert!(lines.iter().any(|line| line.contains("INSERT INTO `users`")), "{lines:?}");
    assert!(!lines.iter().any(|line| line.contains("secret") || line.contains("$2b$")), "{lines:?}");
}

#[test]
fn tokens_keep_the_spelling_of_their_identifiers() {
    let sandbox = Sandbox::of_the_application();
    identifiers_keep_their_spelling(|sql| sandbox.execute(sql), || sandbox.store());
}

#[test]
fn sessions_of_the_release_before_keep_their_tokens() {
    let sandbox = Sandbox::of_the_application();
    sessions_keep_adopted_identifiers(|sql| sandbox.execute(sql), &sandbox.store());
}

/// Without AUTOINCREMENT, SQLite reuses the id of the last account after it is deleted.
#[test]
fn an_id_is_never_given_twice() {
    for (seed, first) in
        [("", 1), ("INSERT INTO users (email, hashed_password) VALUES ('a@b.org', 'x'), ('c@d.org', 'x');", 3)]
    {
        let sandbox = Sandbox::new();
        sandbox.execute(&format!("{}{seed}", WITHOUT_AUTOINCREMENT));
        let store = sandbox.store();
        let mut given = Vec::new();
        for number in 0..3 {
            let user = register(&store, &format!("n{number}@example.com")).unwrap().unwrap();
            delete(&store, user.id);
            given.push(user.id.get());
        }
        assert_eq!(given, [first, first + 1, first + 2]);
        // An account that the application added and an operator deleted by hand.
        sandbox
            .execute("INSERT INTO users (id, email, hashed_password) VALUES (50, 'e@f.org', 'x'); DELETE FROM users");
        assert_eq!(register(&store, "g@h.org").unwrap().unwrap().id.get(), 51);
    }
}

#[test]
fn id_of_an_account_deleted_before_adoption_is_not_reused() {
    let sandbox = Sandbox::new();
    sandbox.execute(WITHOUT_AUTOINCREMENT);
    sandbox
        .execute("INSERT INTO refresh_tokens (jti, user_id, expires_at) VALUES ('x', 7, '2126-10-29 14:04:44.905380')");
    assert_eq!(register(&sandbox.store(), "ada@example.com").unwrap().unwrap().id.get(), 8);
    // The application's own table has AUTOINCREMENT, which remembers the id.
    let sandbox = Sandbox::of_the_application();
    sandbox.execute("UPDATE sqlite_sequence SET seq = 70 WHERE name = 'users'");
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
