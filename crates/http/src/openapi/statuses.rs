//! Which errors an operation answers with, and how they look: one table.

use super::examples;
use crate::errors::status_of;
use portcullis_domain::ErrorCode;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// The errors of every operation that takes a body.
const WITH_BODY: [ErrorCode; 5] = [
    ErrorCode::PayloadTooLarge,
    ErrorCode::UnsupportedMediaType,
    ErrorCode::Validation,
    ErrorCode::Internal,
    ErrorCode::Unavailable,
];

/// The errors of an operation that a bearer asks for.
const BEARER: [ErrorCode; 4] =
    [ErrorCode::TokenInvalid, ErrorCode::TokenExpired, ErrorCode::TokenRevoked, ErrorCode::Unavailable];

/// The same where a session is named.
const OF_A_SESSION: [ErrorCode; 5] = [
    ErrorCode::TokenInvalid,
    ErrorCode::TokenExpired,
    ErrorCode::TokenRevoked,
    ErrorCode::NotFound,
    ErrorCode::Unavailable,
];

/// The same where the account's password is asked for as well.
const WITH_PASSWORD: [ErrorCode; 6] = [
    ErrorCode::InvalidCredentials,
    ErrorCode::TokenInvalid,
    ErrorCode::TokenExpired,
    ErrorCode::TokenRevoked,
    ErrorCode::RateLimited,
    ErrorCode::Unavailable,
];

/// The errors of an operation besides those of its kind.
fn own_errors(operation: &str) -> &'static [ErrorCode] {
    match operation {
        "register" => &[ErrorCode::Conflict, ErrorCode::RateLimited],
        "login" => &[ErrorCode::InvalidCredentials, ErrorCode::EmailUnverified, ErrorCode::RateLimited],
        "refresh" => &[
            ErrorCode::TokenInvalid,
            ErrorCode::TokenExpired,
            ErrorCode::TokenRevoked,
            ErrorCode::EmailUnverified,
            ErrorCode::RateLimited,
        ],
        "logout" => &[ErrorCode::TokenInvalid],
        "change_password" | "change_email" | "delete_account" => &WITH_PASSWORD,
        "forgot_password" | "resend_verification" => &[ErrorCode::RateLimited],
        "reset_password" => &[ErrorCode::TokenInvalid, ErrorCode::TokenExpired],
        "verify_email" => &[
            ErrorCode::InvalidCredentials,
            ErrorCode::TokenInvalid,
            ErrorCode::TokenExpired,
            ErrorCode::TokenRevoked,
            ErrorCode::Conflict,
            ErrorCode::RateLimited,
        ],
        "me" | "sessions" | "logout_all" => &BEARER,
        "revoke_session" | "session_events" => &OF_A_SESSION,
        _ => &[],
    }
}

/// Puts the errors into an operation, and the request's identifier into every response.
pub(super) fn describe(operation: &mut Value) {
    let id = operation.get("operationId").and_then(Value::as_str).unwrap_or_default().to_owned();
    let with_body = operation.get("requestBody").is_some();
    let bearer = operation.get("security").is_some();
    let Some(responses) = operation.get_mut("responses").and_then(Value::as_object_mut) else { return };
    responses.retain(|status, _| status.starts_with('2'));
    for response in responses.values_mut().filter_map(Value::as_object_mut) {
        response.insert("headers".to_owned(), json!({ "X-Request-ID": header("RequestId") }));
        let body = response.get_mut("content").and_then(|content| content.get_mut("application/json"));
        if let (Some(Value::Object(body)), Some(example)) = (body, examples::message(&id)) {
            body.insert("example".to_owned(), example);
        }
    }
    let shared: &[ErrorCode] = if with_body { &WITH_BODY } else { &[ErrorCode::Internal] };
    let mut by_status: BTreeMap<u16, Vec<ErrorCode>> = BTreeMap::new();
    for code in own_errors(&id).iter().chain(shared) {
        let codes = by_status.entry(status_of(*code).as_u16()).or_default();
        if !codes.contains(code) {
            codes.push(*code);
        }
    }
    for (status, codes) in by_status {
        responses.insert(status.to_string(), response(&id, &codes, bearer));
    }
}

fn response(operation: &str, codes: &[ErrorCode], bearer: bool) -> Value {
    let description = codes.iter().map(|code| meaning(*code)).collect::<Vec<_>>().join(" Or: ");
    let mut headers = Map::new();
    headers.insert("X-Request-ID".to_owned(), header("RequestId"));
    headers.insert("Vary".to_owned(), header("Vary"));
    if codes.contains(&ErrorCode::RateLimited) {
        headers.insert("RateLimit".to_owned(), header("RateLimit"));
        headers.insert("RateLimit-Policy".to_owned(), header("RateLimitPolicy"));
    }
    if codes.iter().any(|code| matches!(code, ErrorCode::Unavailable | ErrorCode::RateLimited)) {
        headers.insert("Retry-After".to_owned(), header("RetryAfter"));
    }
    if codes.contains(&ErrorCode::UnsupportedMediaType) {
        headers.insert("Accept-Encoding".to_owned(), header("AcceptEncoding"));
    }
    if bearer && codes.contains(&ErrorCode::TokenInvalid) {
        headers.insert("WWW-Authenticate".to_owned(), header("WwwAuthenticate"));
    }
    let examples: Map<_, _> =
        codes.iter().map(|code| (code.as_str().to_owned(), examples::error(operation, *code))).collect();
    json!({
        "description": description,
        "headers": headers,
        "content": {
            "application/json": { "schema": schema("ErrorResponse"), "examples": examples },
            "application/problem+json": { "schema": schema("ProblemDocument") },
        },
    })
}

fn header(name: &str) -> Value {
    json!({ "$ref": format!("#/components/headers/{name}") })
}

fn schema(name: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{name}") })
}

/// A code in a sentence.
fn meaning(code: ErrorCode) -> &'static str {
    match code {
        ErrorCode::InvalidCredentials => "Wrong email, wrong password or inactive account.",
        ErrorCode::TokenInvalid => "The token is missing, malformed, forged, of the wrong kind or unknown.",
        ErrorCode::TokenExpired => "The token has expired.",
        ErrorCode::TokenRevoked => "The token was spent or revoked, its session has ended, or its account is inactive.",
        ErrorCode::EmailUnverified => {
            "The password or the token is right, and the account's address has yet to be verified."
        }
        ErrorCode::Forbidden => "Not allowed.",
        ErrorCode::NotFound => "No such route or resource.",
        ErrorCode::MethodNotAllowed => "The route does not take this method.",
        ErrorCode::Conflict => "The email is already registered.",
        ErrorCode::PayloadTooLarge => "The body is larger than 64 KiB.",
        ErrorCode::UnsupportedMediaType => "The body is in a format that is not taken.",
        ErrorCode::Validation => "The body is malformed, or a member of it is missing or invalid.",
        ErrorCode::RateLimited => "Too many tries of one account, device, source or token.",
        ErrorCode::Internal => "Something unforeseen happened.",
        ErrorCode::Unavailable => "A dependency is gone or everything is busy.",
    }
}
