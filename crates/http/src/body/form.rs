//! Parser for `application/x-www-form-urlencoded`: the OAuth2 password form (RFC 6749 §4.3.2) and the
//! forms of the pages.

use super::Fields;
use super::fields::Value;
use crate::errors::ApiError;
use percent_encoding::percent_decode;
use std::collections::BTreeMap;

/// Parses a form.
pub(super) fn fields(text: &[u8]) -> Result<Fields, ApiError> {
    let mut members = BTreeMap::new();
    for pair in text.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty()) {
        let mut halves = pair.splitn(2, |byte| *byte == b'=').map(decoded);
        let (name, value) = (halves.next(), halves.next().unwrap_or_else(|| Some(String::new())));
        let (Some(Some(name)), Some(value)) = (name, value) else {
            return Err(Fields::body_error("form_invalid", "The form is not UTF-8"));
        };
        if members.insert(name, Value::String(value)).is_some() {
            return Err(Fields::body_error("form_invalid", "A member of the form stands twice"));
        }
    }
    Ok(Fields::of_form(members))
}

/// Decodes strictly, or returns `None`: a lenient decoder would silently change a password.
fn decoded(text: &[u8]) -> Option<String> {
    let spaced: Vec<u8> = text.iter().map(|byte| if *byte == b'+' { b' ' } else { *byte }).collect();
    String::from_utf8(percent_decode(&spaced).collect()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn form_is_decoded_and_a_damaged_one_is_rejected() {
        let mut read = fields(b"username=a%40b.org&password=x+%26+y").unwrap();
        assert_eq!(read.optional("username").as_deref(), Some("a@b.org"));
        assert_eq!(read.optional("password").as_deref(), Some("x & y"));
        let mut odd = fields("password=%EF%BF%BD\u{fffd}&empty".as_bytes()).unwrap();
        assert_eq!(odd.optional("password").as_deref(), Some("\u{fffd}\u{fffd}"));
        assert_eq!(odd.optional("empty").as_deref(), Some(""));
        assert!(fields(b"password=%ff").is_err());
        assert!(fields(b"password=a&password=b").is_err());
    }
}
