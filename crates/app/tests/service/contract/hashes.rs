//! Stored hashes: what is verified, what is replaced, and that nothing stored can break a login.

use crate::harness::accounts::fresh_email;
use crate::harness::databases::{Backend, Database};
use crate::harness::{on_both_databases, services::Service};

on_both_databases!(
    hashes_made_by_passlib_are_verified,
    a_hash_of_another_cost_is_replaced_at_the_next_good_login,
    a_stored_hash_that_nobody_can_verify_is_a_wrong_password,
    only_slow_salted_hashes_are_stored,
);

const PASSWORD: &str = "SecurePass123!";

/// Made by passlib 1.7.4 with bcrypt 3.2.2 from [`PASSWORD`], at cost 4.
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

fn a_stored_hash_that_nobody_can_verify_is_a_wrong_password(service: &Service) {
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
