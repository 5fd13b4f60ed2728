//! What verification, resets, a provider, an operator and deletion do to passkeys, and emails to the owner.

use super::*;
use crate::accounts::NEW;
use crate::process::cli_harness::done;
use crate::providers::{self, Person};

on_both_databases!(
    c2_29_a_strangers_passkeys_end_with_the_first_verification,
    c2_29_the_browser_that_verifies_keeps_its_passkeys,
    c2_29_another_browsers_passkey_ends_with_the_first_verification,
    c2_29_a_reset_removes_passkeys_that_sign_in_on_request,
    c2_29_reclaiming_ends_passkeys,
    c2_29_an_operator_removes_second_factors,
    c2_29_passkeys_go_with_the_account,
    c2_30_the_owner_is_notified_of_every_change,
);

impl Holder<'_> {
    /// Checks that neither passkey is left, nor what the second factor enabled.
    #[track_caller]
    fn expect_out(&mut self) {
        self.service.sign_in_with(&mut self.passkey.key).unknown_passkey();
        assert_eq!(self.service.rows_of(&self.account, "passkeys"), 0);
        self.service.expect_no_factor(&self.account);
        self.service.expect_ended(&self.pair);
    }
}

fn c2_29_a_strangers_passkeys_end_with_the_first_verification(home: &Home) {
    for by_reset in [false, true] {
        let mut holder = Holder::new(home);
        let token = if by_reset {
            home.reset_link(&holder.account)
        } else {
            let body = home.verify(&home.verification_token(&holder.account)).expect(200);
            holder.expect_out();
            body["reset_token"].as_str().unwrap().to_owned()
        };
        home.reset(&token, NEW).expect(200);
        holder.expect_out();
        home.sign_in(&holder.account.with_password(NEW));
    }
}

fn c2_29_the_browser_that_verifies_keeps_its_passkeys(home: &Home) {
    let mut holder = Holder::new(home);
    let body = json!({"token": home.verification_token(&holder.account)});
    home.tell("POST", "/auth/email/verify", &holder.pair.access, &body).expect(200);
    home.sign_in_with(&mut holder.passkey.key).expect(200);
    assert_eq!(holder.details()["methods"], json!(["passkey", "recovery_code"]));
}

fn c2_29_another_browsers_passkey_ends_with_the_first_verification(home: &Home) {
    let (account, other) = home.session();
    let mut foreign = home.add_passkey(&other).key;
    let own = home.sign_in(&account);
    let mut kept = home.add_passkey(&own).key;
    let body = json!({"token": home.verification_token(&account)});
    home.tell("POST", "/auth/email/verify", &own.access, &body).expect(200);
    home.sign_in_with(&mut foreign).unknown_passkey();
    home.sign_in_with(&mut kept).expect(200);
    home.expect_ended(&other);
    home.renewed(&own);
}

fn c2_29_a_reset_removes_passkeys_that_sign_in_on_request(home: &Home) {
    for remove in [false, true] {
        let mut holder = Holder::new(home);
        home.set_user(&holder.account, "email_verified_at = '2026-01-01 00:00:00'");
        let unreadable = home.add_passkey(&holder.pair).id;
        let token = home.reset_link(&holder.account);
        if remove {
            home.database.execute(&format!("UPDATE passkeys SET algorithm = 99 WHERE passkey_id = '{unreadable}'"));
        }
        let body = json!({"token": token, "new_password": NEW, "remove_other_sign_in_methods": remove});
        home.post("/auth/password/reset", &body).expect(200);
        let reply = home.sign_in_with(&mut holder.passkey.key);
        if remove {
            reply.unknown_passkey()
        } else {
            drop(reply.expect(200))
        }
        assert_eq!(home.rows_of(&holder.account, "passkeys"), if remove { 1 } else { 3 });
        // The second factor stays, and is no more than that.
        holder.account = holder.account.with_password(NEW);
        holder.factor.key.flags = UP | UV;
        home.sign_in_with(&mut holder.factor.key).wrong_passkey();
        let options = holder.options(SecondFactor);
        let credential = holder.factor.key.sign(&options);
        holder.send(SecondFactor, &credential).expect(200);
    }
}

fn c2_29_reclaiming_ends_passkeys(backend: Backend) {
    let home = providers::Home::over(backend.service().with_passkeys());
    let mut holder = Holder::new(&home);
    let code = home.code("corp", &Person::new(&holder.account.email));
    holder.expect_out();
    let owner = Pair::of(&home.exchange(&code));
    assert_eq!(home.passkeys(&owner.access)["passkeys"], json!([]));
}

fn c2_29_an_operator_removes_second_factors(backend: Backend) {
    let service = backend.service().with_passkeys().start();
    let mut holder = Holder::new(&service);
    done(&service.database, &format!("user reset-mfa {}", holder.account.id));
    service.expect_no_factor(&holder.account);
    service.expect_ended(&holder.pair);
    let begun = Pair::of(&service.sign_in_with(&mut holder.passkey.key));
    let listed = service.passkeys(&begun.access);
    assert_eq!(listed["passkeys"].as_array().unwrap().len(), 1);
    assert_eq!(listed["passkeys"][0]["id"], holder.passkey.id);
    service.sign_in(&holder.account);
}

fn c2_29_passkeys_go_with_the_account(home: &Home) {
    let mut holder = Holder::new(home);
    home.leave(&holder.pair.access, &holder.account.password).has_status(204);
    assert_eq!(home.rows_of(&holder.account, "passkeys"), 0);
    home.sign_in_with(&mut holder.passkey.key).unknown_passkey();
    // Another account gets another user handle, and can have the keys.
    let (_, pair) = home.session();
    let before = holder.passkey.key.user_handle.clone();
    let added = home.add_key(&pair, holder.passkey.key, false);
    assert_ne!(added.key.user_handle, before);
}

fn c2_30_the_owner_is_notified_of_every_change(backend: Backend) {
    for (setting, expected) in [("passkey_added", [3, 0]), ("passkey_added,passkey_removed", [3, 2])] {
        let service = backend.service().with_passkeys().set("MAIL_NOTICES", setting).start();
        let account = service.verified_account();
        let pair = service.sign_in(&account);
        let sent = || ["passkey_added", "passkey_removed"].map(|of| service.notices(&account, of).len());
        let (mut one, factor) = (service.add_passkey(&pair), service.add_security_key(&pair));
        service.add_passkey(&pair);
        service.sign_in_with(&mut one.key).expect(200);
        let again = one.key.register(&service.passkey_options(&pair.access, false));
        service.send_passkey(&pair.access, &again, false).conflict("passkey_taken");
        assert_eq!(sent(), [3, 0], "neither a use nor a refusal sends one");
        service.remove_passkey(&pair.access, &one.id).has_status(204);
        service.remove_passkey(&pair.access, &one.id).not_found();
        service.remove_passkey(&pair.access, &factor.id).has_status(204);
        assert_eq!(sent(), expected, "{setting}");
        for mail in service.mails_to(&account.email) {
            assert!(![one.id.as_str(), &one.key.id()].iter().any(|id| mail.whole.contains(id)), "{}", mail.whole);
        }
    }
}
