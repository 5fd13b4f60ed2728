//! Codes of apps and recovery codes. `clock` tests the time steps, `races` parallel uses.

use crate::harness::totp::Authenticator;
use crate::prelude::*;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

on_both_databases!(
    c1_15_a_code_is_good_once_and_so_is_the_enrolments,
    c1_10_a_recovery_code_is_read_in_any_spelling,
    c1_10_a_recovery_code_is_good_once,
    c1_10_only_a_hash_of_recovery_codes_is_stored,
);

/// RFC 6238 appendix B: the last six digits.
#[test]
fn the_tests_own_app_shows_the_codes_of_the_rfc() {
    let app = Authenticator::of("GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ");
    assert_eq!(app.secret, b"12345678901234567890");
    for (second, code) in
        [(59, "287082"), (1_111_111_109, "081804"), (1_234_567_890, "005924"), (20_000_000_000, "353130")]
    {
        assert_eq!(app.at(second), code);
    }
}

fn c1_15_a_code_is_good_once_and_so_is_the_enrolments(service: &Service) {
    let (account, pair) = service.session();
    let begun = service.begin_factor(&pair.access).expect(201);
    let app = Authenticator::of(begun["secret"].as_str().unwrap());
    let code = app.code();
    service.confirm_factor(&pair.access, begun["id"].as_str().unwrap(), &code).expect(200);
    service.login_with(&account, &code).wrong_credentials();
    service.second(&service.challenge(&account), &json!({"code": code})).wrong_credentials();
    let proof = json!({"password": account.password, "code": code});
    service.reauthenticate(&pair.access, &proof).wrong_credentials();
    // The next step's code is taken up to half a minute early, and then this one's no more.
    let next = app.at(unix_now() + 30);
    service.login_with(&account, &next).expect(200);
    for used in [&code, &next] {
        service.login_with(&account, used).wrong_credentials();
    }
}

fn c1_10_a_recovery_code_is_read_in_any_spelling(service: &Service) {
    let Enrolled { account, codes, .. } = service.enrolled();
    let plain = |code: &str| code.replace('-', "");
    let spellings: [fn(&str) -> String; 6] = [
        str::to_lowercase,
        |code| code.replace('-', ""),
        |code| code.replace('-', " "),
        |code| format!(" {} ", code.replace('-', " - ")),
        // What Crockford's alphabet reads as the digits.
        |code| code.replace('1', "l").replace('0', "o"),
        |code| code.replace('1', "I").replace('0', "O").chars().flat_map(|symbol| [symbol, '-']).collect(),
    ];
    for (code, spelling) in codes.iter().zip(spellings) {
        let spelt = spelling(code);
        let cut = &plain(code)[..15];
        service.login_with(&account, cut).wrong_credentials();
        service.login_with(&account, &format!("{code}0")).wrong_credentials();
        service.second(&service.challenge(&account), &json!({"recovery_code": spelt})).expect(200);
        service.login_with(&account, code).wrong_credentials();
    }
    service.login_with(&account, &codes[9].to_lowercase().replace('-', " ")).expect(200);
}

fn c1_10_a_recovery_code_is_good_once(service: &Service) {
    let Enrolled { account, codes, pair, .. } = service.enrolled();
    service.login_with(&account, &codes[3]).expect(200);
    service.second(&service.challenge(&account), &json!({"recovery_code": codes[3]})).wrong_credentials();
    assert_eq!(service.factors(&pair.access)["recovery_codes_left"], 9);
    service.second(&service.challenge(&account), &json!({"recovery_code": codes[4]})).expect(200);
    assert_eq!(service.factors(&pair.access)["recovery_codes_left"], 8);
}

fn c1_10_only_a_hash_of_recovery_codes_is_stored(backend: Backend) {
    let service = backend.service().start();
    let Enrolled { account, codes, .. } = service.enrolled();
    let dump = service.database.dump();
    assert!(dump.contains(&account.email), "it is a dump");
    for code in &codes {
        let plain = code.replace('-', "");
        for spelling in [code.clone(), code.to_lowercase(), plain.to_lowercase(), STANDARD.encode(&plain), plain] {
            assert!(!dump.contains(&spelling), "{spelling}");
        }
    }
    let is_sqlite = service.database.url().starts_with("sqlite");
    let digest = if is_sqlite { "lower(hex(digest))" } else { "encode(digest, 'hex')" };
    let mut stored = service.database.texts(digest, "FROM recovery_codes");
    let mut expected: Vec<_> = codes.iter().map(|code| hex::encode(Sha256::digest(code.replace('-', "")))).collect();
    stored.sort();
    expected.sort();
    assert_eq!(stored, expected);
    for digest in stored {
        service.login_with(&account, &digest).wrong_credentials();
    }
}
