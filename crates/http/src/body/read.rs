//! Reads request bodies: at most 64 KiB, in at most 20 s.

use crate::errors::ApiError;
use actix_web::HttpRequest;
use actix_web::dev::Payload;
use actix_web::http::StatusCode;
use actix_web::http::header::{CONTENT_ENCODING, CONTENT_LENGTH, HeaderMap, HeaderValue, TRANSFER_ENCODING};
use actix_web::web::{Bytes, BytesMut};
use futures_util::StreamExt;
use portcullis_domain::ErrorCode;
use std::future::Future;
use std::time::Duration;
use tokio::time::timeout;

const MAX_BYTES: usize = 64 * 1024;
const MAX_TIME: Duration = Duration::from_secs(20);

/// Returns whether the request announces a non-empty body (RFC 9112 §6).
pub(super) fn has_body(request: &HttpRequest) -> bool {
    request.headers().contains_key(TRANSFER_ENCODING) || announced(request.headers()).is_some_and(|length| length > 0)
}

/// Returns whether the body is compressed or otherwise encoded (RFC 9110 §8.4).
pub(super) fn is_encoded(request: &HttpRequest) -> bool {
    let is_identity =
        |coding: &[u8]| coding.trim_ascii().is_empty() || coding.trim_ascii().eq_ignore_ascii_case(b"identity");
    let mut values = request.headers().get_all(CONTENT_ENCODING).map(HeaderValue::as_bytes);
    values.any(|value| !value.split(|byte| *byte == b',').all(is_identity))
}

/// Returns the `Content-Length`, which the HTTP library has validated, or `None` without one.
pub(crate) fn announced(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.trim().parse().ok()
}

/// Reads the whole body within the limits.
pub(super) fn within_bounds(
    request: &HttpRequest,
    payload: Payload,
) -> impl Future<Output = Result<Bytes, ApiError>> + use<> {
    let announced = announced(request.headers());
    async move {
        let limit = u64::try_from(MAX_BYTES).unwrap_or(u64::MAX);
        if announced.is_some_and(|length| length > limit) {
            return Err(too_large());
        }
        timeout(MAX_TIME, collect(payload, announced)).await.unwrap_or_else(|_| Err(late()))
    }
}

async fn collect(mut payload: Payload, announced: Option<u64>) -> Result<Bytes, ApiError> {
    // With an `Upgrade` header, the library passes on everything that follows as the body.
    let announced = announced.and_then(|length| usize::try_from(length).ok());
    let mut body = BytesMut::new();
    while announced != Some(body.len()) {
        let Some(chunk) = payload.next().await else { break };
        body.extend_from_slice(&chunk.map_err(|_| broken())?);
        if body.len() > MAX_BYTES {
            return Err(too_large());
        }
    }
    body.truncate(announced.unwrap_or(MAX_BYTES));
    Ok(body.freeze())
}

/// Creates the error for a body over the limit.
pub(crate) fn too_large() -> ApiError {
    ApiError { close: true, ..ApiError::new(ErrorCode::PayloadTooLarge, "The body is larger than 64 KiB") }
}

/// Creates the error for a malformed chunk (RFC 9112 §7.1) or a broken connection.
fn broken() -> ApiError {
    ApiError::bare(StatusCode::BAD_REQUEST, "The body is damaged")
}

fn late() -> ApiError {
    ApiError::bare(StatusCode::REQUEST_TIMEOUT, "The body did not arrive in time")
}
