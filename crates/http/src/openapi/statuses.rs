//! Error responses of the operations, from one table.

use super::examples;
use crate::errors::status_of;
use portcullis_domain::ErrorCode;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// Errors of every operation with a request body.
const WITH_BODY: [ErrorCode; 5] = [
    ErrorCode::PayloadTooLarge,
    ErrorCode::UnsupportedMediaType,
    ErrorCode::Validation,
    ErrorCode::Internal,
    ErrorCode::Unavailable,
];

/// Errors of operations with a bearer token.
const BEARER: [ErrorCode; 4] =
    [ErrorCode::TokenInvalid, ErrorCode::TokenExpired, ErrorCode::TokenRevoked, ErrorCode::Unavailable];

/// Errors of operations with a bearer token and a session id.
const OF_A_SESSION: [ErrorCode; 5] = [
    ErrorCode::TokenInvalid,
    ErrorCode::TokenExpired,
    ErrorCode::TokenRevoked,
    ErrorCode::NotFound,
    ErrorCode::Unavailable,
];

/// Errors of operations with a bearer token and the account's password.
const WITH_PASSWORD: [ErrorCode; 6] = [
    ErrorCode::InvalidCredentials,
    ErrorCode::TokenInvalid,
    ErrorCode::TokenExpired,
    ErrorCode::TokenRevoked,
    ErrorCode::RateLimited,
    ErrorCode::Unavailable,
];

/// Returns the errors specific to an operation.
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

/// Adds the error responses to an operation, and the request id to every response.
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

/// Returns the description of an error code.
fn meaning(code: ErrorCode) -> &'static str {
    match code {
        ErrorCode::InvalidCredentials => "Wrong email or password, or inactive account.",
        ErrorCode::TokenInvalid => "The token is missing, malformed, forged, unknown or of the wrong type.",
        ErrorCode::TokenExpired => "The token has expired.",
        ErrorCode::TokenRevoked => "The token is spent or revoked, its session has ended, or its account is inactive.",
        ErrorCode::EmailUnverified => {
            "The password or token is valid, but the account's email address is not verified yet."
        }
        ErrorCode::Forbidden => "Not allowed.",
        ErrorCode::NotFound => "The route or resource does not exist.",
        ErrorCode::MethodNotAllowed => "The route does not support this method.",
        ErrorCode::Conflict => "The email address is already registered.",
        ErrorCode::PayloadTooLarge => "The body is larger than 64 KiB.",
        ErrorCode::UnsupportedMediaType => "The body has an unsupported `Content-Type` or a `Content-Encoding`.",
        ErrorCode::Validation => "The body is malformed, or a member is missing or invalid.",
        ErrorCode::RateLimited => "Too many attempts for this account, device, source or token.",
        ErrorCode::Internal => "Unexpected error.",
        ErrorCode::Unavailable => "A dependency is unavailable, or the service is overloaded.",
    }
}
