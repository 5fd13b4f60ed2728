//! Assigns an id to every request, and sets it and the security headers on every response.

use super::{RequestSpan, host, slash};
use crate::api::Api;
use crate::errors::{ApiError, Preference, Problem};
use crate::request_gate::ServingGuard;
use crate::request_metrics::RequestTimer;
use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::error::InternalError;
use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use actix_web::middleware::Next;
use actix_web::web::Data;
use actix_web::{Error, HttpMessage};

const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const MAX_LENGTH: usize = 128;

/// Id of a request: the client's if it is well-formed, otherwise a random one.
#[derive(Clone)]
pub(crate) struct RequestId(pub(crate) String);

/// Maximum bytes of a request's target and headers. The library's own limit is twice as high.
const MAX_HEAD: usize = 64 * 1024;

/// Takes the connection's request gate, and assigns the request id.
pub(crate) async fn request_id(
    mut request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    slash::strip(&mut request);
    let (serving, watched) = (ServingGuard::begin(&mut request), RequestTimer::begin(&request));
    let outcome = name(request, next).await;
    if let Some(watched) = watched {
        watched.end(match &outcome {
            Ok(response) => response.status(),
            Err(error) => error.as_response_error().status_code(),
        });
    }
    Ok(serving.until_sent(drop_request_headers(outcome?)))
}

/// Clears the request's headers. The library reuses requests, and a header keeps alive the 8 KiB buffer
/// it was read into, with tokens and passwords. By now only the response holds the request.
fn drop_request_headers<B>(response: ServiceResponse<B>) -> ServiceResponse<B> {
    let (request, response) = response.into_parts();
    let mut request = ServiceRequest::from_request(request);
    request.headers_mut().clear();
    ServiceResponse::new(request.into_parts().0, response)
}

/// Assigns the id. A request with an invalid `Host` (RFC 9112 §3.2) or too large a head is not valid
/// HTTP and gets a bare status.
async fn name(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    if let Some(error) = fault(&request) {
        let problem = Problem::from(error);
        problem.log();
        return Ok(request.into_response(problem.render("", &Preference::default())));
    }
    let preference = Preference::of(request.headers());
    let id = caller_id(request.headers()).unwrap_or_else(|| new_id(&request));
    let hsts_seconds = request.app_data::<Data<Api>>().map_or(0, |api| api.config.hsts_seconds);
    request.extensions_mut().insert(RequestId(id.clone()));
    match next.call(request).await {
        Ok(response) => {
            let mut response = response.map_into_boxed_body();
            mark(response.headers_mut(), &id, hsts_seconds);
            Ok(response)
        }
        // A handler panicked, so there is no response. Render one with the same headers.
        Err(error) => {
            let Some(problem) = Problem::of_response(&error.error_response()) else { return Err(error) };
            RequestSpan::of(&id).in_scope(|| problem.log());
            let mut response = problem.render(&id, &preference);
            mark(response.headers_mut(), &id, hsts_seconds);
            Err(InternalError::from_response(error, response).into())
        }
    }
}

fn mark(headers: &mut HeaderMap, id: &str, hsts_seconds: u32) {
    if let Ok(value) = HeaderValue::from_str(id) {
        headers.insert(X_REQUEST_ID, value);
    }
    if hsts_seconds > 0
        && let Ok(value) = HeaderValue::from_str(&format!("max-age={hsts_seconds}"))
    {
        headers.insert(header::STRICT_TRANSPORT_SECURITY, value);
    }
    set_security_headers(headers);
}

fn fault(request: &ServiceRequest) -> Option<ApiError> {
    if !host::is_valid(request) {
        return Some(ApiError::bare(StatusCode::BAD_REQUEST, "The Host header is missing or damaged"));
    }
    let headers = request.headers().iter().map(|(name, value)| name.as_str().len() + value.len() + 4);
    let target = request.head().uri.path_and_query().map_or(0, |target| target.as_str().len());
    let too_large = headers.sum::<usize>() + target > MAX_HEAD;
    too_large.then(|| ApiError::bare(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, "The headers are larger than 64 KiB"))
}

/// Returns the client's id if it is a single header that matches `[A-Za-z0-9._-]{1,128}`.
fn caller_id(headers: &HeaderMap) -> Option<String> {
    let mut all = headers.get_all(X_REQUEST_ID);
    let (value, None) = (all.next()?.to_str().ok()?, all.next()) else { return None };
    let harmless = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
    let fits = (1..=MAX_LENGTH).contains(&value.len()) && value.bytes().all(harmless);
    fits.then(|| value.to_owned())
}

fn new_id(request: &ServiceRequest) -> String {
    let random = request.app_data::<Data<Api>>().map_or([0; 16], |api| (api.config.random)());
    uuid::Builder::from_random_bytes(random).into_uuid().simple().to_string()
}

/// Sets the headers of every response (OWASP ASVS 3.4), except those that a page has set itself.
fn set_security_headers(headers: &mut HeaderMap) {
    let defaults = [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'"),
        // Most contain a token or personal data (RFC 9111 §5.2.2.5); cacheable responses set their own.
        (header::CACHE_CONTROL, "no-store"),
    ];
    for (name, value) in defaults {
        if !headers.contains_key(&name) {
            headers.insert(name, HeaderValue::from_static(value));
        }
    }
}
