//! Encryption at rest: `ENCRYPTION_KEY`, its rotation, and rows that no key opens.

use crate::prelude::*;
use crate::process::cli_harness::command;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

on_both_databases!(
    c0_17_no_secret_is_readable_in_the_database,
    c0_17_the_default_key_follows_the_secret_key,
    c0_17_a_key_of_its_own_is_rotated_without_a_loss,
    c0_17_a_row_that_no_key_opens_is_no_wrong_code,
    c0_18_a_ciphertext_of_another_row_is_not_opened,
);

/// Checks that a second factor cannot be checked now: a 503 with an `ERROR` line, and nothing was spent.
#[track_caller]
fn expect_closed(service: &Service, of: &Enrolled) {
    let token = service.challenge(&of.account);
    let code = service.fresh_code(of);
    let reply = service.second(&token, &json!({"code": code}));
    reply.expect_unavailable();
    let events = service.log.of_request(reply.request_id());
    assert!(events.iter().any(|event| event["level"] == "ERROR"), "{events:?}");
    assert!(!format!("{events:?}").contains(&code), "{events:?}");
    service.login_with(&of.account, &of.app.wrong()).expect_unavailable();
    service.login_with(&of.account.with_password("wrong password"), &code).wrong_credentials();
}

/// Checks that recovery codes work without the key.
#[track_caller]
fn expect_recovery(service: &Service, of: &Enrolled, number: usize) {
    let token = service.challenge(&of.account);
    service.second(&token, &json!({"recovery_code": of.codes[number]})).expect(200);
}

fn c0_17_no_secret_is_readable_in_the_database(backend: Backend) {
    let service = backend.service().start();
    let (account, pair) = service.session();
    let begun = service.begin_factor(&pair.access).expect(201);
    let enrolled = service.enrolled();
    let dump = service.database.dump();
    assert!(dump.contains(&account.email), "it is a dump");
    let text = begun["secret"].as_str().unwrap();
    let bytes = [&enrolled.app.secret, &crate::harness::totp::Authenticator::of(text).secret];
    for bytes in bytes {
        let raw = String::from_utf8_lossy(bytes).into_owned();
        for spelling in [text.to_owned(), hex::encode(bytes), hex::encode_upper(bytes), STANDARD.encode(bytes), raw] {
            assert!(!dump.contains(&spelling), "{spelling}");
        }
    }
}

fn c0_17_the_default_key_follows_the_secret_key(backend: Backend) {
    let [old, new] = [random_secret(), random_secret()];
    let first = backend.service().set("SECRET_KEY", &old).start();
    let enrolled = first.enrolled();
    first.stop();
    let turned = first.again().set("SECRET_KEY", &new).set("SECRET_KEY_PREVIOUS", &old).start();
    turned.sign_in_fully(&enrolled);
    turned.stop();
    let lost = first.again().set("SECRET_KEY", &new).start();
    expect_closed(&lost, &enrolled);
    expect_recovery(&lost, &enrolled, 0);
}

fn c0_17_a_key_of_its_own_is_rotated_without_a_loss(backend: Backend) {
    let [older, old, new] = [(); 3].map(|()| random_secret());
    let with = |service: &Service, key: &str, previous: &str| {
        let setup = service.again().set("SECRET_KEY", &random_secret()).set("ENCRYPTION_KEY", key);
        if previous.is_empty() { setup } else { setup.set("ENCRYPTION_KEY_PREVIOUS", previous) }
    };
    let first = backend.service().set("ENCRYPTION_KEY", &older).start();
    let mut enrolled = vec![first.enrolled(), first.enrolled()];
    first.stop();
    let second = with(&first, &old, &older).start();
    enrolled.push(second.enrolled());
    enrolled.iter().for_each(|one| drop(second.sign_in_fully(one)));
    second.stop();
    // The key for tokens changes each time and does not matter.
    let both = format!("{old}\n{older}\n");
    let turned = with(&first, &new, &both).start();
    enrolled.iter().for_each(|one| drop(turned.sign_in_fully(one)));
    let run = |words: &str, key: &str, previous: &str| {
        let setup = command(&first.database, words).set("ENCRYPTION_KEY", key);
        if previous.is_empty() { setup } else { setup.set("ENCRYPTION_KEY_PREVIOUS", previous) }.run()
    };
    // While a key is missing, its rows are counted, left as they are, and reported.
    let counted = run("doctor --json", &new, &old);
    assert_eq!(counted.status.code(), Some(1), "{counted:?}");
    let findings = counted.output.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let (errors, others): (Vec<_>, Vec<_>) = findings.partition(|finding| finding["status"] == "error");
    let is_advised = |one: &Value| one["advice"].as_str().is_some_and(|advice| advice.contains("keys reencrypt"));
    assert!(others.iter().any(is_advised), "a row of an earlier key: {others:?}");
    assert!(errors.iter().any(|error| error["what"].as_str().unwrap().contains("2 ")), "two rows: {errors:?}");
    let partly = run("keys reencrypt", &new, &old);
    assert!(!partly.status.success(), "{partly:?}");
    enrolled.iter().for_each(|one| drop(turned.sign_in_fully(one)));
    let moved = run("keys reencrypt", &new, &both);
    assert!(moved.status.success(), "{moved:?}");
    for ended in [&counted, &partly, &moved] {
        let told = format!("{}{}", ended.output, ended.errors);
        assert!([&older, &old, &new].iter().all(|key| !told.contains(key.as_str())), "{told}");
    }
    enrolled.iter().for_each(|one| drop(turned.sign_in_fully(one)));
    turned.stop();
    let last = with(&first, &new, "").start();
    enrolled.iter().for_each(|one| drop(last.sign_in_fully(one)));
    let well = run("doctor --json", &new, "");
    assert!(well.status.success(), "{well:?}");
}

fn c0_17_a_row_that_no_key_opens_is_no_wrong_code(backend: Backend) {
    let service = backend.service().start();
    let enrolled = service.enrolled();
    let (zeros, is_sqlite) = ("00".repeat(57), service.database.url().starts_with("sqlite"));
    for damaged in [zeros.as_str(), "", "01"] {
        let bytes = if is_sqlite { format!("X'{damaged}'") } else { format!("'\\x{damaged}'") };
        let user = enrolled.account.id;
        service.database.execute(&format!("UPDATE totp_factors SET secret = {bytes} WHERE user_id = {user}"));
        expect_closed(&service, &enrolled);
    }
    expect_recovery(&service, &enrolled, 0);
    // What needs no secret goes on.
    service.factors(&enrolled.pair.access);
    service.remove_factor(&enrolled.pair.access, &enrolled.factor).has_status(204);
    service.sign_in(&enrolled.account);
}

fn c0_18_a_ciphertext_of_another_row_is_not_opened(service: &Service) {
    let [own, theirs] = [service.enrolled(), service.enrolled()];
    service.database.execute(&format!(
        "UPDATE totp_factors SET secret = (SELECT secret FROM totp_factors WHERE user_id = {}) WHERE user_id = {}",
        theirs.account.id, own.account.id
    ));
    expect_closed(service, &own);
    let token = service.challenge(&own.account);
    service.second(&token, &json!({"code": service.fresh_code(&theirs)})).expect_unavailable();
    expect_recovery(service, &own, 0);
    service.sign_in_fully(&theirs);
}
