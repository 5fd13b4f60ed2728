//! Fifty uses at once of one code, one recovery code and one `mfa_token`, on SQLite and on two replicas over
//! PostgreSQL: one session each.

use crate::harness::totp::Authenticator;
use crate::prelude::*;
use std::thread;

on_both_databases!(
    m1_one_code_begins_one_session,
    m2_one_recovery_code_begins_one_session,
    c1_13_one_token_begins_one_session,
    c1_14_the_last_two_codes_at_once_bring_new_ones,
    c1_15_one_code_confirms_one_factor,
    c1_4_parallel_confirmations_are_one_first_factor,
);

const USES: usize = 50;

/// Two replicas, or the one service that an SQLite file has.
struct Replicas(Vec<Service>);

impl Replicas {
    fn start(backend: Backend) -> Self {
        let first = backend.service().start();
        let second = (backend == Backend::Postgres).then(|| first.again().start());
        Self([first].into_iter().chain(second).collect())
    }

    fn at(&self, number: usize) -> &Service {
        &self.0[number % self.0.len()]
    }

    /// Counts the live sessions besides the one that enrolled.
    fn begun(&self, of: &Enrolled) -> i64 {
        let (user, own) = (of.account.id, of.pair.sid());
        let live = format!("FROM sessions WHERE user_id = {user} AND ended_at IS NULL AND sid <> '{own}'");
        self.at(0).database.count(&live)
    }
}

/// Checks that one use succeeded and the others were refused.
#[track_caller]
fn expect_one(replies: &[Reply]) {
    assert_eq!((count(replies, 200), count(replies, 401)), (1, replies.len() - 1), "{:?}", statuses(replies));
    let winner = replies.iter().find(|reply| reply.status == 200).unwrap();
    Pair::of(winner);
}

fn statuses(replies: &[Reply]) -> Vec<u16> {
    replies.iter().map(|reply| reply.status).collect()
}

fn m1_one_code_begins_one_session(backend: Backend) {
    let replicas = Replicas::start(backend);
    let enrolled = replicas.at(0).enrolled();
    let tokens: Vec<_> = (0..USES).map(|number| replicas.at(number).challenge(&enrolled.account)).collect();
    let code = replicas.at(0).fresh_code(&enrolled);
    let replies = at_once(USES, |number| match number % 3 {
        0 => replicas.at(number / 3).login_with(&enrolled.account, &code),
        _ => replicas.at(number).second(&tokens[number], &json!({"code": code})),
    });
    expect_one(&replies);
    assert_eq!(replicas.begun(&enrolled), 1);
}

fn m2_one_recovery_code_begins_one_session(backend: Backend) {
    let replicas = Replicas::start(backend);
    let service = replicas.at(0);
    let enrolled = service.enrol(service.verified_account());
    let tokens: Vec<_> = (0..USES).map(|number| replicas.at(number).challenge(&enrolled.account)).collect();
    let code = &enrolled.codes[0];
    let replies = at_once(USES, |number| match number % 3 {
        0 => replicas.at(number / 3).login_with(&enrolled.account, code),
        _ => replicas.at(number).second(&tokens[number], &json!({"recovery_code": code})),
    });
    expect_one(&replies);
    assert_eq!(replicas.begun(&enrolled), 1);
    assert_eq!(service.factors(&enrolled.pair.access)["recovery_codes_left"], 9);
    // The notice is stored in the transaction that uses the code. Either replica may send it.
    service.wait_until_all_mail_is_sent();
    let told: usize = replicas.0.iter().map(|one| one.notices(&enrolled.account, "recovery_code_used").len()).sum();
    assert_eq!(told, 1);
}

/// Each use shows a proof that is good by itself: the token alone is what they have in common.
fn c1_13_one_token_begins_one_session(backend: Backend) {
    let replicas = Replicas::start(backend);
    let service = replicas.at(0);
    let enrolled = service.enrolled();
    let token = service.challenge(&enrolled.account);
    let now = unix_now();
    let codes = [-30, 0, 30].map(|seconds| enrolled.app.at(now + seconds));
    service.fresh_code(&enrolled);
    let replies = at_once(USES, |number| {
        let proof = match number % 5 {
            0 => json!({"code": codes[number % 3]}),
            _ => json!({"recovery_code": enrolled.codes[number % 10]}),
        };
        replicas.at(number / 10).second(&token, &proof)
    });
    expect_one(&replies);
    assert_eq!(replicas.begun(&enrolled), 1);
    // What the refused ones showed was not spent.
    let left = service.factors(&enrolled.pair.access)["recovery_codes_left"].as_i64().unwrap();
    let of = format!("FROM recovery_codes WHERE used_at IS NOT NULL AND user_id = {}", enrolled.account.id);
    let used = service.database.count(&of);
    assert!(left + used == 10 && used <= 1, "{left} left, {used} used");
}

/// On PostgreSQL both calls wait to store their notice, which they do once the code is used.
fn c1_14_the_last_two_codes_at_once_bring_new_ones(backend: Backend) {
    let replicas = Replicas::start(backend);
    let service = replicas.at(0);
    for is_login in [true, false] {
        let enrolled = service.enrolled();
        let Enrolled { account, codes, pair, .. } = &enrolled;
        let own = format!("FROM recovery_codes WHERE user_id = {}", account.id);
        service.database.execute(&format!("DELETE {own} AND id NOT IN (SELECT id {own} ORDER BY id LIMIT 2)"));
        let lock = "BEGIN; LOCK TABLE outbox IN SHARE MODE; SELECT pg_sleep(2); COMMIT";
        let locks = "FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND datname = current_database()";
        let replies = thread::scope(|scope| {
            if backend == Backend::Postgres {
                scope.spawn(|| service.database.execute(lock));
                eventually("the outbox is locked", || (service.database.count(locks) == 1).then_some(()));
            }
            at_once(2, |number| {
                let proof = json!({"password": account.password, "code": codes[number]});
                match is_login {
                    true => replicas.at(number).login_with(account, &codes[number]),
                    false => replicas.at(number).reauthenticate(&pair.access, &proof),
                }
            })
        });
        let bodies: Vec<_> = replies.iter().map(|reply| reply.expect(200)).collect();
        let renewed = bodies.iter().filter(|body| body.get("recovery_codes").is_some()).count();
        let left = service.factors(&pair.access)["recovery_codes_left"].as_i64();
        assert_eq!((renewed, left), (1, Some(10)), "login: {is_login}");
    }
}

fn c1_15_one_code_confirms_one_factor(backend: Backend) {
    let replicas = Replicas::start(backend);
    let service = replicas.at(0);
    let (account, pair) = service.session();
    let begun = service.begin_factor(&pair.access).expect(201);
    let (id, app) = (begun["id"].as_str().unwrap(), Authenticator::of(begun["secret"].as_str().unwrap()));
    let code = app.code();
    let replies = at_once(USES, |number| replicas.at(number).confirm_factor(&pair.access, id, &code));
    let refused = count(&replies, 401) + count(&replies, 404);
    assert_eq!((count(&replies, 200), refused), (1, USES - 1), "{:?}", statuses(&replies));
    let state = service.factors(&pair.access);
    assert_eq!((state["factors"].as_array().unwrap().len(), &state["recovery_codes_left"]), (1, &json!(10)));
    assert_eq!(service.rows_of(&account, "recovery_codes"), 10);
    service.login_with(&account, &code).wrong_credentials();
}

/// A login under way with the password alone begins no session once there is a factor.
fn c1_4_parallel_confirmations_are_one_first_factor(backend: Backend) {
    let replicas = Replicas::start(backend);
    let service = replicas.at(0);
    for _ in 0..5 {
        let (account, pair) = service.session();
        let begun = service.begin_factor(&pair.access).expect(201);
        let (id, app) = (begun["id"].as_str().unwrap(), Authenticator::of(begun["secret"].as_str().unwrap()));
        let code = app.code();
        let replies = at_once(10, |number| match number {
            5 => replicas.at(0).confirm_factor(&pair.access, id, &code),
            _ => replicas.at(number).login(&account.email, &account.password),
        });
        replies[5].expect(200);
        let before: Vec<_> =
            replies.iter().enumerate().filter(|(number, reply)| *number != 5 && reply.status == 200).collect();
        assert_eq!(replies[5].json()["sessions_ended"], before.len(), "{:?}", statuses(&replies));
        before.iter().for_each(|(_, reply)| service.expect_ended(&Pair::of(reply)));
        service.renewed(&pair);
    }
}
