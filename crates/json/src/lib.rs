//! Strict JSON reader (RFC 8259), for request bodies and tokens. Refuses a member that occurs twice, at
//! any depth, since two parsers could pick different values (RFC 7493 §2.3, RFC 8725 §3.11).

use serde::de::{Error, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

/// Value, borrowed from the text where possible.
#[derive(Debug, PartialEq, Eq)]
pub enum Json<'a> {
    Object(Object<'a>),
    String(Cow<'a, str>),
    /// Number without a fraction or exponent that fits in 64 bits.
    Integer(i64),
    Bool(bool),
    Null,
    Array(Vec<Json<'a>>),
    /// Any other number.
    OtherNumber,
}

/// Members of an object.
#[derive(Debug, PartialEq, Eq)]
pub struct Object<'a>(pub BTreeMap<Cow<'a, str>, Json<'a>>);

impl<'a> Json<'a> {
    /// Parses a text, or returns `None` if it is malformed or nested too deeply. The parser's message
    /// would quote the text, and so a password.
    #[must_use]
    pub fn parse(text: &'a [u8]) -> Option<Self> {
        serde_json::from_slice(text).ok()
    }
}

impl<'a> Object<'a> {
    /// Parses a text that is an object.
    #[must_use]
    pub fn parse(text: &'a [u8]) -> Option<Self> {
        if let Json::Object(object) = Json::parse(text)? { Some(object) } else { None }
    }

    /// Returns whether there is a member of that name.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// Returns a member that is a string.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        if let Json::String(text) = self.0.get(name)? { Some(text) } else { None }
    }

    /// Returns a member that is an object.
    #[must_use]
    pub fn object(&self, name: &str) -> Option<&Self> {
        if let Json::Object(object) = self.0.get(name)? { Some(object) } else { None }
    }

    /// Returns a member that is an array of strings.
    #[must_use]
    pub fn texts(&self, name: &str) -> Option<Vec<&str>> {
        let Json::Array(elements) = self.0.get(name)? else { return None };
        elements.iter().map(|element| if let Json::String(text) = element { Some(&**text) } else { None }).collect()
    }

    /// Returns a member that is a boolean.
    #[must_use]
    pub fn boolean(&self, name: &str) -> Option<bool> {
        if let Json::Bool(value) = self.0.get(name)? { Some(*value) } else { None }
    }

    /// Returns a member that is an [`Integer`](Json::Integer).
    #[must_use]
    pub fn integer(&self, name: &str) -> Option<i64> {
        if let Json::Integer(integer) = self.0.get(name)? { Some(*integer) } else { None }
    }
}

impl<'de> Deserialize<'de> for Json<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(JsonVisitor)
    }
}

/// Member name. Borrows, unlike a plain `Cow`.
#[derive(Deserialize)]
#[serde(transparent)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

struct JsonVisitor;

impl<'de> Visitor<'de> for JsonVisitor {
    type Value = Json<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Json<'de>, A::Error> {
        let mut members = BTreeMap::new();
        while let Some((Name(name), value)) = map.next_entry()? {
            if members.insert(name, value).is_some() {
                return Err(A::Error::custom("duplicate member"));
            }
        }
        Ok(Json::Object(Object(members)))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Json<'de>, A::Error> {
        let mut elements = Vec::new();
        while let Some(element) = list.next_element()? {
            elements.push(element);
        }
        Ok(Json::Array(elements))
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Json<'de>, E> {
        Ok(Json::String(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Json<'de>, E> {
        Ok(Json::String(Cow::Owned(text.to_owned())))
    }

    fn visit_bool<E>(self, value: bool) -> Result<Json<'de>, E> {
        Ok(Json::Bool(value))
    }

    fn visit_i64<E>(self, integer: i64) -> Result<Json<'de>, E> {
        Ok(Json::Integer(integer))
    }

    fn visit_u64<E>(self, integer: u64) -> Result<Json<'de>, E> {
        Ok(i64::try_from(integer).map_or(Json::OtherNumber, Json::Integer))
    }

    fn visit_f64<E>(self, _: f64) -> Result<Json<'de>, E> {
        Ok(Json::OtherNumber)
    }

    fn visit_unit<E>(self) -> Result<Json<'de>, E> {
        Ok(Json::Null)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn malformed_text_and_duplicate_members_are_refused() {
        let deep = format!("{{\"a\":{}1{}}}", "[".repeat(200), "]".repeat(200));
        for text in [
            "",
            "{",
            "{}{}",
            "{},",
            "{a:1}",
            "\u{feff}{}",
            r#"{"a":1,}"#,
            r#"{"a":1} x"#,
            r#"{"a":"\ud800"}"#,
            r#"{"a":1e999}"#,
            r#"{"a":1,"a":1}"#,
            r#"{"a":1,"b":2,"\u0061":3}"#,
            r#"{"a":{"b":1,"b":2}}"#,
            r#"{"a":[{"b":[{"c":1,"c":1}]}]}"#,
            &deep,
        ] {
            assert_eq!(Json::parse(text.as_bytes()), None, "{text}");
        }
        assert_eq!(Json::parse(b"{\"a\":\"\xff\"}"), None, "no UTF-8");
        assert!(Object::parse(br#"{"a":{"a":1},"b":[{"a":1},{"a":1}]}"#).is_some());
        for text in ["null", "1", "[]", r#"["a",1]"#, "\"a\"", "true"] {
            assert!(Json::parse(text.as_bytes()).is_some() && Object::parse(text.as_bytes()).is_none(), "{text}");
        }
    }

    #[test]
    fn an_integer_is_digits_that_fit() {
        let integer = |value: &str| Object::parse(format!(r#"{{"n":{value}}}"#).as_bytes())?.integer("n");
        assert_eq!((integer("9223372036854775807"), integer("-1")), (Some(i64::MAX), Some(-1)));
        for bad in
            ["9223372036854775808", "1.0", "1e3", "1e400", "-0.0", "\"1\"", "null", "true", "[1]", "01", "+1", "NaN"]
        {
            assert_eq!(integer(bad), None, "{bad}");
        }
    }

    #[test]
    fn strings_are_read_whole_and_borrowed_unless_escaped() {
        let object = Object::parse(br#"{"a":"\u0000 \ud83d\udd11","b":"plain","c":true,"d":null}"#).unwrap();
        assert_eq!((object.text("a"), object.text("b"), object.text("c")), (Some("\0 🔑"), Some("plain"), None));
        assert!(matches!(object.0["b"], Json::String(Cow::Borrowed(_))) && object.0["d"] == Json::Null);
        assert!(object.has("d") && !object.has("e") && object.0.keys().all(|name| matches!(name, Cow::Borrowed(_))));
    }

    #[test]
    fn members_are_returned_only_as_what_they_are() {
        let object = Object::parse(br#"{"a":["b","c"],"d":["e",1],"f":"g","h":[],"i":{"a":[]}}"#).unwrap();
        assert_eq!((object.texts("a"), object.texts("h")), (Some(vec!["b", "c"]), Some(vec![])));
        assert_eq!((object.texts("d"), object.texts("f"), object.texts("x")), (None, None, None));
        assert_eq!(object.object("i").and_then(|inner| inner.texts("a")), Some(vec![]));
        assert!(object.object("a").is_none() && object.object("x").is_none());
    }

    proptest! {
        #[test]
        fn no_bytes_panic(text in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Json::parse(&text);
        }
    }
}
