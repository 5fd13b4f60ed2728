//! Flushing of pages that a purge writes.

use super::{Sandbox, TestDatabase};
use crate::samples::{account_with_token, now, patient};
use chrono::DateTime;
use portcullis_diesel::Migrations;
use portcullis_domain::registration::UserId;
use portcullis_domain::tokens::Jti;
use portcullis_ports::{RowCursor, RowRange, SessionCutoffs, Store, StoreExt};

const STRETCH: RowRange =
    RowRange { after: RowCursor::FIRST, last: RowCursor(9), dead: 1, cutoff: DateTime::UNIX_EPOCH };
const DEAD: SessionCutoffs = SessionCutoffs { ended: DateTime::UNIX_EPOCH, started: DateTime::UNIX_EPOCH };

/// Records the flush setting of each statement that deletes.
const WATCH_DELETES: &str = "CREATE TABLE noted (number SERIAL, told TEXT);
    CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        INSERT INTO noted (told) VALUES (TG_TABLE_NAME || ' ' || current_setting('backend_flush_after'));
        RETURN NULL;
    END $$;
    CREATE TRIGGER note BEFORE DELETE ON refresh_tokens EXECUTE FUNCTION note();
    CREATE TRIGGER note BEFORE DELETE ON session_events EXECUTE FUNCTION note();
    CREATE TRIGGER note BEFORE DELETE ON sessions EXECUTE FUNCTION note();
    CREATE TRIGGER note BEFORE DELETE ON one_time_tokens EXECUTE FUNCTION note();
    CREATE TRIGGER note BEFORE DELETE ON outbox EXECUTE FUNCTION note();";

/// Records the same for statements that read, in sequences, because those survive a rollback.
const WATCH_READS: &str = "CREATE SEQUENCE bytes_of_tokens; CREATE SEQUENCE bytes_of_sessions;
    CREATE FUNCTION note(noted regclass) RETURNS boolean LANGUAGE sql AS $$
        SELECT setval(noted, 1 + pg_size_bytes(current_setting('backend_flush_after'))) > 0
    $$;
    ALTER TABLE refresh_tokens RENAME TO tokens;
    CREATE VIEW refresh_tokens AS SELECT * FROM tokens WHERE note('bytes_of_tokens');
    ALTER TABLE sessions RENAME TO kept_sessions;
    CREATE VIEW sessions AS SELECT * FROM kept_sessions WHERE note('bytes_of_sessions');";

fn purge_all(store: &dyn Store) {
    store.write(|tx| tx.refresh_tokens().purge(&STRETCH, 9)).unwrap();
    store.write(|tx| tx.sessions().purge(&STRETCH, &DEAD, 9)).unwrap();
    store.write(|tx| tx.one_time_tokens().purge(now(), 9)).unwrap();
    store.write(|tx| tx.outbox().purge(now(), 9)).unwrap();
    store.write(|tx| tx.outbox().delete_for_user(UserId::new(1))).unwrap();
}

#[test]
fn only_a_purge_has_its_pages_written_early() {
    let sandbox = Sandbox::new();
    let store = sandbox.store();
    sandbox.execute(WATCH_DELETES);
    let noted = || sandbox.execute("SELECT string_agg(told, ', ' ORDER BY number) FROM noted");
    purge_all(&store);
    let told =
        "refresh_tokens 256kB, session_events 256kB, sessions 256kB, one_time_tokens 256kB, outbox 256kB, outbox 0";
    assert_eq!(noted().trim(), told);
    sandbox.execute("TRUNCATE noted");
    // An operator's own setting is kept.
    let store = sandbox.open_with("?options=-c%20backend_flush_after%3D1MB", &patient());
    store.migrate().unwrap();
    purge_all(&store);
    assert_eq!(noted().trim(), told.replace("256kB", "1MB").replace("outbox 0", "outbox 1MB"));
}

#[test]
fn a_survey_has_the_pages_written_early_that_it_pushes_out() {
    let sandbox = Sandbox::new();
    let store = sandbox.store();
    let jti = Jti::from_random([1; 16]);
    account_with_token(&store, "ada@example.com", jti);
    sandbox.execute(WATCH_READS);
    let noted = || {
        sandbox.execute(
            "SELECT bytes_of_tokens.last_value, bytes_of_sessions.last_value FROM bytes_of_tokens, bytes_of_sessions",
        )
    };
    assert!(store.read(|tx| tx.refresh_tokens().scan(RowCursor::FIRST, 9, now())).unwrap().is_some());
    assert!(store.read(|tx| tx.sessions().scan(RowCursor::FIRST, 9, &DEAD)).unwrap().is_some());
    assert_eq!(noted().trim(), "262145|262145");
    assert!(store.read(|tx| tx.refresh_tokens().find(jti)).unwrap().is_some());
    assert_eq!(noted().trim(), "1|1");
}
