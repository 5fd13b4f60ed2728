//! Limits, formats, examples, the bearer scheme and the login form, which paperclip cannot express.
//! `overlay.json` is a JSON merge patch (RFC 7396).

use super::json_patch;
use serde_json::Value;

const OVERLAY: &str = include_str!("overlay.json");

/// Applies the overlay to the document.
pub(super) fn apply(document: &mut Value) {
    json_patch(document, &parsed());
}

/// Parses the overlay. A test checks that it is valid JSON.
pub(super) fn parsed() -> Value {
    serde_json::from_str(OVERLAY).unwrap_or_default()
}
