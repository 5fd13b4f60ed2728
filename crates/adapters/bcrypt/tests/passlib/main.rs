//! Hashes from other sources: passlib, the FastAPI application and published test vectors.

#![expect(clippy::unwrap_used, reason = "a failed step fails the test")]

mod vectors;

use portcullis_bcrypt::{BcryptHasher, Cost};
use portcullis_domain::registration::{Password, PasswordHash};
use portcullis_ports::{CancellationToken, Entropy, PasswordCheck, PasswordHasher};
use std::sync::Arc;
use vectors::{PLAIN, PREHASHED};

const CURRENT: PasswordCheck = PasswordCheck::Match { needs_rehash: false };
const OUTDATED: PasswordCheck = PasswordCheck::Match { needs_rehash: true };

/// These tests create no hash, so entropy is never used.
struct NoEntropy;

impl Entropy for NoEntropy {
    fn fill(&self, _: &mut [u8]) {
        unreachable!("verifying draws no salt");
    }
}

fn verify(cost: u32, password: &str, hash: &str) -> PasswordCheck {
    let hasher = BcryptHasher::new(Cost::new(cost).unwrap(), Arc::new(NoEntropy));
    hasher.verify(&Password::new(password), &PasswordHash::new(hash.to_owned()), &CancellationToken::never()).unwrap()
}

#[test]
fn passlib_hash_matches_its_password_and_no_other() {
    for (text, times, hash) in PLAIN.iter().chain(PREHASHED) {
        let password = text.repeat(*times);
        let long = hash.starts_with("$2") && password.len() > 71;
        let current = hash.starts_with("$2b$") && !long || hash.contains("v=2");
        let expected = PasswordCheck::Match { needs_rehash: !current };
        assert_eq!(verify(4, &password, hash), expected, "{text:?} * {times}: {hash}");
        for other in [format!("{password} "), format!(" {password}"), password.to_uppercase() + "?"] {
            // A plain hash ignores everything after 72 bytes.
            if !(long && other.starts_with(&password)) {
                assert_eq!(verify(4, &other, hash), PasswordCheck::Mismatch, "{other:?}: {hash}");
            }
        }
    }
}

#[test]
fn plain_hash_matches_the_first_72_bytes_and_needs_rehash() {
    let (_, _, hash) =
        PLAIN.iter().find(|(text, times, hash)| (*text, *times) == ("x", 80) && hash.starts_with("$2b$")).unwrap();
    assert_eq!(verify(4, &"x".repeat(72), hash), OUTDATED);
    assert_eq!(verify(4, &("x".repeat(72) + "anything"), hash), OUTDATED);
    assert_eq!(verify(4, &"x".repeat(71), hash), PasswordCheck::Mismatch);
}

#[test]
fn set_padding_bits_are_read_as_passlib_reads_them() {
    // Derived from passlib's hashes of "padded" by taking the next character of the alphabet. passlib
    // verifies all four, with a warning.
    for hash in [
        "$2b$04$aIXFHIpQcjpLqjhcWFxFEPjkKp3lJro7CBYD.nuN.94gmypoQ.Fg6",
        "$2b$04$aIXFHIpQcjpLqjhcWFxFEOjkKp3lJro7CBYD.nuN.94gmypoQ.Fg7",
        "$bcrypt-sha256$v=2,t=2b,r=4$POM3YY5fqN4WxGYx..JQH/$ami1zL.A6CyYUqNRZ/A4BCIJZTrS4fW",
        "$bcrypt-sha256$v=2,t=2b,r=4$POM3YY5fqN4WxGYx..JQH.$ami1zL.A6CyYUqNRZ/A4BCIJZTrS4fX",
    ] {
        assert_eq!(verify(4, "padded", hash), CURRENT, "{hash}");
        assert_eq!(verify(4, "Padded", hash), PasswordCheck::Mismatch, "{hash}");
    }
}

#[test]
fn the_accounts_of_the_fastapi_application_sign_in() {
    for (password, hash, expected) in [
        ("éü 🔑 käse pässwörd", "$2b$12$4mO8DYvGfwrID1govTxoyOlsk905S3tlSaalFM9wVah0YST9GM0uO", CURRENT),
        (&"x".repeat(80), "$2b$12$CCaBzC7dCdzKT054uAWlm.o674o9nMNb5grC04DkaWOh4IheohYHW", OUTDATED),
        ("pa ss wo rd ", "$2b$12$2itGssSesJ9lRefoOqDWYeCpSjcym6L9TnD3kjOdnPSTKLZjXWWmu", CURRENT),
        ("pa ss wo rd", "$2b$12$2itGssSesJ9lRefoOqDWYeCpSjcym6L9TnD3kjOdnPSTKLZjXWWmu", PasswordCheck::Mismatch),
    ] {
        assert_eq!(verify(12, password, hash), expected, "{password:?}");
    }
}

#[test]
fn published_vectors() {
    // From crypt_blowfish 1.3, wrapper.c, and jBCrypt, TestBCrypt.java.
    for (cost, password, hash) in [
        (5, "U*U", "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"),
        (5, "U*U*", "$2a$05$CCCCCCCCCCCCCCCCCCCCC.VGOzA784oUp/Z0DY336zx7pLYAy0lwK"),
        (5, "U*U*U", "$2a$05$XXXXXXXXXXXXXXXXXXXXXOAcXxm9kjPGEMsLznoKqmqw7tc8WCx4a"),
        (5, "", "$2a$05$CCCCCCCCCCCCCCCCCCCCC.7uG0VCzI2bS7j6ymqJi9CdcdxiRTWNy"),
        (
            5,
            "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789chars after 72 are ignored",
            "$2a$05$abcdefghijklmnopqrstuu5s2v8.iXieOjg/.AySBTTZIIVFJeBui",
        ),
        (6, "", "$2a$06$DCq7YPn5Rq63x1Lad4cll.TV4S6ytwfsfvkgY8jIucDrjc8deX1s."),
        (6, "a", "$2a$06$m0CrhHm10qJ3lXRY.5zDGO3rS2KdeeWLuGmsfGlMfOxih58VYVfxe"),
    ] {
        assert_eq!(verify(cost, password, hash), OUTDATED, "{password:?}");
    }
}

#[test]
fn hashes_of_faulty_libraries_do_not_match() {
    // Correct and faulty hashes of each password: the 8-bit bug of crypt_blowfish before 1.1
    // (CVE-2011-2483), and the length that wrapped at 256 in OpenBSD before 5.5.
    let wrapped = "0123456789".repeat(26)[..255].to_owned();
    for (password, right, faulty) in [
        (
            "ё",
            "$2b$05$6bNw2HLQYeqHYyBfLMsv/OUcZd0LKP39b87nBw3.S2tVZSqiQX6eu",
            "$2b$05$6bNw2HLQYeqHYyBfLMsv/OiwqTymGIGzFsA4hOTWebfehXHNprcAS",
        ),
        (
            wrapped.as_str(),
            "$2b$04$R1lJ2gkNaoPGdafE.H.16.1MKHPvmKwryeulRe225LKProWYwt9Oi",
            "$2b$04$R1lJ2gkNaoPGdafE.H.16.nVyh2niHsGJhayOHLMiXlI45o8/DU.6",
        ),
    ] {
        assert!(matches!(verify(5, password, right), PasswordCheck::Match { .. }), "{password:?}");
        assert_eq!(verify(5, password, faulty), PasswordCheck::Mismatch, "{password:?}");
    }
}
