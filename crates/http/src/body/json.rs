//! Strict JSON parser (RFC 8259). Rejects duplicate members (I-JSON, RFC 7493 §2.3) and malformed
//! values, also in members that no endpoint reads.

use super::Fields;
use super::fields::Value;
use crate::errors::ApiError;
use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use std::collections::BTreeMap;
use std::fmt;

/// Parses a JSON object.
pub(super) fn fields(text: &[u8]) -> Result<Fields, ApiError> {
    // Windows writes a byte order mark before JSON; a parser may ignore it (RFC 8259 §8.1).
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
    // Drop serde_json's messages: they can quote the body, and so a password.
    match serde_json::from_slice(text) {
        Ok(Json::Object(members)) => Ok(Fields::of(members)),
        Ok(Json::Other | Json::Null | Json::Bool(_) | Json::String(_)) => {
            Err(Fields::body_error("model_attributes_type", "Input should be an object"))
        }
        Err(_) => Err(Fields::body_error("json_invalid", "Invalid JSON, or a member that stands twice")),
    }
}

/// A JSON value. The content of numbers and arrays is not kept.
enum Json {
    Object(BTreeMap<String, Value>),
    String(String),
    Bool(bool),
    Null,
    Other,
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(JsonVisitor)
    }
}

struct JsonVisitor;

impl<'de> Visitor<'de> for JsonVisitor {
    type Value = Json;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Json, A::Error> {
        let mut members = BTreeMap::new();
        while let Some((name, value)) = map.next_entry::<String, Json>()? {
            let value = match value {
                Json::String(text) => Value::String(text),
                Json::Bool(value) => Value::Bool(value),
                Json::Null => Value::Null,
                Json::Object(_) | Json::Other => Value::Other,
            };
            if members.insert(name, value).is_some() {
                return Err(de::Error::custom("duplicate member"));
            }
        }
        Ok(Json::Object(members))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Json, A::Error> {
        while seq.next_element::<Json>()?.is_some() {}
        Ok(Json::Other)
    }

    fn visit_str<E>(self, text: &str) -> Result<Json, E> {
        Ok(Json::String(text.to_owned()))
    }

    fn visit_string<E>(self, text: String) -> Result<Json, E> {
        Ok(Json::String(text))
    }

    fn visit_bool<E>(self, value: bool) -> Result<Json, E> {
        Ok(Json::Bool(value))
    }

    fn visit_i64<E>(self, _: i64) -> Result<Json, E> {
        Ok(Json::Other)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Json, E> {
        Ok(Json::Other)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Json, E> {
        Ok(Json::Other)
    }

    fn visit_unit<E>(self) -> Result<Json, E> {
        Ok(Json::Null)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_is_no_object_of_single_members_is_refused() {
        let deep = format!("{{\"a\":{}1{}}}", "[".repeat(200), "]".repeat(200));
        let cases: [&[u8]; 14] = [
            b"",
            b"{",
            b"null",
            b"[]",
            b"\"a\"",
            b"1",
            b"{\"a\":1,}",
            b"{\"a\":1} x",
            b"{\"a\":\"\xff\"}",
            b"{\"a\":\"\\ud800\"}",
            b"{\"a\":1,\"a\":2}",
            b"{\"x\":{\"a\":1,\"\\u0061\":2}}",
            b"{\"a\":1e999}",
            deep.as_bytes(),
        ];
        for text in cases {
            assert!(fields(text).is_err(), "{:?}", String::from_utf8_lossy(text));
        }
    }

    #[test]
    fn one_byte_order_mark_is_skipped() {
        let mut read = fields("\u{feff}{\"a\":\"\u{feff}b\"}".as_bytes()).unwrap();
        assert_eq!(read.string("a").as_deref(), Some("\u{feff}b"));
        for text in ["\u{feff}", "\u{feff}\u{feff}{}", " \u{feff}{}", "{}\u{feff}"] {
            assert!(fields(text.as_bytes()).is_err(), "{text:?}");
        }
    }

    #[test]
    fn strings_are_read_whole_and_other_values_are_known_as_such() {
        let mut read = fields(br#"{"a":"\u0000 \ud83d\udd11","b":1,"c":{"d":[null,true]}}"#).unwrap();
        assert_eq!(read.string("a").as_deref(), Some("\0 🔑"));
        assert!(read.is_valid());
        assert_eq!((read.string("b"), read.string("c"), read.string("d")), (None, None, None));
        assert!(!read.is_valid());
    }

    proptest! {
        #[test]
        fn no_bytes_panic(text in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = fields(&text);
        }
    }
}
