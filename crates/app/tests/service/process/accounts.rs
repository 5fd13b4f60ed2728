//! Operator commands on accounts and sessions while a service is running.

use super::cli_harness::{Terminal, command, done, fed, objects, refused};
use crate::prelude::*;
use std::fs;
use std::io::{BufRead, BufReader};
use std::process::Stdio;

on_both_databases!(
    disabled_account_is_out_at_once_and_logs_in_once_enabled,
    a_new_password_ends_every_session,
    accounts_are_made_and_listed,
    sessions_are_listed_and_revoked,
    what_cannot_be_done_says_so_in_a_line,
    a_list_takes_no_more_memory_for_more_accounts,
    referenced_account_is_deleted_except_for_its_row,
);

fn disabled_account_is_out_at_once_and_logs_in_once_enabled(backend: Backend) {
    let service = backend.service().start();
    let (account, pair) = service.session();
    let (_, stranger) = service.session();
    let told = done(&service.database, &format!("user disable {}", account.email.to_uppercase()));
    assert_eq!(told, format!("Disabled account {} ({}) and ended 1 session.", account.id, account.email));
    service.expect_ended(&pair);
    service.login(&account.email, &account.password).wrong_credentials();
    service.me(&stranger.access).expect(200);
    let reasons = service.database.texts("end_reason", &format!("FROM sessions WHERE user_id = {}", account.id));
    assert_eq!(reasons, ["disabled"]);
    let told = done(&service.database, &format!("user enable {}", account.id));
    assert_eq!(told, format!("Enabled account {} ({}).", account.id, account.email));
    service.expect_ended(&pair);
    let pair = service.sign_in(&account);
    service.me(&pair.access).expect(200);
}

fn a_new_password_ends_every_session(backend: Backend) {
    let service = backend.service().start();
    let (account, pair) = service.session();
    let set = || command(&service.database, &format!("user set-password {} --password-stdin", account.id));
    let ended = fed(set(), "seven77\n");
    assert!(ended.refusal().contains("at least 8 characters"), "{ended:?}");
    service.me(&pair.access).expect(200);
    let ended = fed(set(), "a new passphrase \nand more\n");
    assert!(ended.status.success() && ended.output.ends_with(" and ended 1 session."), "{ended:?}");
    service.expect_ended(&pair);
    service.login(&account.email, &account.password).wrong_credentials();
    let account = account.with_password("a new passphrase ");
    let pair = service.sign_in(&account);
    let told = done(&service.database, &format!("user set-password {} --generate", account.email));
    service.expect_ended(&pair);
    let password = told.lines().nth(1).unwrap().strip_prefix("Password: ").unwrap().to_owned();
    assert!(password.len() >= 20, "{told}");
    service.sign_in(&account.with_password(&password));
}

fn accounts_are_made_and_listed(backend: Backend) {
    let service = backend.service().start();
    let database = &service.database;
    let email = fresh_email();
    let ended = fed(command(database, &format!("user create {email} --password-stdin")), "correct horse battery\n");
    assert!(
        ended.status.success() && ended.output.contains(&format!("({email}). A running service emails")),
        "{ended:?}"
    );
    service.login(&email, "correct horse battery").expect(200);
    let taken = fed(command(database, &format!("user create {email} --password-stdin")), "correct horse battery\n");
    assert!(taken.refusal().ends_with("Email already registered"), "{taken:?}");
    let common = command(database, &format!("user create x{email} --password-stdin")).set("PASSWORD_BLOCKLIST", "true");
    assert!(fed(common, "password123\n").refusal().ends_with("too common"));
    database.insert_user("evil\u{1b}[31m\r\n\u{202e}@example.org", "!");
    let text = done(database, "user list");
    let lines: Vec<_> = text.lines().collect();
    assert!(lines.len() == 3 && lines[0].starts_with("ID ") && lines[1].contains(&email), "{text}");
    assert!(lines[2].contains(r"evil\u{1b}[31m\r\n\u{202e}@example.org"), "{text}");
    assert_eq!(lines[1].find(" yes "), lines[2].find(" yes "), "{text}");
    let listed = objects(database, "user list");
    assert_eq!(members(&listed[0]), ["created_at", "email", "email_verified_at", "id", "is_active"]);
    assert_eq!(listed[0]["email"], json!(email));
    assert!(listed[0]["created_at"].as_str().unwrap().ends_with('Z'));
    assert_eq!(listed[1]["email"], "evil\u{1b}[31m\r\n\u{202e}@example.org");
}

fn sessions_are_listed_and_revoked(backend: Backend) {
    let service = backend.service().start();
    let (account, first) = service.session();
    let second = service.sign_in(&account);
    let list = || objects(&service.database, &format!("session list {}", account.email));
    let listed = list();
    let ids: Vec<_> = listed.iter().map(|session| session["id"].as_str().unwrap().to_owned()).collect();
    assert_eq!(ids, [second.sid(), first.sid()]);
    let names = ["created_at", "expires_at", "id", "ip_address", "last_used_at", "user_agent"];
    assert_eq!(members(&listed[0]), names);
    assert_eq!(listed[0]["ip_address"], "127.0.0.1");
    let told = done(&service.database, &format!("session revoke {}", ids[1]));
    assert_eq!(told, format!("Ended session {}.", ids[1]));
    service.expect_ended(&first);
    service.me(&second.access).expect(200);
    assert_eq!(
        done(&service.database, &format!("session revoke {}", ids[1])),
        format!("Session {} had already ended.", ids[1])
    );
    let told = done(&service.database, &format!("session revoke --all {}", account.id));
    assert_eq!(told, format!("Account {}: ended 1 session.", account.id));
    service.expect_ended(&second);
    assert_eq!(list().len(), 0);
    let empty = done(&service.database, &format!("session list {}", account.id));
    assert!(empty.starts_with("ID ") && empty.lines().count() == 1, "{empty}");
}

fn what_cannot_be_done_says_so_in_a_line(backend: Backend) {
    let database = backend.database();
    let early = refused(&database, "user list", 1);
    assert!(early.contains("portcullis migrate"), "{early}");
    done(&database, "migrate");
    for name in ["Erin@example.com", "erin@example.com"] {
        database.execute("DROP INDEX IF EXISTS users_canonical_email_key");
        database.insert_user(name, "!");
    }
    let unknown = "0123456789abcdef0123456789abcdef";
    for (words, code, told) in [
        ("user disable 99", 1, "no such account"),
        ("user enable nobody@example.com", 1, "no such account"),
        ("user delete 99 --yes", 1, "no such account"),
        ("user set-password 99 --generate", 1, "no such account"),
        ("session list 99", 1, "no such account"),
        ("session revoke --all 99", 1, "no such account"),
        (&format!("session revoke {unknown}"), 1, "No such session"),
        ("user disable ERIN@example.com", 1, "several accounts have that email in other spellings: 1, 2"),
        ("user disable nonsense", 2, "USER must be an account id or an email address"),
        ("user create nonsense --generate", 2, "EMAIL is not a valid email address"),
        ("user create a@example.com", 2, "no terminal to prompt for a password: use --password-stdin or --generate"),
        ("user delete 1", 2, "no terminal to confirm the deletion: use --yes"),
        ("session revoke 7", 2, "ID is not a session id: expected 32 lower-case hex digits"),
    ] {
        assert_eq!(refused(&database, words, code), format!("portcullis: {told}"), "{words}");
    }
    assert!(done(&database, "user disable erin@example.com").starts_with("Disabled account 2 "));
    let unknown_option = command(&database, "user list --password secret").run();
    assert_eq!(unknown_option.status.code(), Some(2));
    assert_eq!(database.count("FROM users"), 2);
}

/// Returns the peak memory of an account list, in KiB, when it has printed almost all of it.
fn memory_of_a_list(database: &Database, told: usize) -> usize {
    let mut list = KillOnDrop::spawn(command(database, "user list").command().stdout(Stdio::piped()));
    let mut lines = BufReader::new(list.child().stdout.take().unwrap()).lines();
    for _ in 0..told {
        lines.next().unwrap().unwrap();
    }
    // It blocks, because the rest exceeds the pipe's buffer.
    let status = fs::read_to_string(format!("/proc/{}/status", list.child().id())).unwrap();
    let most = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("it still lists");
    most.trim().trim_end_matches(" kB").parse().unwrap()
}

fn a_list_takes_no_more_memory_for_more_accounts(backend: Backend) {
    let database = backend.database();
    done(&database, "migrate");
    let insert = |from: u32, to: u32| {
        database.execute(&format!(
            "WITH RECURSIVE n (n) AS (SELECT {from} UNION ALL SELECT n + 1 FROM n WHERE n < {to}) \
             INSERT INTO users (email, hashed_password, is_active, created_at) \
             SELECT 'somebody.with.a.long.name.' || n || '@example.com', '!', TRUE, '2026-02-18 10:30:00' FROM n"
        ));
    };
    insert(1, 4_000);
    let few = memory_of_a_list(&database, 1_000);
    insert(4_001, 60_000);
    let many = memory_of_a_list(&database, 57_000);
    // SQLite caches up to 2 MiB of a file.
    assert!(many < few + 4096, "{few} KiB for 4,000 accounts, {many} KiB for 60,000");
}

#[test]
fn a_terminal_shows_no_password_and_asks_before_a_deletion() {
    let service = Backend::Sqlite.service().start();
    let (account, _) = service.session();
    let run = |words: &str| Terminal::run(&command(&service.database, words));
    let mut differing = run(&format!("user set-password {}", account.id));
    differing.answer("New password: ", "typed in the dark");
    differing.answer("Repeat the password: ", "typed in the park");
    let (status, shown) = differing.end();
    assert!(!status.success() && shown.contains("the two passwords differ"), "{shown}");
    let mut same = run(&format!("user set-password {}", account.id));
    same.answer("New password: ", "typed in the dark");
    same.answer("Repeat the password: ", "typed in the dark");
    let (status, shown) = same.end();
    assert!(status.success() && !shown.contains("dark"), "{shown}");
    service.login(&account.email, "typed in the dark").expect(200);
    let mut unsure = run(&format!("user delete {}", account.id));
    unsure.answer("Type its email to confirm: ", "yes");
    let (status, shown) = unsure.end();
    assert!(!status.success() && shown.contains("nothing was deleted"), "{shown}");
    service.login(&account.email, "typed in the dark").expect(200);
    let mut sure = run(&format!("user delete {}", account.id));
    sure.answer("Type its email to confirm: ", &account.email);
    assert!(sure.end().0.success());
    service.login(&account.email, "typed in the dark").wrong_credentials();
}

#[test]
fn lists_of_migrations_and_settings_are_objects_too() {
    let database = Backend::Sqlite.database();
    done(&database, "migrate");
    let migrations = objects(&database, "migrate --status");
    assert!(migrations.len() >= 4 && migrations.iter().all(|migration| migration["applied"] == json!(true)));
    let settings = objects(&database, "config print");
    let find = |name: &str| settings.iter().find(|setting| setting["name"] == name).unwrap();
    assert_eq!(find("BCRYPT_COST"), &json!({"name": "BCRYPT_COST", "value": "4", "origin": "environment"}));
    assert_eq!(find("SECRET_KEY")["value"], "(set, 48 bytes)");
    assert_eq!(find("REDIS_URL")["value"], json!(null));
    let wrong = ServiceBuilder::over(&database).argument("migrate").argument("--json").run();
    assert_eq!(wrong.status.code(), Some(2), "{wrong:?}");
}

fn referenced_account_is_deleted_except_for_its_row(backend: Backend) {
    let service = backend.service().start();
    let database = &service.database;
    let [(orderer, pair), (other, _), (third, _)] = [(); 3].map(|()| service.session());
    database.execute(&format!(
        "CREATE TABLE orders (owner_id INTEGER REFERENCES users (id)); INSERT INTO orders VALUES ({}), ({})",
        orderer.id, third.id
    ));
    let told = done(database, &format!("user delete {} --yes", orderer.email));
    assert!(told.contains(" stays in users, since orders refers to it"), "{told}");
    assert_eq!((service.me(&pair.access).status, service.refresh(&pair.refresh).status), (401, 401));
    // It does not block other deletions and can be requested again.
    database.execute(&format!(
        "UPDATE users SET deleted_at = '2036-01-01 00:00:00', is_active = FALSE, email = 'deleted:{0}' WHERE id = {0}",
        other.id
    ));
    let told = done(database, "purge");
    assert!(
        told.ends_with(&format!(
            "1 deleted accounts stay as empty rows, because other tables refer to them: {} (orders)",
            orderer.id
        )),
        "{told}"
    );
    assert_eq!(database.count(&format!("FROM users WHERE id = {}", other.id)), 0);
    done(database, &format!("user delete {} --yes", orderer.id));
    database.execute("DELETE FROM orders");
    let told = done(database, &format!("user delete {} --yes", orderer.id));
    assert!(!told.contains("stays"), "{told}");
    assert_eq!(database.count("FROM users"), 1);
}
