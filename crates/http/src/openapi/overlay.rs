//! What paperclip cannot say: limits, formats, examples, the bearer scheme, the login form.
//! The text is `overlay.json`, a merge patch (RFC 7396).

use super::json_patch;
use serde_json::Value;

const OVERLAY: &str = include_str!("overlay.json");

/// Lays the overlay over the document.
pub(super) fn apply(document: &mut Value) {
    json_patch(document, &parsed());
}

/// The overlay; a test holds it to be JSON.
pub(super) fn parsed() -> Value {
    serde_json::from_str(OVERLAY).unwrap_or_default()
}
