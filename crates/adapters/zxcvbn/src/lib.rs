//! Knows passwords that many people choose, by zxcvbn's lists of 30,000 common passwords, words
//! and names, and its rules for what people make of them. Whether such a password is refused is
//! left to the use case.

use portcullis_domain::registration::Password;
use portcullis_ports::PasswordBlocklist;
use zxcvbn::{Score, zxcvbn};

/// The lists.
///
/// ```
/// use portcullis_domain::registration::Password;
/// use portcullis_ports::PasswordBlocklist;
/// use portcullis_zxcvbn::CommonPasswords;
/// assert!(CommonPasswords.contains(&Password::new("password1"), &[]));
/// assert!(CommonPasswords.contains(&Password::new("ada@example.org"), &["ada@example.org"]));
/// assert!(!CommonPasswords.contains(&Password::new("correct horse battery staple"), &[]));
/// ```
pub struct CommonPasswords;

/// Nobody's list has longer ones, and the search for patterns takes its time.
const MAX_CHARS: usize = 100;

impl PasswordBlocklist for CommonPasswords {
    /// Whether a guesser who knows the lists and the context finds the password within a million
    /// tries.
    fn contains(&self, password: &Password, context: &[&str]) -> bool {
        let password = password.expose();
        password.chars().count() <= MAX_CHARS && zxcvbn(password, context).score() < Score::Two
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn common(password: &str) -> bool {
        CommonPasswords.contains(&Password::new(password), &["portcullis", "ada@example.org", "ada"])
    }

    #[test]
    fn common_passwords_and_words_of_the_context_are_known() {
        for password in [
            "password",
            "password1",
            "12345678",
            "qwertyuiop",
            "iloveyou",
            "P@ssw0rd",
            "aaaaaaaa",
            "portcullis",
            "Portcullis1",
        ] {
            assert!(common(password), "{password}");
        }
    }

    #[test]
    fn what_takes_long_to_guess_is_not_common() {
        for password in ["k3J9x!qzR", "correct horse battery staple", "🔑🔒🗝🚪🏰⚔🛡👑", "שלום עולם וברוך הבא"]
        {
            assert!(!common(password), "{password}");
        }
        assert!(!common(&"x".repeat(256)), "too long for any list");
    }
}
