//! Sessions: a login starts one, all its tokens carry `sid`, and the owner can list and end it.

use crate::prelude::*;

on_both_databases!(
    a_login_starts_a_session_and_every_token_of_it_carries_sid,
    a_session_tells_where_it_came_from_and_when_it_was_last_used,
    sessions_are_listed_newest_first_and_deleted_by_their_id,
    an_unknown_id_and_somebody_elses_are_the_same_404,
    logout_all_ends_every_session_or_spares_the_callers,
    own_bearer_routes_refuse_an_ended_session_and_no_token,
    session_ends_at_its_maximum_age_despite_refreshes,
    a_login_past_the_most_ends_the_session_least_recently_used,
    the_timeline_tells_every_verdict_to_its_owner,
);

impl Service {
    fn sessions(&self, access: &str) -> Vec<Value> {
        let body = self.ask("GET", "/auth/sessions", access).expect(200);
        body["sessions"].as_array().unwrap().clone()
    }

    fn session_ids(&self, access: &str) -> Vec<String> {
        self.sessions(access).iter().map(|session| session["id"].as_str().unwrap().to_owned()).collect()
    }

    #[track_caller]
    fn logout_all(&self, access: &str, body: &Value) -> Value {
        self.tell("POST", "/auth/logout-all", access, body).expect(200)["revoked"].clone()
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
    let id = first.sid();
    assert!(id.len() == 32 && id.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')), "{id}");
    let mut pair = first;
    for _ in 0..3 {
        for token in [&pair.access, &pair.refresh] {
            assert_eq!(jose::claims(token)["sid"], id);
        }
        pair = service.renewed(&pair);
    }
    assert_ne!(service.sign_in(&account).sid(), id);
}

fn a_session_tells_where_it_came_from_and_when_it_was_last_used(service: &Service) {
    let account = service.account();
    let agent = format!("Browser/1.0 {}", "x".repeat(400));
    let login = service.call("POST", "/auth/login").header("User-Agent", &agent).json(&credentials(&account)).send();
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
    let used = told(&service.renewed(&pair));
    assert!(time(&used["last_used_at"]) > time(&session["last_used_at"]), "{used}");
    assert_eq!((&used["created_at"], &used["expires_at"]), (&session["created_at"], &session["expires_at"]));
}

fn sessions_are_listed_newest_first_and_deleted_by_their_id(service: &Service) {
    let (_, pairs) = several(service, 3);
    let sessions = service.sessions(&pairs[1].access);
    assert_eq!(sessions.len(), 3);
    for (session, pair) in sessions.iter().zip(pairs.iter().rev()) {
        let names = ["created_at", "current", "expires_at", "id", "ip_address", "last_used_at", "user_agent"];
        assert_eq!(members(session), names);
        assert_eq!((&session["id"], &session["current"]), (&json!(pair.sid()), &json!(pair.sid() == pairs[1].sid())));
    }
    for _ in 0..2 {
        let reply = service.ask("DELETE", &format!("/auth/sessions/{}", pairs[2].sid()), &pairs[1].access);
        assert_eq!((reply.status, reply.body.len()), (204, 0), "also when its answer was lost");
        assert_eq!(reply.header("Content-Type"), None);
    }
    service.expect_ended(&pairs[2]);
    assert_eq!(service.session_ids(&pairs[1].access), [pairs[1].sid(), pairs[0].sid()]);
    service.refresh(&pairs[0].refresh).expect(200);
}

fn an_unknown_id_and_somebody_elses_are_the_same_404(service: &Service) {
    let ((_, ada), (_, bob)) = (service.session(), service.session());
    let unknown = "0123456789abcdef0123456789abcdef".to_owned();
    let odd = ["x", "%00", "%ff%fe", "a%2Fb", "..", "%C3%A9", &"0".repeat(2000)].map(str::to_owned);
    let mut bodies = Vec::new();
    for id in [bob.sid(), unknown, bob.sid().to_uppercase()].into_iter().chain(odd) {
        for (method, path) in
            [("DELETE", format!("/auth/sessions/{id}")), ("GET", format!("/auth/sessions/{id}/events"))]
        {
            let reply = service.ask(method, &path, &ada.access);
            reply.expect_error(404, "NOT_FOUND");
            bodies.push(reply.json()["error"].clone());
        }
    }
    assert!(bodies.windows(2).all(|two| two[0] == two[1]), "{bodies:?}");
    service.refresh(&bob.refresh).expect(200);
}

fn logout_all_ends_every_session_or_spares_the_callers(service: &Service) {
    let ((_, pairs), (_, stranger)) = (several(service, 3), service.session());
    let body = service.ask("POST", "/auth/logout-all", &pairs[0].access).expect(200);
    assert_eq!(body["revoked"], 3, "no body is no wish");
    assert!(body["message"].is_string());
    pairs.iter().for_each(|pair| service.expect_ended(pair));
    service.refresh(&stranger.refresh).expect(200);
    let (_, pairs) = several(service, 3);
    let access = &pairs[1].access;
    for wrong in [json!("yes"), json!(null)] {
        let reply = service.tell("POST", "/auth/logout-all", access, &json!({"keep_current": wrong}));
        reply.expect_fields(&["keep_current"]);
    }
    assert_eq!(service.logout_all(access, &json!({"keep_current": true})), 2);
    assert_eq!(service.session_ids(access), [pairs[1].sid()]);
    service.refresh(&pairs[0].refresh).revoked();
    service.refresh(&pairs[1].refresh).expect(200);
    assert_eq!(service.logout_all(access, &json!({"keep_current": false, "other": 1})), 1);
    service.me(access).revoked();
}

fn own_bearer_routes_refuse_an_ended_session_and_no_token(service: &Service) {
    let ((_, out), (inactive, pair)) = (service.session(), service.session());
    service.logout(&out.refresh).expect(200);
    service.disable(&inactive);
    [&out, &pair].iter().for_each(|pair| service.refresh(&pair.refresh).revoked());
    let (one, events) = (format!("/auth/sessions/{}", out.sid()), format!("/auth/sessions/{}/events", out.sid()));
    for (method, path) in [
        ("GET", "/auth/me"),
        ("GET", "/auth/sessions"),
        ("POST", "/auth/logout-all"),
        ("DELETE", &one),
        ("GET", &events),
    ] {
        for access in [&out.access, &pair.access] {
            let reply = service.ask(method, path, access);
            reply.revoked();
            assert_eq!(reply.header("WWW-Authenticate"), Some("Bearer error=\"invalid_token\""), "{path}");
        }
        let reply = service.call(method, path).send();
        reply.invalid();
        assert_eq!(reply.header("WWW-Authenticate"), Some("Bearer"), "{path}");
    }
}

fn session_ends_at_its_maximum_age_despite_refreshes(backend: Backend) {
    let service = backend.service().set("SESSION_MAX_AGE_DAYS", "3").start();
    let (account, pair) = service.session();
    let pair = service.renewed(&pair);
    let other = service.sign_in(&account);
    let began = |ago: i64| {
        let (time, sid) = (service.database.ago(ago), pair.sid());
        service.database.execute(&format!("UPDATE sessions SET created_at = {time} WHERE sid = '{sid}'"));
    };
    began(3 * 86_400 - 600);
    let pair = service.renewed(&pair);
    began(3 * 86_400);
    service.refresh(&pair.refresh).expired();
    service.me(&pair.access).expired();
    assert_eq!(service.session_ids(&other.access), [other.sid()]);
}

fn a_login_past_the_most_ends_the_session_least_recently_used(backend: Backend) {
    let service = backend.service().set("MAX_SESSIONS_PER_USER", "3").start();
    let (account, pairs) = several(&service, 3);
    let (_, stranger) = service.session();
    // Use the oldest again, so that the second is the least recently used.
    let used = service.renewed(&pairs[0]);
    let fourth = service.sign_in(&account);
    service.refresh(&pairs[1].refresh).revoked();
    assert_eq!(service.session_ids(&used.access), [fourth.sid(), pairs[2].sid(), pairs[0].sid()]);
    assert_eq!(service.verdicts(&used.access, &pairs[1].sid())[..2], ["ended", "evicted"]);
    at_once(6, |_| service.sign_in(&account));
    let last = service.sign_in(&account);
    assert_eq!(service.session_ids(&last.access).len(), 3, "however many sign in at once");
    service.refresh(&stranger.refresh).expect(200);
}

fn the_timeline_tells_every_verdict_to_its_owner(service: &Service) {
    let (account, first) = service.session();
    let second = service.renewed(&first);
    service.refresh(&first.refresh).revoked();
    assert_eq!(service.verdicts(&second.access, &first.sid()), ["raced", "rotated", "login"]);
    service.logout(&second.refresh).expect(200);
    service.refresh(&second.refresh).revoked();
    let other = service.sign_in(&account);
    let told = ["ended", "logout", "raced", "rotated", "login"];
    assert_eq!(service.verdicts(&other.access, &first.sid()), told, "also after its end");
    let body = service.ask("GET", &format!("/auth/sessions/{}/events", first.sid()), &other.access).expect(200);
    let events = body["events"].as_array().unwrap();
    for event in events {
        assert_eq!(members(event), ["at", "ip_address", "user_agent", "verdict"]);
        assert_eq!(event["ip_address"], "127.0.0.1");
    }
    assert!(events.iter().rev().map(|event| event["at"].to_string()).is_sorted(), "{events:?}");
}
