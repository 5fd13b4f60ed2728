//! Portcullis adopts a FastAPI app's database without losing anything. `adopted_accounts` tests its accounts.

use crate::harness::accounts::Pair;
use crate::harness::databases::{Backend, Database};
use crate::harness::services::{Service, ServiceBuilder};
use crate::harness::{jose, on_both_databases};
use serde_json::{Value, json};

on_both_databases!(
    nothing_is_lost,
    its_unexpired_refresh_tokens_refresh,
    its_spent_and_logged_out_tokens_stay_revoked,
    tokens_refresh_and_end_whatever_their_identifiers_look_like,
    adoption_works_when_run_again,
    a_killed_adoption_is_finished_by_the_next_start,
    the_log_warns_of_emails_that_differ_by_case_alone,
    migrate_adopts_without_serving,
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

fn nothing_is_lost(backend: Backend) {
    let (database, facts) = backend.adopted();
    let before = rows(&database);
    assert!(before.len() > 9 + 20);
    let service = over(&database, &facts).start();
    assert_eq!(rows(&database), before);
    let pair_of = |user: &Value| token(user, "live").map(|live| service.refresh(live));
    for user in users(&facts).iter().filter(|user| user["is_active"] == true) {
        let Some(reply) = pair_of(user) else { continue };
        let access = reply.expect(200)["access_token"].as_str().unwrap().to_owned();
        let me = service.me(&access).expect(200);
        assert_eq!(me["id"], user["id"]);
        assert_eq!(me["email"], user["email_stored"]);
        let seconds = |text: &Value| chrono::DateTime::parse_from_rfc3339(text.as_str().unwrap()).unwrap().timestamp();
        assert_eq!(seconds(&me["created_at"]), seconds(&user["created_at"]));
    }
}

fn its_unexpired_refresh_tokens_refresh(backend: Backend) {
    let (service, facts) = adopted(backend);
    let mut refreshed = 0;
    for user in users(&facts) {
        for kind in ["live", "successor"] {
            let Some(token) = token(user, kind) else { continue };
            if user["is_active"] == true {
                let next = Pair::of(&service.refresh(token));
                service.refresh(&next.refresh).expect(200);
                refreshed += 1;
            }
            service.refresh(token).expect_error(401, "AUTH_TOKEN_REVOKED");
        }
    }
    assert_eq!(refreshed, 14);
}

fn its_spent_and_logged_out_tokens_stay_revoked(backend: Backend) {
    let (service, facts) = adopted(backend);
    for user in users(&facts) {
        for token in ["spent", "logged_out"].iter().filter_map(|kind| token(user, kind)) {
            service.refresh(token).expect_error(401, "AUTH_TOKEN_REVOKED");
            service.logout(token).expect(200);
        }
        if let (true, Some(successor)) = (user["is_active"] == true, token(user, "successor")) {
            service.refresh(successor).expect(200);
        }
    }
}

fn tokens_refresh_and_end_whatever_their_identifiers_look_like(backend: Backend) {
    let (database, facts) = backend.adopted();
    let secret = facts["secret_key"].as_str().unwrap().as_bytes();
    let spellings = ["0B61CDEC-9989-4CFA-A1B2-34EA8E50C83C", "0b61cdec-9989-4cfa-a1b2-34ea8e50c83c", "7", "Käse/🔑 ?"];
    let (now, user) = (crate::harness::timing::unix_now(), users(&facts)[0]["id"].as_i64().unwrap());
    let token = |jti: &str, kind: &str| {
        let claims = json!({"sub": user.to_string(), "jti": jti, "type": kind, "exp": now + 3600, "iat": now});
        jose::signed_with(secret, &jose::unsigned(jose::HEADER, &claims.to_string()))
    };
    let add = |spellings: &[String]| {
        let rows: Vec<_> =
            spellings.iter().map(|jti| format!("('{jti}', {user}, '2126-10-29 14:04:44', false)")).collect();
        let columns = "refresh_tokens (jti, user_id, expires_at, revoked)";
        database.execute(&format!("INSERT INTO {columns} VALUES {}", rows.join(", ")));
    };
    add(&spellings.map(str::to_owned));
    let service = over(&database, &facts).start();
    // The FastAPI app may keep running alongside.
    let later = ["later 7", "later Käse"].map(str::to_owned);
    add(&later);
    for jti in spellings.iter().copied().chain(later.iter().map(String::as_str)) {
        service.me(&token(jti, "access")).expect(200);
        let first = Pair::of(&service.refresh(&token(jti, "refresh")));
        assert_eq!(jose::claims(&first.access)["jti"], jti);
        service.me(&first.access).expect(200);
        let next = Pair::of(&service.refresh(&first.refresh));
        assert_eq!(jose::claims(&next.refresh)["sid"], jose::claims(&first.refresh)["sid"]);
        service.refresh(&token(jti, "refresh")).expect_error(401, "AUTH_TOKEN_REVOKED");
        service.logout(&token(jti, "refresh")).expect(200);
        service.refresh(&next.refresh).expect_error(401, "AUTH_TOKEN_REVOKED");
    }
    for unknown in [&spellings[0].replace('-', ""), "8", "KÄSE/🔑 ?"] {
        service.refresh(&token(unknown, "refresh")).expect_error(401, "AUTH_TOKEN_INVALID");
    }
}

fn adoption_works_when_run_again(backend: Backend) {
    let (database, facts) = backend.adopted();
    let before = rows(&database);
    for _ in 0..3 {
        let service = over(&database, &facts).start();
        assert_eq!(rows(&database), before);
        service.stop();
    }
    let service = over(&database, &facts).start();
    service.refresh(token(&users(&facts)[0], "live").unwrap()).expect(200);
    service.register("new@example.com", "long enough").expect(201);
}

fn a_killed_adoption_is_finished_by_the_next_start(backend: Backend) {
    use crate::harness::timing::KillOnDrop;
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

fn the_log_warns_of_emails_that_differ_by_case_alone(backend: Backend) {
    let (service, _) = adopted(backend);
    let warnings =
        service.flushed_log().events().into_iter().filter(|event| event["level"] == "WARNING").collect::<Vec<_>>();
    let text = format!("{warnings:?}").to_lowercase();
    assert!(text.contains("case"), "{text}");
    let none = backend.service().start();
    let warned = none.flushed_log().events().iter().any(|e| e["level"] == "WARNING" && e.to_string().contains("case"));
    assert!(!warned, "a fresh database has nothing to warn of");
}

fn migrate_adopts_without_serving(backend: Backend) {
    let (database, facts) = backend.adopted();
    let before = rows(&database);
    for first in [true, false] {
        let ended = over(&database, &facts).argument("migrate").run();
        assert!(ended.status.success(), "{ended:?}");
        assert_eq!(rows(&database), before);
        // The warnings of a start, without email addresses.
        let (adopted, differ) = ("FastAPI application: 9 users", "differ by case alone");
        assert!(!ended.output.contains('@'), "{ended:?}");
        let told = ended.output.contains(adopted) && ended.output.contains(differ);
        assert_eq!(told, first, "once, when it happens: {ended:?}");
        assert_eq!(ended.output.lines().any(|line| line.ends_with(": user_ids 5,6")), first, "{ended:?}");
    }
    let service = over(&database, &facts).set("AUTO_MIGRATE", "false").start();
    service.refresh(token(&users(&facts)[0], "live").unwrap()).expect(200);
}
