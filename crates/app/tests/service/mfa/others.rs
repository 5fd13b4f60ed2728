//! Other programs on the same database: the FastAPI application and the previous release. Both read
//! `users.hashed_password` and know nothing of factors.

use crate::accounts::NEW;
use crate::keys::{installed, outcome};
use crate::prelude::*;
use std::process::Command;

on_both_databases!(
    c1_19_the_stored_hash_is_marked_while_there_is_a_factor,
    c1_19_the_fastapi_application_refuses_an_enrolled_account,
    c1_19_a_reset_by_the_previous_release_keeps_the_factor,
    c1_31_sessions_that_end_are_revoked_for_the_application_too,
);

const MARK: &str = "$portcullis-2fa$";

/// Returns the stored hash without its mark, which it must have.
#[track_caller]
fn marked(service: &Service, account: &Account) -> String {
    let stored = service.stored_hash(account);
    stored.strip_prefix(MARK).unwrap_or_else(|| panic!("no mark: {stored}")).to_owned()
}

fn c1_19_the_stored_hash_is_marked_while_there_is_a_factor(service: &Service) {
    let account = service.verified_account();
    let plain = service.stored_hash(&account);
    assert!(plain.starts_with("$2b$"), "{plain}");
    let enrolled = service.enrol(account);
    let account = &enrolled.account;
    assert_eq!(marked(service, account), plain, "the same hash");
    let (_, second, _) = service.add_factor(&enrolled.pair.access);
    assert_eq!(marked(service, account), plain);
    // Every new password keeps the mark.
    service.change_password(&enrolled.pair.access, &account.password, NEW).expect(200);
    let changed = marked(service, account);
    assert!(changed != plain && changed.starts_with("$2b$"), "{changed}");
    service.reset(&service.reset_link(account), &account.password).expect(200);
    let reset = marked(service, account);
    assert_ne!(reset, changed);
    let pair = service.sign_in_fully(&enrolled);
    service.remove_factor(&pair.access, &second).has_status(204);
    service.remove_factor(&pair.access, &enrolled.factor).has_status(204);
    assert_eq!(service.stored_hash(account), reset);
}

#[test]
fn c1_19_a_new_cost_and_an_operators_password_keep_the_mark() {
    use crate::process::cli_harness::done;
    let service = Backend::Sqlite.service().set("BCRYPT_COST", "4").start();
    let enrolled = service.enrolled();
    service.stop();
    let service = service.again().set("BCRYPT_COST", "5").start();
    service.sign_in_fully(&enrolled);
    assert!(marked(&service, &enrolled.account).starts_with("$2b$05$"));
    let told = done(&service.database, &format!("user set-password {} --generate", enrolled.account.id));
    let password = told.lines().nth(1).unwrap().strip_prefix("Password: ").unwrap();
    marked(&service, &enrolled.account);
    let account = enrolled.account.with_password(password);
    service.challenge(&account);
    service.login_with(&account, &enrolled.codes[0]).expect(200);
}

/// Lines of the application's `auth/service.py`.
const APPLICATION: &str = r#"
import sys
from passlib.context import CryptContext
pwd_context = CryptContext(schemes=["bcrypt"], deprecated="auto")
def verify_password(password, hashed):
    return pwd_context.verify(password, hashed)
if not verify_password(sys.argv[1], sys.argv[2]):
    sys.exit(1)
"#;

fn c1_19_the_fastapi_application_refuses_an_enrolled_account(service: &Service) {
    const PACKAGES: [&str; 2] = ["passlib==1.7.4", "bcrypt==4.0.1"];
    let how = "this test needs Python 3 with venv, and the package index: apt-get install python3-venv";
    let folder = installed("passlib", &PACKAGES.join(" "), how, |folder| {
        let mut venv = Command::new("python3");
        venv.args(["-m", "venv"]).arg(folder);
        let mut pip = Command::new(folder.join("bin/pip"));
        pip.args(["install", "--quiet", "--disable-pip-version-check"]).args(PACKAGES);
        vec![venv, pip]
    });
    let lets_in = |account: &Account| {
        let mut python = Command::new(folder.join("bin/python"));
        outcome(python.args(["-c", APPLICATION, &account.password, &service.stored_hash(account)])).0
    };
    let account = service.account();
    assert!(lets_in(&account) && !lets_in(&account.with_password("wrong password")), "it is the application");
    let enrolled = service.enrol(account);
    assert!(!lets_in(&enrolled.account));
    service.remove_factor(&enrolled.pair.access, &enrolled.factor).has_status(204);
    assert!(lets_in(&enrolled.account));
}

/// The previous release replaces the hash as it does any other, so the mark is gone. Rows decide.
fn c1_19_a_reset_by_the_previous_release_keeps_the_factor(service: &Service) {
    let enrolled = service.enrol(service.verified_account());
    let account = enrolled.account.with_password(NEW);
    let theirs = service.account_with(NEW);
    service.set_user(&account, &format!("hashed_password = '{}'", service.stored_hash(&theirs)));
    service.login(&account.email, &enrolled.account.password).wrong_credentials();
    assert_eq!(service.factors(&enrolled.pair.access)["enabled"], true);
    // In JSON, as a form and with a code: none of them is let in without it.
    let form = service.call("POST", "/auth/login").fields(&account.as_form()).send();
    let token = form.mfa_token();
    service.login_with(&account, &enrolled.app.wrong()).wrong_credentials();
    service.second(&token, &json!({"code": service.fresh_code(&enrolled)})).expect(200);
    // A login puts the mark back.
    assert_eq!(marked(service, &account), service.stored_hash(&theirs));
    service.login_with(&account, &enrolled.codes[0]).expect(200);
}

fn c1_31_sessions_that_end_are_revoked_for_the_application_too(service: &Service) {
    let live = |account: &Account| {
        service.database.count(&format!("FROM refresh_tokens WHERE user_id = {} AND NOT revoked", account.id))
    };
    let (account, pair) = service.session();
    (0..3).for_each(|_| drop(service.sign_in(&account)));
    assert_eq!(live(&account), 4);
    let (app, factor, _) = service.add_factor(&pair.access);
    assert_eq!(live(&account), 1);
    let enrolled = Enrolled { account, app, factor, codes: Vec::new(), pair, cookie: String::new() };
    let other = service.sign_in_fully(&enrolled);
    assert_eq!(live(&enrolled.account), 2);
    service.remove_factor(&other.access, &enrolled.factor).has_status(204);
    assert_eq!(live(&enrolled.account), 1);
}
