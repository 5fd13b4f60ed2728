//! F33: a backup taken under load and what restoring it brings back.

use crate::harness::services::random_secret;
use crate::prelude::*;
use diesel::connection::SimpleConnection;

on_both_databases!(a_backup_under_load_is_consistent);

/// Backs up into a separate database as docs/operations.md describes.
fn back_up(database: &Database) -> Database {
    match database {
        Database::Sqlite(path) => {
            let copy = fresh_folder().join("copy.db");
            sqlite(path).batch_execute(&format!("VACUUM INTO '{}'", copy.display())).unwrap();
            Database::Sqlite(copy)
        }
        Database::Postgres { server, name } => {
            let copy = Database::on(server);
            copy.execute(&server.dump(name));
            copy
        }
    }
}

fn a_backup_under_load_is_consistent(backend: Backend) {
    let service = backend.service().start();
    let (account, revived) = service.session();
    let spent = revived.clone();
    let revived = Pair::of(&service.refresh(&revived.refresh));
    let before = work(&[&service], |progress| progress.acknowledge(200));
    let mut copies = Vec::new();
    let during = work(&[&service], |progress| {
        for _ in 0..3 {
            progress.acknowledge(50);
            copies.push(back_up(&service.database));
        }
        service.logout(&revived.refresh).expect(200);
    });
    assert!(during.iter().all(|history| history.cut.is_none()), "the backup refused somebody");
    for copy in &copies {
        expect_consistent(copy);
    }
    // It contains everything acknowledged before it began.
    let copy = copies.swap_remove(0);
    let restored = ServiceBuilder::over(&copy).start();
    check(&before, &restored);
    // Later changes are missing from it: a session that was logged out is active again.
    let revived = Pair::of(&restored.refresh(&revived.refresh));
    restored.refresh(&spent.refresh).expect_error(401, "AUTH_TOKEN_REVOKED");
    restored.stop();
    // A new signing key ends all sessions but keeps the accounts.
    let restored = ServiceBuilder::over(&copy).set("SECRET_KEY", &random_secret()).start();
    restored.refresh(&revived.refresh).expect_error(401, "AUTH_TOKEN_INVALID");
    restored.me(&revived.access).expect_error(401, "AUTH_TOKEN_INVALID");
    restored.sign_in(&account);
}

/// Checks that the copy holds no partial transaction: every spent token has its successor, no session has two
/// live tokens, and every token has its account.
fn expect_consistent(copy: &Database) {
    let heirless = "FROM refresh_tokens AS spent WHERE successor_jti IS NOT NULL \
        AND NOT EXISTS (SELECT 1 FROM refresh_tokens WHERE jti = spent.successor_jti)";
    assert_eq!(copy.count(heirless), 0, "spent tokens without successor");
    let doubled = "FROM (SELECT user_id FROM refresh_tokens WHERE NOT revoked GROUP BY user_id HAVING count(*) > 1) d";
    assert_eq!(copy.count(doubled), 0, "sessions with two live tokens");
    assert_eq!(copy.count("FROM refresh_tokens WHERE user_id NOT IN (SELECT id FROM users)"), 0);
    if let Database::Sqlite(_) = copy {
        assert_eq!(copy.texts("integrity_check", "FROM pragma_integrity_check"), ["ok"]);
    }
}
