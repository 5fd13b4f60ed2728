//! Portcullis adopts a FastAPI app's database without losing anything. `adopted_accounts` tests its accounts.

use crate::prelude::*;

on_both_databases!(
    nothing_is_lost_and_unexpired_refresh_tokens_refresh,
    tokens_refresh_and_end_whatever_their_identifiers_look_like,
    a_killed_adoption_is_finished_by_the_next_start,
    migrate_adopts_without_serving_and_warns_once,
);

pub(super) fn over(database: &Database, facts: &Value) -> ServiceBuilder {
    ServiceBuilder::over(database).set("SECRET_KEY", facts["secret_key"].as_str().unwrap())
}

/// Starts a service on an adopted database; returns it with a description of the data.
pub(super) fn adopted(backend: Backend) -> (Service, Value) {
    let (database, facts) = backend.adopted();
    (over(&database, &facts).start(), facts)
}

pub(super) fn users(facts: &Value) -> &Vec<Value> {
    facts["users"].as_array().unwrap()
}

/// Returns the account's refresh token of this kind, or `None` if it has none.
fn token<'a>(user: &'a Value, kind: &str) -> Option<&'a str> {
    user[format!("refresh_token_{kind}")].as_str()
}

/// Returns the rows that the FastAPI app wrote, with its own columns only.
fn rows(database: &Database) -> Vec<String> {
    let users = "id || '|' || email || '|' || hashed_password || '|' || is_active";
    let tokens = "id || '|' || jti || '|' || user_id || '|' || revoked";
    let mut rows = database.texts(users, "FROM users ORDER BY id");
    rows.extend(database.texts(tokens, "FROM refresh_tokens ORDER BY id"));
    rows
}

fn nothing_is_lost_and_unexpired_refresh_tokens_refresh(backend: Backend) {
    let (database, facts) = backend.adopted();
    let before = rows(&database);
    assert!(before.len() > 9 + 20);
    let service = over(&database, &facts).start();
    assert_eq!(rows(&database), before);
    let mut refreshed = 0;
    for user in users(&facts) {
        for token in ["live", "successor"].iter().filter_map(|kind| token(user, kind)) {
            if user["is_active"] == true {
                let next = Pair::of(&service.refresh(token));
                let me = service.me(&next.access).expect(200);
                assert_eq!((&me["id"], &me["email"]), (&user["id"], &user["email_stored"]));
                let seconds =
                    |time: &Value| chrono::DateTime::parse_from_rfc3339(time.as_str().unwrap()).unwrap().timestamp();
                assert_eq!(seconds(&me["created_at"]), seconds(&user["created_at"]));
                service.renewed(&next);
                refreshed += 1;
            }
            service.refresh(token).revoked();
        }
        for token in ["spent", "logged_out"].iter().filter_map(|kind| token(user, kind)) {
            service.refresh(token).revoked();
            service.logout(token).expect(200);
        }
    }
    assert_eq!(refreshed, 14);
}

fn tokens_refresh_and_end_whatever_their_identifiers_look_like(backend: Backend) {
    let (database, facts) = backend.adopted();
    let secret = facts["secret_key"].as_str().unwrap().as_bytes();
    let spellings = ["0B61CDEC-9989-4CFA-A1B2-34EA8E50C83C", "0b61cdec-9989-4cfa-a1b2-34ea8e50c83c", "7", "Käse/🔑 ?"];
    let (now, user) = (unix_now(), users(&facts)[0]["id"].as_i64().unwrap());
    let token = |jti: &str, kind: &str| {
        let claims = json!({"sub": user.to_string(), "jti": jti, "type": kind, "exp": now + 3600, "iat": now});
        jose::signed_with(secret, &jose::unsigned(jose::HEADER, &claims.to_string()))
    };
    let add = |spellings: &[&str]| {
        let row = |jti: &&str| format!("('{jti}', {user}, '2126-10-29 14:04:44', false)");
        let rows = spellings.iter().map(row).collect::<Vec<_>>().join(", ");
        database.execute(&format!("INSERT INTO refresh_tokens (jti, user_id, expires_at, revoked) VALUES {rows}"));
    };
    add(&spellings);
    let service = over(&database, &facts).start();
    // The FastAPI app may keep running alongside.
    let later = ["later 7", "later Käse"];
    add(&later);
    for jti in spellings.into_iter().chain(later) {
        service.me(&token(jti, "access")).expect(200);
        let first = Pair::of(&service.refresh(&token(jti, "refresh")));
        assert_eq!(jose::claims(&first.access)["jti"], jti);
        service.me(&first.access).expect(200);
        let next = service.renewed(&first);
        assert_eq!(next.sid(), first.sid());
        service.refresh(&token(jti, "refresh")).revoked();
        service.logout(&token(jti, "refresh")).expect(200);
        service.refresh(&next.refresh).revoked();
    }
    for unknown in [&spellings[0].replace('-', ""), "8", "KÄSE/🔑 ?"] {
        service.refresh(&token(unknown, "refresh")).invalid();
    }
}

/// Checks that a service on the adopted database has its rows and accepts its tokens.
#[track_caller]
fn expect_adopted(database: &Database, facts: &Value, before: &[String]) {
    let service = over(database, facts).set("AUTO_MIGRATE", "false").start();
    assert_eq!(rows(database), before);
    service.refresh(token(&users(facts)[0], "live").unwrap()).expect(200);
    service.register("new@example.com", "long enough").expect(201);
}

fn a_killed_adoption_is_finished_by_the_next_start(backend: Backend) {
    for delay in 0..6_u32 {
        let (database, facts) = backend.adopted();
        let before = rows(&database);
        let mut starting = KillOnDrop::spawn(&mut over(&database, &facts).command());
        // Varies the moment of the kill. The exact moments do not matter.
        let _ = (0..delay * 4).map(|_| database.count("FROM users")).sum::<i64>();
        starting.child().kill().unwrap();
        drop(starting);
        let service = over(&database, &facts).start();
        assert_eq!(rows(&database), before);
        service.refresh(token(&users(&facts)[0], "live").unwrap()).expect(200);
    }
}

fn migrate_adopts_without_serving_and_warns_once(backend: Backend) {
    let (database, facts) = backend.adopted();
    let before = rows(&database);
    for first in [true, false] {
        let ended = over(&database, &facts).argument("migrate").run();
        assert!(ended.status.success(), "{ended:?}");
        assert_eq!(rows(&database), before);
        // The warnings of a start, without email addresses.
        assert!(!ended.output.contains('@'), "{ended:?}");
        for wanted in ["FastAPI application: 9 users", "differ by case alone"] {
            assert_eq!(ended.output.contains(wanted), first, "once, when it happens: {wanted}: {ended:?}");
        }
        assert_eq!(ended.output.lines().any(|line| line.ends_with(": user_ids 5,6")), first, "{ended:?}");
    }
    expect_adopted(&database, &facts, &before);
}
