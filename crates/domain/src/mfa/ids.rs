//! Public ids of factors and trusted devices.

use std::fmt;
use uuid::Uuid;

/// Defines an id: a version 4 UUID, written as 32 lower-case hex digits like a session id.
macro_rules! public_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Uuid);

        impl $name {
            /// Creates an id from 16 random bytes.
            #[must_use]
            pub fn from_random(bytes: [u8; 16]) -> Self {
                Self(uuid::Builder::from_random_bytes(bytes).into_uuid())
            }

            /// Parses 32 lower-case hex digits. Returns `None` for any other text.
            #[must_use]
            pub fn parse(text: &str) -> Option<Self> {
                let canonical = text.len() == 32 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
                if canonical { Uuid::try_parse(text).ok().map(Self) } else { None }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.simple().fmt(f)
            }
        }
    };
}

public_id! {
    /// Id of a second factor, with 122 random bits.
    ///
    /// ```
    /// use portcullis_domain::mfa::FactorId;
    /// let id = FactorId::from_random([0xab; 16]);
    /// assert_eq!(id.to_string(), "abababababab4bababababababababab");
    /// assert_eq!(FactorId::parse(&id.to_string()), Some(id));
    /// assert_eq!(FactorId::parse("abababab-abab-4bab-abab-abababababab"), None);
    /// ```
    FactorId
}

public_id! {
    /// Id of a trusted device, with 122 random bits.
    ///
    /// ```
    /// use portcullis_domain::mfa::TrustedDeviceId;
    /// let id = TrustedDeviceId::from_random([0xab; 16]);
    /// assert_eq!(TrustedDeviceId::parse(&id.to_string()), Some(id));
    /// assert_eq!(TrustedDeviceId::parse(&id.to_string().to_uppercase()), None);
    /// ```
    TrustedDeviceId
}
