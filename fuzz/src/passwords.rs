//! Stored password hashes: any text is parsed or refused, and a password matches only its own hashes.

use portcullis_bcrypt::{BcryptHasher, Cost};
use portcullis_domain::registration::{Password, PasswordHash};
use portcullis_ports::{CancellationToken, PasswordCheck, PasswordHasher};
use portcullis_testkit::SeededEntropy;
use std::sync::Arc;

const PASSWORD: &str = "SecurePass123!";

/// passlib's hashes of [`PASSWORD`]: identifier and settings, salt, digest.
const GENUINE: [(&str, &str, &str); 6] = [
    ("$2a$04$", "3hoA3uSixQ4BqvuNsw0csO", "cGNPkBDAKYH/jQxa5NQir3CXjDx9TTy"),
    ("$2b$04$", "PyAA0Rk4j27c1LVV/FOcje", "ME4LvoLjE7FdAR0N7eocMcWK6PmhaVW"),
    ("$2y$04$", "1tx8T2FBtxhI.Ey5nd244O", "7pcvtfEl5j0lIH0uz7QLG11MZJYiaSC"),
    ("$bcrypt-sha256$2a,4$", "L8ca7trAwBMD6a3RfqFSkO", "Hb98Mk..6rr5KWTO9HeK9XvckMJyWL6"),
    ("$bcrypt-sha256$2b,4$", "9IjSZmANvEKR1jddgGmP7u", "L.veyGece6RgIKNcF9xeYJKCPMNKxGC"),
    ("$bcrypt-sha256$v=2,t=2b,r=4$", "Iv6Uown/0ksEE/DixbcfWO", "bWKuLVHu.W.uPqe3unfdvxh1Bhhb/I2"),
];
/// bcrypt's base64 alphabet.
const ALPHABET: &str = "./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/// Verifies a password against arbitrary text.
pub fn passwords(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if is_slow(text) {
        return;
    }
    let hasher = BcryptHasher::new(Cost::new(4).expect("the least cost"), Arc::new(SeededEntropy::new(1)));
    let stored = PasswordHash::new(text.to_owned());
    let verification = hasher.verify(&Password::new(PASSWORD), &stored, &CancellationToken::never());
    let verification = verification.expect("a thread's own hasher does not fail");
    let genuine = is_genuine(text);
    match verification {
        PasswordCheck::Match { .. } => assert!(genuine, "{text:?}"),
        PasswordCheck::Mismatch | PasswordCheck::Unreadable => assert!(!genuine, "{text:?}"),
    }
}

/// Returns whether the text contains a cost that is accepted but slow to compute.
fn is_slow(text: &str) -> bool {
    let costs = ["$2a$", "$2b$", "$2y$", "$2a,", "$2b,", "r="];
    let digits = |rest: &str| rest.chars().take_while(char::is_ascii_digit).take(3).collect::<String>();
    costs.iter().flat_map(|mark| text.split(mark).skip(1)).any(|rest| matches!(digits(rest).parse(), Ok(6..=16)))
}

/// Returns whether the text is one of the hashes, or differs from one only in unused bits: the lowest
/// four of the last character of the salt, and the lowest two of the last character of the digest.
fn is_genuine(text: &str) -> bool {
    GENUINE.iter().any(|(settings, salt, digest)| {
        let divider = if settings.starts_with("$2") { "" } else { "$" };
        let rest = text.strip_prefix(settings).unwrap_or_default();
        let Some((other_salt, rest)) = rest.split_at_checked(salt.len()) else { return false };
        let other_digest = rest.strip_prefix(divider);
        same_but(4, salt, other_salt) && other_digest.is_some_and(|other| same_but(2, digest, other))
    })
}

fn same_but(bits: u32, one: &str, other: &str) -> bool {
    let split = |text: &str| {
        let mut chars = text.chars();
        let last = chars.next_back().and_then(|last| ALPHABET.find(last)).map(|value| value >> bits);
        (chars.as_str().to_owned(), last)
    };
    one.len() == other.len() && split(one) == split(other)
}
