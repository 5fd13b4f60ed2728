//! `GET /docs`, `GET /redoc`, `GET /openapi.json`. `cargo xtask check --full` tests the pages in a browser.

use crate::harness::databases::Backend;
use crate::harness::{on_both_databases, services::Service};
use serde_json::Value;

on_both_databases!(
    the_pages_need_no_network,
    nothing_that_is_served_leaves_a_path_prefix,
    the_document_is_openapi_3_and_names_every_operation,
    every_request_schema_has_its_limits_and_formats,
    every_error_status_has_its_body,
    the_bearer_scheme_is_declared_and_required_where_needed,
    every_reference_resolves,
    the_title_is_the_configured_name,
);

/// Path, method and status of success.
const OPERATIONS: [(&str, &str, &str); 13] = [
    ("/auth/register", "post", "201"),
    ("/auth/login", "post", "200"),
    ("/auth/refresh", "post", "200"),
    ("/auth/logout", "post", "200"),
    ("/auth/logout-all", "post", "200"),
    ("/auth/me", "get", "200"),
    ("/auth/sessions", "get", "200"),
    ("/auth/sessions/{id}", "delete", "204"),
    ("/auth/sessions/{id}/events", "get", "200"),
    ("/.well-known/jwks.json", "get", "200"),
    ("/health", "get", "200"),
    ("/health/live", "get", "200"),
    ("/health/ready", "get", "200"),
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

fn the_pages_need_no_network(service: &Service) {
    for page in ["/docs", "/redoc"] {
        let reply = service.get(page);
        assert_eq!(reply.status, 200);
        let html = reply.text();
        let mut assets = 0;
        for attribute in ["src=\"", "href=\""] {
            for asset in html.split(attribute).skip(1).filter_map(|rest| rest.split('"').next()) {
                if asset.starts_with("data:") || asset.starts_with('#') {
                    continue;
                }
                assert!(!asset.starts_with("//") && !asset.contains("://"), "{page} loads {asset}");
                let path = format!("/{asset}");
                let loaded = service.get(&path);
                assert_eq!(loaded.status, 200, "{page}: {path}");
                let media_type = loaded.header("Content-Type").unwrap();
                assert!(
                    ["javascript", "css", "image", "font", "json"].iter().any(|t| media_type.contains(t)),
                    "{path}"
                );
                assert!(!loaded.body.is_empty());
                assets += 1;
            }
        }
        assert!(assets > 0, "{page} has no assets: {html}");
    }
}

/// Behind a proxy that serves it under a path, a URL that starts with a slash leads to another site.
fn nothing_that_is_served_leaves_a_path_prefix(service: &Service) {
    let pages =
        ["/docs", "/docs/", "/redoc", "/redoc/", "/account/verify", "/account/verify?token=x", "/account/reset"];
    for page in pages {
        let html = service.get(page);
        let html = html.text();
        let folder = page.split('?').next().unwrap().rsplit_once('/').unwrap().0;
        let mut addresses = 0;
        for attribute in ["src=\"", "href=\"", "action=\""] {
            for address in html.split(attribute).skip(1).filter_map(|rest| rest.split('"').next()) {
                if address.starts_with("data:") || address.starts_with('#') {
                    continue;
                }
                assert!(!address.starts_with('/') && !address.contains("://"), "{page}: {address}");
                let (folder, name) = match address.strip_prefix("../") {
                    Some(rest) => (folder.rsplit_once('/').unwrap().0, rest),
                    None => (folder, address),
                };
                let loaded = service.get(&format!("{folder}/{name}"));
                assert!(matches!(loaded.status, 200 | 410), "{page}: {address}: {}", loaded.status);
                addresses += 1;
                // The start scripts only; the two programs themselves are compressed.
                if name.contains("-init-") {
                    let script = loaded.text();
                    assert!(script.contains("document.currentScript.src"), "{script}");
                    assert!(!script.contains("\"/") && !script.contains("'/"), "{script}");
                }
            }
        }
        assert!(addresses > 0, "{page}: {html}");
    }
    let document = document(service);
    assert_eq!(document["servers"][0]["url"], ".");
    let schemes = document["components"]["securitySchemes"].as_object().unwrap();
    let urls: Vec<_> = schemes.values().filter_map(|scheme| scheme.pointer("/flows/password/tokenUrl")).collect();
    assert_eq!(urls, ["auth/login"]);
}

fn the_document_is_openapi_3_and_names_every_operation(service: &Service) {
    let document = document(service);
    assert!(document["openapi"].as_str().unwrap().starts_with("3."));
    let mut ids = std::collections::HashSet::new();
    for (path, method, success) in OPERATIONS {
        let operation = &document["paths"][path][method];
        for name in ["operationId", "summary", "description"] {
            assert!(operation[name].as_str().is_some_and(|text| !text.is_empty()), "{method} {path} has no {name}");
        }
        assert!(ids.insert(operation["operationId"].clone()), "{path}");
        let response = resolved(&document, &operation["responses"][success]);
        if success == "204" {
            assert!(response.is_object() && response.get("content").is_none(), "{method} {path}: {response}");
            continue;
        }
        let schema = resolved(&document, &response["content"]["application/json"]["schema"]);
        assert!(schema["properties"].as_object().is_some_and(|p| !p.is_empty()), "{method} {path}: {response}");
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

fn every_error_status_has_its_body(service: &Service) {
    let document = document(service);
    let beyond = |path: &str| match path {
        "/auth/register" => &["409", "413", "415", "422", "500", "503"][..],
        "/auth/login" | "/auth/refresh" | "/auth/logout" => &["401", "413", "415", "422", "500", "503"],
        "/auth/logout-all" => &["401", "413", "415", "422", "500", "503"],
        "/auth/me" | "/auth/sessions" => &["401", "500", "503"],
        path if path.starts_with("/auth/sessions/") => &["401", "404", "500", "503"],
        "/health/ready" => &["500", "503"],
        _ => &["500"],
    };
    for (path, method, _) in OPERATIONS {
        let responses = &document["paths"][path][method]["responses"];
        for status in beyond(path) {
            let response = resolved(&document, &responses[*status]);
            let content = &response["content"]["application/json"];
            assert!(content["schema"].is_object(), "{method} {path} {status}: {response}");
            assert!(response["description"].is_string(), "{method} {path} {status}");
            if path != "/health/ready" || *status != "503" {
                let schema = resolved(&document, &content["schema"]);
                assert!(schema["properties"]["request_id"].is_object(), "{method} {path} {status}: {schema}");
            }
        }
    }
}

fn the_bearer_scheme_is_declared_and_required_where_needed(service: &Service) {
    let document = document(service);
    let schemes = document["components"]["securitySchemes"].as_object().unwrap();
    let bearer = |scheme: &Value| {
        scheme["type"] == "http" && scheme["scheme"].as_str().is_some_and(|s| s.eq_ignore_ascii_case("bearer"))
            || scheme["type"] == "oauth2"
    };
    assert!(schemes.values().any(bearer), "{schemes:?}");
    let password = schemes.values().find_map(|scheme| scheme["flows"]["password"]["tokenUrl"].as_str());
    assert!(password.is_some_and(|url| url.trim_start_matches('/') == "auth/login"), "Authorize signs in: {schemes:?}");
    for (path, method, _) in OPERATIONS {
        let security = &document["paths"][path][method]["security"];
        let required = security
            .as_array()
            .is_some_and(|all| !all.is_empty() && all.iter().all(|one| *one != serde_json::json!({})));
        let bearer = ["/auth/me", "/auth/logout-all"].contains(&path) || path.starts_with("/auth/sessions");
        assert_eq!(required, bearer, "{path}: {security}");
    }
}

fn every_reference_resolves(service: &Service) {
    fn check(document: &Value, value: &Value, count: &mut usize) {
        if let Some(reference) = value["$ref"].as_str() {
            assert!(document.pointer(&reference[1..]).is_some(), "{reference}");
            *count += 1;
        }
        match value {
            Value::Object(members) => members.values().for_each(|v| check(document, v, count)),
            Value::Array(items) => items.iter().for_each(|v| check(document, v, count)),
            _ => {}
        }
    }
    let document = document(service);
    let mut count = 0;
    check(&document, &document, &mut count);
    assert!(count > 0);
}

fn the_title_is_the_configured_name(backend: Backend) {
    let own = backend.service().set("APP_NAME", "Türsteher & <Co>").start();
    assert_eq!(document(&own)["info"]["title"], "Türsteher & <Co>");
    let service = backend.service().start();
    assert_eq!(document(&service)["info"]["title"], "Portcullis");
    for page in ["/docs", "/redoc"] {
        assert!(!own.get(page).text().contains("<Co>"), "escaped, or not there");
    }
}
