//! Strict JSON object. Duplicate names are rejected at any depth, since two parsers could pick
//! different values (RFC 8725 §3.11, RFC 8259 §4). Values are not converted to another type.

use serde::{
    Deserialize, Deserializer,
    de::{Error, MapAccess, SeqAccess, Visitor},
};
use std::{borrow::Cow, fmt};

/// Members of an object, borrowed from the text. They are few, so lookups are linear.
pub(crate) struct StrictObject<'a>(Vec<(Name<'a>, Member<'a>)>);

/// Member name.
#[derive(Deserialize, PartialEq, Eq)]
#[serde(transparent)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

/// Member value.
enum Member<'a> {
    Text(Cow<'a, str>),
    Integer(i64),
    /// `null`, a boolean, an array, an object, or a number with a fraction, an exponent or more than 64
    /// bits.
    Other,
}

impl<'a> StrictObject<'a> {
    pub(crate) fn parse(json: &'a [u8]) -> Option<Self> {
        serde_json::from_slice(json).ok()
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.member(name).is_some()
    }

    fn member(&self, name: &str) -> Option<&Member<'a>> {
        self.0.iter().find(|(own, _)| own.0 == name).map(|(_, member)| member)
    }

    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        match self.member(name)? {
            Member::Text(text) => Some(text),
            Member::Integer(_) | Member::Other => None,
        }
    }

    pub(crate) fn integer(&self, name: &str) -> Option<i64> {
        match self.member(name)? {
            Member::Integer(integer) => Some(*integer),
            Member::Text(_) | Member::Other => None,
        }
    }
}

impl<'de> Deserialize<'de> for StrictObject<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ObjectVisitor)
    }
}

impl<'de> Deserialize<'de> for Member<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(MemberVisitor)
    }
}

struct ObjectVisitor;

impl<'de> Visitor<'de> for ObjectVisitor {
    type Value = StrictObject<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<StrictObject<'de>, A::Error> {
        // Number of members of a typical token.
        let mut members = Vec::with_capacity(8);
        while let Some((name, value)) = map.next_entry::<Name<'de>, Member<'de>>()? {
            if members.iter().any(|(other, _)| *other == name) {
                return Err(A::Error::custom("a member stands twice"));
            }
            members.push((name, value));
        }
        Ok(StrictObject(members))
    }
}

struct MemberVisitor;

impl<'de> Visitor<'de> for MemberVisitor {
    type Value = Member<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Member<'de>, E> {
        Ok(Member::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Member<'de>, E> {
        Ok(Member::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_i64<E: Error>(self, integer: i64) -> Result<Member<'de>, E> {
        Ok(Member::Integer(integer))
    }

    fn visit_u64<E: Error>(self, integer: u64) -> Result<Member<'de>, E> {
        Ok(i64::try_from(integer).map_or(Member::Other, Member::Integer))
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<Member<'de>, E> {
        Ok(Member::Other)
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<Member<'de>, E> {
        Ok(Member::Other)
    }

    fn visit_unit<E: Error>(self) -> Result<Member<'de>, E> {
        Ok(Member::Other)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Member<'de>, A::Error> {
        while list.next_element::<Member<'de>>()?.is_some() {}
        Ok(Member::Other)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Member<'de>, A::Error> {
        ObjectVisitor.visit_map(map).map(|_| Member::Other)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn integer(value: &str) -> Option<i64> {
        StrictObject::parse(format!(r#"{{"n":{value}}}"#).as_bytes())?.integer("n")
    }

    #[test]
    fn an_integer_is_digits_that_fit() {
        assert_eq!(integer("9223372036854775807"), Some(i64::MAX));
        assert_eq!(integer("-1"), Some(-1));
        for bad in
            ["9223372036854775808", "1.0", "1e3", "1e400", "-0.0", "\"1\"", "null", "true", "[1]", "01", "+1", "NaN"]
        {
            assert_eq!(integer(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_name_stands_once_at_any_depth_and_in_any_spelling() {
        for bad in [
            r#"{"a":1,"a":1}"#,
            r#"{"a":1,"b":2,"\u0061":3}"#,
            r#"{"a":{"b":1,"b":2}}"#,
            r#"{"a":[{"b":[{"c":1,"c":1}]}]}"#,
        ] {
            assert!(StrictObject::parse(bad.as_bytes()).is_none(), "{bad}");
        }
        assert!(StrictObject::parse(br#"{"a":{"a":1},"b":[{"a":1},{"a":1}]}"#).is_some());
    }

    #[test]
    fn what_is_no_object_is_nothing() {
        for bad in
            ["", "null", "1", "[]", r#"["a",1]"#, "\"a\"", "{}{}", "{},", "{", r#"{"a":1,}"#, "\u{feff}{}", r#"{a:1}"#]
        {
            assert!(StrictObject::parse(bad.as_bytes()).is_none(), "{bad}");
        }
        assert!(StrictObject::parse(b"{\"a\":\"\xff\"}").is_none(), "no UTF-8");
        assert!(StrictObject::parse(br#"{"a":"\ud800"}"#).is_none(), "a lone surrogate");
        assert!(
            StrictObject::parse(format!("{{\"a\":{}1{}}}", "[".repeat(4000), "]".repeat(4000)).as_bytes()).is_none(),
            "too deep"
        );
    }
}
