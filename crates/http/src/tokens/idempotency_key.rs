//! `Idempotency-Key` header, which marks a retry of the same request.

use crate::errors::{ApiError, FieldError};
use actix_web::HttpRequest;
use portcullis_domain::tokens::IdempotencyKeyDigest;
use sha2::{Digest, Sha256};

const NAME: &str = "Idempotency-Key";
const MAX_BYTES: usize = 255;

/// Returns the digest of the key, or `None` without one. The key itself is not needed.
pub(super) fn idempotency_key(request: &HttpRequest) -> Result<Option<IdempotencyKeyDigest>, ApiError> {
    let mut values = request.headers().get_all(NAME).map(|value| value.as_bytes());
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some(key), None) if is_key(key) => Ok(Some(IdempotencyKeyDigest(Sha256::digest(key).into()))),
        _ => Err(ApiError::validation(vec![FieldError {
            field: NAME,
            code: "value_error",
            message: format!("Input should be 1 to {MAX_BYTES} visible ASCII characters, once"),
        }])),
    }
}

fn is_key(text: &[u8]) -> bool {
    (1..=MAX_BYTES).contains(&text.len()) && text.iter().all(u8::is_ascii_graphic)
}
