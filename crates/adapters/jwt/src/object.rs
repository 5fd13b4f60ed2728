//! A JSON object read strictly: no name twice, at any depth, since two readers could take
//! different ones (RFC 8725 §3.11, RFC 8259 §4); and no value taken for one of another type.

use serde::{
    Deserialize, Deserializer,
    de::{Error, MapAccess, SeqAccess, Visitor},
};
use std::{collections::BTreeMap, fmt};

/// The members of an object.
pub(crate) struct Object(BTreeMap<String, Member>);

/// A value, as far as anybody here looks.
enum Member {
    Text(String),
    Integer(i64),
    /// `null`, a truth value, a list, an object, a number with a fraction or an exponent or
    /// beyond 64 bits.
    Other,
}

impl Object {
    pub(crate) fn parse(json: &[u8]) -> Option<Self> {
        serde_json::from_slice(json).ok()
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        match self.0.get(name)? {
            Member::Text(text) => Some(text),
            Member::Integer(_) | Member::Other => None,
        }
    }

    pub(crate) fn integer(&self, name: &str) -> Option<i64> {
        match self.0.get(name)? {
            Member::Integer(integer) => Some(*integer),
            Member::Text(_) | Member::Other => None,
        }
    }
}

impl<'de> Deserialize<'de> for Object {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ObjectVisitor)
    }
}

impl<'de> Deserialize<'de> for Member {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(MemberVisitor)
    }
}

struct ObjectVisitor;

impl<'de> Visitor<'de> for ObjectVisitor {
    type Value = Object;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Object, A::Error> {
        let mut members = BTreeMap::new();
        while let Some((name, value)) = map.next_entry::<String, Member>()? {
            if members.insert(name, value).is_some() {
                return Err(A::Error::custom("a member stands twice"));
            }
        }
        Ok(Object(members))
    }
}

struct MemberVisitor;

impl<'de> Visitor<'de> for MemberVisitor {
    type Value = Member;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Member, E> {
        Ok(Member::Text(text.to_owned()))
    }

    fn visit_i64<E: Error>(self, integer: i64) -> Result<Member, E> {
        Ok(Member::Integer(integer))
    }

    fn visit_u64<E: Error>(self, integer: u64) -> Result<Member, E> {
        Ok(i64::try_from(integer).map_or(Member::Other, Member::Integer))
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<Member, E> {
        Ok(Member::Other)
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<Member, E> {
        Ok(Member::Other)
    }

    fn visit_unit<E: Error>(self) -> Result<Member, E> {
        Ok(Member::Other)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Member, A::Error> {
        while list.next_element::<Member>()?.is_some() {}
        Ok(Member::Other)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Member, A::Error> {
        ObjectVisitor.visit_map(map).map(|_| Member::Other)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn integer(value: &str) -> Option<i64> {
        Object::parse(format!(r#"{{"n":{value}}}"#).as_bytes())?.integer("n")
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
            assert!(Object::parse(bad.as_bytes()).is_none(), "{bad}");
        }
        assert!(Object::parse(br#"{"a":{"a":1},"b":[{"a":1},{"a":1}]}"#).is_some());
    }

    #[test]
    fn what_is_no_object_is_nothing() {
        for bad in
            ["", "null", "1", "[]", r#"["a",1]"#, "\"a\"", "{}{}", "{},", "{", r#"{"a":1,}"#, "\u{feff}{}", r#"{a:1}"#]
        {
            assert!(Object::parse(bad.as_bytes()).is_none(), "{bad}");
        }
        assert!(Object::parse(b"{\"a\":\"\xff\"}").is_none(), "no UTF-8");
        assert!(Object::parse(br#"{"a":"\ud800"}"#).is_none(), "a lone surrogate");
        assert!(
            Object::parse(format!("{{\"a\":{}1{}}}", "[".repeat(4000), "]".repeat(4000)).as_bytes()).is_none(),
            "too deep"
        );
    }
}
