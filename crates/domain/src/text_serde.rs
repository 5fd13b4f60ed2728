//! Serializes types by the text that they are stored as.

/// Implements `Serialize` and `Deserialize` for types with `parse`, which must accept what `$text` returns.
macro_rules! text_serde {
    ($($name:ty: $text:expr),+ $(,)?) => {$(
        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                let text: fn(&$name) -> String = $text;
                serializer.serialize_str(&text(self))
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = <String as serde::Deserialize>::deserialize(deserializer)?;
                Self::parse(&text).ok_or_else(|| serde::de::Error::custom(concat!("invalid ", stringify!($name))))
            }
        }
    )+};
}

use crate::mail::{Language, Occasion};
use crate::sessions::{EventKind, SessionId};
use crate::tokens::Jti;
use crate::verification::Purpose;

text_serde! {
    Jti: |jti| jti.as_str().to_owned(),
    SessionId: |id| id.to_string(),
    EventKind: |kind| kind.as_str().to_owned(),
    Occasion: |occasion| occasion.as_str().to_owned(),
    Language: |language| language.tag().to_owned(),
    Purpose: |purpose| purpose.as_str().to_owned(),
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sessions::SessionState;
    use serde::{Serialize, de::DeserializeOwned};

    fn returns<T: Serialize + DeserializeOwned + PartialEq + std::fmt::Debug>(value: &T, json: &str) {
        assert_eq!(serde_json::to_string(value).unwrap(), json);
        assert_eq!(serde_json::from_str::<T>(json).unwrap(), *value);
        assert!(serde_json::from_str::<T>("\"\"").is_err());
    }

    #[test]
    fn values_return_from_their_stored_text() {
        let hex = "\"abababababab4bababababababababab\"";
        returns(&Jti::from_random([0xab; 16]), hex);
        returns(&SessionId::from_random([0xab; 16]), hex);
        returns(&EventKind::Theft, "\"theft\"");
        returns(&Language::Chinese, "\"zh\"");
        returns(&SessionState::Active, "\"active\"");
        Occasion::ALL.iter().for_each(|occasion| returns(occasion, &format!("\"{}\"", occasion.as_str())));
        Purpose::ALL.iter().for_each(|purpose| returns(purpose, &format!("\"{}\"", purpose.as_str())));
    }
}
