//! Completes the operations from the route table.

use super::{examples, json_patch};
use crate::errors::status_of;
use crate::routes::Operation;
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

/// Errors of every operation with a bearer token.
const BEARER: [ErrorCode; 4] =
    [ErrorCode::TokenInvalid, ErrorCode::TokenExpired, ErrorCode::TokenRevoked, ErrorCode::Unavailable];

/// Completes an operation: security, parameters, the successful response, its errors, and the request
/// id of every response.
pub(super) fn describe(target: &mut Value, operation: &Operation) {
    let Some(members) = target.as_object_mut() else { return };
    let id = members.get("operationId").and_then(Value::as_str).unwrap_or_default().to_owned();
    let with_body = members.contains_key("requestBody");
    // Marks public operations explicitly, to distinguish them from forgotten ones.
    let security = members.entry("security").or_insert_with(|| json!([])).as_array_mut();
    let bearer = security.and_then(|schemes| {
        let is_optional = schemes.first()? == &json!({});
        schemes.push(json!({ "passwordLogin": [] }));
        Some(is_optional)
    });
    if let Some(parameters) = members.entry("parameters").or_insert_with(|| json!([])).as_array_mut() {
        parameters.extend(operation.parameters.iter().cloned());
    }
    members.retain(|name, value| name != "parameters" || value != &json!([]));
    let Some(responses) = members.get_mut("responses").and_then(Value::as_object_mut) else { return };
    responses.retain(|status, _| status.starts_with('2'));
    for response in responses.values_mut() {
        let success = json!({ "description": operation.success, "headers": { "X-Request-ID": header("RequestId") } });
        json_patch(response, &success);
        if let (Some(body), Some(example)) = (response.pointer_mut("/content/application~1json"), &operation.example) {
            json_patch(body, &json!({ "example": example }));
        }
    }
    let of_bearer: &[ErrorCode] = if bearer.is_some() { &BEARER } else { &[] };
    let shared: &[ErrorCode] = if with_body { &WITH_BODY } else { &[ErrorCode::Internal] };
    let mut by_status: BTreeMap<u16, Vec<ErrorCode>> = BTreeMap::new();
    for code in operation.errors.iter().chain(of_bearer).chain(shared) {
        let codes = by_status.entry(status_of(*code).as_u16()).or_default();
        if !codes.contains(code) {
            codes.push(*code);
        }
    }
    for (status, codes) in by_status {
        responses.insert(status.to_string(), response(&id, &codes, bearer == Some(false)));
    }
    operation.patch.iter().for_each(|patch| json_patch(target, patch));
}

fn response(operation: &str, codes: &[ErrorCode], bearer: bool) -> Value {
    let description = codes.iter().map(|code| meaning(operation, *code)).collect::<Vec<_>>().join(" Or: ");
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
        let always = !codes.contains(&ErrorCode::InvalidCredentials);
        let challenge = if always { header("WwwAuthenticate") } else { token_challenge() };
        headers.insert("WWW-Authenticate".to_owned(), challenge);
    }
    if codes.contains(&ErrorCode::StepUpRequired) {
        headers.insert("WWW-Authenticate".to_owned(), step_up_challenge());
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

/// Challenge of a response that may also mean a wrong password, which has none.
fn token_challenge() -> Value {
    json!({
        "description": "Authentication challenge (RFC 6750); not with `AUTH_INVALID_CREDENTIALS`.",
        "required": false,
        "schema": { "type": "string", "example": "Bearer error=\"invalid_token\"" },
    })
}

/// Not among the shared headers: a document without such an operation would contain an unused one.
fn step_up_challenge() -> Value {
    json!({
        "description": "Challenge (RFC 9470); only with `AUTH_STEP_UP_REQUIRED`.",
        "required": false,
        "schema": { "type": "string", "example": "Bearer error=\"insufficient_user_authentication\", max_age=\"600\"" },
    })
}

pub(crate) fn header(name: &str) -> Value {
    json!({ "$ref": format!("#/components/headers/{name}") })
}

pub(crate) fn schema(name: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{name}") })
}

/// Returns the description of an error code of an operation.
fn meaning(operation: &str, code: ErrorCode) -> &'static str {
    match code {
        ErrorCode::InvalidCredentials => match operation {
            "confirm_totp" => "The code is wrong or was used before.",
            "verify_mfa" => "The code or the passkey is wrong, or was used before.",
            "reauthenticate" => "The password, the code or the passkey is wrong, or the code is missing.",
            "login_with_passkey" => "The passkey is not accepted, or its account is inactive.",
            _ => "Wrong email or password, or inactive account.",
        },
        ErrorCode::TokenInvalid => "The token is missing, malformed, forged, unknown or of the wrong type.",
        ErrorCode::TokenExpired => "The token has expired.",
        ErrorCode::TokenRevoked => "The token is spent or revoked, its session has ended, or its account is inactive.",
        ErrorCode::EmailUnverified => {
            "The password or token is valid, but the account's email address is not verified yet."
        }
        ErrorCode::MfaRequired => "The first factor is correct. Send the second one with `mfa_token`.",
        ErrorCode::MfaEnrolmentRequired => {
            "The first factor is correct, but the account must set up a second one with `mfa_token`."
        }
        ErrorCode::StepUpRequired => "The last authentication was too long ago, or too weak. Authenticate again.",
        ErrorCode::Forbidden => "Not allowed.",
        ErrorCode::NotFound => "The route or resource does not exist.",
        ErrorCode::MethodNotAllowed => "The route does not support this method.",
        ErrorCode::Conflict if matches!(operation, "register" | "verify_email") => {
            "The email address is already registered."
        }
        ErrorCode::Conflict => "The state of the account does not permit this: `details.reason` names the cause.",
        ErrorCode::PayloadTooLarge => "The body is larger than 64 KiB.",
        ErrorCode::UnsupportedMediaType => "The body has an unsupported `Content-Type` or a `Content-Encoding`.",
        ErrorCode::Validation => "The body is malformed, or a member is missing or invalid.",
        ErrorCode::RateLimited => "Too many attempts for this account, device, source or token.",
        ErrorCode::Internal => "Unexpected error.",
        ErrorCode::Unavailable => "A dependency is unavailable, or the service is overloaded.",
    }
}
