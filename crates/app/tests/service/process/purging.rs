//! Deleting dead rows: with the command and by the service itself.

use crate::prelude::*;

on_both_databases!(the_command_deletes_what_is_dead_beside_a_service, a_service_purges_while_it_serves,);

/// Inserts rows of tokens that expired a year ago, some of them spent.
fn bury(database: &Database, rows: u32) {
    let numbers = format!(
        "WITH RECURSIVE dead (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM dead WHERE n < {rows}) \
        INSERT INTO refresh_tokens (jti, user_id, expires_at, revoked, created_at) \
        SELECT 'dead' || n, (SELECT min(id) FROM users), '2025-01-08 00:00:00', n % 2 = 0, '2025-01-01 00:00:00' FROM dead"
    );
    database.execute(&numbers);
}

fn the_command_deletes_what_is_dead_beside_a_service(backend: Backend) {
    let service = backend.service().set("PURGE_INTERVAL_MINUTES", "0").start();
    let (_, pair) = service.session();
    bury(&service.database, 3000);
    let next = service.refresh(&pair.refresh).expect(200);
    let ended = ServiceBuilder::over(&service.database).argument("purge").run();
    assert!(ended.status.success(), "{ended:?}");
    assert!(ended.output.starts_with("Deleted 3000 rows of dead refresh tokens and old sessions in "), "{ended:?}");
    assert_eq!(service.database.count("FROM refresh_tokens"), 2);
    service.refresh(&pair.refresh).revoked();
    service.refresh(next["refresh_token"].as_str().unwrap()).expect(200);
    let again = ServiceBuilder::over(&service.database).argument("purge").run();
    assert!(again.output.starts_with("Deleted 0 rows"), "{again:?}");
}

fn a_service_purges_while_it_serves(backend: Backend) {
    let first = backend.service().set("PURGE_INTERVAL_MINUTES", "0").start();
    let (_, pair) = first.session();
    bury(&first.database, 3000);
    first.stop();
    let service = first.again().set("PURGE_INTERVAL_MINUTES", "1").start();
    let told = service.log.wait_for(1, |event| event["message"] == "Dead refresh tokens and sessions purged");
    assert_eq!(told[0]["rows"], 3000);
    assert_eq!(service.database.count("FROM refresh_tokens"), 1);
    service.refresh(&pair.refresh).expect(200);
    service.stop();
}

#[test]
fn a_purge_of_an_old_schema_is_refused() {
    let database = Backend::Sqlite.database();
    let ended = ServiceBuilder::over(&database).argument("purge").run();
    assert!(ended.refusal().contains("portcullis migrate"), "{ended:?}");
}
