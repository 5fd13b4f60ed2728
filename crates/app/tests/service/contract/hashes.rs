//! Stored password hashes: which are verified and replaced. No stored value can break a login.

use crate::prelude::*;

on_both_databases!(
    a_lower_cost_is_raised_by_a_login_and_a_higher_one_kept,
    unverifiable_stored_hash_is_a_wrong_password,
    a_stored_hash_that_is_not_utf_8_is_a_wrong_password,
    an_unknown_account_takes_the_time_of_stored_hashes,
    only_slow_salted_hashes_are_stored,
);

const PASSWORD: &str = "SecurePass123!";

/// Created by passlib 1.7.4 with bcrypt 3.2.2 from [`PASSWORD`], at cost 4.
const MADE_BY_PASSLIB: [&str; 2] = [
    "$2b$04$PyAA0Rk4j27c1LVV/FOcjeME4LvoLjE7FdAR0N7eocMcWK6PmhaVW",
    "$bcrypt-sha256$v=2,t=2b,r=4$Iv6Uown/0ksEE/DixbcfWO$bWKuLVHu.W.uPqe3unfdvxh1Bhhb/I2",
];

fn stored(database: &Database, email: &str) -> String {
    database.texts("hashed_password", &format!("FROM users WHERE email = '{email}'")).swap_remove(0)
}

/// Stores an account with this hash, as another program would, and returns its email.
fn adopted(service: &Service, hash: &str) -> String {
    let email = fresh_email();
    service.database.insert_user(&email, hash);
    email
}

fn a_lower_cost_is_raised_by_a_login_and_a_higher_one_kept(backend: Backend) {
    let service = backend.service().set("BCRYPT_COST", "5").start();
    let emails = MADE_BY_PASSLIB.map(|hash| adopted(&service, hash));
    let raised = emails.each_ref().map(|email| {
        service.login(email, "wrong password").wrong_credentials();
        let pair = Pair::of(&service.login(email, PASSWORD));
        let hash = stored(&service.database, email);
        assert!(hash.starts_with("$2b$05$"), "{hash}");
        service.refresh(&pair.refresh).expect(200);
        service.login(email, PASSWORD).expect(200);
        assert_eq!(stored(&service.database, email), hash, "a hash of the right cost stays");
        hash
    });
    service.stop();
    let service = service.again().set("BCRYPT_COST", "4").start();
    service.login(&emails[0], PASSWORD).expect(200);
    assert_eq!(stored(&service.database, &emails[0]), raised[0]);
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
    for value in damage {
        let (account, pair) = service.session();
        // A link requested under another hash is no longer sent.
        service.wait_for_mails(&account.email, 1);
        service.set_user(&account, &format!("hashed_password = {value}"));
        service.login(&account.email, &account.password).wrong_credentials();
        let user_id = account.id;
        let unreadable = |e: &Value| e["message"] == "Stored password hash is unreadable" && e["user_id"] == user_id;
        service.log.wait_for(1, |e| unreadable(e) && e["level"] == "ERROR");
        service.me(&pair.access).expect(200);
        let pair = service.renewed(&pair);
        let change = json!({"current_password": account.password, "new_password": "a new password"});
        service.tell("POST", "/auth/password/change", &pair.access, &change).wrong_credentials();
        service.log.wait_for(2, unreadable);
        let reset = json!({"token": service.reset_token(&account, 2), "new_password": "a new password"});
        service.post("/auth/password/reset", &reset).expect(200);
        service.login(&account.email, "a new password").expect(200);
    }
}

/// A hash of cost 10 takes 60 times as long as one of cost 4, far more than a busy machine adds to the fastest
/// of five.
fn an_unknown_account_takes_the_time_of_stored_hashes(backend: Backend) {
    let service = backend.service().set("BCRYPT_COST", "10").start();
    let (known, unreadable) = (service.account().email, service.account());
    service.stop();
    let service = service.again().set("BCRYPT_COST", "4").start();
    service.set_user(&unreadable, "hashed_password = '?'");
    let shortest = |email: &dyn Fn() -> String| {
        let login = |_| timed(|| service.login(&email(), "wrong password").wrong_credentials()).0;
        (0..5).map(login).min().unwrap()
    };
    let known = shortest(&|| known.clone());
    for other in [shortest(&fresh_email), shortest(&|| unreadable.email.clone())] {
        assert!(other > known / 8 && other < known * 8, "{other:?}, {known:?}");
    }
}

fn unverifiable_stored_hash_is_a_wrong_password(service: &Service) {
    // The adapter's tests have more of them.
    for hash in [
        "",
        " ",
        "$2b$04",
        "$2b$99$PyAA0Rk4j27c1LVV/FOcjeME4LvoLjE7FdAR0N7eocMcWK6PmhaVW",
        "$2b$04$PyAA0Rk4j27c1LVV/FOcjeME4LvoLjE7FdAR0N7eocMcWK6PmhaV",
        "$2b$04$Pyéé0Rk4j27c1LVV/FOcjeME4LvoLjE7FdAR0N7eocMcWK6PmhaVW",
        "$bcrypt-sha256$v=3,t=2b,r=4$Iv6Uown/0ksEE/DixbcfWO$bWKuLVHu.W.uPqe3unfdvxh1Bhhb/I2",
        "$bcrypt-sha256$v=2,t=2b,r=999999999999$Iv6Uown/0ksEE/DixbcfWO$bWKuLVHu",
        "5f4dcc3b5aa765d61d8327deb882cf99",
        PASSWORD,
    ] {
        let email = adopted(service, hash);
        for password in [PASSWORD, hash, ""] {
            let reply = service.login(&email, password);
            reply.wrong_credentials();
            let events = service.log.of_request(reply.request_id());
            assert!(events.iter().any(|event| event["level"] == "ERROR"), "no ERROR line for {hash:?}: {events:?}");
            assert!(hash.len() < 7 || !format!("{events:?}").contains(hash), "{events:?}");
        }
    }
}

fn only_slow_salted_hashes_are_stored(service: &Service) {
    let passwords = ["same password", "same password", &"x".repeat(90), &"x".repeat(90)];
    let hashes = passwords.map(|password| service.stored_hash(&service.account_with(password)));
    assert!(hashes.iter().all(|hash| hash.starts_with("$2b$") || hash.starts_with("$bcrypt-sha256$")), "{hashes:?}");
    assert!(hashes[0] != hashes[1] && hashes[2] != hashes[3], "a salt each");
    let dump = service.database.dump();
    assert!(dump.contains(&hashes[0]) && !dump.contains("same password") && !dump.contains(passwords[2]));
}
