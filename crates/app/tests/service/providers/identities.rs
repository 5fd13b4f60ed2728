//! Identities of one's own account.

use super::*;

on_both_databases!(
    c3_26_identities_are_listed,
    c3_26_an_identity_is_removed_and_its_owner_notified,
    c3_26_the_last_way_to_sign_in_stays,
    c3_26_parallel_removals_leave_one_way_to_sign_in,
    c3_26_identities_of_others_are_not_found,
    c3_26_an_account_goes_with_its_identities,
);

impl Home {
    fn unlink(&self, pair: &Pair, id: &Value) -> Reply {
        self.ask("DELETE", &format!("/auth/identities/{}", id.as_str().unwrap()), &pair.access)
    }

    /// Links two identities to a new account without a password.
    fn with_two(&self) -> (Pair, Vec<Value>) {
        let person = Person::fresh();
        self.signed_in("corp", &person);
        let pair = self.signed_in("mix", &Person::new(person.email()));
        let listed = self.identities(&pair);
        assert_eq!(listed.len(), 2);
        (pair, listed)
    }
}

fn c3_26_identities_are_listed(home: &'static Home) {
    let person = Person::fresh();
    let pair = home.signed_in("corp", &person);
    let body = home.ask("GET", "/auth/identities", &pair.access).expect(200);
    assert_eq!(members(&body), ["identities", "passkeys", "password"]);
    assert_eq!((&body["password"], &body["passkeys"]), (&json!(false), &json!(0)));
    let identity = &body["identities"][0];
    assert_eq!(members(identity), ["created_at", "email", "id", "label", "last_used_at", "provider"]);
    assert_eq!((&identity["provider"], &identity["label"]), (&json!("corp"), &json!("Corp & Co")));
    assert_eq!(identity["email"], person.email());
    assert_eq!(identity["created_at"].as_str().unwrap().len(), identity["last_used_at"].as_str().unwrap().len());
    let (_, pair) = home.session();
    let none = json!({"identities": [], "password": true, "passkeys": 0});
    assert_eq!(home.ask("GET", "/auth/identities", &pair.access).expect(200), none);
    home.ask("GET", "/auth/identities", &pair.refresh).invalid();
}

fn c3_26_an_identity_is_removed_and_its_owner_notified(home: &'static Home) {
    let account = home.verified();
    let person = Person::new(&account.email);
    let pair = home.signed_in("corp", &person);
    let id = &home.identities(&pair)[0]["id"];
    home.unlink(&pair, id).has_status(204);
    home.unlink(&pair, id).not_found();
    assert_eq!(home.notices(&account, "identity_unlinked").len(), 1);
    home.me(&pair.access).expect(200);
    // The person is unknown again.
    home.visit("strict", &person).returned_error("account_exists");
    assert_eq!(home.account_of(&home.signed_in("corp", &person)).id, account.id);
}

fn c3_26_the_last_way_to_sign_in_stays(home: &'static Home) {
    let (pair, listed) = home.with_two();
    home.unlink(&pair, &listed[0]["id"]).has_status(204);
    home.unlink(&pair, &listed[1]["id"]).conflict("last_sign_in_method");
    assert_eq!(home.identities(&pair), [listed[1].clone()]);
    // A password is another way.
    let account = home.account_of(&pair);
    home.reset(&home.reset_link(&account), crate::accounts::NEW).expect(200);
    let pair = home.sign_in(&account.with_password(crate::accounts::NEW));
    home.unlink(&pair, &listed[1]["id"]).has_status(204);
}

fn c3_26_parallel_removals_leave_one_way_to_sign_in(home: &'static Home) {
    let (pair, listed) = home.with_two();
    let replies = at_once(2, |number| home.unlink(&pair, &listed[number]["id"]));
    assert_eq!((count(&replies, 204), count(&replies, 409)), (1, 1));
    assert_eq!(home.identities(&pair).len(), 1);
}

fn c3_26_identities_of_others_are_not_found(home: &'static Home) {
    let (_, theirs) = home.with_two();
    let (own, _) = home.with_two();
    for id in [theirs[0]["id"].clone(), json!("0".repeat(32)), json!("x"), json!("1")] {
        home.unlink(&own, &id).not_found();
    }
}

fn c3_26_an_account_goes_with_its_identities(home: &'static Home) {
    let account = home.verified();
    let person = Person::new(&account.email);
    let pair = home.signed_in("corp", &person);
    home.leave(&pair.access, &account.password).has_status(204);
    eventually("no identity", || (home.links_of(&person) == 0).then_some(()));
    assert_ne!(home.account_of(&home.signed_in("corp", &person)).id, account.id);
}
