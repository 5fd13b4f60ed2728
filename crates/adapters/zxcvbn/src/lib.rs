//! Detects common passwords with zxcvbn: its lists of 30,000 passwords, words and names, and its rules
//! for common variations. The use case decides whether to refuse them.

use portcullis_domain::registration::Password;
use portcullis_ports::PasswordBlocklist;
use zxcvbn::{Score, zxcvbn};

/// Common passwords, found with zxcvbn's lists and rules.
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

/// Maximum length of a password that is checked. No list contains longer passwords.
const MAX_CHARS: usize = 100;
/// The time of the pattern search grows with the square of the length and with the number of
/// combinations of characters that may stand for letters. For 100 characters such as
/// `4@8({[<369&#!1/|0$5+7%2` (576 combinations) it takes seconds.
const MAX_SCORED_CHARS: usize = 32;
const MAX_COMBINATIONS: usize = 16;
/// Groups of characters that zxcvbn treats as substitutes of one letter.
const SUBSTITUTES: [&str; 7] = ["4@", "({[<", "69", "1!|", "1|7", "$5", "+7"];

impl PasswordBlocklist for CommonPasswords {
    /// Returns whether an attacker who has the lists and the context would guess the password within a
    /// million attempts. Only the first 32 characters of a long password are scored. A password with
    /// more than 16 combinations of substitutes counts as uncommon.
    fn contains(&self, password: &Password, context: &[&str]) -> bool {
        let password = password.expose();
        let end = password.char_indices().nth(MAX_SCORED_CHARS).map_or(password.len(), |(end, _)| end);
        let scored = password.get(..end).unwrap_or(password);
        let is_bounded = password.chars().count() <= MAX_CHARS && combinations(scored) <= MAX_COMBINATIONS;
        is_bounded && zxcvbn(scored, context).score() < Score::Two
    }
}

/// Returns the number of ways to read a password's substitutes as letters.
fn combinations(password: &str) -> usize {
    let used = SUBSTITUTES.map(|all| all.chars().filter(|substitute| password.contains(*substitute)).count());
    used.into_iter().map(|count| count.max(1)).product()
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
            "1234567890",
            "P@$$w0rd!1",
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

    /// Compares the time of one check with the time for a password without patterns. That password is
    /// as long as the scored part, so the test fails if a longer part is scored.
    #[test]
    fn no_password_takes_much_longer_than_another() {
        let shortest = |text: &str| {
            let password = Password::new(text);
            let time = |_| {
                #[expect(clippy::disallowed_methods, reason = "the test measures")]
                let began = std::time::Instant::now();
                CommonPasswords.contains(&password, &[]);
                began.elapsed()
            };
            (0..3).map(time).min().unwrap()
        };
        let plain = shortest(&"kqvwzjxf".repeat(4));
        for pattern in [
            "4@dr4g0n5{[<m0nk3y1|!pr1nc355+7%2$&#96/(8",
            "4@8({[<369&#!1/|0$5+7%2",
            "1|7!/69({[<4@",
            "1|!",
            "a",
            "01/02/99",
            "qwerty",
            "password",
        ] {
            let worst = shortest(&pattern.repeat(100).chars().take(100).collect::<String>());
            assert!(worst < plain * 15 + std::time::Duration::from_millis(5), "{pattern}: {worst:?}, {plain:?}");
        }
    }

    #[test]
    fn a_long_password_is_judged_by_its_beginning() {
        assert!(common(&"a".repeat(100)));
        assert!(!common(&format!("k3J9x!qzR{}", "a".repeat(60))));
        assert!(!common(&"🔑🔒🗝🚪🏰⚔🛡👑".repeat(6)));
    }
}
