//! Accounts of an adopted database and their old passwords.

use super::adoption::{adopted, users};
use crate::harness::accounts::Pair;
use crate::harness::databases::Backend;
use crate::harness::on_both_databases;

on_both_databases!(
    users_log_in_with_their_old_passwords,
    adopted_emails_keep_their_spelling_and_match_any_case,
    accounts_that_differ_by_case_log_in_with_their_own_spelling,
    no_third_may_register_beside_two_that_differ_by_case,
    a_password_over_72_bytes_is_checked_by_its_first_72,
    that_login_replaces_the_hash_by_one_of_the_whole_password,
    new_accounts_get_ids_of_their_own,
);

fn users_log_in_with_their_old_passwords(backend: Backend) {
    let (service, facts) = adopted(backend);
    let mut signed_in = 0;
    for user in users(&facts) {
        let (email, password) = (user["email_stored"].as_str().unwrap(), user["password"].as_str().unwrap());
        service.login(email, "not the password").expect_error(401, "AUTH_INVALID_CREDENTIALS");
        let reply = service.login(email, password);
        if user["is_active"] == false {
            reply.expect_error(401, "AUTH_INVALID_CREDENTIALS");
            continue;
        }
        assert_eq!(service.me(&Pair::of(&reply).access).expect(200)["id"], user["id"]);
        service.login(email, password).expect(200);
        signed_in += 1;
    }
    assert_eq!(signed_in, 8);
}

fn adopted_emails_keep_their_spelling_and_match_any_case(backend: Backend) {
    let (service, facts) = adopted(backend);
    let bob = &users(&facts)[1];
    assert_eq!(bob["email_stored"], "Bob.Mixed@example.com");
    let password = bob["password"].as_str().unwrap();
    for email in ["Bob.Mixed@example.com", "bob.mixed@example.com", "BOB.MIXED@EXAMPLE.COM", " Bob.mixed@Example.com "]
    {
        let pair = Pair::of(&service.login(email, password));
        assert_eq!(service.me(&pair.access).expect(200)["email"], "Bob.Mixed@example.com");
        service.register(email, "long enough").expect_error(409, "CONFLICT");
    }
    let heidi = users(&facts).last().unwrap();
    for email in ["heidi@müller.example", "heidi@xn--mller-kva.example", "HEIDI@MÜLLER.example"] {
        service.login(email, heidi["password"].as_str().unwrap()).expect(200);
        service.register(email, "long enough").expect_error(409, "CONFLICT");
    }
}

fn accounts_that_differ_by_case_log_in_with_their_own_spelling(backend: Backend) {
    let (service, facts) = adopted(backend);
    let erins = [&users(&facts)[4], &users(&facts)[5]];
    for (own, other) in [(erins[0], erins[1]), (erins[1], erins[0])] {
        let email = own["email_stored"].as_str().unwrap();
        let pair = Pair::of(&service.login(email, own["password"].as_str().unwrap()));
        let me = service.me(&pair.access).expect(200);
        assert_eq!((&me["id"], &me["email"]), (&own["id"], &own["email_stored"]));
        let others = other["password"].as_str().unwrap();
        service.login(email, others).expect_error(401, "AUTH_INVALID_CREDENTIALS");
        service.login("ERIN@example.com", others).expect_error(401, "AUTH_INVALID_CREDENTIALS");
    }
}

fn no_third_may_register_beside_two_that_differ_by_case(backend: Backend) {
    let (service, _) = adopted(backend);
    for email in ["ERIN@example.com", "eRin@example.com", "erin@example.com", "Erin@example.com"] {
        service.register(email, "long enough").expect_error(409, "CONFLICT");
    }
    assert_eq!(service.database.count("FROM users WHERE lower(email) = 'erin@example.com'"), 2);
}

fn a_password_over_72_bytes_is_checked_by_its_first_72(backend: Backend) {
    let (service, facts) = adopted(backend);
    let frank = &users(&facts)[6];
    let (email, password) = (frank["email_stored"].as_str().unwrap(), frank["password"].as_str().unwrap());
    assert!(password.len() > 72);
    service.login(email, &password[..71]).expect_error(401, "AUTH_INVALID_CREDENTIALS");
    let others = format!("{}{}", &password[..72], "another tail");
    service.login(email, &others).expect(200);
}

fn that_login_replaces_the_hash_by_one_of_the_whole_password(backend: Backend) {
    let (service, facts) = adopted(backend);
    let frank = &users(&facts)[6];
    let (email, password) = (frank["email_stored"].as_str().unwrap(), frank["password"].as_str().unwrap());
    service.login(email, password).expect(200);
    let stored = service.database.texts("hashed_password", &format!("FROM users WHERE id = {}", frank["id"]));
    assert!(stored[0].starts_with("$bcrypt-sha256$v=2"), "{stored:?}");
    service.login(email, &password[..72]).expect_error(401, "AUTH_INVALID_CREDENTIALS");
    service.login(email, &format!("{password}x")).expect_error(401, "AUTH_INVALID_CREDENTIALS");
    service.login(email, password).expect(200);
}

fn new_accounts_get_ids_of_their_own(backend: Backend) {
    let (service, facts) = adopted(backend);
    let highest = users(&facts).iter().filter_map(|user| user["id"].as_i64()).max().unwrap();
    let account = service.account();
    assert!(account.id > highest, "{}", account.id);
    service.sign_in(&account);
}
