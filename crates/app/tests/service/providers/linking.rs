//! Which account a person is, row by row.

use super::*;

on_both_databases!(
    c3_11_a_known_identity_is_its_account_whatever_the_email,
    c3_13_without_an_email_there_is_no_account,
    c3_14_a_trusted_email_makes_a_verified_account_without_a_password,
    c3_14_an_untrusted_email_is_verified_by_mail,
    c3_15_a_trusted_email_links_to_the_verified_account,
    c3_15_linking_by_email_can_be_off,
    c3_16_an_unverified_account_is_reclaimed,
    c3_16_reclaiming_takes_factors_identities_and_links,
    c3_17_an_untrusted_email_opens_no_account,
    c3_17_an_email_of_several_accounts_opens_none,
    c3_17_an_email_that_an_undo_reserves_opens_none,
    c3_18_sign_up_can_be_closed,
    c3_18_allowed_domains_apply_before_any_account,
    c3_19_a_disabled_account_stays_as_it_is,
    c3_11_parallel_sign_ins_of_a_new_person_make_one_account,
    c3_16_parallel_reclaims_leave_one_account_with_one_identity,
);

fn c3_11_a_known_identity_is_its_account_whatever_the_email(home: &'static Home) {
    let (person, other) = (Person::fresh(), home.verified());
    let account = home.account_of(&home.signed_in("corp", &person));
    let now = home.identities(&home.signed_in("corp", &person))[0].clone();
    assert_eq!(now["email"], person.email());
    let moved = [
        person.with("email", other.email.as_str()),
        person.with("email", fresh_email()).with("email_verified", false),
        person.with("email", json!(null)),
    ];
    for person in moved {
        let pair = home.signed_in("corp", &person);
        assert_eq!(home.account_of(&pair).email, account.email);
    }
    assert_eq!(home.rows_of(&other, "identities"), 0);
    // The same subject of another issuer is another person.
    let pair = home.signed_in("strict", &person.with("email", fresh_email()));
    assert_ne!(home.account_of(&pair).id, account.id);
    // A disabled account is none.
    home.disable(&account);
    home.visit("corp", &person).returned_error("account_disabled");
}

fn c3_13_without_an_email_there_is_no_account(home: &'static Home) {
    for email in [json!(null), json!(""), json!("no address"), json!("a@localhost")] {
        let mut person = Person::fresh().with("email", email.clone());
        person.userinfo["email"] = email;
        home.visit("corp", &person).returned_error("email_missing");
        assert_eq!(home.links_of(&person), 0);
    }
}

fn c3_14_a_trusted_email_makes_a_verified_account_without_a_password(home: &'static Home) {
    let person = Person::fresh();
    let pair = home.signed_in("corp", &person);
    let account = home.account_of(&pair);
    assert_eq!(home.me(&pair.access).expect(200)["email_verified"], true);
    assert_eq!(home.ask("GET", "/auth/identities", &pair.access).expect(200)["password"], false);
    home.wait_until_all_mail_is_sent();
    assert_eq!(home.mails_to(&account.email).len(), 0, "no one else has to hear of it");
    home.login(&account.email, "correct horse battery staple").wrong_credentials();
    home.login(&account.email, &home.stored_hash(&account)).expect_error(401, "AUTH_INVALID_CREDENTIALS");
    home.register(&account.email, "correct horse battery staple").expect_error(409, "CONFLICT");
}

fn c3_14_an_untrusted_email_is_verified_by_mail(home: &'static Home) {
    // Neither the provider's word without trust, nor trust without its word.
    for (name, person) in [("plain", Person::fresh()), ("corp", Person::fresh().with("email_verified", "true"))] {
        let pair = home.signed_in(name, &person);
        let account = home.account_of(&pair);
        assert_eq!(home.me(&pair.access).expect(200)["email_verified"], false, "{name}");
        let token = home.verification_token(&account);
        let body = json!({"token": token});
        home.tell("POST", "/auth/email/verify", &pair.access, &body).expect(200);
        assert_eq!(home.me(&pair.access).expect(200)["email_verified"], true, "{name}");
        assert_eq!(home.account_of(&home.signed_in(name, &person)).id, account.id);
    }
}

fn c3_15_a_trusted_email_links_to_the_verified_account(home: &'static Home) {
    let account = home.verified();
    let before = home.sign_in(&account);
    let person = Person::new(&account.email.to_uppercase());
    let pair = home.signed_in("corp", &person);
    assert_eq!(home.account_of(&pair).id, account.id);
    // A linked identity changes no password and ends nothing.
    home.sign_in(&account);
    home.renewed(&before);
    assert_eq!(home.notices(&account, "identity_linked").len(), 1);
    home.signed_in("corp", &person);
    assert_eq!(home.notices(&account, "identity_linked").len(), 1, "only the first time");
    let listed = home.ask("GET", "/auth/identities", &pair.access).expect(200);
    assert_eq!((&listed["password"], listed["identities"].as_array().unwrap().len()), (&json!(true), 1));
}

fn c3_15_linking_by_email_can_be_off(home: &'static Home) {
    let account = home.verified();
    let person = Person::new(&account.email);
    home.visit("strict", &person).returned_error("account_exists");
    assert_eq!((home.links_of(&person), home.rows_of(&account, "identities")), (0, 0));
    home.signed_in("strict", &Person::fresh());
}

fn c3_16_an_unverified_account_is_reclaimed(home: &'static Home) {
    // LINK_BY_EMAIL is about verified accounts.
    for name in ["corp", "strict"] {
        let (account, stranger) = home.session();
        let pair = home.signed_in(name, &Person::new(&account.email));
        assert_eq!(home.account_of(&pair).id, account.id);
        home.expect_ended(&stranger);
        home.login(&account.email, &account.password).wrong_credentials();
        assert_eq!(home.me(&pair.access).expect(200)["email_verified"], true);
        assert_eq!(home.ask("GET", "/auth/identities", &pair.access).expect(200)["password"], false);
    }
}

fn c3_16_reclaiming_takes_factors_identities_and_links(home: &'static Home) {
    // A stranger signs up with the address at a provider that is not trusted, and adds everything there is.
    let stranger = Person::fresh();
    let pair = home.signed_in("plain", &stranger);
    let account = home.account_of(&pair);
    home.add_factor(&pair.access);
    let verification = home.verification_token(&account);
    let reset = home.reset_link(&account);
    let code = home.code("plain", &stranger);
    let link = home.tell("POST", "/auth/providers/corp/link", &pair.access, &json!({"redirect_uri": BACK})).expect(200);
    let owner = home.signed_in("corp", &Person::new(&account.email));
    home.expect_ended(&pair);
    home.expect_no_factor(&account);
    assert_eq!(home.identities(&owner).len(), 1);
    let refused = home.exchange(&code);
    assert_eq!(refused.status, 401, "{}", refused.text());
    for reply in [home.verify(&verification), home.reset(&reset, crate::accounts::NEW)] {
        assert!(matches!(reply.status, 401 | 410 | 422), "{} {}", reply.status, reply.text());
    }
    let url = link["start_url"].as_str().unwrap().strip_prefix(PUBLIC_URL).unwrap();
    home.get(url).page(410);
    // The stranger's identity is a new person's, whose email has an account.
    home.visit("plain", &stranger).returned_error("account_exists");
    home.me(&owner.access).expect(200);
}

fn c3_17_an_untrusted_email_opens_no_account(home: &'static Home) {
    for (account, name) in [(home.verified(), "plain"), (home.account(), "plain"), (home.verified(), "domains")] {
        let person = Person::new(&account.email).with("hd", "corp.example").with("email_verified", name == "plain");
        home.visit(name, &person).returned_error("account_exists");
        assert_eq!((home.links_of(&person), home.rows_of(&account, "identities")), (0, 0));
        home.sign_in(&account);
    }
    let account = home.verified();
    home.visit("corp", &Person::new(&account.email).with("email_verified", json!("true")))
        .returned_error("account_exists");
}

fn c3_17_an_email_of_several_accounts_opens_none(backend: Backend) {
    let (database, facts) = backend.adopted();
    let email = fresh_email();
    let upper = email.replace("user", "USER");
    [&email, &upper]
        .iter()
        .for_each(|email| database.insert_user(email, "$2b$04$abcdefghijklmnopqrstuu0123456789012345678901234567890"));
    let server = Box::leak(Box::new(Server::start()));
    let setup = with_providers(ServiceBuilder::over(&database), server);
    let service = setup.set("SECRET_KEY", facts["secret_key"].as_str().unwrap()).start();
    let home = Home { service, server };
    home.visit("corp", &Person::new(&email)).returned_error("account_exists");
    assert_eq!(home.database.count("FROM identities"), 0);
}

fn c3_17_an_email_that_an_undo_reserves_opens_none(home: &'static Home) {
    let account = home.verified_account();
    let pair = home.sign_in(&account);
    let new_email = fresh_email();
    let body = json!({"password": account.password, "new_email": new_email});
    home.tell("POST", "/auth/email/change", &pair.access, &body).expect(202);
    let token = home.wait_for_mails(&new_email, 1)[0].token();
    home.verify(&token).expect(200);
    home.visit("corp", &Person::new(&account.email)).returned_error("account_exists");
    // The new address is the account's.
    assert_eq!(home.account_of(&home.signed_in("corp", &Person::new(&new_email))).id, account.id);
}

fn c3_18_sign_up_can_be_closed(home: &'static Home) {
    let (person, account) = (Person::fresh(), home.verified());
    home.visit("closed", &person).returned_error("sign_up_closed");
    assert_eq!(home.database.count(&format!("FROM users WHERE email = '{}'", person.email())), 0);
    let pair = home.signed_in("closed", &Person::new(&account.email));
    assert_eq!(home.account_of(&pair).id, account.id);
}

fn c3_18_allowed_domains_apply_before_any_account(home: &'static Home) {
    let account = home.verified();
    let email = |domain: &str| format!("user{}@{domain}", unique());
    let inside = Person::new(&email("corp.example")).with("hd", "Corp.Example");
    assert_eq!(home.me(&home.signed_in("domains", &inside).access).expect(200)["email_verified"], true);
    for person in [
        Person::new(&account.email).with("hd", "evil.example"),
        Person::new(&email("corp.example")).with("hd", "evil.example"),
        Person::new(&email("gmail.com")),
        // Without hd Google vouches only for Gmail, and an untrusted email's domain does not count.
        Person::new(&email("corp.example")),
    ] {
        home.visit("domains", &person).returned_error("domain_not_allowed");
        assert_eq!(home.links_of(&person), 0);
    }
    // A known identity is past that.
    home.signed_in("domains", &inside.with("hd", "evil.example"));
}

fn c3_19_a_disabled_account_stays_as_it_is(home: &'static Home) {
    for account in [home.verified(), home.account()] {
        home.disable(&account);
        let (hash, person) = (home.stored_hash(&account), Person::new(&account.email));
        home.visit("corp", &person).returned_error("account_disabled");
        assert_eq!((home.links_of(&person), home.stored_hash(&account)), (0, hash));
    }
}

fn c3_11_parallel_sign_ins_of_a_new_person_make_one_account(home: &'static Home) {
    let person = Person::fresh();
    let tabs: Vec<_> = (0..8).map(|_| home.tab("corp", "")).collect();
    let returned = at_once(8, |number| {
        let tab = &tabs[number];
        tab.back(&home.server.approve(&tab.url, &person))
    });
    let sessions: Vec<_> = returned.iter().map(|reply| home.exchange(&reply.returned()["code"])).collect();
    let ids: Vec<_> = sessions.iter().map(|reply| home.account_of(&Pair::of(reply)).id).collect();
    assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
    assert_eq!(home.links_of(&person), 1);
}

fn c3_16_parallel_reclaims_leave_one_account_with_one_identity(home: &'static Home) {
    let account = home.account();
    let people: Vec<_> = (0..4).map(|_| Person::new(&account.email)).collect();
    let returned = at_once(8, |number| home.visit("corp", &people[number % 4]));
    for reply in &returned {
        assert_eq!(home.account_of(&Pair::of(&home.exchange(&reply.returned()["code"]))).id, account.id);
    }
    assert_eq!(home.rows_of(&account, "identities"), 4);
}
