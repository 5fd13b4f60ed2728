//! `POST /auth/register`: which passwords are accepted. Every byte of a password counts.

use crate::harness::accounts::fresh_email;
use crate::harness::jose::base64url;
use crate::harness::{on_both_databases, services::Service};
use serde_json::json;
use sha2::{Digest, Sha256};

on_both_databases!(
    a_password_has_8_to_256_characters,
    any_character_will_do,
    the_whole_password_counts,
    hash_is_plain_bcrypt_up_to_71_bytes_and_prehashed_beyond,
    a_digest_of_the_password_is_no_password,
    a_password_is_never_folded_or_trimmed,
);

fn a_password_has_8_to_256_characters(service: &Service) {
    for password in ["", "1234567", "🔑🔑🔑🔑🔑🔑🔑", &"a".repeat(257), &"🔑".repeat(257)] {
        service.register(&fresh_email(), password).expect_fields(&["password"]);
    }
    for password in ["12345678", "🔑🔑🔑🔑🔑🔑🔑🔑", &"a".repeat(256), &"🔑".repeat(256)] {
        let account = service.account_with(password);
        service.sign_in(&account);
    }
    for password in [json!(12_345_678), json!(["long enough"]), json!(null), json!({"$ne": ""})] {
        service
            .post("/auth/register", &json!({"email": fresh_email(), "password": password}))
            .expect_fields(&["password"]);
    }
}

fn any_character_will_do(service: &Service) {
    let passwords = [
        "        ",
        "\0\0\0\0\0\0\0\0",
        "שלום עולם",
        "\u{202e}right to left",
        "a\r\nb\tc\u{7}d\u{1b}",
        "'; DROP TABLE users; --",
        "é\u{301}ééééééé\u{fffd}",
    ];
    for password in passwords {
        let account = service.account_with(password);
        service.sign_in(&account);
    }
}

fn the_whole_password_counts(service: &Service) {
    let long = |tail: &str| format!("{}{tail}", "x".repeat(72));
    let pairs = [
        (long(""), long("a")),
        (long("a"), long("b")),
        (long("a"), long("")),
        ("x".repeat(71), "x".repeat(72)),
        ("x".repeat(255), "x".repeat(256)),
        ("before\0after one".to_owned(), "before\0after two".to_owned()),
        ("before it".to_owned(), "before it\0".to_owned()),
        ("before it\0".to_owned(), "before it".to_owned()),
        (format!("{}\0a", "x".repeat(80)), format!("{}\0b", "x".repeat(80))),
    ];
    for (password, other) in pairs {
        let account = service.account_with(&password);
        service.login(&account.email, &other).expect_error(401, "AUTH_INVALID_CREDENTIALS");
        service.sign_in(&account);
    }
}

fn hash_is_plain_bcrypt_up_to_71_bytes_and_prehashed_beyond(service: &Service) {
    let plain = ["12345678".to_owned(), "x".repeat(71), "é".repeat(35)];
    let prehashed = ["x".repeat(72), "é".repeat(36), "🔑".repeat(18), "with a \0 NUL".to_owned(), "x".repeat(256)];
    for password in plain {
        let hash = service.stored_hash(&service.account_with(&password));
        assert!(hash.starts_with("$2b$04$") && hash.len() == 60, "{hash}");
    }
    for password in prehashed {
        let hash = service.stored_hash(&service.account_with(&password));
        assert!(hash.starts_with("$bcrypt-sha256$v=2,t=2b,r=4$"), "{hash}");
    }
    let hashes = service.database.texts("hashed_password", "FROM users WHERE email LIKE 'user%'");
    assert!(!hashes.is_empty());
}

fn a_digest_of_the_password_is_no_password(service: &Service) {
    let password = "x".repeat(100);
    let account = service.account_with(&password);
    let digest = Sha256::digest(&password);
    for guess in [hex::encode(digest), base64url(digest), service.stored_hash(&account)] {
        service.login(&account.email, &guess).expect_error(401, "AUTH_INVALID_CREDENTIALS");
    }
}

fn a_password_is_never_folded_or_trimmed(service: &Service) {
    let account = service.account_with(" Secret Password ");
    let others =
        ["Secret Password", " secret password ", " Secret Password", " SECRET PASSWORD ", " Secret  Password "];
    for other in others {
        service.login(&account.email, other).expect_error(401, "AUTH_INVALID_CREDENTIALS");
    }
    let account = service.account_with("pässwörd composed");
    service.login(&account.email, "pa\u{308}sswo\u{308}rd composed").expect_error(401, "AUTH_INVALID_CREDENTIALS");
}
