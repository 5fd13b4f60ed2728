//! Parses and formats stored hashes; the hasher verifies passwords.
//!
//! Parsing is strict but accepts all that passlib accepts. The lowest bits of the last character of a
//! salt or digest are ignored, so any character that decodes to the same bytes is valid.

use crate::cost::Cost;
use base64::{
    Engine,
    alphabet::BCRYPT,
    engine::{GeneralPurpose, GeneralPurposeConfig, general_purpose::NO_PAD},
};
use portcullis_domain::registration::PasswordHash;

const READER: GeneralPurposeConfig = NO_PAD.with_decode_allow_trailing_bits(true);
const ENGINE: GeneralPurpose = GeneralPurpose::new(&BCRYPT, READER);

/// Salt of 16 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Salt(pub(crate) [u8; 16]);

impl Salt {
    /// Encodes the salt as the 22 characters used in a hash.
    pub(crate) fn encoded(&self) -> String {
        ENGINE.encode(self.0)
    }
}

/// Scheme that derives the bcrypt key from the password.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scheme {
    /// `$2b$`: the password itself.
    Plain,
    /// `$2a$` and `$2y$`: computed like `$2b$`. The names come from bug fixes in other libraries, but
    /// the computation has none of these bugs.
    PlainRenamed,
    /// `$bcrypt-sha256$2a,…` and `2b,…`: SHA-256.
    Sha256,
    /// `$bcrypt-sha256$v=2,…`: HMAC-SHA256 keyed by the salt.
    Hmac,
}

/// Stored hash, parsed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StoredHash {
    pub(crate) scheme: Scheme,
    pub(crate) cost: Cost,
    pub(crate) salt: Salt,
    pub(crate) digest: [u8; 23],
}

impl StoredHash {
    /// Parses a hash. Returns `None` if it is damaged or of an unsupported scheme.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        match text.strip_prefix("$bcrypt-sha256$") {
            Some(rest) => Self::parse_prehashed(rest),
            None => Self::parse_plain(text),
        }
    }

    /// Parses `$2b$12$`, followed by salt and digest without a separator.
    fn parse_plain(text: &str) -> Option<Self> {
        let (ident, rest) = text.split_at_checked(4)?;
        let scheme = match ident {
            "$2b$" => Scheme::Plain,
            "$2a$" | "$2y$" => Scheme::PlainRenamed,
            _ => return None,
        };
        let (cost, tail) = rest.split_once('$')?;
        let (salt, digest) = tail.split_at_checked(22)?;
        let cost = if cost.len() == 2 { cost_of(cost)? } else { return None };
        Some(Self { scheme, cost, salt: Salt(decode(salt)?), digest: decode(digest)? })
    }

    /// Parses `v=2,t=2b,r=12$salt$digest`, or `2b,12$salt$digest` of the first version.
    fn parse_prehashed(rest: &str) -> Option<Self> {
        const SETTINGS: [(&str, Scheme); 3] =
            [("v=2,t=2b,r=", Scheme::Hmac), ("2b,", Scheme::Sha256), ("2a,", Scheme::Sha256)];
        let (settings, tail) = rest.split_once('$')?;
        let (salt, digest) = tail.split_once('$')?;
        let known = |(prefix, scheme)| Some((settings.strip_prefix(prefix)?, scheme));
        let (cost, scheme) = SETTINGS.into_iter().find_map(known)?;
        let cost = if cost.starts_with('0') { return None } else { cost_of(cost)? };
        Some(Self { scheme, cost, salt: Salt(decode(salt)?), digest: decode(digest)? })
    }

    /// Formats the hash. `$2a$` and `$2y$` become `$2b$`, and the first version of `$bcrypt-sha256$`
    /// gets `2b`.
    pub(crate) fn to_text(&self) -> PasswordHash {
        let (cost, salt, digest) = (self.cost.get(), self.salt.encoded(), ENGINE.encode(self.digest));
        PasswordHash::new(match self.scheme {
            Scheme::Plain | Scheme::PlainRenamed => format!("$2b${cost:02}${salt}{digest}"),
            Scheme::Sha256 => format!("$bcrypt-sha256$2b,{cost}${salt}${digest}"),
            Scheme::Hmac => format!("$bcrypt-sha256$v=2,t=2b,r={cost}${salt}${digest}"),
        })
    }
}

/// Parses one or two digits. `str::parse` alone would also accept a sign.
fn cost_of(digits: &str) -> Option<Cost> {
    let plain = digits.len() <= 2 && digits.bytes().all(|b| b.is_ascii_digit());
    if plain { digits.parse().ok().and_then(Cost::new) } else { None }
}

/// Decodes exactly `N` bytes, so only one text length is valid.
fn decode<const N: usize>(text: &str) -> Option<[u8; N]> {
    ENGINE.decode(text).ok()?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SALT: &str = "aIXFHIpQcjpLqjhcWFxFEO";
    const DIGEST: &str = "jkKp3lJro7CBYD.nuN.94gmypoQ.Fg6";

    fn scheme(text: &str) -> Option<Scheme> {
        StoredHash::parse(text).map(|hash| hash.scheme)
    }

    #[test]
    fn the_schemes_are_told_apart() {
        for (settings, expected) in
            [("2a,4", Scheme::Sha256), ("2b,31", Scheme::Sha256), ("v=2,t=2b,r=12", Scheme::Hmac)]
        {
            assert_eq!(scheme(&format!("$bcrypt-sha256${settings}${SALT}${DIGEST}")), Some(expected));
        }
        for (ident, expected) in [("2a", Scheme::PlainRenamed), ("2y", Scheme::PlainRenamed), ("2b", Scheme::Plain)] {
            assert_eq!(scheme(&format!("${ident}$04${SALT}{DIGEST}")), Some(expected));
        }
        for other in ["2", "2x", "2c", "2B", "1", "5", "6", "y", "argon2id"] {
            assert_eq!(scheme(&format!("${other}$04${SALT}{DIGEST}")), None, "{other}");
        }
    }

    #[test]
    fn a_cost_has_one_spelling() {
        for bad in ["", "4", "03", "00", "32", "99", "004", "+4", "-4", " 4", "4 ", "0x", "1e", "١٢", "4\0"] {
            assert_eq!(scheme(&format!("$2b${bad}${SALT}{DIGEST}")), None, "{bad}");
        }
        for bad in ["", "3", "04", "32", "+4", "-4", " 4", "4 ", "4.", "012", "²"] {
            assert_eq!(scheme(&format!("$bcrypt-sha256$2b,{bad}${SALT}${DIGEST}")), None, "{bad}");
            assert_eq!(scheme(&format!("$bcrypt-sha256$v=2,t=2b,r={bad}${SALT}${DIGEST}")), None, "{bad}");
        }
        for bad in ["v=1,t=2b,r=4", "v=3,t=2b,r=4", "v=2,t=2a,r=4", "v=2,t=2y,r=4", "2y,4", "t=2b,v=2,r=4", "2b4"] {
            assert_eq!(scheme(&format!("$bcrypt-sha256${bad}${SALT}${DIGEST}")), None, "{bad}");
        }
    }

    #[test]
    fn bits_that_say_nothing_may_be_set() {
        let tidy = StoredHash::parse(&format!("$2b$04${SALT}{DIGEST}")).unwrap();
        assert_eq!(StoredHash::parse("$2b$04$aIXFHIpQcjpLqjhcWFxFEPjkKp3lJro7CBYD.nuN.94gmypoQ.Fg7"), Some(tidy));
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(cost in 4_u32..=31, salt: [u8; 16], digest: [u8; 23], which in 0..3) {
            let scheme = [Scheme::Plain, Scheme::Sha256, Scheme::Hmac][usize::try_from(which).unwrap()];
            let hash = StoredHash { scheme, cost: Cost::new(cost).unwrap(), salt: Salt(salt), digest };
            prop_assert_eq!(StoredHash::parse(hash.to_text().expose()), Some(hash));
        }

        #[test]
        fn no_text_panics(text in "\\PC{0,100}", at in 0_usize..80) {
            let _ = StoredHash::parse(&text);
            for good in [format!("$2b$04${SALT}{DIGEST}"), format!("$bcrypt-sha256$v=2,t=2b,r=4${SALT}${DIGEST}")] {
                let _ = StoredHash::parse(&format!("{}{text}", &good[..at.min(good.len())]));
            }
        }

        #[test]
        fn a_cut_hash_is_none(cut in 0_usize..60) {
            prop_assert_eq!(scheme(&format!("$2b$04${SALT}{DIGEST}")[..cut]), None);
        }
    }
}
