//! Stored password hashes: which are verified and replaced. No stored value can break a login.

use crate::harness::accounts::fresh_email;
use crate::harness::databases::{Backend, Database};
use crate::harness::on_both_databases;
use crate::harness::services::{Service, ServiceBuilder};
use crate::harness::timing::timed;

on_both_databases!(
    hashes_made_by_passlib_are_verified,
    a_hash_of_another_cost_is_replaced_at_the_next_good_login,
    unverifiable_stored_hash_is_a_wrong_password,
    a_stored_hash_that_is_not_utf_8_is_a_wrong_password,
    a_lower_cost_leaves_stored_hashes_as_they_are,
    an_unknown_account_takes_the_time_of_stored_hashes,
    only_slow_salted_hashes_are_stored,
);

const PASSWORD: &str = "SecurePass123!";

/// Created by passlib 1.7.4 with bcrypt 3.2.2 from [`PASSWORD`], at cost 4.
const MADE_BY_PASSLIB: [&str; 6] = [
    "$2a$04$3hoA3uSixQ4BqvuNsw0csOcGNPkBDAKYH/jQxa5NQir3CXjDx9TTy",
    "$2b$04$PyAA0Rk4j27c1LVV/FOcjeME4LvoLjE7FdAR0N7eocMcWK6PmhaVW",
    "$2y$04$1tx8T2FBtxhI.Ey5nd244O7pcvtfEl5j0lIH0uz7QLG11MZJYiaSC",
    "$bcrypt-sha256$2a,4$L8ca7trAwBMD6a3RfqFSkO$Hb98Mk..6rr5KWTO9HeK9XvckMJyWL6",
    "$bcrypt-sha256$2b,4$9IjSZmANvEKR1jddgGmP7u$L.veyGece6RgIKNcF9xeYJKCPMNKxGC",
    "$bcrypt-sha256$v=2,t=2b,r=4$Iv6Uown/0ksEE/DixbcfWO$bWKuLVHu.W.uPqe3unfdvxh1Bhhb/I2",
];

fn stored(database: &Database, email: &str) -> String {
    database.texts("hashed_password", &format!("FROM users WHERE email = '{email}'")).swap_remove(0)
}

fn hashes_made_by_passlib_are_verified(service: &Service) {
    for hash in MADE_BY_PASSLIB {
        let email = fresh_email();
        service.database.insert_user(&email, hash);
        service.login(&email, "securepass123!").expect_error(401, "AUTH_INVALID_CREDENTIALS");
        assert_eq!(stored(&service.database, &email), hash, "a failed login changes nothing");
        service.login(&email, PASSWORD).expect(200);
        service.login(&email, PASSWORD).expect(200);
    }
}

fn a_hash_of_another_cost_is_replaced_at_the_next_good_login(backend: Backend) {
    let service = backend.service().set("BCRYPT_COST", "5").start();
    let (plain, prehashed) = (fresh_email(), fresh_email());
    service.database.insert_user(&plain, MADE_BY_PASSLIB[1]);
    service.database.insert_user(&prehashed, MADE_BY_PASSLIB[5]);
    for email in [&plain, &prehashed] {
        service.login(email, "wrong password").expect_error(401, "AUTH_INVALID_CREDENTIALS");
        let pair = crate::harness::accounts::Pair::of(&service.login(email, PASSWORD));
        let hash = stored(&service.database, email);
        assert!(hash.starts_with("$2b$05$"), "{hash}");
        service.refresh(&pair.refresh).expect(200);
        service.login(email, PASSWORD).expect(200);
        assert_eq!(stored(&service.database, email), hash, "a hash of the right cost stays");
    }
}

/// PostgreSQL can store such bytes only in a database with the encoding SQL_ASCII.
fn a_stored_hash_that_is_not_utf_8_is_a_wrong_password(backend: Backend) {
    let (database, damage) = match backend.database() {
        Database::Postgres { server, name } => {
            let name = format!("{name}_ascii");
            let create = format!("CREATE DATABASE {name} ENCODING 'SQL_ASCII' LOCALE 'C' TEMPLATE template0");
            server.psql("postgres", &create);
            (Database::Postgres { server, name }, ["E'\\xff$2b$04$'", "E'$2b$\\xe9'"].as_slice())
        }
        sqlite => (sqlite, ["x'ff243262'", "x'00'", "cast(x'24ff' AS text)", "7"].as_slice()),
    };
    let service = ServiceBuilder::over(&database).start();
    let (other, _) = service.session();
    for value in damage {
        let (account, pair) = service.session();
        // A link requested under another hash is no longer sent.
        service.wait_for_mails(&account.email, 1);
        database.execute(&format!("UPDATE users SET hashed_password = {value} WHERE id = {}", account.id));
        service.login(&account.email, &account.password).expect_error(401, "AUTH_INVALID_CREDENTIALS");
        let user_id = account.id;
        let unreadable = |e: &serde_json::Value| e["message"] == "Stored password hash is unreadable";
        service.log.wait_for(1, |e| unreadable(e) && e["level"] == "ERROR" && e["user_id"] == user_id);
        service.me(&pair.access).expect(200);
        let pair = crate::harness::accounts::Pair::of(&service.refresh(&pair.refresh));
        let change = serde_json::json!({"current_password": account.password, "new_password": "a new password"});
        let change = service.call("POST", "/auth/password/change").bearer(&pair.access).json(&change).send();
        change.expect_error(401, "AUTH_INVALID_CREDENTIALS");
        service.log.wait_for(2, |e| unreadable(e) && e["user_id"] == user_id);
        service.post("/auth/password/forgot", &serde_json::json!({"email": account.email})).expect(202);
        let mails = service.wait_for_mails(&account.email, 2);
        let token = mails.iter().rfind(|mail| mail.target().starts_with("/account/reset")).unwrap().token();
        let reset = serde_json::json!({"token": token, "new_password": "a new password"});
        service.post("/auth/password/reset", &reset).expect(200);
        service.login(&account.email, "a new password").expect(200);
    }
    service.login(&other.email, &other.password).expect(200);
}

fn a_lower_cost_leaves_stored_hashes_as_they_are(backend: Backend) {
    let service = backend.service().set("BCRYPT_COST", "5").start();
    let account = service.account();
    let hash = service.stored_hash(&account);
    service.stop();
    let service = service.again().set("BCRYPT_COST", "4").start();
    service.login(&account.email, &account.password).expect(200);
    assert_eq!(service.stored_hash(&account), hash);
}

/// A hash of cost 10 takes 60 times as long as one of cost 4, far more than noise.
fn an_unknown_account_takes_the_time_of_stored_hashes(backend: Backend) {
    let service = backend.service().set("BCRYPT_COST", "10").start();
    let (known, unreadable) = (service.account().email, service.account());
    service.stop();
    let service = service.again().set("BCRYPT_COST", "4").start();
    service.database.execute(&format!("UPDATE users SET hashed_password = '?' WHERE id = {}", unreadable.id));
    let shortest = |email: &dyn Fn() -> String| {
        let login =
            |_| timed(|| service.login(&email(), "wrong password").expect_error(401, "AUTH_INVALID_CREDENTIALS"));
        (0..5).map(login).map(|(time, _)| time).min().unwrap()
    };
    let known = shortest(&|| known.clone());
    for other in [shortest(&fresh_email), shortest(&|| unreadable.email.clone())] {
        assert!(other > known / 3 && other < known * 3, "{other:?}, {known:?}");
    }
}

fn unverifiable_stored_hash_is_a_wrong_password(service: &Service) {
    let good = MADE_BY_PASSLIB[1];
    let damaged = [
        "",
        " ",
        "x",
        "$",
        "$2b$",
        "$2b$04$",
        "$2b$04",
        "$2b$99$PyAA0Rk4j27c1LVV/FOcjeME4LvoLjE7FdAR0N7eocMcWK6PmhaVW",
        "$2b$-4$PyAA0Rk4j27c1LVV/FOcjeME4LvoLjE7FdAR0N7eocMcWK6PmhaVW",
        "$2z$04$PyAA0Rk4j27c1LVV/FOcjeME4LvoLjE7FdAR0N7eocMcWK6PmhaVW",
        "$2b$04$PyAA0Rk4j27c1LVV/FOcjeME4LvoLjE7FdAR0N7eocMcWK6PmhaV",
        "$2b$04$PyAA0Rk4j27c1LVV/FOcjeME4LvoLjE7FdAR0N7eocMcWK6PmhaVWx",
        "$2b$04$Pyéé0Rk4j27c1LVV/FOcjeME4LvoLjE7FdAR0N7eocMcWK6PmhaVW",
        "$2b$04$🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑",
        "$2b$04$!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!",
        "$bcrypt-sha256$",
        "$bcrypt-sha256$v=2,t=2b,r=4$",
        "$bcrypt-sha256$v=3,t=2b,r=4$Iv6Uown/0ksEE/DixbcfWO$bWKuLVHu.W.uPqe3unfdvxh1Bhhb/I2",
        "$bcrypt-sha256$v=2,t=2b,r=4$Iv6Uown/0ksEE/DixbcfWO$",
        "$bcrypt-sha256$v=2,t=2b,r=999999999999$Iv6Uown/0ksEE/DixbcfWO$bWKuLVHu",
        "$argon2id$v=19$m=65536,t=3,p=4$c29tZXNhbHQ$hash",
        "5f4dcc3b5aa765d61d8327deb882cf99",
        PASSWORD,
        "!",
    ];
    for hash in damaged {
        let email = fresh_email();
        service.database.insert_user(&email, hash);
        for password in [PASSWORD, hash, ""] {
            let reply = service.login(&email, password);
            reply.expect_error(401, "AUTH_INVALID_CREDENTIALS");
            let events = service.log.of_request(reply.request_id());
            assert!(events.iter().any(|event| event["level"] == "ERROR"), "no ERROR line for {hash:?}: {events:?}");
            assert!(hash.len() < 7 || !format!("{events:?}").contains(hash), "{events:?}");
        }
    }
    let email = fresh_email();
    service.database.insert_user(&email, good);
    service.login(&email, PASSWORD).expect(200);
}

fn only_slow_salted_hashes_are_stored(backend: Backend) {
    let service = backend.service().start();
    let passwords = ["same password", "same password", &"x".repeat(90), &"x".repeat(90)];
    let hashes = passwords.map(|password| service.stored_hash(&service.account_with(password)));
    assert!(hashes.iter().all(|hash| hash.starts_with("$2b$") || hash.starts_with("$bcrypt-sha256$")), "{hashes:?}");
    assert!(hashes[0] != hashes[1] && hashes[2] != hashes[3], "a salt each");
    let dump = service.database.dump();
    assert!(dump.contains(&hashes[0]) && !dump.contains("same password") && !dump.contains(passwords[2]));
}
