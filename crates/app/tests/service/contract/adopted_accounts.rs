//! Accounts of an adopted database, their old passwords and their sessions.

use super::adoption::{adopted, users};
use crate::prelude::*;
use std::sync::OnceLock;

on_both_databases!(
    users_log_in_with_their_old_passwords,
    adopted_emails_keep_their_spelling_and_match_any_case,
    accounts_that_differ_by_case_log_in_by_spelling_and_stay_two,
    long_password_is_checked_by_72_bytes_until_its_next_login,
    the_log_warns_of_emails_that_differ_by_case_alone,
    adopted_token_is_its_own_session_dated_from_adoption,
);

/// Service on an adopted database. Tests share it and use different accounts.
struct Adopted {
    service: Service,
    facts: Value,
}

impl Fixture for &'static Adopted {
    fn on(backend: Backend) -> Self {
        static SHARED: [OnceLock<Adopted>; 2] = [OnceLock::new(), OnceLock::new()];
        SHARED[usize::from(backend == Backend::Postgres)].get_or_init(|| {
            let (service, facts) = adopted(backend);
            Adopted { service, facts }
        })
    }
}

impl Adopted {
    /// Returns a user's email address, as stored, and password.
    fn credentials(&self, number: usize) -> (&str, &str) {
        let user = &users(&self.facts)[number];
        (user["email_stored"].as_str().unwrap(), user["password"].as_str().unwrap())
    }
}

/// Logs in. The adopted hashes cost so much that a busy machine may refuse one for now.
#[track_caller]
fn login(service: &Service, email: &str, password: &str) -> Reply {
    eventually("a login in time", || {
        let reply = service.login(email, password);
        (reply.status != 503).then_some(reply)
    })
}

/// Whose password has over 72 bytes.
const FRANK: usize = 6;

fn users_log_in_with_their_old_passwords(Adopted { service, facts }: &Adopted) {
    let mut signed_in = 0;
    for user in users(facts).iter().enumerate().filter(|(number, _)| *number != FRANK).map(|(_, user)| user) {
        let (email, password) = (user["email_stored"].as_str().unwrap(), user["password"].as_str().unwrap());
        let reply = login(service, email, password);
        if user["is_active"] == false {
            reply.wrong_credentials();
            continue;
        }
        assert_eq!(service.me(&Pair::of(&reply).access).expect(200)["id"], user["id"]);
        signed_in += 1;
    }
    assert_eq!(signed_in, 7);
    login(service, users(facts)[0]["email_stored"].as_str().unwrap(), "not the password").wrong_credentials();
    let highest = users(facts).iter().filter_map(|user| user["id"].as_i64()).max().unwrap();
    assert!(service.session().0.id > highest, "new accounts get new ids");
}

fn adopted_emails_keep_their_spelling_and_match_any_case(adopted: &Adopted) {
    let (service, last) = (&adopted.service, users(&adopted.facts).len() - 1);
    let bob = ["Bob.Mixed@example.com", "bob.mixed@example.com", "BOB.MIXED@EXAMPLE.COM", " Bob.mixed@Example.com "];
    let heidi = ["heidi@müller.example", "heidi@xn--mller-kva.example", "HEIDI@MÜLLER.example"];
    assert_eq!(adopted.credentials(1).0, bob[0]);
    for (number, email) in bob.map(|email| (1, email)).into_iter().chain(heidi.map(|email| (last, email))) {
        let (stored, password) = adopted.credentials(number);
        let pair = Pair::of(&login(service, email, password));
        assert_eq!(service.me(&pair.access).expect(200)["email"], stored, "{email}");
        service.register(email, "long enough").expect_error(409, "CONFLICT");
    }
}

fn accounts_that_differ_by_case_log_in_by_spelling_and_stay_two(adopted: &Adopted) {
    let service = &adopted.service;
    for (own, other) in [(4, 5), (5, 4)] {
        let ((email, password), (_, others)) = (adopted.credentials(own), adopted.credentials(other));
        let me = service.me(&Pair::of(&login(service, email, password)).access).expect(200);
        assert_eq!((&me["id"], &me["email"]), (&users(&adopted.facts)[own]["id"], &email.into()));
        login(service, email, others).wrong_credentials();
        login(service, "ERIN@example.com", others).wrong_credentials();
    }
    for email in ["ERIN@example.com", "eRin@example.com", "erin@example.com", "Erin@example.com"] {
        service.register(email, "long enough").expect_error(409, "CONFLICT");
    }
    assert_eq!(service.database.count("FROM users WHERE lower(email) = 'erin@example.com'"), 2);
}

fn long_password_is_checked_by_72_bytes_until_its_next_login(backend: Backend) {
    for tail in ["", "another tail"] {
        let (service, facts) = adopted(backend);
        let frank = &users(&facts)[FRANK];
        let (email, password) = (frank["email_stored"].as_str().unwrap(), frank["password"].as_str().unwrap());
        assert!(password.len() > 72);
        login(&service, email, &password[..71]).wrong_credentials();
        let first = if tail.is_empty() { password.to_owned() } else { format!("{}{tail}", &password[..72]) };
        login(&service, email, &first).expect(200);
        let stored = service.database.texts("hashed_password", &format!("FROM users WHERE id = {}", frank["id"]));
        assert!(stored[0].starts_with("$bcrypt-sha256$v=2"), "{stored:?}");
        login(&service, email, &first[..72]).wrong_credentials();
        login(&service, email, &format!("{first}x")).wrong_credentials();
        login(&service, email, &first).expect(200);
    }
}

fn the_log_warns_of_emails_that_differ_by_case_alone(backend: Backend) {
    let warns = |service: &Service| {
        let events = service.flushed_log().events();
        events.iter().any(|event| event["level"] == "WARNING" && event.to_string().to_lowercase().contains("case"))
    };
    assert!(warns(&<&Adopted>::on(backend).service));
    assert!(!warns(<&Service>::on(backend)), "a fresh database has nothing to warn of");
}

fn adopted_token_is_its_own_session_dated_from_adoption(backend: Backend) {
    let (service, facts) = adopted(backend);
    let user = &users(&facts)[0];
    let id = user["id"].as_i64().unwrap();
    let secret = facts["secret_key"].as_str().unwrap().as_bytes();
    let access = jose::signed_with(secret, &jose::unsigned(jose::HEADER, &jose::access_claims(id).to_string()));
    let list = || service.ask("GET", "/auth/sessions", &access).expect(200)["sessions"].as_array().unwrap().clone();
    let before = list();
    let live = service.database.count(&format!("FROM refresh_tokens WHERE user_id = {id} AND NOT revoked"));
    assert_eq!(i64::try_from(before.len()).unwrap(), live, "one for each that is alive");
    for session in &before {
        let began = chrono::DateTime::parse_from_rfc3339(session["created_at"].as_str().unwrap()).unwrap();
        assert!((-60..600).contains(&(unix_now() - began.timestamp())), "{session}");
    }
    let pair = Pair::of(&service.refresh(user["refresh_token_live"].as_str().unwrap()));
    assert!(before.iter().any(|session| session["id"] == pair.sid()), "{before:?}");
    assert_eq!(list().len(), before.len());
    let body = service.tell("POST", "/auth/logout-all", &access, &json!({})).expect(200);
    assert_eq!(body["revoked"], before.len());
    service.refresh(&pair.refresh).revoked();
}
