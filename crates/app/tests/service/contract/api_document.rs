//! `GET /docs`, `GET /redoc`, `GET /openapi.json`. `cargo xtask check --full` tests the pages in a browser.

use crate::prelude::*;

on_both_databases!(
    pages_load_only_from_the_service_below_any_path_prefix,
    the_document_is_openapi_3_and_that_of_the_documentation,
    every_request_schema_has_its_limits_and_formats,
);

/// Path, method, status of success, statuses of errors and whether a bearer token is required.
const OPERATIONS: [(&str, &str, &str, &str, bool); 13] = [
    ("/auth/register", "post", "201", "409 413 415 422 500 503", false),
    ("/auth/login", "post", "200", "401 413 415 422 500 503", false),
    ("/auth/refresh", "post", "200", "401 413 415 422 500 503", false),
    ("/auth/logout", "post", "200", "401 413 415 422 500 503", false),
    ("/auth/logout-all", "post", "200", "401 413 415 422 500 503", true),
    ("/auth/me", "get", "200", "401 500 503", true),
    ("/auth/sessions", "get", "200", "401 500 503", true),
    ("/auth/sessions/{id}", "delete", "204", "401 404 500 503", true),
    ("/auth/sessions/{id}/events", "get", "200", "401 404 500 503", true),
    ("/.well-known/jwks.json", "get", "200", "500", false),
    ("/health", "get", "200", "500", false),
    ("/health/live", "get", "200", "500", false),
    ("/health/ready", "get", "200", "500", false),
];

fn document(service: &Service) -> Value {
    service.get("/openapi.json").expect(200)
}

/// Resolves a reference, if the value is one.
fn resolved<'a>(document: &'a Value, value: &'a Value) -> &'a Value {
    match value["$ref"].as_str() {
        Some(reference) => document.pointer(&reference[1..]).unwrap_or_else(|| panic!("{reference}")),
        None => value,
    }
}

/// Every asset comes from the binary. Behind a proxy that serves it under a path, a URL that starts with a slash
/// would lead to another site.
fn pages_load_only_from_the_service_below_any_path_prefix(service: &Service) {
    let pages =
        ["/docs", "/docs/", "/redoc", "/redoc/", "/account/verify", "/account/verify?token=x", "/account/reset"];
    for page in pages {
        let html = service.get(page);
        let html = html.text();
        let folder = page.split('?').next().unwrap().rsplit_once('/').unwrap().0;
        let texts = ["src=\"", "href=\"", "action=\""].map(|attribute| html.split(attribute).skip(1));
        let addresses = texts.into_iter().flatten().filter_map(|rest| rest.split('"').next());
        let addresses: Vec<_> = addresses.filter(|text| !text.starts_with("data:") && !text.starts_with('#')).collect();
        assert!(!addresses.is_empty(), "{page}: {html}");
        for address in addresses {
            assert!(!address.starts_with('/') && !address.contains("://"), "{page}: {address}");
            let (folder, name) = match address.strip_prefix("../") {
                Some(rest) => (folder.rsplit_once('/').unwrap().0, rest),
                None => (folder, address),
            };
            let loaded = service.get(&format!("{folder}/{name}"));
            assert!(
                matches!(loaded.status, 200 | 410) && !loaded.body.is_empty(),
                "{page}: {address}: {}",
                loaded.status
            );
            let media_type = loaded.header("Content-Type").unwrap();
            let known = ["javascript", "css", "image", "font", "json", "html"];
            assert!(known.iter().any(|kind| media_type.contains(kind)), "{page}: {address}: {media_type}");
            // The start scripts only; the two programs themselves are compressed.
            if name.contains("-init-") {
                let script = loaded.text();
                assert!(script.contains("document.currentScript.src"), "{script}");
                assert!(!script.contains("\"/") && !script.contains("'/"), "{script}");
            }
        }
    }
}

/// `cargo xtask check openapi` keeps the page in `docs` up to date.
fn the_document_is_openapi_3_and_that_of_the_documentation(service: &Service) {
    let document = document(service);
    let documented: Value = serde_json::from_str(include_str!("../../../../../docs/openapi.json")).unwrap();
    assert_eq!(document, documented);
    assert!(document["openapi"].as_str().unwrap().starts_with("3."));
    assert_eq!(document["servers"][0]["url"], ".");
    let schemes = document["components"]["securitySchemes"].as_object().unwrap();
    let urls: Vec<_> = schemes.values().filter_map(|scheme| scheme.pointer("/flows/password/tokenUrl")).collect();
    assert_eq!(urls, ["auth/login"], "Authorize signs in, below any path prefix");
    let mut ids = std::collections::HashSet::new();
    for (path, method, success, errors, bearer) in OPERATIONS {
        let operation = &document["paths"][path][method];
        for name in ["operationId", "summary", "description"] {
            assert!(operation[name].as_str().is_some_and(|text| !text.is_empty()), "{method} {path} has no {name}");
        }
        assert!(ids.insert(operation["operationId"].clone()), "{path}");
        let schema = |status: &str| {
            let response = resolved(&document, &operation["responses"][status]);
            assert!(response["description"].is_string(), "{method} {path} {status}");
            resolved(&document, &response["content"]["application/json"]["schema"])["properties"].clone()
        };
        assert_eq!(schema(success).is_object(), success != "204", "{method} {path}");
        for status in errors.split(' ') {
            assert!(schema(status)["request_id"].is_object(), "{method} {path} {status}");
        }
        let security = operation["security"].as_array().unwrap();
        let required = !security.is_empty() && security.iter().all(|one| *one != json!({}));
        assert_eq!(required, bearer, "{path}: {security:?}");
    }
}

fn every_request_schema_has_its_limits_and_formats(service: &Service) {
    let document = document(service);
    let properties = |path: &str, media_type: &str| {
        let body = resolved(&document, &document["paths"][path]["post"]["requestBody"]);
        assert_eq!(body["required"], true, "{path}");
        let schema = resolved(&document, &body["content"][media_type]["schema"]);
        assert!(schema["required"].as_array().is_some_and(|names| !names.is_empty()), "{path}");
        let properties = schema["properties"].as_object().unwrap_or_else(|| panic!("{path}: {body}"));
        let entries = properties.iter().map(|(name, value)| (name.clone(), resolved(&document, value).clone()));
        entries.collect::<serde_json::Map<_, _>>()
    };
    let register = properties("/auth/register", "application/json");
    assert_eq!((&register["email"]["format"], &register["email"]["maxLength"]), (&"email".into(), &254.into()));
    let password = &register["password"];
    assert_eq!((&password["minLength"], &password["maxLength"]), (&8.into(), &256.into()));
    assert_eq!(password["format"], "password");
    let login = properties("/auth/login", "application/json");
    assert!(login.contains_key("email") && login.contains_key("password"));
    let form = properties("/auth/login", "application/x-www-form-urlencoded");
    assert!(form.contains_key("username") && form.contains_key("password"));
    for path in ["/auth/refresh", "/auth/logout"] {
        assert!(properties(path, "application/json").contains_key("refresh_token"));
    }
    let parameters = &document["paths"]["/auth/refresh"]["post"]["parameters"];
    assert_eq!(
        (&parameters[0]["name"], &parameters[0]["schema"]["maxLength"]),
        (&"Idempotency-Key".into(), &255.into())
    );
    let optional = &document["paths"]["/auth/logout-all"]["post"]["requestBody"];
    assert_ne!(resolved(&document, optional)["required"], true);
}

#[test]
fn the_title_is_the_configured_name() {
    let own = Backend::Sqlite.service().set("APP_NAME", "Türsteher & <Co>").start();
    assert_eq!(document(&own)["info"]["title"], "Türsteher & <Co>");
    assert_eq!(document(Fixture::on(Backend::Sqlite))["info"]["title"], "Portcullis");
    for page in ["/docs", "/redoc"] {
        assert!(!own.get(page).text().contains("<Co>"), "escaped, or not there");
    }
}
