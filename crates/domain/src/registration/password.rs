//! The password as a value that shows itself to nobody, and the policy for new ones.
//! Hashing is left to an adapter.

use std::fmt;

/// A password in clear: redacted in `Debug`, wiped when dropped, compared by nobody.
///
/// ```
/// use portcullis_domain::registration::Password;
/// let password = Password::new("s3cret");
/// assert_eq!(format!("{password:?}"), "Password(…)");
/// assert_eq!(password.expose(), "s3cret");
/// ```
pub struct Password(String);

impl Password {
    /// Takes a password as it was typed: nothing is trimmed, folded or cut.
    pub fn new(password: impl Into<String>) -> Self {
        Self(password.into())
    }

    /// The password itself, for whoever hashes it.
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

impl Drop for Password {
    fn drop(&mut self) {
        let mut bytes = std::mem::take(&mut self.0).into_bytes();
        bytes.fill(0);
        // The optimiser may not drop a write that somebody might look at.
        std::hint::black_box(bytes.as_slice());
    }
}

/// A password that a policy let through: it may become an account's.
#[derive(Debug)]
pub struct NewPassword(Password);

impl NewPassword {
    /// The password, for whoever hashes it.
    #[must_use]
    pub fn password(&self) -> &Password {
        &self.0
    }
}

/// What a new password must be. No composition rule: length alone
/// (NIST SP 800-63B-4 §3.1.1.2, OWASP ASVS 6.2).
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
    /// The longest new password, in Unicode scalar values.
    pub const MAX_CHARS: usize = 256;
    /// The least minimum that can be asked for, in Unicode scalar values, and the default.
    pub const MIN_CHARS_FLOOR: usize = 8;

    /// A policy with a minimum length in Unicode scalar values, brought into 8 to 256.
    #[must_use]
    pub fn with_min_chars(min_chars: usize) -> Self {
        Self { min_chars: min_chars.clamp(Self::MIN_CHARS_FLOOR, Self::MAX_CHARS) }
    }

    /// The minimum length, in Unicode scalar values.
    #[must_use]
    pub fn min_chars(&self) -> usize {
        self.min_chars
    }

    /// Lets a password become an account's, or says why it may not.
    ///
    /// # Errors
    /// [`PasswordError`], which names the bound that was missed.
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

/// Why a password may not become an account's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PasswordError {
    /// Fewer characters than the policy asks for.
    #[error("a password has at least {min} characters")]
    TooShort {
        /// The least number of Unicode scalar values.
        min: usize,
    },
    /// More characters than anybody types.
    #[error("a password has at most {max} characters")]
    TooLong {
        /// The greatest number of Unicode scalar values.
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
