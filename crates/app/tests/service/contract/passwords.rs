//! `POST /auth/register`: which passwords are accepted. Every byte of a password counts.

use crate::harness::jose::base64url;
use crate::prelude::*;
use sha2::{Digest, Sha256};

on_both_databases!(a_password_has_8_to_256_characters_of_any_kind, every_byte_of_a_password_counts,);

fn a_password_has_8_to_256_characters_of_any_kind(service: &Service) {
    for password in [
        json!(""),
        json!("1234567"),
        json!("🔑🔑🔑🔑🔑🔑🔑"),
        json!("a".repeat(257)),
        json!("🔑".repeat(257)),
        json!(12_345_678),
        json!(["long enough"]),
        json!(null),
        json!({"$ne": ""}),
    ] {
        let body = json!({"email": fresh_email(), "password": password});
        service.post("/auth/register", &body).expect_fields(&["password"]);
    }
    for password in [
        "12345678",
        "🔑🔑🔑🔑🔑🔑🔑🔑",
        &"a".repeat(256),
        &"🔑".repeat(256),
        "        ",
        "\0\0\0\0\0\0\0\0",
        "שלום עולם",
        "\u{202e}right to left",
        "a\r\nb\tc\u{7}d\u{1b}",
        "'; DROP TABLE users; --",
        "é\u{301}ééééééé\u{fffd}",
    ] {
        service.sign_in(&service.account_with(password));
    }
}

fn every_byte_of_a_password_counts(service: &Service) {
    let long = |tail: &str| format!("{}{tail}", "x".repeat(72));
    let digest = Sha256::digest(long("hashed"));
    for (password, others) in [
        (long(""), vec![long("a"), "x".repeat(71)]),
        (long("a"), vec![long("b"), long("")]),
        ("x".repeat(71), vec![long("")]),
        ("x".repeat(255), vec!["x".repeat(256)]),
        ("before\0after one".to_owned(), vec!["before\0after two".to_owned()]),
        ("before it".to_owned(), vec!["before it\0".to_owned()]),
        ("before it\0".to_owned(), vec!["before it".to_owned()]),
        (long("12345678\0a"), vec![long("12345678\0b")]),
        (long("hashed"), vec![hex::encode(digest), base64url(digest)]),
        // Never folded, trimmed or normalized.
        (
            " Secret Password ".to_owned(),
            ["Secret Password", " secret password ", " Secret Password", " Secret  Password "]
                .map(str::to_owned)
                .into(),
        ),
        ("pässwörd composed".to_owned(), vec!["pa\u{308}sswo\u{308}rd composed".to_owned()]),
    ] {
        let account = service.account_with(&password);
        for other in others.into_iter().chain([service.stored_hash(&account)]) {
            service.login(&account.email, &other).wrong_credentials();
        }
        service.sign_in(&account);
    }
}
