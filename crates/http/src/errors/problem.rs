//! Renders errors as the envelope (`ErrorResponse`), or as a problem document (RFC 9457) if the client
//! prefers it.

use super::dto::{ErrorBody, ErrorDetails, ErrorResponse, ProblemDocument};
use super::{ApiError, Challenge, FieldError, Preference, code_of};
use crate::limits::{rate_limit_headers, whole_seconds};
use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderValue};
use actix_web::{HttpResponse, ResponseError};
use portcullis_domain::ErrorCode;
use serde_json::Value;
use std::time::Duration;

/// Media type of JSON responses.
pub(crate) const JSON: &str = "application/json; charset=utf-8";
/// Media type of problem documents. It has no parameters (RFC 9457 §6.1): JSON is always UTF-8.
const PROBLEM_JSON: &str = "application/problem+json";

/// An error in a response's extensions, until the envelope renders it.
#[derive(Debug, Clone)]
pub(crate) struct Problem(ApiError);

/// Marks a response that keeps its own body, regardless of its status.
pub(crate) struct SkipEnvelope;

impl From<ApiError> for Problem {
    fn from(error: ApiError) -> Self {
        Self(error)
    }
}

impl Problem {
    /// Returns the error to render, or `None` if the response is not an error or has its own body.
    pub(crate) fn of_response(response: &HttpResponse) -> Option<Self> {
        let (status, extensions) = (response.status(), response.extensions());
        if let Some(told) = extensions.get::<Self>() {
            return Some(told.clone());
        }
        let foreign =
            extensions.get::<SkipEnvelope>().is_none() && (status.is_client_error() || status.is_server_error());
        foreign.then(|| Self::of_status(status))
    }

    /// Creates an error for a bare status, usually one from the router.
    fn of_status(status: StatusCode) -> Self {
        let message = match status {
            StatusCode::NOT_FOUND => "Not found",
            StatusCode::METHOD_NOT_ALLOWED => "Method not allowed",
            _ if status.is_server_error() => "An unexpected error occurred",
            _ => "The request cannot be served",
        };
        Self(ApiError::new(code_of(status), message))
    }

    /// Returns the response status.
    pub(crate) fn status(&self) -> StatusCode {
        self.0.status_code()
    }

    /// Logs a client error as a warning, any other as an error with its cause.
    pub(crate) fn log(&self) {
        self.log_as(self.status());
    }

    /// Logs the error with another status than the code's own.
    pub(crate) fn log_as(&self, status: StatusCode) {
        let Self(error) = self;
        let (error_code, status_code) = (error.code.as_str(), status.as_u16());
        let (message, cause) = (error.message.as_ref(), error.cause.as_deref());
        if status.is_client_error() {
            tracing::warn!(target: "app.errors", error_code, status_code, cause, "{message}");
        } else {
            tracing::error!(target: "app.errors", error_code, status_code, cause, "{message}");
        }
    }

    /// Renders a problem document if the client prefers it, otherwise the envelope.
    pub(crate) fn render(&self, request_id: &str, preference: &Preference) -> HttpResponse {
        if self.0.bare.is_some() {
            let mut response = HttpResponse::new(self.status());
            self.set_headers(&mut response);
            return response;
        }
        let (media_type, body) = if preference.is_problem_document() {
            (PROBLEM_JSON, serde_json::to_string(&self.document(request_id)))
        } else {
            (JSON, serde_json::to_string(&self.envelope(request_id)))
        };
        let mut response = HttpResponse::build(self.status()).content_type(media_type).body(body.unwrap_or_default());
        // A cache must not serve one format to a client that prefers the other.
        response.headers_mut().append(header::VARY, HeaderValue::from_static("accept"));
        self.set_headers(&mut response);
        response
    }

    /// Returns the default body.
    pub(crate) fn envelope(&self, request_id: &str) -> ErrorResponse {
        let (code, message) = (self.0.code.as_str(), self.0.message.to_string());
        let error = ErrorBody { code, message, details: ErrorDetails { errors: self.errors(), more: self.more() } };
        ErrorResponse { error, request_id: request_id.to_owned() }
    }

    fn document(&self, request_id: &str) -> ProblemDocument {
        let status = self.status();
        ProblemDocument {
            kind: "about:blank",
            title: status.canonical_reason().unwrap_or_default(),
            status: status.as_u16(),
            detail: self.0.message.to_string(),
            code: self.0.code.as_str(),
            errors: self.errors(),
            more: self.more(),
            request_id: request_id.to_owned(),
        }
    }

    fn errors(&self) -> Option<Vec<FieldError>> {
        let fields = &self.0.fields;
        (!fields.is_empty()).then(|| fields.clone())
    }

    fn more(&self) -> Option<Value> {
        self.0.details.as_deref().filter(|details| details.is_object()).cloned()
    }

    /// Returns the challenge of a 401, and that of RFC 9470 §3 if the user must authenticate again.
    fn challenge(&self) -> Option<HeaderValue> {
        const STEP_UP: &str = "Bearer error=\"insufficient_user_authentication\"";
        match (self.0.challenge, self.0.code) {
            (Some(Challenge::Missing), _) => Some(HeaderValue::from_static("Bearer")),
            (Some(Challenge::InvalidToken), _) => Some(HeaderValue::from_static("Bearer error=\"invalid_token\"")),
            (None, ErrorCode::StepUpRequired) => {
                let age = self.0.details.as_ref().and_then(|details| details.get("max_age")?.as_u64());
                let age = age.map(|age| format!(", max_age=\"{age}\"")).unwrap_or_default();
                HeaderValue::try_from(format!("{STEP_UP}{age}")).ok()
            }
            (None, _) => None,
        }
    }

    /// Sets the header fields that belong to the error.
    pub(crate) fn set_headers(&self, response: &mut HttpResponse) {
        let headers = response.headers_mut();
        if let Some(challenge) = self.challenge() {
            headers.insert(header::WWW_AUTHENTICATE, challenge);
        }
        if let Some(seconds) = self.retry_after() {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        for (name, value) in self.0.limited.iter().flat_map(|limited| rate_limit_headers(limited)) {
            headers.insert(name, value);
        }
        // Only this kind of 415 has the field (RFC 7694 §3).
        if self.0.encoded {
            headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        }
        if self.0.close {
            response.head_mut().set_connection_type(actix_web::http::ConnectionType::Close);
        }
    }

    /// Returns `Retry-After` in whole seconds, rounded up. Always present for 429 and 503, as the API
    /// promises.
    fn retry_after(&self) -> Option<u64> {
        let promised = matches!(self.0.code, ErrorCode::Unavailable | ErrorCode::RateLimited);
        let wait = self.0.retry_after.or(promised.then_some(Duration::from_secs(1)))?;
        Some(whole_seconds(wait))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::body::MessageBody;
    use actix_web::http::header::HeaderMap;
    use serde_json::json;

    fn rendered(error: &ApiError, accept: &'static str) -> (HttpResponse<()>, Value) {
        let mut headers = HeaderMap::new();
        headers.insert(header::ACCEPT, HeaderValue::from_static(accept));
        let (head, body) = Problem::from(error.clone()).render("id", &Preference::of(&headers)).into_parts();
        (head, serde_json::from_slice(&body.try_into_bytes().unwrap()).unwrap())
    }

    #[test]
    fn details_are_in_both_formats_and_in_no_log() {
        let details = json!({ "max_age": 600, "methods": ["totp"], "mfa_token": "a.secret.token" });
        let error = ApiError::new(ErrorCode::StepUpRequired, "Authenticate again").with_details(details.clone());
        let (response, body) = rendered(&error, "application/json");
        assert_eq!(response.status(), 403);
        let challenge = response.headers().get(header::WWW_AUTHENTICATE).unwrap();
        assert_eq!(challenge, "Bearer error=\"insufficient_user_authentication\", max_age=\"600\"");
        let expected = json!({ "code": "AUTH_STEP_UP_REQUIRED", "message": "Authenticate again", "details": details });
        assert_eq!(body, json!({ "error": expected, "request_id": "id" }));
        let (_, body) = rendered(&error, "application/problem+json");
        let document = json!({
            "type": "about:blank", "title": "Forbidden", "status": 403, "detail": "Authenticate again",
            "code": "AUTH_STEP_UP_REQUIRED", "max_age": 600, "methods": ["totp"], "mfa_token": "a.secret.token",
            "request_id": "id",
        });
        assert_eq!(body, document);
        assert!(!format!("{error:?}").contains("a.secret.token"));
        let (response, body) = rendered(&ApiError::new(ErrorCode::Conflict, "Taken"), "application/json");
        assert!(response.headers().get(header::WWW_AUTHENTICATE).is_none());
        assert_eq!(body["error"]["details"], json!({}));
    }
}
