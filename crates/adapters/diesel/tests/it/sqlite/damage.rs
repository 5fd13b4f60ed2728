//! Damaged files and damaged rows: rejected or reported, never a panic, never a guess.

use super::{Sandbox, TestDatabase};
use crate::samples::{
    account_with_token, accounts, clock, code, device, factor, flow, identity, now, order, passkey, patient, record,
    rotation,
};
use chrono::TimeDelta;
use portcullis_diesel::{Migrations, OpenError, SqliteStore};
use portcullis_domain::passkeys::UserHandle;
use portcullis_domain::tokens::Jti;
use portcullis_domain::verification::TokenDigest;
use portcullis_ports::{Store, StoreError, StoreExt};
use std::fs;

fn jti() -> Jti {
    Jti::from_random([1; 16])
}

/// Returns the error of finding the account or its token once a column contains this SQL value.
fn damaged(table: &'static str, column: &'static str, value: &str) -> StoreError {
    let sandbox = Sandbox::new();
    let store = sandbox.store();
    let user = account_with_token(&store, "ada@example.com", jti());
    let mailed = store.write(|tx| {
        tx.one_time_tokens().upsert(&record(user.id))?;
        tx.factors().replace_pending(&factor(user.id))?;
        tx.factors().trust(&device(user.id))?;
        tx.passkeys().insert(&passkey(user.id))?;
        tx.passkeys().set_handle(user.id, &UserHandle::from_random([7; 32]))?;
        tx.identities().insert(&identity(user.id))?;
        tx.sign_ins().insert_flow(&flow())?;
        tx.sign_ins().insert_code(&code(user.id))?;
        tx.outbox().enqueue(&order(Some(user.id)))
    });
    mailed.unwrap();
    sandbox.run(&format!(
        "PRAGMA ignore_check_constraints = ON; PRAGMA foreign_keys = OFF; UPDATE {table} SET {column} = {value}"
    ));
    let find = |store: &dyn Store| match table {
        "outbox" => store.read(|tx| tx.outbox().list(None, 9)).map(drop),
        "one_time_tokens" => store.read(|tx| tx.one_time_tokens().find(TokenDigest::new([7; 32]))).map(drop),
        "totp_factors" => store.read(|tx| tx.factors().totp(user.id)).map(drop),
        "trusted_devices" => store.read(|tx| tx.factors().trusted_devices(user.id, now())).map(drop),
        "identities" => store.read(|tx| tx.identities().find(&identity(user.id).key)).map(drop),
        "sign_in_flows" => store.read(|tx| tx.sign_ins().flow(&flow().state)).map(drop),
        "sign_in_codes" => store.read(|tx| tx.sign_ins().code(&code(user.id).digest)).map(drop),
        "passkeys" => store.read(|tx| tx.passkeys().list(user.id)).map(drop),
        "users" if column == "passkey_handle" => store.read(|tx| tx.passkeys().handle(user.id)).map(drop),
        "users" => store.read(|tx| tx.users().find(user.id)).map(drop),
        _ => store.read(|tx| tx.refresh_tokens().find(jti())).map(drop),
    };
    let error = find(&store).unwrap_err();
    assert!(accounts(&store, "bob@example.com").is_ok(), "the store goes on");
    error
}

#[test]
fn damaged_rows_are_reported_by_table_column_and_number() {
    for (table, column, value, reason) in [
        ("users", "email", "x'616461'", "not text"),
        ("users", "email", "cast(x'61ff' AS text)", "not UTF-8"),
        ("users", "is_active", "'abc'", "not an integer"),
        ("users", "is_active", "2", "neither 0 nor 1"),
        ("users", "is_active", "x'01'", "not an integer"),
        ("users", "created_at", "12345", "not text"),
        ("users", "created_at", "'yesterday'", "not a time"),
        ("users", "created_at", "x'ff'", "not text"),
        ("users", "email_verified_at", "'soon'", "not a time"),
        ("refresh_tokens", "expires_at", "'never'", "not a time"),
        ("refresh_tokens", "expires_at", "1e400", "not text"),
        ("refresh_tokens", "created_at", "''", "not a time"),
        ("refresh_tokens", "revoked", "'no'", "not an integer"),
        ("refresh_tokens", "spent_key", "x'00', revoked = 1", "not 32 bytes"),
        ("refresh_tokens", "spent_key", "'text'", "not binary"),
        ("refresh_tokens", "successor_jti", "'', spent_at = created_at, revoked = 1", "not a token identifier"),
        ("refresh_tokens", "spent_at", "0, successor_jti = jti, revoked = 1", "not text"),
        ("refresh_tokens", "session_id", "'x'", "not an integer"),
        ("sessions", "sid", "'x'", "not a session identifier"),
        ("sessions", "sid", "x'00'", "not text"),
        ("sessions", "user_id", "'x'", "not an integer"),
        ("sessions", "created_at", "'never'", "not a time"),
        ("sessions", "created_at", "5", "not text"),
        ("sessions", "ended_at", "'never'", "not a time"),
        ("sessions", "ended_at", "0", "not text"),
        ("sessions", "device", "'x'", "not binary"),
        ("sessions", "device", "x'00'", "not 32 bytes"),
        ("one_time_tokens", "purpose", "'x'", "not a purpose"),
        ("one_time_tokens", "purpose", "x'00'", "not text"),
        ("one_time_tokens", "user_id", "'x'", "not an integer"),
        ("one_time_tokens", "email", "cast(x'61ff' AS text)", "not UTF-8"),
        ("one_time_tokens", "password_version", "x'00'", "not 32 bytes"),
        ("one_time_tokens", "password_version", "'x'", "not binary"),
        ("one_time_tokens", "expires_at", "'never'", "not a time"),
        ("one_time_tokens", "expires_at", "5", "not text"),
        ("outbox", "occasion", "'x'", "not an occasion"),
        ("outbox", "occasion", "x'00'", "not text"),
        ("outbox", "user_id", "'x'", "not an integer"),
        ("outbox", "email", "x'616461'", "not text"),
        ("outbox", "language", "'x'", "not a language"),
        ("outbox", "seed", "x'00'", "not 32 bytes"),
        ("outbox", "seed", "'x'", "not binary"),
        ("outbox", "ip_address", "'x'", "not an address"),
        ("outbox", "user_agent", "x'00'", "not text"),
        ("outbox", "created_at", "'never'", "not a time"),
        ("outbox", "due_at", "5", "not text"),
        ("outbox", "tries", "-1", "out of range"),
        ("outbox", "tries", "'x'", "not an integer"),
        ("outbox", "armed", "2", "neither 0 nor 1"),
        ("outbox", "dead_at", "'never'", "not a time"),
        ("outbox", "last_error", "x'00'", "not text"),
    ] {
        let expected = StoreError::Corrupt { table, column, id: 1, reason: reason.to_owned() };
        assert_eq!(damaged(table, column, value), expected, "{table}.{column} = {value}");
    }
}

#[test]
fn damaged_second_factors_are_reported_by_table_column_and_number() {
    for (table, column, value, reason) in [
        ("totp_factors", "factor_id", "'x'", "not a factor identifier"),
        ("totp_factors", "name", "x'00'", "not text"),
        ("totp_factors", "secret", "'x'", "not binary"),
        ("totp_factors", "last_step", "'x'", "not an integer"),
        ("totp_factors", "confirmed_at", "'never'", "not a time"),
        ("trusted_devices", "device_id", "'x'", "not a device identifier"),
        ("trusted_devices", "device", "x'00'", "not 32 bytes"),
        ("trusted_devices", "ip_address", "'x'", "not an address"),
    ] {
        let expected = StoreError::Corrupt { table, column, id: 1, reason: reason.to_owned() };
        assert_eq!(damaged(table, column, value), expected, "{table}.{column} = {value}");
    }
}

#[test]
fn damaged_passkeys_are_reported_by_table_column_and_number() {
    for (table, column, value, reason) in [
        ("passkeys", "passkey_id", "'x'", "not a passkey identifier"),
        ("passkeys", "credential_id", "x''", "not 1 to 1023 bytes"),
        ("passkeys", "public_key", "'x'", "not binary"),
        ("passkeys", "algorithm", "-9", "not a supported algorithm"),
        ("passkeys", "rp_id", "x'00'", "not text"),
        ("passkeys", "counter", "-1", "out of range"),
        ("passkeys", "counter", "4294967296", "out of range"),
        ("passkeys", "flags", "256", "out of range"),
        ("passkeys", "discoverable", "2", "neither 0 nor 1"),
        ("passkeys", "aaguid", "x'00'", "not 16 bytes"),
        ("passkeys", "transports", "x'00'", "not text"),
        ("passkeys", "name", "cast(x'61ff' AS text)", "not UTF-8"),
        ("passkeys", "second_factor", "'x'", "not an integer"),
        ("passkeys", "last_used_at", "'never'", "not a time"),
        ("users", "passkey_handle", "x'00'", "not 32 bytes"),
    ] {
        let expected = StoreError::Corrupt { table, column, id: 1, reason: reason.to_owned() };
        assert_eq!(damaged(table, column, value), expected, "{table}.{column} = {value}");
    }
}

#[test]
fn damaged_sign_ins_are_reported_by_table_column_and_number() {
    for (table, column, value, reason) in [
        ("identities", "identity_id", "'x'", "not an identity identifier"),
        ("identities", "user_id", "'x'", "not an integer"),
        ("identities", "provider", "'Corp'", "not a provider name"),
        ("identities", "email", "x'00'", "not text"),
        ("identities", "last_used_at", "'never'", "not a time"),
        ("sign_in_flows", "browser", "x'00'", "not 32 bytes"),
        ("sign_in_flows", "sealed", "'x'", "not binary"),
        ("sign_in_flows", "spent_at", "5", "not text"),
        ("sign_in_codes", "sid", "'x'", "not a session identifier"),
        ("sign_in_codes", "page_sid", "'x'", "not a session identifier"),
        ("sign_in_codes", "challenge", "x'00'", "not 32 bytes"),
        ("sign_in_codes", "redirect_uri", "x'00'", "not text"),
        ("sign_in_codes", "multi_factor", "2", "neither 0 nor 1"),
    ] {
        let expected = StoreError::Corrupt { table, column, id: 1, reason: reason.to_owned() };
        assert_eq!(damaged(table, column, value), expected, "{table}.{column} = {value}");
    }
}

/// A newer release on the same database may know more kinds.
#[test]
fn event_of_an_unknown_kind_is_left_out() {
    let sandbox = Sandbox::new();
    let store = sandbox.store();
    account_with_token(&store, "ada@example.com", jti());
    let session = store.read(|tx| tx.refresh_tokens().find(jti())).unwrap().unwrap().session.unwrap().id;
    let kinds = |sql: &str| {
        sandbox.run(sql);
        let events = store.read(|tx| tx.sessions().events(session, 9)).unwrap();
        events.into_iter().map(|event| event.kind.as_str()).collect::<Vec<_>>()
    };
    let event = |kind| {
        format!("INSERT INTO session_events (session_id, at, kind) SELECT id, created_at, '{kind}' FROM sessions")
    };
    assert_eq!(kinds(&event("rotated")), ["rotated"]);
    assert_eq!(kinds(&event("from_the_future")), ["rotated"]);
    assert_eq!(kinds(&event("theft")), ["theft", "rotated"]);
}

#[test]
fn non_text_hash_is_read_compared_and_replaced() {
    for (value, other) in [("x'00'", "x'01'"), ("cast(x'24ff' AS text)", "x'24'"), ("x''", "x'00'"), ("12", "x'12'")] {
        let sandbox = Sandbox::new();
        let store = sandbox.store();
        let ada = account_with_token(&store, "ada@example.com", jti()).id;
        let set = |value: &str| sandbox.run(&format!("UPDATE users SET hashed_password = {value}"));
        let found = || store.read(|tx| tx.credentials().owner(ada)).unwrap().unwrap().credentials;
        set(other);
        let before = found();
        set(value);
        let read = found();
        assert_ne!(before.text(), read.text(), "{value}");
        assert_eq!(read.text(), found().text(), "{value}");
        assert!(store.read(|tx| tx.users().list(None, 9)).unwrap()[0].is_ok());
        let new = read.clone().with_hash(portcullis_domain::registration::PasswordHash::new("$2b$new".to_owned()));
        let replace = |read| store.write(|tx| tx.credentials().replace(ada, read, &new)).unwrap();
        assert!(!replace(&before), "another took its place");
        assert_eq!(found().text(), read.text());
        assert!(replace(&read) && !replace(&read), "{value}");
        assert_eq!(found().text(), "$2b$new");
    }
}

#[test]
fn a_damaged_row_is_never_rotated() {
    let fine = Jti::from_random([9; 16]);
    for (table, column, value) in [
        ("users", "is_active", "'abc'"),
        ("users", "is_active", "2"),
        ("users", "is_active", "x'01'"),
        ("refresh_tokens", "expires_at", "'never'"),
        ("refresh_tokens", "expires_at", "x'ff'"),
        ("refresh_tokens", "expires_at", "1e400"),
        ("refresh_tokens", "expires_at", "'2999-13-01 00:00:00'"),
        ("refresh_tokens", "created_at", "'yesterday'"),
        ("refresh_tokens", "revoked", "'no'"),
        ("refresh_tokens", "user_id", "'1x'"),
        ("refresh_tokens", "spent_key", "'text'"),
        ("refresh_tokens", "spent_at", "'then'"),
        ("refresh_tokens", "successor_jti", "'x'"),
        ("refresh_tokens", "session_id", "'x'"),
        ("refresh_tokens", "session_id", "999"),
        ("sessions", "sid", "'x'"),
        ("sessions", "created_at", "'yesterday'"),
        ("sessions", "created_at", "x'ff'"),
        ("sessions", "created_at", "5"),
        ("sessions", "ended_at", "'x'"),
    ] {
        let sandbox = Sandbox::new();
        let store = sandbox.store();
        let ada = account_with_token(&store, "ada@example.com", jti());
        let bob = account_with_token(&store, "bob@example.com", fine);
        sandbox.run(&format!(
            "PRAGMA ignore_check_constraints = ON; PRAGMA foreign_keys = OFF; UPDATE {table} SET {column} = {value} \
            WHERE {} = 1",
            if table == "users" { "id" } else { "user_id" }
        ));
        let rows = |sandbox: &Sandbox| {
            sandbox.query("SELECT quote(jti) || quote(revoked) || quote(spent_at) FROM refresh_tokens")
        };
        let before = rows(&sandbox);
        let good = rotation(bob.id, fine, Jti::from_random([10; 16]));
        let bad = rotation(ada.id, jti(), Jti::from_random([11; 16]));
        // The other rotations of the call fail too, and their callers retry one by one.
        match store.rotate(&[good.clone(), bad]) {
            Ok(rotated) => assert_eq!(rotated, [true, false], "{table}.{column} = {value}"),
            Err(error) => {
                assert!(matches!(error, StoreError::Corrupt { id: 1, .. }), "{table}.{column} = {value}: {error}");
                assert_eq!(rows(&sandbox), before, "{table}.{column} = {value}");
                assert_eq!(store.rotate(&[good]), Ok(vec![true]));
            }
        }
    }
}

/// In SQLite a number compares less than any text and would count as expired.
#[test]
fn what_is_damaged_is_left_for_whoever_looks_into_it() {
    let sandbox = Sandbox::new();
    let store = sandbox.store();
    let user = account_with_token(&store, "ada@example.com", jti());
    let mailed = store.write(|tx| {
        tx.one_time_tokens().upsert(&record(user.id))?;
        tx.outbox().enqueue(&order(Some(user.id)))
    });
    mailed.unwrap();
    sandbox.run("UPDATE one_time_tokens SET expires_at = 5; UPDATE outbox SET dead_at = 5");
    let ever = now() + TimeDelta::days(99);
    assert_eq!(store.write(|tx| tx.one_time_tokens().purge(ever, 9)), Ok(0));
    assert_eq!(store.write(|tx| tx.outbox().purge(ever, 9)), Ok(0));
}

#[test]
fn a_token_that_says_revoked_and_nothing_else_is_revoked() {
    use portcullis_domain::tokens::RefreshState;
    let sandbox = Sandbox::new();
    let store = sandbox.store();
    account_with_token(&store, "ada@example.com", jti());
    account_with_token(&store, "bob@example.com", Jti::from_random([2; 16]));
    for half in ["revoked = 1", "spent_at = created_at", "spent_at = NULL, successor_jti = bobs.jti"] {
        let bobs = "(SELECT jti FROM refresh_tokens WHERE user_id = 2) AS bobs";
        sandbox.run(&format!("UPDATE refresh_tokens SET {half} FROM {bobs} WHERE user_id = 1"));
        let found = store.read(|tx| tx.refresh_tokens().find(jti())).unwrap().unwrap();
        assert_eq!((found.token.state, found.live_successor), (RefreshState::Revoked, None), "{half}");
    }
}

#[test]
fn token_lookup_reports_a_damaged_account_and_omits_a_missing_one() {
    let sandbox = Sandbox::new();
    let store = sandbox.store();
    account_with_token(&store, "ada@example.com", jti());
    sandbox.run("UPDATE users SET is_active = 'abc'");
    let error = store.read(|tx| tx.refresh_tokens().find(jti())).unwrap_err();
    assert!(matches!(error, StoreError::Corrupt { table: "users", column: "is_active", id: 1, .. }), "{error}");
    sandbox.run("PRAGMA foreign_keys = OFF; DELETE FROM users");
    assert_eq!(store.read(|tx| tx.refresh_tokens().find(jti())), Ok(None));
}

#[test]
fn a_file_that_is_no_database_is_refused_and_left_alone() {
    let sandbox = Sandbox::new();
    let bytes = b"not a database, but long enough to be mistaken for one ".repeat(100);
    refused_untouched(&sandbox, &bytes);
}

#[test]
fn a_damaged_database_is_refused_and_left_alone() {
    let sandbox = Sandbox::of_the_application();
    let mut bytes = fs::read(sandbox.path()).unwrap();
    let half = bytes.len() / 2;
    bytes[4096..half].fill(0xa5);
    refused_untouched(&sandbox, &bytes);
}

#[test]
fn a_truncated_database_is_refused_and_left_alone() {
    let sandbox = Sandbox::of_the_application();
    let mut bytes = fs::read(sandbox.path()).unwrap();
    bytes.truncate(bytes.len() / 2);
    refused_untouched(&sandbox, &bytes);
}

fn refused_untouched(sandbox: &Sandbox, bytes: &[u8]) {
    fs::write(sandbox.path(), bytes).unwrap();
    let error = SqliteStore::open(&sandbox.path(), &patient(), clock()).err().unwrap();
    assert!(matches!(error, OpenError::Damaged { .. }), "{error}");
    assert!(!error.to_string().contains('\n'));
    assert_eq!(fs::read(sandbox.path()).unwrap(), bytes);
}

#[test]
fn damage_that_comes_while_running_is_an_outage() {
    let sandbox = Sandbox::new();
    let store = sandbox.store();
    account_with_token(&store, "ada@example.com", jti());
    sandbox.run("PRAGMA wal_checkpoint(TRUNCATE)");
    drop(store);
    let store = sandbox.open(&patient());
    assert_eq!(store.pending(), Ok(Vec::new()));
    let mut bytes = fs::read(sandbox.path()).unwrap();
    bytes[4096..].fill(0xa5);
    fs::write(sandbox.path(), bytes).unwrap();
    let error = accounts(&store, "ada@example.com").unwrap_err();
    assert!(matches!(error, StoreError::Unavailable(_)), "{error}");
}
