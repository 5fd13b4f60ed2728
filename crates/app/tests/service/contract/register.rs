//! `POST /auth/register`.

use crate::prelude::*;

on_both_databases!(
    a_new_account_is_201_with_this_shape,
    registered_email_is_a_conflict_in_any_spelling,
    invalid_email_is_422,
    an_email_is_trimmed_and_stored_in_lower_case,
    an_email_has_at_most_254_characters,
    local_part_over_64_octets_is_422_where_email_would_be_sent,
    an_international_domain_counts_through_idna,
    unicode_case_never_merges_two_addresses,
    of_simultaneous_registrations_exactly_one_wins,
);

fn a_new_account_is_201_with_this_shape(service: &Service) {
    let email = fresh_email();
    let created = service.register(&email, "long enough").expect(201);
    for name in ["created_at", "email", "id", "is_active"] {
        assert!(members(&created).contains(&name), "{created}");
    }
    assert!(created["id"].as_i64().unwrap() > 0);
    assert_eq!((&created["email"], &created["is_active"]), (&json!(email), &json!(true)));
    assert!(created["created_at"].as_str().unwrap().ends_with('Z'));
    let text = created.to_string();
    assert!(!text.contains("password") && !text.contains("$2"), "{text}");
}

fn registered_email_is_a_conflict_in_any_spelling(service: &Service) {
    let account = service.account();
    for email in [
        account.email.clone(),
        account.email.to_uppercase(),
        account.email.replace("user", "User"),
        account.email.replace("example", "EXAMPLE"),
        format!("  {}\t", account.email),
    ] {
        service.register(&email, "another password").expect_error(409, "CONFLICT");
    }
    service.sign_in(&account);
    assert_eq!(service.database.count(&format!("FROM users WHERE lower(email) = '{}'", account.email)), 1);
}

fn invalid_email_is_422(service: &Service) {
    let texts = "| |a|@|a@|@example.com|a@b|a@@example.com|a@b@example.com|a b@example.com|a@exa mple.com|a..b@example.com\
        |.a@example.com|a.@example.com|a@example..com|a@-example.com|a@example.com.|a@[127.0.0.1]|a@127.0.0.1\
        |\"a b\"@example.com|a(comment)@example.com|a@example.com\r\nBcc: b@example.com|<a@example.com>\
        |a@example.com,b@example.com|a\0@example.com|a＠example.com";
    let others = [json!(["a@example.com"]), json!({"a": 1}), json!(1), json!(null), json!(true)];
    for email in texts.split('|').map(|text| json!(text)).chain(others) {
        service.post("/auth/register", &json!({"email": email, "password": "long enough"})).expect_fields(&["email"]);
    }
}

fn an_email_is_trimmed_and_stored_in_lower_case(service: &Service) {
    let email = format!("Mixed.CASE+Tag{}@Example.COM", unique());
    let lower = email.to_lowercase();
    let created = service.register(&format!(" \t{email}\n "), "long enough").expect(201);
    assert_eq!(created["email"], lower);
    assert_eq!(service.database.texts("email", &format!("FROM users WHERE id = {}", created["id"])), [lower]);
    service.login(&format!("  {} ", email.to_uppercase()), "long enough").expect(200);
}

fn an_email_has_at_most_254_characters(service: &Service) {
    let local = format!("{:0>64}", unique());
    let domain = |last: usize| format!("{}.{}.{}.org", "a".repeat(63), "b".repeat(63), "c".repeat(last));
    let longest = format!("{local}@{}", domain(57));
    assert_eq!(longest.len(), 254);
    assert_eq!(service.register(&longest, "long enough").expect(201)["email"], longest);
    service.login(&longest, "long enough").expect(200);
    service.register(&format!("{local}@{}", domain(58)), "long enough").expect_fields(&["email"]);
}

/// Mail servers need not accept such an address (RFC 5321). An adopted account may have one and can log in.
fn local_part_over_64_octets_is_422_where_email_would_be_sent(service: &Service) {
    let (account, pair) = service.session();
    let long = format!("{:0>65}@example.com", unique());
    service.register(&long, "long enough").expect_fields(&["email"]);
    for path in ["/auth/password/forgot", "/auth/email/resend"] {
        service.post(path, &json!({"email": long})).expect_fields(&["email"]);
    }
    let change = json!({"password": account.password, "new_email": long});
    service.tell("POST", "/auth/email/change", &pair.access, &change).expect_fields(&["new_email"]);
    service.login(&long, &account.password).wrong_credentials();
    service.set_user(&account, &format!("email = '{long}'"));
    service.login(&long, &account.password).expect(200);
}

fn an_international_domain_counts_through_idna(service: &Service) {
    let number = unique();
    let created = service.register(&format!("u{number}@BÜCHER.example"), "long enough").expect(201);
    assert_eq!(created["email"], format!("u{number}@bücher.example"));
    let spellings = ["bücher.example", "xn--bcher-kva.example", "XN--BCHER-KVA.example", "bu\u{308}cher.example"];
    for email in spellings.map(|domain| format!("u{number}@{domain}")) {
        service.register(&email, "long enough").expect_error(409, "CONFLICT");
        service.login(&email, "long enough").expect(200);
    }
    service.login(&format!("u{number}@bucher.example"), "long enough").wrong_credentials();
}

/// CVE-2019-19844: a dotless i, a Kelvin sign and a long s are not i, k and s.
fn unicode_case_never_merges_two_addresses(service: &Service) {
    let number = unique();
    let victim = format!("miks{number}@example.com");
    service.register(&victim, "long enough").expect(201);
    for lookalike in ["mıks", "mi\u{212a}s", "mik\u{17f}", "ｍiks", "MİKS"] {
        let email = format!("{lookalike}{number}@example.com");
        let reply = service.register(&email, "of another person");
        assert!(matches!(reply.status, 201 | 422), "{email}: {}", reply.text());
        assert_ne!(service.login(&email, "long enough").status, 200, "{email}");
        assert_ne!(service.login(&victim, "of another person").status, 200, "{email}");
    }
    service.login(&victim, "long enough").expect(200);
}

fn of_simultaneous_registrations_exactly_one_wins(service: &Service) {
    for _ in 0..5 {
        let email = fresh_email();
        let mut statuses = at_once(8, |_| service.register(&email, "long enough").status);
        statuses.sort_unstable();
        assert_eq!(statuses, [201, 409, 409, 409, 409, 409, 409, 409]);
    }
}
