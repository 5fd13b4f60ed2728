//! Passwords in clear text, redacted and wiped, and the policy for new ones.

use std::fmt;
use zeroize::Zeroizing;

/// Clear-text password. Redacted in `Debug`, wiped when dropped, and not comparable.
///
/// ```
/// use portcullis_domain::registration::Password;
/// let password = Password::new("s3cret");
/// assert_eq!(format!("{password:?}"), "Password(…)");
/// assert_eq!(password.expose(), "s3cret");
/// ```
pub struct Password(Zeroizing<String>);

impl Password {
    /// Creates a password exactly as typed: not trimmed, folded or truncated.
    pub fn new(password: impl Into<String>) -> Self {
        Self(Zeroizing::new(password.into()))
    }

    /// Returns the clear text, for hashing.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(…)")
    }
}

/// Password accepted by a policy.
#[derive(Debug)]
pub struct NewPassword(Password);

impl NewPassword {
    /// Returns the password, for hashing.
    #[must_use]
    pub fn password(&self) -> &Password {
        &self.0
    }
}

/// Policy for new passwords. It checks the length only, with no composition rules (NIST SP 800-63B-4
/// §3.1.1.2, OWASP ASVS 6.2).
///
/// ```
/// use portcullis_domain::registration::{Password, PasswordError, PasswordPolicy};
/// let policy = PasswordPolicy::default();
/// assert!(policy.validate(Password::new("🔑🔑🔑🔑🔑🔑🔑🔑")).is_ok());
/// assert_eq!(policy.validate(Password::new("seven77")).unwrap_err(), PasswordError::TooShort { min: 8 });
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PasswordPolicy {
    min_chars: usize,
}

impl PasswordPolicy {
    /// Maximum length, in Unicode scalar values.
    pub const MAX_CHARS: usize = 256;
    /// Lowest minimum length that can be configured, in Unicode scalar values. Also the default.
    pub const MIN_CHARS_FLOOR: usize = 8;

    /// Creates a policy with a minimum length in Unicode scalar values, clamped to 8–256.
    #[must_use]
    pub fn with_min_chars(min_chars: usize) -> Self {
        Self { min_chars: min_chars.clamp(Self::MIN_CHARS_FLOOR, Self::MAX_CHARS) }
    }

    /// Returns the minimum length, in Unicode scalar values.
    #[must_use]
    pub fn min_chars(&self) -> usize {
        self.min_chars
    }

    /// Checks the length of a new password.
    ///
    /// # Errors
    /// Returns [`PasswordError`] with the bound if the password is too short or too long.
    pub fn validate(&self, password: Password) -> Result<NewPassword, PasswordError> {
        match password.expose().chars().count() {
            n if n < self.min_chars => Err(PasswordError::TooShort { min: self.min_chars }),
            n if n > Self::MAX_CHARS => Err(PasswordError::TooLong { max: Self::MAX_CHARS }),
            _ => Ok(NewPassword(password)),
        }
    }
}

impl Default for PasswordPolicy {
    fn default() -> Self {
        Self::with_min_chars(Self::MIN_CHARS_FLOOR)
    }
}

/// Reason why the policy refuses a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PasswordError {
    /// Shorter than the minimum length.
    #[error("a password has at least {min} characters")]
    TooShort {
        /// Minimum, in Unicode scalar values.
        min: usize,
    },
    /// Longer than the maximum length.
    #[error("a password has at most {max} characters")]
    TooLong {
        /// Maximum, in Unicode scalar values.
        max: usize,
    },
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(password: &str) -> Result<(), PasswordError> {
        PasswordPolicy::default().validate(Password::new(password)).map(|_| ())
    }

    #[test]
    fn characters_are_scalar_values_and_any_will_do() {
        for good in ["        ", "12345678", "\0\0\0\0\0\0\0\0", "שלוםשלום", "a\r\nb\tc\u{7}d"] {
            assert_eq!(check(good), Ok(()), "{good:?}");
        }
        assert_eq!(check(&"🔑".repeat(7)), Err(PasswordError::TooShort { min: 8 }));
        assert_eq!(check(&"é".repeat(256)), Ok(()));
        assert_eq!(check(&"a".repeat(257)), Err(PasswordError::TooLong { max: 256 }));
    }

    #[test]
    fn a_minimum_out_of_range_is_brought_into_it() {
        assert_eq!(PasswordPolicy::with_min_chars(0).min_chars(), 8);
        assert_eq!(PasswordPolicy::with_min_chars(12).min_chars(), 12);
        assert_eq!(PasswordPolicy::with_min_chars(9999).min_chars(), 256);
    }

    proptest! {
        #[test]
        fn only_the_length_decides(password in "\\PC{0,300}") {
            prop_assert_eq!(check(&password).is_ok(), (8..=256).contains(&password.chars().count()));
        }
    }
}
