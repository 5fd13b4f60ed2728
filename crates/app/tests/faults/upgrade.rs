//! F32: a new schema under the previous release, and the reverse.

use crate::harness::jose::changed;
use crate::prelude::*;
use std::collections::BTreeMap;

on_both_databases!(
    every_schema_so_far_is_brought_up_to_date,
    migrations_take_nothing_away,
    the_application_before_goes_on_beside_it,
);

const BOOKKEEPING: &str = "CREATE TABLE __diesel_schema_migrations \
    (version VARCHAR(50) PRIMARY KEY NOT NULL, run_on TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP)";

/// Returns all migrations as name and SQL, oldest first.
fn migrations(backend: Backend) -> Vec<(String, String)> {
    let folder = match backend {
        Backend::Sqlite => "sqlite",
        Backend::Postgres => "postgres",
    };
    let folder = format!("{}/../../migrations/{folder}", env!("CARGO_MANIFEST_DIR"));
    let mut all: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            (name, fs::read_to_string(path.join("up.sql")).unwrap())
        })
        .collect();
    all.sort();
    assert!(!all.is_empty());
    all
}

/// Returns the app's database as left by a release that knew these migrations.
fn left_by(backend: Backend, known: &[(String, String)]) -> (Database, serde_json::Value) {
    let (database, facts) = backend.adopted();
    if !known.is_empty() {
        database.execute(BOOKKEEPING);
    }
    for (name, sql) in known {
        database.execute(sql);
        let version = name.split('_').next().unwrap();
        database.execute(&format!("INSERT INTO __diesel_schema_migrations (version) VALUES ('{version}')"));
    }
    (database, facts)
}

fn every_schema_so_far_is_brought_up_to_date(backend: Backend) {
    let all = migrations(backend);
    for known in 0..=all.len() {
        let (database, facts) = left_by(backend, &all[..known]);
        let service = ServiceBuilder::over(&database).set("SECRET_KEY", facts["secret_key"].as_str().unwrap()).start();
        service.flushed_log();
        let applied = service.events("Migration applied");
        assert!(applied.iter().all(|event| event["migration"].is_string()), "each is named: {applied:?}");
        assert_eq!(applied.len(), all.len() - known, "{applied:?}");
        // Existing accounts and sessions are still there, and new ones can be created.
        let alice = &facts["users"][0];
        service.login(alice["email_stored"].as_str().unwrap(), alice["password"].as_str().unwrap()).expect(200);
        service.refresh(alice["refresh_token_live"].as_str().unwrap()).expect(200);
        service.session();
    }
}

/// Returns for each column whether it may be null and whether it has a default.
fn columns(database: &Database) -> BTreeMap<String, (bool, bool)> {
    let rows = match database {
        Database::Sqlite(_) => database.texts(
            "t.name || '.' || c.name || ' ' || (c.\"notnull\" = 0) || ' ' || (c.dflt_value IS NOT NULL OR c.pk)",
            "FROM sqlite_master t, pragma_table_info(t.name) c WHERE t.type = 'table'",
        ),
        Database::Postgres { .. } => database.texts(
            "table_name || '.' || column_name || ' ' || (is_nullable = 'YES')::int || ' ' || \
             (column_default IS NOT NULL)::int",
            "FROM information_schema.columns WHERE table_schema = 'public'",
        ),
    };
    let column = |row: &String| {
        let mut parts = row.split(' ').map(str::to_owned);
        let name = parts.next().unwrap();
        (name, (parts.next().unwrap() == "1", parts.next().unwrap() == "1"))
    };
    rows.iter().map(column).collect()
}

/// The previous release can still read its columns and write its rows while both run.
fn migrations_take_nothing_away(backend: Backend) {
    let all = migrations(backend);
    for known in 1..=all.len() {
        let before = columns(&left_by(backend, &all[..known - 1]).0);
        let after = columns(&left_by(backend, &all[..known]).0);
        assert!(before.contains_key("users.email"), "{before:?}");
        let name = &all[known - 1].0;
        for (column, (nullable, _)) in &before {
            let (still, _) = after.get(column).unwrap_or_else(|| panic!("{name} takes {column} away"));
            assert!(*still || !nullable, "{name}: {column} must not be null any more");
        }
        // The previous release does not write into new tables.
        let table = |column: &str| column.split('.').next().unwrap().to_owned();
        let known = |column: &String| before.keys().any(|other| table(other) == table(column));
        let new = after.iter().filter(|(column, _)| !before.contains_key(*column) && known(column));
        for (column, (nullable, default)) in new {
            assert!(*nullable || *default, "{name}: nobody before knows what {column} needs");
        }
    }
}

/// Runs the FastAPI app's statements on the current schema.
fn the_application_before_goes_on_beside_it(backend: Backend) {
    let service = backend.service().start();
    let (account, pair) = service.session();
    let database = &service.database;
    let hash = service.stored_hash(&account);
    database.execute(&format!(
        "INSERT INTO users (email, hashed_password, is_active, created_at) \
         VALUES ('old@example.com', '{hash}', TRUE, CURRENT_TIMESTAMP)"
    ));
    let signed_in = Pair::of(&service.login("old@example.com", &account.password));
    // The app logs a user in, and its token is valid here.
    let jti = "0123456789abcdef0123456789abcdef";
    database.execute(&format!(
        "INSERT INTO refresh_tokens (jti, user_id, expires_at, revoked, created_at) \
         VALUES ('{jti}', {}, '2999-01-01 00:00:00', FALSE, CURRENT_TIMESTAMP)",
        account.id
    ));
    let next = Pair::of(&service.refresh(&changed(&pair.refresh, "jti", jti.to_owned())));
    // The app sees a token spent here as revoked, and a token revoked there is revoked here.
    assert_eq!(database.count(&format!("FROM refresh_tokens WHERE jti = '{jti}' AND revoked")), 1);
    for pair in [&signed_in, &next] {
        database.execute(&format!("UPDATE refresh_tokens SET revoked = TRUE WHERE jti = '{}'", pair.jti()));
        service.refresh(&pair.refresh).expect_error(401, "AUTH_TOKEN_REVOKED");
    }
    service.refresh(&pair.refresh).expect(200);
}
