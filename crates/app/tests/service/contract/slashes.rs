//! Trailing slashes: the FastAPI app redirected them, and its clients followed.

use crate::prelude::*;

on_both_databases!(
    a_path_with_a_slash_at_its_end_is_the_same_route,
    other_paths_are_known_by_their_exact_spelling,
    the_document_and_the_log_know_one_path,
);

fn a_path_with_a_slash_at_its_end_is_the_same_route(service: &Service) {
    let account = service.account();
    let fresh = json!({"email": fresh_email(), "password": "long enough"});
    service.post("/auth/register/", &fresh).expect(201);
    let pair = Pair::of(&service.post("/auth/login/?next=x", &credentials(&account)));
    let pair = Pair::of(&service.post("/auth/refresh/", &json!({"refresh_token": pair.refresh})));
    service.post("/auth/logout/", &json!({"refresh_token": pair.refresh})).expect(200);
    service.call("POST", "/auth/login/").fields(&account.as_form()).send().expect(200);
    for (path, method) in
        ["/health", "/openapi.json", "/docs", "/redoc"].into_iter().flat_map(|p| [(p, "GET"), (p, "HEAD")])
    {
        let call = |path: &str| service.call(method, path).send();
        let (plain, slashed) = (call(path), call(&format!("{path}/")));
        assert_eq!((slashed.status, slashed.header("Content-Type")), (200, plain.header("Content-Type")), "{path}");
    }
    service.call("DELETE", "/auth/login/").send().expect_error(405, "METHOD_NOT_ALLOWED");
}

fn other_paths_are_known_by_their_exact_spelling(service: &Service) {
    for path in ["/auth/me/", "/health/live/", "/account/reset/", "/auth/login//", "/nowhere/"] {
        service.get(path).expect_error(404, "NOT_FOUND");
    }
}

fn the_document_and_the_log_know_one_path(service: &Service) {
    let document = service.get("/openapi.json/").expect(200);
    assert!(document["paths"].as_object().unwrap().keys().all(|path| !path.ends_with('/')));
    let events = service.log.of_request(service.post("/auth/login/", &json!({})).request_id());
    let mut lines = events.iter().filter(|event| event["name"] == "app.access");
    assert!(lines.all(|event| event["path"] == "/auth/login"), "{events:?}");
}
