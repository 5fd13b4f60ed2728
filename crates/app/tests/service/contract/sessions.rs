//! Sessions: a login starts one, all its tokens carry `sid`, and the owner can list and end it.

use crate::harness::accounts::{Account, Pair};
use crate::harness::calls::{Reply, members};
use crate::harness::databases::Backend;
use crate::harness::services::Service;
use crate::harness::{jose, on_both_databases, timing::unix_now};
use serde_json::{Value, json};
use std::thread;

on_both_databases!(
    a_login_starts_a_session_and_every_token_of_it_carries_sid,
    a_session_holds_one_line_of_which_at_most_one_token_is_live,
    sessions_are_listed_newest_first,
    a_session_tells_where_it_came_from_and_when_it_was_last_used,
    deleting_a_session_ends_it,
    an_unknown_id_and_somebody_elses_are_the_same_404,
    logout_all_ends_every_session,
    logout_all_spares_the_callers_where_it_is_told_to,
    own_bearer_routes_refuse_a_session_that_has_ended,
    own_bearer_routes_refuse_an_inactive_account,
    access_token_without_sid_depends_on_signature_and_account,
    a_session_ends_at_logout_whichever_of_its_tokens_is_shown,
    a_logout_is_not_undone_by_a_refresh_in_flight,
    a_session_ends_with_its_account,
    session_ends_at_its_maximum_age_despite_refreshes,
    a_login_past_the_most_ends_the_session_least_recently_used,
    an_account_has_100_sessions_at_most_by_default,
    adopted_token_is_its_own_session_dated_from_adoption,
    legacy_token_begins_its_session_at_the_first_refresh,
    the_timeline_tells_every_verdict_to_its_owner_alone,
    no_route_of_sessions_is_open,
);

pub(super) fn sid(pair: &Pair) -> String {
    jose::claims(&pair.refresh)["sid"].as_str().expect("sid").to_owned()
}

impl Service {
    fn sessions(&self, access: &str) -> Vec<Value> {
        let body = self.call("GET", "/auth/sessions").bearer(access).send().expect(200);
        body["sessions"].as_array().unwrap().clone()
    }

    pub(super) fn session_ids(&self, access: &str) -> Vec<String> {
        self.sessions(access).iter().map(|session| session["id"].as_str().unwrap().to_owned()).collect()
    }

    fn end_session(&self, access: &str, id: &str) -> Reply {
        self.call("DELETE", &format!("/auth/sessions/{id}")).bearer(access).send()
    }

    fn logout_all(&self, access: &str, body: &Value) -> Reply {
        self.call("POST", "/auth/logout-all").bearer(access).json(body).send()
    }

    pub(super) fn timeline(&self, access: &str, id: &str) -> Vec<Value> {
        let body = self.call("GET", &format!("/auth/sessions/{id}/events")).bearer(access).send().expect(200);
        body["events"].as_array().unwrap().clone()
    }

    pub(super) fn verdicts(&self, access: &str, id: &str) -> Vec<String> {
        self.timeline(access, id).iter().map(|event| event["verdict"].as_str().unwrap().to_owned()).collect()
    }
}

/// Creates an account with several sessions, oldest first.
fn several(service: &Service, count: usize) -> (Account, Vec<Pair>) {
    let account = service.account();
    let pairs = (0..count).map(|_| service.sign_in(&account)).collect();
    (account, pairs)
}

fn a_login_starts_a_session_and_every_token_of_it_carries_sid(service: &Service) {
    let (account, first) = service.session();
    let id = sid(&first);
    assert!(id.len() == 32 && id.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')), "{id}");
    let mut pair = first;
    for _ in 0..3 {
        for token in [&pair.access, &pair.refresh] {
            assert_eq!(jose::claims(token)["sid"], id);
        }
        pair = Pair::of(&service.refresh(&pair.refresh));
    }
    assert_ne!(sid(&service.sign_in(&account)), id);
}

fn a_session_holds_one_line_of_which_at_most_one_token_is_live(service: &Service) {
    let (account, mut pair) = service.session();
    let live = format!("FROM refresh_tokens WHERE user_id = {} AND NOT revoked", account.id);
    for _ in 0..3 {
        let next = Pair::of(&service.refresh(&pair.refresh));
        service.refresh(&pair.refresh).expect_error(401, "AUTH_TOKEN_REVOKED");
        assert_eq!(service.database.count(&live), 1);
        pair = next;
    }
    service.logout(&pair.refresh).expect(200);
    assert_eq!(service.database.count(&live), 0);
}

fn sessions_are_listed_newest_first(service: &Service) {
    let (_, pairs) = several(service, 3);
    let ids: Vec<_> = pairs.iter().rev().map(sid).collect();
    let sessions = service.sessions(&pairs[1].access);
    for (session, id) in sessions.iter().zip(&ids) {
        let names = ["created_at", "current", "expires_at", "id", "ip_address", "last_used_at", "user_agent"];
        assert_eq!(members(session), names);
        assert_eq!(session["id"], *id);
        assert_eq!(session["current"], *id == sid(&pairs[1]));
    }
    assert_eq!(sessions.len(), 3);
}

fn a_session_tells_where_it_came_from_and_when_it_was_last_used(service: &Service) {
    let account = service.account();
    let body = json!({"email": account.email, "password": account.password});
    let agent = format!("Browser/1.0 {}", "x".repeat(400));
    let login = service.call("POST", "/auth/login").header("User-Agent", &agent).json(&body).send();
    let pair = Pair::of(&login);
    let told = |pair: &Pair| service.sessions(&pair.access).remove(0);
    let session = told(&pair);
    assert_eq!(session["ip_address"], "127.0.0.1");
    let kept = session["user_agent"].as_str().unwrap();
    assert!(kept.starts_with("Browser/1.0 xx") && kept.len() == 255, "{kept}");
    assert_eq!(session["last_used_at"], session["created_at"]);
    let time = |text: &Value| chrono::DateTime::parse_from_rfc3339(text.as_str().unwrap()).unwrap();
    assert!(session["created_at"].as_str().unwrap().ends_with('Z'));
    assert_eq!(time(&session["expires_at"]) - time(&session["created_at"]), chrono::TimeDelta::days(30));
    let pair = Pair::of(&service.refresh(&pair.refresh));
    let used = told(&pair);
    assert!(time(&used["last_used_at"]) > time(&session["last_used_at"]), "{used}");
    assert_eq!((&used["created_at"], &used["expires_at"]), (&session["created_at"], &session["expires_at"]));
}

fn deleting_a_session_ends_it(service: &Service) {
    let (_, pairs) = several(service, 2);
    for _ in 0..2 {
        let reply = service.end_session(&pairs[0].access, &sid(&pairs[1]));
        assert_eq!((reply.status, reply.body.len()), (204, 0), "also when its answer was lost");
        assert_eq!(reply.header("Content-Type"), None);
    }
    service.refresh(&pairs[1].refresh).expect_error(401, "AUTH_TOKEN_REVOKED");
    service.me(&pairs[1].access).expect_error(401, "AUTH_TOKEN_REVOKED");
    assert_eq!(service.session_ids(&pairs[0].access), [sid(&pairs[0])]);
    service.refresh(&pairs[0].refresh).expect(200);
}

fn an_unknown_id_and_somebody_elses_are_the_same_404(service: &Service) {
    let ((_, ada), (_, bob)) = (service.session(), service.session());
    let unknown = "0123456789abcdef0123456789abcdef".to_owned();
    let mut bodies = Vec::new();
    let odd = ["x", "%00", "%ff%fe", "a%2Fb", "..", "%C3%A9", &"0".repeat(2000)].map(str::to_owned);
    for id in [sid(&bob), unknown, sid(&bob).to_uppercase()].into_iter().chain(odd) {
        for path in [format!("/auth/sessions/{id}"), format!("/auth/sessions/{id}/events")] {
            let method = if path.ends_with("events") { "GET" } else { "DELETE" };
            let reply = service.call(method, &path).bearer(&ada.access).send();
            reply.expect_error(404, "NOT_FOUND");
            bodies.push(reply.json()["error"].clone());
        }
    }
    assert!(bodies.windows(2).all(|two| two[0] == two[1]), "{bodies:?}");
    service.refresh(&bob.refresh).expect(200);
}

fn logout_all_ends_every_session(service: &Service) {
    let (_, pairs) = several(service, 3);
    let (_, other) = service.session();
    let body = service.call("POST", "/auth/logout-all").bearer(&pairs[0].access).send().expect(200);
    assert_eq!(body["revoked"], 3, "no body is no wish");
    assert!(body["message"].is_string());
    for pair in &pairs {
        service.refresh(&pair.refresh).expect_error(401, "AUTH_TOKEN_REVOKED");
        service.me(&pair.access).expect_error(401, "AUTH_TOKEN_REVOKED");
    }
    service.refresh(&other.refresh).expect(200);
}

fn logout_all_spares_the_callers_where_it_is_told_to(service: &Service) {
    let (_, pairs) = several(service, 3);
    let access = &pairs[1].access;
    service.logout_all(access, &json!({"keep_current": "yes"})).expect_fields(&["keep_current"]);
    service.logout_all(access, &json!({"keep_current": null})).expect_fields(&["keep_current"]);
    assert_eq!(service.logout_all(access, &json!({"keep_current": true})).expect(200)["revoked"], 2);
    assert_eq!(service.session_ids(access), [sid(&pairs[1])]);
    service.refresh(&pairs[0].refresh).expect_error(401, "AUTH_TOKEN_REVOKED");
    service.refresh(&pairs[1].refresh).expect(200);
    assert_eq!(service.logout_all(access, &json!({"keep_current": false, "other": 1})).expect(200)["revoked"], 1);
    service.me(access).expect_error(401, "AUTH_TOKEN_REVOKED");
}

fn own_bearer_routes_refuse_a_session_that_has_ended(service: &Service) {
    let (_, pair) = service.session();
    service.logout(&pair.refresh).expect(200);
    expect_refused_everywhere(service, &pair);
}

fn own_bearer_routes_refuse_an_inactive_account(service: &Service) {
    let (account, pair) = service.session();
    service.disable(&account);
    expect_refused_everywhere(service, &pair);
}

fn expect_refused_everywhere(service: &Service, pair: &Pair) {
    let one = format!("/auth/sessions/{}", sid(pair));
    let events = format!("{one}/events");
    for (method, path) in [
        ("GET", "/auth/me"),
        ("GET", "/auth/sessions"),
        ("POST", "/auth/logout-all"),
        ("DELETE", one.as_str()),
        ("GET", events.as_str()),
    ] {
        let reply = service.call(method, path).bearer(&pair.access).send();
        reply.expect_error(401, "AUTH_TOKEN_REVOKED");
        assert_eq!(reply.header("WWW-Authenticate"), Some("Bearer error=\"invalid_token\""), "{path}");
    }
}

fn access_token_without_sid_depends_on_signature_and_account(service: &Service) {
    let (account, pair) = service.session();
    let token = jose::token(&jose::without(&jose::claims(&pair.access), "sid"));
    service.logout(&pair.refresh).expect(200);
    service.me(&token).expect(200);
    let other = service.sign_in(&account);
    let listed = service.sessions(&token);
    assert_eq!((listed.len(), &listed[0]["id"], &listed[0]["current"]), (1, &sid(&other).into(), &false.into()));
    service.disable(&account);
    service.me(&token).expect_error(401, "AUTH_TOKEN_REVOKED");
}

fn a_session_ends_at_logout_whichever_of_its_tokens_is_shown(service: &Service) {
    let (account, first) = service.session();
    let other = service.sign_in(&account);
    let second = Pair::of(&service.refresh(&first.refresh));
    let third = Pair::of(&service.refresh(&second.refresh));
    service.logout(&first.refresh).expect(200);
    for pair in [&first, &second, &third] {
        service.refresh(&pair.refresh).expect_error(401, "AUTH_TOKEN_REVOKED");
        service.me(&pair.access).expect_error(401, "AUTH_TOKEN_REVOKED");
    }
    service.refresh(&other.refresh).expect(200);
}

fn a_logout_is_not_undone_by_a_refresh_in_flight(service: &Service) {
    let account = service.account();
    for round in 0..20 {
        let pair = service.sign_in(&account);
        let refreshed = thread::scope(|scope| {
            let refresh = scope.spawn(|| service.refresh(&pair.refresh));
            let logout = scope.spawn(|| match round % 2 {
                0 => service.logout(&pair.refresh).expect(200),
                _ => service.logout_all(&pair.access, &json!({})).expect(200),
            });
            logout.join().unwrap();
            refresh.join().unwrap()
        });
        if refreshed.status == 200 {
            let next = Pair::of(&refreshed);
            service.refresh(&next.refresh).expect_error(401, "AUTH_TOKEN_REVOKED");
            service.me(&next.access).expect_error(401, "AUTH_TOKEN_REVOKED");
        } else {
            refreshed.expect_error(401, "AUTH_TOKEN_REVOKED");
        }
        service.me(&pair.access).expect_error(401, "AUTH_TOKEN_REVOKED");
    }
}

fn a_session_ends_with_its_account(service: &Service) {
    let (account, pair) = service.session();
    service.disable(&account);
    service.refresh(&pair.refresh).expect_error(401, "AUTH_TOKEN_REVOKED");
    service.me(&pair.access).expect_error(401, "AUTH_TOKEN_REVOKED");
}

fn session_ends_at_its_maximum_age_despite_refreshes(backend: Backend) {
    let service = backend.service().set("SESSION_MAX_AGE_DAYS", "3").start();
    let (account, pair) = service.session();
    let pair = Pair::of(&service.refresh(&pair.refresh));
    let other = service.sign_in(&account);
    let began = |time: &str| {
        service.database.execute(&format!("UPDATE sessions SET created_at = {time} WHERE sid = '{}'", sid(&pair)));
    };
    let ago = |seconds: i64| match backend {
        Backend::Sqlite => format!("strftime('%Y-%m-%d %H:%M:%f000', 'now', '-{seconds} seconds')"),
        Backend::Postgres => format!("now() - interval '{seconds} seconds'"),
    };
    began(&ago(3 * 86_400 - 600));
    let pair = Pair::of(&service.refresh(&pair.refresh));
    began(&ago(3 * 86_400));
    service.refresh(&pair.refresh).expect_error(401, "AUTH_TOKEN_EXPIRED");
    service.me(&pair.access).expect_error(401, "AUTH_TOKEN_EXPIRED");
    assert_eq!(service.session_ids(&other.access), [sid(&other)]);
}

fn a_login_past_the_most_ends_the_session_least_recently_used(backend: Backend) {
    let service = backend.service().set("MAX_SESSIONS_PER_USER", "3").start();
    let (account, pairs) = several(&service, 3);
    let (_, stranger) = service.session();
    // Use the oldest again, so that the second is the least recently used.
    let used = Pair::of(&service.refresh(&pairs[0].refresh));
    let fourth = service.sign_in(&account);
    service.refresh(&pairs[1].refresh).expect_error(401, "AUTH_TOKEN_REVOKED");
    assert_eq!(service.session_ids(&used.access), [sid(&fourth), sid(&pairs[2]), sid(&pairs[0])]);
    assert_eq!(service.verdicts(&used.access, &sid(&pairs[1]))[0], "ended");
    assert_eq!(service.verdicts(&used.access, &sid(&pairs[1]))[1], "evicted");
    thread::scope(|scope| (0..6).for_each(|_| drop(scope.spawn(|| service.sign_in(&account)))));
    let last = service.sign_in(&account);
    assert_eq!(service.session_ids(&last.access).len(), 3, "however many sign in at once");
    service.refresh(&stranger.refresh).expect(200);
}

fn an_account_has_100_sessions_at_most_by_default(service: &Service) {
    let (_, pairs) = several(service, 101);
    assert_eq!(service.session_ids(&pairs[100].access).len(), 100);
    service.refresh(&pairs[0].refresh).expect_error(401, "AUTH_TOKEN_REVOKED");
    service.refresh(&pairs[1].refresh).expect(200);
}

fn adopted_token_is_its_own_session_dated_from_adoption(backend: Backend) {
    let (service, facts) = super::adoption::adopted(backend);
    let user = &facts["users"][0];
    let id = user["id"].as_i64().unwrap();
    let secret = facts["secret_key"].as_str().unwrap().as_bytes();
    let access = jose::signed_with(secret, &jose::unsigned(jose::HEADER, &jose::access_claims(id).to_string()));
    let before = service.sessions(&access);
    let live = format!("FROM refresh_tokens WHERE user_id = {id} AND NOT revoked");
    assert_eq!(i64::try_from(before.len()).unwrap(), service.database.count(&live), "one for each that is alive");
    let time = |text: &Value| chrono::DateTime::parse_from_rfc3339(text.as_str().unwrap()).unwrap();
    for session in &before {
        let age = unix_now() - time(&session["created_at"]).timestamp();
        assert!((-60..600).contains(&age), "{session}");
    }
    let token = user["refresh_token_live"].as_str().unwrap();
    let pair = Pair::of(&service.refresh(token));
    assert!(before.iter().any(|session| session["id"] == sid(&pair)), "{before:?}");
    assert_eq!(service.sessions(&access).len(), before.len());
    assert_eq!(service.logout_all(&access, &json!({})).expect(200)["revoked"], before.len());
    service.refresh(&pair.refresh).expect_error(401, "AUTH_TOKEN_REVOKED");
}

fn legacy_token_begins_its_session_at_the_first_refresh(service: &Service) {
    let (account, pair) = service.session();
    let add = |jti: &str| {
        service.database.execute(&format!(
            "INSERT INTO refresh_tokens (jti, user_id, expires_at, revoked, created_at) \
             VALUES ('{jti}', {}, '2999-01-01 00:00:00', FALSE, CURRENT_TIMESTAMP)",
            account.id
        ));
        jose::token(&jose::with(&jose::without(&jose::claims(&pair.refresh), "sid"), "jti", jti))
    };
    let jti = |seed: usize| format!("{seed:016x}{:016x}", account.id);
    let exchanged = add(&jti(1));
    assert_eq!(service.session_ids(&pair.access).len(), 1);
    let next = Pair::of(&service.refresh(&exchanged));
    assert_eq!((sid(&next), service.session_ids(&next.access).len()), (jti(1), 2));
    Pair::of(&service.refresh(&next.refresh));
    // A session whose token was never refreshed can be ended alone or with all others.
    let (alone, together) = (add(&jti(2)), add(&jti(3)));
    service.logout(&alone).expect(200);
    service.refresh(&alone).expect_error(401, "AUTH_TOKEN_REVOKED");
    assert_eq!(service.logout_all(&pair.access, &json!({"keep_current": true})).expect(200)["revoked"], 2);
    service.refresh(&together).expect_error(401, "AUTH_TOKEN_REVOKED");
    service.refresh(&pair.refresh).expect(200);
}

fn the_timeline_tells_every_verdict_to_its_owner_alone(service: &Service) {
    let (account, first) = service.session();
    let second = Pair::of(&service.refresh(&first.refresh));
    service.refresh(&first.refresh).expect_error(401, "AUTH_TOKEN_REVOKED");
    let events = service.timeline(&second.access, &sid(&first));
    for event in &events {
        assert_eq!(members(event), ["at", "ip_address", "user_agent", "verdict"]);
        assert_eq!(event["ip_address"], "127.0.0.1");
    }
    assert_eq!(service.verdicts(&second.access, &sid(&first)), ["raced", "rotated", "login"]);
    service.logout(&second.refresh).expect(200);
    service.refresh(&second.refresh).expect_error(401, "AUTH_TOKEN_REVOKED");
    let other = service.sign_in(&account);
    let told = ["ended", "logout", "raced", "rotated", "login"];
    assert_eq!(service.verdicts(&other.access, &sid(&first)), told, "also after its end");
    let times: Vec<_> = service.timeline(&other.access, &sid(&first)).iter().map(|e| e["at"].to_string()).collect();
    assert!(times.iter().rev().is_sorted(), "{times:?}");
}

fn no_route_of_sessions_is_open(service: &Service) {
    for (method, path) in [
        ("GET", "/auth/sessions"),
        ("POST", "/auth/logout-all"),
        ("DELETE", "/auth/sessions/0123456789abcdef0123456789abcdef"),
        ("GET", "/auth/sessions/0123456789abcdef0123456789abcdef/events"),
    ] {
        let reply = service.call(method, path).send();
        reply.expect_error(401, "AUTH_TOKEN_INVALID");
        assert_eq!(reply.header("WWW-Authenticate"), Some("Bearer"), "{path}");
    }
}
