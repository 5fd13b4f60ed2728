//! Email addresses, parsed once into a canonical form that uniqueness, lookup and rate limits share.

use std::fmt;

/// Maximum length of an address, in characters (RFC 5321 §4.5.3.1.3: a path of 256 octets with its
/// brackets).
const MAX_CHARS: usize = 254;
/// Maximum length of the local part, in octets (RFC 5321 §4.5.3.1.1).
const MAX_LOCAL: usize = 64;
/// Maximum length of a domain label, in octets (RFC 1035 §2.3.4).
const MAX_LABEL: usize = 63;
/// Punctuation allowed in an atom in addition to letters and digits (RFC 5322 §3.2.3).
const ATOM_PUNCTUATION: &str = "!#$%&'*+-/=?^_`{|}~";

/// Email address, in its canonical form and as spelled.
///
/// The canonical form has ASCII letters in lower case, and an international domain in Unicode (UTS 46).
/// Two addresses with the same canonical form belong to one account. There is no Unicode case folding,
/// so that it cannot merge two addresses (CVE-2019-19844).
///
/// Quoted local parts, comments, address literals and domains without a dot are not accepted.
///
/// ```
/// use portcullis_domain::registration::EmailAddress;
/// let email = EmailAddress::parse(" Ada.Lovelace@Example.COM ")?;
/// assert_eq!(email.canonical(), "ada.lovelace@example.com");
/// assert_eq!(email.original(), "Ada.Lovelace@example.com");
/// # Ok::<(), portcullis_domain::registration::EmailError>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct EmailAddress {
    spelled: String,
    canonical: String,
}

/// Reason why a text is not an accepted email address. Never contains the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EmailError {
    /// More than 254 characters.
    #[error("an email address has at most 254 characters")]
    TooLong,
    /// Not exactly one @-sign.
    #[error("an email address has exactly one @-sign")]
    At,
    /// Local part longer than 64 octets, the most that mail servers must accept.
    #[error("the part before the @-sign has at most 64 octets")]
    LocalTooLong,
    /// Local part that is not a dot-atom (RFC 5322 §3.2.3).
    #[error("the part before the @-sign is not valid")]
    Local,
    /// Domain that is not a domain name with at least one dot.
    #[error("the part after the @-sign is not a domain name")]
    Domain,
}

impl EmailAddress {
    /// Parses an address typed by a user. Ignores surrounding white space.
    ///
    /// # Errors
    /// Returns the broken rule as an [`EmailError`].
    pub fn parse(input: &str) -> Result<Self, EmailError> {
        let email = Self::parse_known(input)?;
        let local = email.spelled.split('@').next().unwrap_or_default();
        if local.len() > MAX_LOCAL { Err(EmailError::LocalTooLong) } else { Ok(email) }
    }

    /// Parses the address of an account that may exist. Unlike [`parse`](Self::parse), it allows long
    /// local parts: adopted accounts may have one that no mail server accepts, and must still be able
    /// to sign in.
    ///
    /// ```
    /// use portcullis_domain::registration::{EmailAddress, EmailError};
    /// let long = format!("{}@example.org", "x".repeat(65));
    /// assert_eq!(EmailAddress::parse(&long), Err(EmailError::LocalTooLong));
    /// assert!(EmailAddress::parse_known(&long).is_ok());
    /// ```
    pub fn parse_known(input: &str) -> Result<Self, EmailError> {
        let input = input.trim();
        if input.chars().count() > MAX_CHARS {
            return Err(EmailError::TooLong);
        }
        let (local, domain) = input.split_once('@').ok_or(EmailError::At)?;
        if domain.contains('@') {
            return Err(EmailError::At);
        }
        let local = check_local(local)?;
        let domain = canonical_domain(domain)?;
        let spelled = format!("{local}@{domain}");
        if spelled.chars().count() > MAX_CHARS {
            return Err(EmailError::TooLong);
        }
        Ok(Self::from_stored(spelled))
    }

    /// Creates an address from its stored spelling, unchecked. Adopted accounts keep their spelling.
    #[must_use]
    pub fn from_stored(spelled: String) -> Self {
        Self { canonical: spelled.to_ascii_lowercase(), spelled }
    }

    /// Returns the form used for uniqueness, lookup and rate limits.
    #[must_use]
    pub fn canonical(&self) -> &str {
        &self.canonical
    }

    /// Returns the local part as typed or stored, with the canonical domain.
    #[must_use]
    pub fn original(&self) -> &str {
        &self.spelled
    }
}

impl fmt::Display for EmailAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.spelled)
    }
}

/// Shows only the domain: logs must not contain personal data.
impl fmt::Debug for EmailAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let domain = self.canonical.rsplit('@').next().unwrap_or_default();
        write!(f, "EmailAddress(…@{domain})")
    }
}

fn check_local(local: &str) -> Result<String, EmailError> {
    let local = normalised(local)?;
    let atom = |part: &str| !part.is_empty() && part.chars().all(is_atom_char);
    if local.split('.').all(atom) { Ok(local) } else { Err(EmailError::Local) }
}

fn is_atom_char(c: char) -> bool {
    // Characters beyond ASCII were checked during normalization.
    !c.is_ascii() || c.is_ascii_alphanumeric() || ATOM_PUNCTUATION.contains(c)
}

fn canonical_domain(domain: &str) -> Result<String, EmailError> {
    let lower = domain.to_ascii_lowercase();
    let plain = lower.is_ascii() && !lower.split('.').any(|label| label.starts_with("xn--"));
    let (ascii, canonical) = if plain { (lower.clone(), lower) } else { international_domain(&lower)? };
    if is_host_name(&ascii) { Ok(canonical) } else { Err(EmailError::Domain) }
}

/// Returns whether the text is a host name with a dot whose last label ends with a letter (RFC 1123
/// §2.1).
fn is_host_name(ascii: &str) -> bool {
    let label = |l: &str| {
        (1..=MAX_LABEL).contains(&l.len())
            && l.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
            && !l.starts_with('-')
            && !l.ends_with('-')
    };
    ascii.contains('.') && ascii.split('.').all(label) && ascii.ends_with(|c: char| c.is_ascii_alphabetic())
}

#[cfg(feature = "international")]
use super::international::{domain as international_domain, local as normalised};

#[cfg(not(feature = "international"))]
fn international_domain(_: &str) -> Result<(String, String), EmailError> {
    Err(EmailError::Domain)
}

#[cfg(not(feature = "international"))]
fn normalised(local: &str) -> Result<String, EmailError> {
    if local.is_ascii() { Ok(local.to_owned()) } else { Err(EmailError::Local) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn refused(input: &str) -> EmailError {
        EmailAddress::parse(input).unwrap_err()
    }

    #[test]
    fn ascii_case_and_outer_white_space_do_not_count() {
        let email = EmailAddress::parse("\t A.b+C@Example.ORG \n").unwrap();
        assert_eq!(email.canonical(), "a.b+c@example.org");
        assert_eq!(email.original(), "A.b+C@example.org");
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for input in ["", "a", "a.example.org", "a@b@example.org", "\"a@b\"@example.org"] {
            assert_eq!(refused(input), EmailError::At, "{input:?}");
        }
        for input in [
            "@example.org",
            ".a@example.org",
            "a.@example.org",
            "a..b@example.org",
            "a b@example.org",
            "\"a\"@example.org",
            "a(c)@example.org",
            "a,b@example.org",
            "a\r\n@example.org",
            "<a@example.org",
        ] {
            assert_eq!(refused(input), EmailError::Local, "{input:?}");
        }
        for input in [
            "a@",
            "a@localhost",
            "a@.org",
            "a@example..org",
            "a@example.org.",
            "a@-a.org",
            "a@a-.org",
            "a@[127.0.0.1]",
            "a@127.0.0.1",
            "a@exa_mple.org",
            "a@example.org>",
            "a@xn--.org",
        ] {
            assert_eq!(refused(input), EmailError::Domain, "{input:?}");
        }
    }

    #[test]
    fn at_most_254_characters() {
        let domain = |n: usize| format!("ada@{}example.org", "x.".repeat(n));
        assert!(EmailAddress::parse(&domain(119)).is_ok());
        assert_eq!(refused(&domain(120)), EmailError::TooLong);
        let local = |n: usize| EmailAddress::parse_known(&format!("{}@example.org", "x".repeat(n)));
        assert!(local(242).is_ok());
        assert_eq!(local(243), Err(EmailError::TooLong));
    }

    #[test]
    fn the_part_before_the_at_sign_has_at_most_64_octets() {
        let address = |local: &str| EmailAddress::parse(&format!("{local}@example.org"));
        assert!(address(&"x".repeat(64)).is_ok());
        assert_eq!(address(&"x".repeat(65)), Err(EmailError::LocalTooLong));
        #[cfg(feature = "international")]
        assert_eq!(address(&"é".repeat(33)), Err(EmailError::LocalTooLong), "octets, not characters");
    }

    #[test]
    fn debug_shows_no_personal_data() {
        let email = EmailAddress::parse("secret.name@example.org").unwrap();
        assert_eq!(format!("{email:?}"), "EmailAddress(…@example.org)");
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused_and_reading_is_idempotent(input in "\\PC{0,40}@?\\PC{0,20}") {
            if let Ok(email) = EmailAddress::parse(&input) {
                let again = EmailAddress::parse(email.canonical()).unwrap();
                prop_assert_eq!(again.canonical(), email.canonical());
                prop_assert_eq!(EmailAddress::parse(email.original()).unwrap(), email);
            }
        }

        #[test]
        fn distinct_ascii_addresses_stay_distinct(a in "[a-z0-9+]{1,8}", b in "[a-z0-9+]{1,8}") {
            let read = |l: &str| EmailAddress::parse(&format!("{l}@example.org")).unwrap();
            prop_assert_eq!(read(&a) == read(&b), a == b);
        }
    }
}
