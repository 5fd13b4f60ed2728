//! Examples in the API document: all show messages that the service really sends.

use super::envelope::expired;
use crate::prelude::*;
use std::collections::BTreeSet;

/// Errors that only a fault of the service causes, or a provider (`providers::native`). The document takes their
/// messages from the same source.
const FAULTS: [&str; 3] = ["INTERNAL_ERROR", "SERVICE_UNAVAILABLE", "FORBIDDEN"];

/// Returns the operation with that id.
fn operation<'a>(document: &'a Value, id: &str) -> &'a Value {
    let paths = document["paths"].as_object().unwrap().values();
    let mut operations = paths.flat_map(|methods| methods.as_object().unwrap().values());
    operations.find(|operation| operation["operationId"] == id).unwrap_or_else(|| panic!("{id}"))
}

/// Checks an error's example against a real response and returns the error code.
#[track_caller]
fn shows(document: &Value, id: &str, reply: &Reply) -> String {
    let sent = reply.json()["error"].clone();
    let code = sent["code"].as_str().unwrap_or_else(|| panic!("{id}: {}", reply.text()));
    let content = &operation(document, id)["responses"][reply.status.to_string()]["content"]["application/json"];
    let shown = &content["examples"][code]["value"]["error"];
    assert_eq!(shown["message"], sent["message"], "{id} {code}");
    match shown["details"]["errors"].as_array() {
        Some(errors) => {
            let sent = sent["details"]["errors"].as_array().unwrap();
            assert!(errors.iter().all(|error| sent.contains(error)), "{id}: {errors:?} are not among {sent:?}");
        }
        None => assert_eq!(without_token(&shown["details"]), without_token(&sent["details"]), "{id} {code}"),
    }
    code.to_owned()
}

/// Returns details without the token, which differs.
fn without_token(details: &Value) -> Value {
    let mut details = details.clone();
    details.as_object_mut().unwrap().remove("mfa_token");
    details
}

/// Checks the errors of second factors.
fn of_second_factors(document: &Value, service: &Service) -> Vec<String> {
    let enrolled = service.enrolled();
    let access = &enrolled.pair.access;
    let token = service.challenge(&enrolled.account);
    let strict = service.again().set("MFA_REQUIRED", "true").start();
    let other = service.account();
    let login = |service: &Service, account: &Account| service.login(&account.email, &account.password);
    let mut replies = vec![
        ("login", login(service, &enrolled.account)),
        ("login", login(&strict, &other)),
        ("verify_mfa", service.second(&token, &json!({ "code": enrolled.app.wrong() }))),
        ("verify_mfa", service.post("/auth/mfa/verify", &json!({}))),
        ("remove_totp", strict.remove_factor(access, &enrolled.factor)),
        ("remove_totp", service.remove_factor(access, "x")),
        ("confirm_totp", service.confirm_factor(access, "x", "123456")),
    ];
    for (id, method, path) in [
        ("confirm_totp", "POST", "/auth/mfa/totp/x/confirm"),
        ("rename_totp", "PATCH", "/auth/mfa/totp/x"),
        ("reauthenticate", "POST", "/auth/reauthenticate"),
    ] {
        replies.push((id, service.tell(method, path, access, &json!({}))));
    }
    service.authenticated_earlier(&enrolled.pair, 660);
    replies.push(("remove_totp", service.remove_factor(access, &enrolled.factor)));
    replies.into_iter().map(|(id, reply)| shows(document, id, &reply)).collect()
}

/// Returns failing calls with the id of their operation.
fn failures(service: &Service) -> Vec<(&'static str, Call)> {
    let (account, pair) = service.session();
    let next = service.refresh(&pair.refresh).expect(200);
    let access = next["access_token"].as_str().unwrap().to_owned();
    let call = |method: &str, path: &str| service.call(method, path);
    let own = |method: &str, path: &str| service.call(method, path).bearer(&access);
    let wrong = json!({"email": account.email, "password": "a wrong password"});
    let new = "wrong donkey charger";
    let change = json!({"current_password": "a wrong password", "new_password": new});
    let mut failures = vec![
        ("login", call("POST", "/auth/login").json(&wrong)),
        ("login", call("POST", "/auth/login").body("text/plain", "{}")),
        ("login", call("POST", "/auth/login").json(&json!({"email": "x".repeat(70_000)}))),
        ("register", call("POST", "/auth/register").json(&credentials(&account))),
        ("register", call("POST", "/auth/register").body("text/plain", "{}")),
        ("refresh", call("POST", "/auth/refresh").json(&json!({"refresh_token": "x"}))),
        ("refresh", call("POST", "/auth/refresh").json(&json!({"refresh_token": pair.refresh}))),
        ("logout", call("POST", "/auth/logout").json(&json!({"refresh_token": "x"}))),
        ("logout_all", own("POST", "/auth/logout-all").json(&json!({"keep_current": 1}))),
        ("me", call("GET", "/auth/me").bearer("x")),
        ("me", call("GET", "/auth/me").bearer(&expired(&account))),
        ("revoke_session", own("DELETE", "/auth/sessions/x")),
        ("change_password", own("POST", "/auth/password/change").json(&change)),
        ("verify_email", call("POST", "/auth/email/verify").json(&json!({"token": "x"}))),
        ("reset_password", call("POST", "/auth/password/reset").json(&json!({"token": "x", "new_password": new}))),
    ];
    for (id, method, path) in [
        ("register", "POST", "/auth/register"),
        ("login", "POST", "/auth/login"),
        ("refresh", "POST", "/auth/refresh"),
        ("logout", "POST", "/auth/logout"),
        ("change_password", "POST", "/auth/password/change"),
        ("forgot_password", "POST", "/auth/password/forgot"),
        ("reset_password", "POST", "/auth/password/reset"),
        ("verify_email", "POST", "/auth/email/verify"),
        ("resend_verification", "POST", "/auth/email/resend"),
        ("change_email", "POST", "/auth/email/change"),
        ("delete_account", "DELETE", "/auth/me"),
    ] {
        failures.push((id, own(method, path).json(&json!({}))));
    }
    failures
}

#[test]
fn examples_of_errors_are_what_the_service_sends() {
    let service = Backend::Sqlite.service().start();
    let document = service.get("/openapi.json").expect(200);
    let failures = failures(&service);
    let mut seen: BTreeSet<_> = failures.into_iter().map(|(id, call)| shows(&document, id, &call.send())).collect();
    let strict = Backend::Sqlite.service().unset("RATE_LIMIT_ENABLED").set("REQUIRE_VERIFIED_EMAIL", "true").start();
    let account = strict.account();
    seen.insert(shows(&document, "login", &strict.login(&account.email, &account.password)));
    let forgot = || strict.post("/auth/password/forgot", &json!({"email": account.email}));
    let limited = (0..9).map(|_| forgot()).find(|reply| reply.status == 429).expect("a limit on mails");
    seen.insert(shows(&document, "forgot_password", &limited));
    seen.extend(of_second_factors(&document, &service));
    // Every example was checked.
    let operations = document["paths"].as_object().unwrap().values();
    for operation in operations.flat_map(|methods| methods.as_object().unwrap().values()) {
        for response in operation["responses"].as_object().unwrap().values() {
            let examples = response["content"]["application/json"]["examples"].as_object();
            for code in examples.into_iter().flat_map(|examples| examples.keys()) {
                assert!(seen.contains(code) || FAULTS.contains(&code.as_str()), "{code} is shown and was never sent");
            }
        }
    }
}

#[test]
fn examples_of_success_are_what_the_service_sends() {
    let service = Backend::Sqlite.service().start();
    let document = service.get("/openapi.json").expect(200);
    let (account, pair) = service.session();
    let own = |path: &str, body: &Value| service.tell("POST", path, &pair.access, body);
    let new = json!({"current_password": account.password, "new_password": "wrong donkey charger"});
    let email = json!({"email": account.email});
    let moved = json!({"password": "wrong donkey charger", "new_email": "moved@example.org"});
    for (id, reply) in [
        ("change_password", own("/auth/password/change", &new)),
        ("forgot_password", service.post("/auth/password/forgot", &email)),
        ("resend_verification", service.post("/auth/email/resend", &email)),
        ("change_email", own("/auth/email/change", &moved)),
        ("logout", service.logout(&pair.refresh)),
    ] {
        let content = &operation(&document, id)["responses"][reply.status.to_string()]["content"]["application/json"];
        assert_eq!(content["example"], reply.json(), "{id}");
    }
    let token = service.session().1;
    let everywhere = service.call("POST", "/auth/logout-all").bearer(&token.access).send().expect(200);
    let shown = &document["components"]["schemas"]["LogoutAllResponse"]["properties"]["message"]["example"];
    assert_eq!(*shown, everywhere["message"]);
}
