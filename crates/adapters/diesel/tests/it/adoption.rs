//! Adoption of a database of the FastAPI application.

use crate::databases::TestDatabase;
use crate::logs::logged_by;
use crate::samples::{accounts, all_migrations, now, patient, register, rotation};
use portcullis_diesel::{Migrations, StoreOptions};
use portcullis_domain::login;
use portcullis_domain::registration::EmailAddress;
use portcullis_domain::sessions::{ClientInfo, Session, SessionId};
use portcullis_domain::tokens::{Jti, RefreshState, RefreshToken, SpendRecord};
use portcullis_ports::{Store, StoreError, StoreExt};
use tracing::Level;

/// Every account is unchanged and is found regardless of case.
pub(crate) fn assert_accounts_are_kept(store: &dyn Store) {
    let stored = [
        (1, "alice@example.com"),
        (2, "Bob.Mixed@example.com"),
        (3, "carol-inactive@example.com"),
        (4, "dave@example.com"),
        (7, "frank@example.com"),
        (8, "grace@example.com"),
        (9, "heidi@müller.example"),
    ];
    for (id, address) in stored {
        for spelling in [address.to_owned(), address.to_ascii_uppercase()] {
            let found = accounts(store, &spelling).unwrap();
            let found: Vec<_> = found.iter().map(|user| (user.id.get(), user.email.original())).collect();
            assert_eq!(found, [(id, address)]);
        }
        let user = accounts(store, address).unwrap().remove(0);
        assert_eq!(user.is_active, id != 3);
        let owner = store.read(|tx| tx.credentials().owner(user.id)).unwrap().unwrap();
        assert!(owner.credentials.text().starts_with("$2b$12$"));
        assert!(user.created_at < now() && user.email_verified_at.is_none());
        assert_eq!(register(store, &address.to_ascii_uppercase()), Ok(None));
    }
}

/// Both accounts whose email addresses differ only in case exist, and no third can register.
pub(crate) fn assert_differing_accounts_are_kept(store: &dyn Store) {
    let both = accounts(store, "eRIN@example.com").unwrap();
    assert_eq!(both.iter().map(|user| user.id.get()).collect::<Vec<_>>(), [5, 6]);
    for (id, spelling) in [(5, "Erin@example.com"), (6, "erin@example.com")] {
        let chosen = login::select_account(both.clone(), &EmailAddress::from_stored(spelling.to_owned()));
        assert_eq!(chosen.map(|user| user.id.get()), Some(id));
    }
    for spelling in ["erin@example.com", "Erin@example.com", "ERIN@example.com"] {
        assert_eq!(register(store, spelling), Ok(None), "{spelling}");
    }
}

/// Live tokens rotate, spent and revoked ones do not.
fn assert_tokens_are_kept(store: &dyn Store, live: &str, spent: &str) {
    let (live, spent) = (Jti::parse(live).unwrap(), Jti::parse(spent).unwrap());
    let find = |jti| store.read(|tx| tx.refresh_tokens().find(jti)).unwrap().unwrap();
    assert_eq!((find(live).token.state, find(spent).token.state), (RefreshState::Live, RefreshState::Revoked));
    let successor = Jti::from_random([9; 16]);
    let spend_record = SpendRecord { at: now(), key: None, successor };
    assert_eq!(store.write(|tx| tx.refresh_tokens().spend(spent, &spend_record)), Ok(false));
    let rotated = store.write(|tx| {
        let won = tx.refresh_tokens().spend(live, &spend_record)?;
        let token = RefreshToken { jti: successor, state: RefreshState::Live, ..find(live).token };
        tx.refresh_tokens().insert(&token)?;
        Ok::<_, StoreError>(won)
    });
    assert_eq!(rotated, Ok(true));
    assert!(find(live).live_successor.is_some());
    assert!(find(live).session.is_some_and(|session| session.id == SessionId::for_legacy_token(live)), "adopted");
    assert_eq!(find(spent).session, None, "what is spent begins no session");
}

on_both! {
    accounts_and_tokens_are_adopted,
    adopting_again_changes_nothing,
    a_new_database_gets_the_schema_that_an_adopted_one_has,
    the_application_goes_on_working_beside,
    the_log_tells_what_was_adopted_once,
    statements_are_logged_without_their_values,
    tokens_keep_the_spelling_of_their_identifiers,
    sessions_of_the_release_before_keep_their_tokens,
}

/// Rows of the application's tables.
pub(crate) const ROWS: &str = "SELECT id || '|' || email || '|' || hashed_password || '|' || is_active || '|' \
    || created_at AS fields FROM users UNION ALL SELECT id || '|' || jti || '|' || user_id || '|' || expires_at || '|' \
    || revoked || '|' || created_at FROM refresh_tokens ORDER BY 1";

fn accounts_and_tokens_are_adopted<D: TestDatabase>() {
    let sandbox = D::of_the_application();
    let before = sandbox.rows(ROWS);
    let store = sandbox.store();
    assert_eq!(sandbox.rows(ROWS), before);
    assert_eq!(before.lines().count(), 9 + 32);
    assert_accounts_are_kept(&store);
    assert_differing_accounts_are_kept(&store);
    let [live, spent] = D::TOKENS;
    assert_tokens_are_kept(&store, live, spent);
}

fn adopting_again_changes_nothing<D: TestDatabase>() {
    let sandbox = D::of_the_application();
    let store = sandbox.open(&patient());
    assert_eq!(store.pending(), Ok(all_migrations()));
    assert_eq!(store.migrate(), Ok(all_migrations()));
    let schema = sandbox.rows(D::SCHEMA);
    for store in [store, sandbox.open(&patient())] {
        assert_eq!((store.pending(), store.migrate()), (Ok(Vec::new()), Ok(Vec::new())));
        assert_accounts_are_kept(&store);
    }
    assert_eq!(sandbox.rows(D::SCHEMA), schema);
}

fn a_new_database_gets_the_schema_that_an_adopted_one_has<D: TestDatabase>() {
    let (fresh, adopted) = (D::new(), D::of_the_application());
    fresh.store();
    adopted.store();
    assert_eq!(fresh.rows(D::COLUMNS), adopted.rows(D::COLUMNS));
}

fn the_application_goes_on_working_beside<D: TestDatabase>() {
    let sandbox = D::of_the_application();
    let store = sandbox.store();
    // The application's own statements, which name only its own columns.
    sandbox.run(
        "INSERT INTO users (email, hashed_password, is_active) VALUES ('Ivan@example.com', '$2b$12$x', true);
         INSERT INTO refresh_tokens (jti, user_id, expires_at, revoked)
         VALUES ('00000000000040008000000000000001', 10, '2126-10-29 14:04:44.905380', false);
         UPDATE refresh_tokens SET revoked = true WHERE refresh_tokens.id = 33;",
    );
    assert_eq!(accounts(&store, "ivan@example.com").unwrap()[0].id.get(), 10);
    assert_eq!(register(&store, "ivan@example.com"), Ok(None));
}

/// The log reports the number of adopted rows, and the ids of accounts whose emails differ only in case.
fn the_log_tells_what_was_adopted_once<D: TestDatabase>() {
    let logged = |sandbox: &D| logged_by("app", Level::INFO, || drop(sandbox.store()));
    let sandbox = D::of_the_application();
    let lines = logged(&sandbox);
    let message = "message=Adopted the tables of the FastAPI application users=9 refresh_tokens=32";
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert_eq!(lines[0], format!("INFO {message}"));
    assert!(lines[1].starts_with("WARN message=Accounts whose emails differ by case alone"), "{lines:?}");
    assert!(lines[1].ends_with("accounts=2 user_ids=\"5,6\""), "{lines:?}");
    assert_eq!(logged(&sandbox), [""; 0]);
    assert_eq!(logged(&D::new()), [""; 0]);
}

fn statements_are_logged_without_their_values<D: TestDatabase>() {
    let sandbox = D::new();
    let store = sandbox.open(&StoreOptions { log_statements: true, ..patient() });
    store.migrate().unwrap();
    let lines = logged_by("app.store", Level::DEBUG, || drop(register(&store, "secret@example.com")));
    assert!(lines.iter().any(|line| line.contains("INSERT INTO") && line.contains("users")), "{lines:?}");
    assert!(!lines.iter().any(|line| line.contains("secret") || line.contains("$2b$")), "{lines:?}");
}

/// Values of `jti` in other formats than Portcullis's own.
const SPELLINGS: [&str; 4] =
    ["0B61CDEC-9989-4CFA-A1B2-34EA8E50C83C", "0b61cdec-9989-4cfa-a1b2-34ea8e50c83c", "7", "any text: Käse/🔑"];

/// Returns SQL that adds live tokens with these values to the application's table.
fn add_spellings() -> String {
    let values = SPELLINGS.map(|jti| format!("('{jti}', 1, '2126-10-29 14:04:44.905380', false)")).join(", ");
    format!("INSERT INTO refresh_tokens (jti, user_id, expires_at, revoked) VALUES {values};")
}

/// Each token is found only by its exact `jti`, is in a listed session, and rotates.
fn assert_spellings_are_kept(store: &dyn Store) {
    let find = |jti| store.read(|tx| tx.refresh_tokens().find(jti)).unwrap();
    for (number, text) in SPELLINGS.into_iter().enumerate() {
        let jti = Jti::parse(text).unwrap();
        let found = find(jti).unwrap();
        let session = found.session.unwrap();
        assert_eq!((found.token.state, found.token.jti), (RefreshState::Live, jti));
        let long_ago = chrono::DateTime::UNIX_EPOCH;
        let listed = store.read(|tx| tx.sessions().list(session.user_id, long_ago, 99)).unwrap();
        assert!(listed.iter().any(|listed| listed.session.id == session.id), "{text}");
        let mut rotation = rotation(session.user_id, jti, Jti::from_random([u8::try_from(number).unwrap(); 16]));
        rotation.successor.session_id = Some(session.id);
        rotation.session_cutoff = long_ago;
        assert_eq!(store.rotate(&[rotation.clone()]), Ok(vec![true]), "{text}");
        assert_eq!(find(jti).unwrap().live_successor.unwrap().jti, rotation.successor.jti);
    }
    assert_eq!(find(Jti::parse(&SPELLINGS[3].to_uppercase()).unwrap()), None);
}

/// A token that the application adds later has no session until its first refresh, which sets it.
fn assert_a_later_spelling_begins_a_session(store: &dyn Store, jti: &str) {
    let jti = Jti::parse(jti).unwrap();
    let find = || store.read(|tx| tx.refresh_tokens().find(jti)).unwrap().unwrap();
    assert_eq!(find().session, None);
    let session = Session::begin(SessionId::for_legacy_token(jti), find().token.user_id, now());
    store.write(|tx| tx.sessions().begin(&session, &ClientInfo::default())).unwrap();
    assert_eq!(find().session.map(|session| session.id), Some(session.id));
}

/// Adopts tokens with `jti` values of any spelling, also of a token that is stored after the adoption.
fn tokens_keep_the_spelling_of_their_identifiers<D: TestDatabase>() {
    let sandbox = D::of_the_application();
    sandbox.run(&add_spellings());
    let store = sandbox.store();
    assert_spellings_are_kept(&store);
    sandbox.run(
        "INSERT INTO refresh_tokens (jti, user_id, expires_at, revoked)
         VALUES ('later 7', 1, '2126-10-29 14:04:44.905380', false)",
    );
    assert_a_later_spelling_begins_a_session(&store, "later 7");
}

/// Migrates a database whose sessions were adopted by the release before opaque identifiers.
fn sessions_of_the_release_before_keep_their_tokens<D: TestDatabase>() {
    let sandbox = D::of_the_application();
    let store = sandbox.store();
    sandbox.run(&add_spellings());
    sandbox.run(
        "INSERT INTO sessions (sid, user_id, created_at)
         SELECT jti, user_id, '2026-11-23 02:13:20.000000' FROM refresh_tokens WHERE jti LIKE '%-%' OR jti = '7';
         DELETE FROM __diesel_schema_migrations WHERE version = '20261130055500';",
    );
    store.migrate().unwrap();
    assert_spellings_are_kept(&store);
}
