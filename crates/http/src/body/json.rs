//! Parser for JSON bodies.

use super::Fields;
use super::fields::Value;
use crate::errors::ApiError;
use portcullis_json::{Json, Object};
use std::collections::BTreeMap;

/// Parses a JSON object.
pub(super) fn fields(text: &[u8]) -> Result<Fields, ApiError> {
    // Windows writes a byte order mark before JSON; a parser may ignore it (RFC 8259 §8.1).
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
    match Json::parse(text) {
        Some(Json::Object(Object(members))) => {
            let has_object = members.values().any(|value| matches!(value, Json::Object(_)));
            let mut members: BTreeMap<_, Value> =
                members.into_iter().map(|(name, value)| (name.into_owned(), value.into())).collect();
            if has_object {
                keep_objects(&mut members, text);
            }
            Ok(Fields::of(members))
        }
        Some(_) => Err(Fields::body_error("model_attributes_type", "Input should be an object")),
        None => Err(Fields::body_error("json_invalid", "Invalid JSON, or a member that stands twice")),
    }
}

/// Keeps the text of the members that are objects, for another parser. No member occurs twice in a text that was
/// parsed before.
fn keep_objects(members: &mut BTreeMap<String, Value>, text: &[u8]) {
    let parsed: serde_json::Map<_, _> = serde_json::from_slice(text).unwrap_or_default();
    members.extend(parsed.into_iter().filter(|(_, value)| value.is_object()).map(|(name, value)| {
        let text = value.to_string();
        (name, Value::Object(text))
    }));
}

impl From<Json<'_>> for Value {
    fn from(value: Json<'_>) -> Self {
        match value {
            Json::String(text) => Self::String(text.into_owned()),
            Json::Bool(value) => Self::Bool(value),
            Json::Null => Self::Null,
            Json::Integer(_) | Json::Object(_) | Json::Array(_) | Json::OtherNumber => Self::Other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::body::{Member, TOKEN};

    #[test]
    fn only_an_object_is_a_body() {
        for text in ["", "null", "[]", "\"a\"", "1", "{\"a\":1,\"a\":2}"] {
            assert!(fields(text.as_bytes()).is_err(), "{text}");
        }
    }

    #[test]
    fn one_byte_order_mark_is_skipped() {
        let mut read = fields("\u{feff}{\"a\":\"\u{feff}b\"}".as_bytes()).unwrap();
        assert_eq!(read.optional("a").as_deref(), Some("\u{feff}b"));
        for text in ["\u{feff}", "\u{feff}\u{feff}{}", " \u{feff}{}", "{}\u{feff}"] {
            assert!(fields(text.as_bytes()).is_err(), "{text:?}");
        }
    }

    #[test]
    fn strings_are_read_whole_and_other_values_are_known_as_such() {
        let mut read = fields(br#"{"a":"\u0000 \ud83d\udd11","b":1,"c":{"d":[null,true]}}"#).unwrap();
        assert_eq!(read.optional("a").as_deref(), Some("\0 🔑"));
        assert!(read.is_valid());
        assert!(["b", "c", "d"].iter().all(|name| read.string(Member { name, ..TOKEN }).is_none()));
        assert!(!read.is_valid());
    }

    #[test]
    fn object_is_kept_whole() {
        let mut read = fields(r#"{"a":{"b":[1.5e3,"🔑",{"c":null}]},"d":[{}]}"#.as_bytes()).unwrap();
        let member = |name| Member { name, ..TOKEN };
        assert_eq!(read.object(member("a")).as_deref(), Some(r#"{"b":[1500.0,"🔑",{"c":null}]}"#));
        assert!(read.is_valid() && read.object(member("d")).is_none() && !read.is_valid());
        assert!(fields(br#"{"a":{"b":1,"b":2}}"#).is_err());
    }
}
