//! New hashes, damaged hashes, and passwords that must not match; on the calling thread and on threads.

#![expect(clippy::unwrap_used, reason = "a failed step fails the test")]

use portcullis_bcrypt::{BcryptHasher, Cost, HashThreads, Lanes, PoolSettings};
use portcullis_domain::registration::{Password, PasswordHash};
use portcullis_ports::{CancellationToken, PasswordCheck, PasswordHasher};
use portcullis_testkit::{FixedClock, SeededEntropy};
use proptest::prelude::*;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

fn hasher(cost: u32) -> BcryptHasher {
    BcryptHasher::new(Cost::new(cost).unwrap(), Arc::new(SeededEntropy::new(1)))
}

fn hash(password: &str) -> PasswordHash {
    hasher(4).hash(&Password::new(password), &CancellationToken::never()).unwrap()
}

fn verify(password: &str, hash: &PasswordHash) -> PasswordCheck {
    hasher(4).verify(&Password::new(password), hash, &CancellationToken::never()).unwrap()
}

const CURRENT: PasswordCheck = PasswordCheck::Match { needs_rehash: false };
const OUTDATED: PasswordCheck = PasswordCheck::Match { needs_rehash: true };

#[test]
fn the_length_in_bytes_and_a_nul_choose_the_format() {
    for (password, prefix) in [
        ("x".repeat(8), "$2b$04$"),
        ("x".repeat(71), "$2b$04$"),
        ("é".repeat(35), "$2b$04$"),
        ("x".repeat(72), "$bcrypt-sha256$v=2,t=2b,r=4$"),
        ("é".repeat(36), "$bcrypt-sha256$v=2,t=2b,r=4$"),
        ("x".repeat(256), "$bcrypt-sha256$v=2,t=2b,r=4$"),
        ("seven\0seven".to_owned(), "$bcrypt-sha256$v=2,t=2b,r=4$"),
    ] {
        let hash = hash(&password);
        assert!(hash.expose().starts_with(prefix), "{password:?}: {}", hash.expose());
        assert_eq!(verify(&password, &hash), CURRENT, "{password:?}");
    }
}

#[test]
fn passwords_that_begin_alike_do_not_open_each_other() {
    let stem = "x".repeat(72);
    let families = [
        ["abc", "abc\0abc", "abc\0", "abc\0xyz", "abc\0abc\0"].map(str::to_owned).to_vec(),
        vec!["x".repeat(71), stem.clone(), stem.clone() + "a", stem.clone() + "b", stem.clone() + "\0"],
        vec![String::new(), "\0".to_owned(), "\0".repeat(71), "\0".repeat(72)],
    ];
    for family in families {
        for registered in &family {
            let hash = hash(registered);
            for typed in &family {
                let expected = if typed == registered { CURRENT } else { PasswordCheck::Mismatch };
                assert_eq!(verify(typed, &hash), expected, "{typed:?} against {registered:?}");
            }
        }
    }
}

#[test]
fn a_pre_hash_is_no_password() {
    // SHA-256 of the password: in base64, the bcrypt key of passlib's first version, and in hex.
    let first =
        PasswordHash::new("$bcrypt-sha256$2b,4$44fLVvLxlUjXbNSfGF69y.$wm7UbntzlnPUq867IbvRey9ehDobw12".to_owned());
    assert_eq!(verify(&"x".repeat(80), &first), OUTDATED);
    for known in [
        "2SnN7qfmoPRrWUSNNqb9SR34ZHzykgQFCBYu5fZDWrg=",
        "d929cdeea7e6a0f46b59448d36a6fd491df8647cf292040508162ee5f6435ab8",
    ] {
        assert_eq!(verify(known, &first), PasswordCheck::Mismatch, "{known}");
        assert_eq!(verify(known, &hash(&"x".repeat(80))), PasswordCheck::Mismatch, "{known}");
    }
}

#[test]
fn a_hash_of_a_lower_cost_is_outdated() {
    let old = hash("some password");
    for (cost, expected) in [(4, CURRENT), (5, OUTDATED), (6, OUTDATED)] {
        assert_eq!(
            hasher(cost).verify(&Password::new("some password"), &old, &CancellationToken::never()),
            Ok(expected),
            "{cost}"
        );
    }
    let dearer = hasher(5).hash(&Password::new("some password"), &CancellationToken::never()).unwrap();
    assert_eq!(verify("some password", &dearer), CURRENT, "a hash never gets cheaper");
    assert_eq!(
        hasher(6).verify(&Password::new("another"), &old, &CancellationToken::never()),
        Ok(PasswordCheck::Mismatch)
    );
}

#[test]
fn no_damaged_hash_panics_or_matches() {
    let good = hash("some password").expose().to_owned();
    let texts = [
        "",
        " ",
        "some password",
        "!",
        "*",
        "$",
        "$$$$",
        "$2b$04$",
        "$bcrypt-sha256$",
        "$bcrypt-sha256$v=2,t=2b,r=4$$",
        "$bcrypt-sha256$v=9,t=2b,r=4$POM3YY5fqN4WxGYx..JQH.$ami1zL.A6CyYUqNRZ/A4BCIJZTrS4fW",
        "$argon2id$v=19$m=65536,t=3,p=4$c2FsdHNhbHQ$aGFzaGhhc2g",
        "5f4dcc3b5aa765d61d8327deb882cf99",
    ];
    let changed = [
        "\0".repeat(60),
        "é".repeat(30),
        "🔑".repeat(15),
        good.clone() + "\n",
        format!(" {good}"),
        good[..59].to_owned(),
        good.clone() + ".",
        good.replace("$2b$", "$2x$"),
        good.replace("$2b$", "$2b"),
        good.replace("$04$", "$31$"),
        good.replace("$04$", "$99$"),
        good.replace("$04$", "$-4$"),
        good[..57].to_owned() + "é.",
        good[..28].to_owned() + "é" + &good[30..],
        good[..59].to_owned() + "=",
        good[..59].to_owned() + "+",
        "x".repeat(100_000),
    ];
    for text in texts.map(str::to_owned).into_iter().chain(changed) {
        let hash = PasswordHash::new(text.clone());
        for password in ["some password", "", &text] {
            assert_eq!(verify(password, &hash), PasswordCheck::Unreadable, "{text:.80?}");
        }
    }
}

fn threads(lanes: Lanes) -> HashThreads {
    let settings = PoolSettings {
        threads: NonZeroUsize::new(2).unwrap(),
        lanes: Some(lanes),
        wait: Duration::from_secs(1),
        on_start: || (),
    };
    // With a stopped clock no time is measured, so the queue never fills up.
    HashThreads::start(hasher(4), settings, Arc::new(FixedClock::at(chrono::DateTime::UNIX_EPOCH))).unwrap()
}

#[test]
fn threads_answer_as_the_hasher_does_in_every_number_of_lanes() {
    let stays = &CancellationToken::never();
    for lanes in (1..=6).filter_map(Lanes::new) {
        let threads = &threads(lanes);
        assert_eq!(threads.lanes(), lanes);
        std::thread::scope(|scope| {
            for number in 0..16 {
                scope.spawn(move || {
                    let (mine, other) = (Password::new(format!("password {number}")), Password::new("another"));
                    let unreadable = PasswordHash::new("?".to_owned());
                    let hash = threads.hash(&mine, stays).unwrap();
                    assert_eq!(threads.verify(&mine, &hash, stays), Ok(CURRENT));
                    assert_eq!(threads.verify(&other, &hash, stays), Ok(PasswordCheck::Mismatch));
                    assert_eq!(threads.verify(&mine, &unreadable, stays), Ok(PasswordCheck::Unreadable));
                    assert_eq!(threads.dummy_verify(&mine, "ada@example.org", stays), Ok(()));
                    assert_eq!(verify(mine.expose(), &hash), CURRENT);
                });
            }
        });
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_password_opens_its_hash_and_another_does_not(password in "[\\PC\0]{0,90}", other in "[\\PC\0]{0,90}") {
        let hash = hash(&password);
        prop_assert_eq!(verify(&password, &hash), CURRENT);
        if other != password {
            prop_assert_eq!(verify(&other, &hash), PasswordCheck::Mismatch);
        }
    }

    #[test]
    fn a_hash_with_one_byte_changed_never_matches(at in 0_usize..60, to in 0x20_u8..0x7f) {
        let good = hash("some password").expose().to_owned();
        let mut bytes = good.clone().into_bytes();
        bytes[at] = to;
        let changed = String::from_utf8(bytes).unwrap();
        // The change may have raised the cost, which other tests cover.
        if changed != good && !(4..6).contains(&at) && ![28, 59].contains(&at) && !["$2a$", "$2y$"].contains(&&changed[..4]) {
            let verification = verify("some password", &PasswordHash::new(changed.clone()));
            prop_assert!(!matches!(verification, PasswordCheck::Match { .. }), "{}", changed);
        }
    }
}
