//! `portcullis user show`, the filters of `user list`, and generated passwords as JSON.

use super::cli_harness::{done, objects};
use crate::harness::passkeys::{ORIGIN, new_key};
use crate::prelude::*;

on_both_databases!(
    user_show_has_all_ways_to_sign_in,
    user_list_is_filtered_by_state_and_email,
    generated_passwords_are_objects_too,
);

fn user_show_has_all_ways_to_sign_in(backend: Backend) {
    let service = backend.service().with_passkeys().start();
    let (database, enrolled) = (&service.database, service.enrolled());
    let (id, email) = (enrolled.account.id, &enrolled.account.email);
    service.add_key(&enrolled.pair, new_key(ORIGIN), false);
    database.execute(&format!(
        "INSERT INTO identities (identity_id, user_id, issuer, subject, provider, email, created_at) VALUES \
         ('{:032x}', {id}, 'https://accounts.example', 's', 'example', 'a\u{1b}[31m@example.org', '2026-02-18 10:30:00')",
        unique()
    ));
    let object = objects(database, &format!("user show {email}")).remove(0);
    let names = "authenticators created_at email email_verified_at id identities is_active passkeys password \
                 recovery_codes sessions trusted_devices";
    assert_eq!(members(&object), names.split_whitespace().collect::<Vec<_>>());
    assert_eq!((&object["id"], &object["email"], &object["password"]), (&json!(id), &json!(email), &json!(true)));
    assert_eq!((&object["sessions"], &object["recovery_codes"]), (&json!(1), &json!(enrolled.codes.len())));
    assert_eq!(members(&object["authenticators"][0]), ["created_at", "last_used_at", "name"]);
    assert_eq!(object["passkeys"][0]["second_factor"], false);
    assert_eq!(object["identities"][0]["provider"], "example");
    let text = done(database, &format!("user show {id}"));
    for line in
        [&format!("email              {email}"), "passkeys           1", "  - provider example, email a\\u{1b}[31m@"]
    {
        assert!(text.contains(line), "{line:?} is not in\n{text}");
    }
    assert!(!text.contains("issuer") && !text.contains("secret"), "{text}");
}

fn user_list_is_filtered_by_state_and_email(backend: Backend) {
    let service = backend.service().start();
    let [verified, disabled, plain] = [(); 3].map(|()| service.account());
    let (database, id) = (&service.database, |account: &Account| account.id);
    done(database, &format!("user verify-email {}", verified.id));
    done(database, &format!("user disable {}", disabled.id));
    let part = plain.email.split('@').next().unwrap().to_uppercase();
    for (filter, expected) in [
        ("", vec![id(&verified), id(&disabled), id(&plain)]),
        (" --disabled", vec![id(&disabled)]),
        (" --unverified", vec![id(&disabled), id(&plain)]),
        (&format!(" --email {part}@"), vec![id(&plain)]),
        (" --unverified --disabled --email user", vec![id(&disabled)]),
        (" --email nobody", vec![]),
    ] {
        let listed = objects(database, &format!("user list{filter}"));
        let ids: Vec<_> = listed.iter().map(|account| account["id"].as_i64().unwrap()).collect();
        assert_eq!(ids, expected, "{filter}");
    }
    let empty = done(database, "user list --email nobody");
    assert!(empty.starts_with("ID ") && empty.lines().count() == 1, "{empty}");
}

fn generated_passwords_are_objects_too(backend: Backend) {
    let service = backend.service().start();
    let email = fresh_email();
    let created = objects(&service.database, &format!("user create {email} --generate")).remove(0);
    assert_eq!((members(&created), &created["email"]), (vec!["email", "id", "password"], &json!(email)));
    let password = |object: &Value| object["password"].as_str().unwrap().to_owned();
    service.login(&email, &password(&created)).expect(200);
    let changed = objects(&service.database, &format!("user set-password {email} --generate")).remove(0);
    assert_eq!(changed["id"], created["id"]);
    service.login(&email, &password(&created)).wrong_credentials();
    service.login(&email, &password(&changed)).expect(200);
}
