//! F29: a panic costs its own request a 500 and affects no other. The panics are real: the system refuses a
//! thread, which the library does not tolerate, and a blocking job cannot read the clock.

use crate::harness::shim::Shim;
use crate::prelude::*;
use rustix::process::Signal;
use std::os::unix::process::ExitStatusExt;

on_both_databases!(
    a_panic_in_a_handler_is_a_500,
    a_panic_in_a_job_is_a_500_wherever_it_happens,
    a_panic_that_ends_the_process_is_told_before,
);

/// Checks the error envelope and that the panic is logged once under the request's id.
#[track_caller]
fn expect_panic(service: &Service, reply: &Reply) {
    let events = expect_500(service, reply);
    assert_eq!(events.iter().filter(|event| event["message"] == "A panic").count(), 1, "{events:?}");
}

/// The same if several requests share a job: the panic belongs to none of them, and each logs its own error.
#[track_caller]
fn expect_shared_panic(service: &Service, reply: &Reply) {
    let events = expect_500(service, reply);
    let errors = events.iter().filter(|event| event["level"] == "ERROR").count();
    assert_eq!(errors, 1, "{events:?}");
}

#[track_caller]
fn expect_500(service: &Service, reply: &Reply) -> Vec<Value> {
    reply.expect_error(500, "INTERNAL_ERROR");
    let events = service.log.of_request(reply.request_id());
    assert_eq!(events.iter().filter(|event| event["message"] == "Request finished").count(), 1, "{events:?}");
    assert!(!reply.text().contains("panic") && !reply.text().contains(".rs"), "{}", reply.text());
    events
}

fn a_panic_in_a_handler_is_a_500(backend: Backend) {
    let shim = Shim::new();
    let service = shim.under(backend.service()).start();
    assert_eq!(service.get("/health").status, 200);
    // No blocking thread exists yet, and none can be created.
    shim.fail_threads(1_000_000);
    for _ in 0..10 {
        expect_panic(&service, &service.register("a@example.com", "long enough"));
        assert_eq!(service.get("/health").status, 200);
    }
    shim.fail_threads(0);
    service.session();
    service.stop();
}

/// As without memory: unwinding a panic needs to allocate.
fn a_panic_that_ends_the_process_is_told_before(backend: Backend) {
    let shim = Shim::new();
    let service = shim.under(backend.service()).start();
    shim.fail_threads(1_000_000);
    shim.fail_unwinding();
    let account = json!({"email": "a@example.com", "password": "long enough"});
    assert!(service.call("POST", "/auth/register").json(&account).attempt().is_err(), "it was answered");
    assert_eq!(service.wait().signal(), Some(Signal::ABORT.as_raw()));
    assert_eq!(service.events("A panic").len(), 1, "{}\n{}", service.log.text(), service.errors.text());
    service.again().start().session();
}

fn a_panic_in_a_job_is_a_500_wherever_it_happens(backend: Backend) {
    let shim = Shim::new();
    // Debug logging reads the clock inside transactions.
    let service = shim.under(backend.service().set("LOG_LEVEL", "DEBUG")).start();
    let (account, mut pair) = service.session();
    let mut panics = [0; 2];
    for look in 1..20 {
        let answered = |panics: &mut usize, reply: Reply, expect: fn(&Service, &Reply)| {
            if reply.status == 500 {
                expect(&service, &reply);
                *panics += 1;
            } else {
                assert!(!shim.has_failed(), "the panic was swallowed: {reply:?}");
            }
            shim.fail_look(0);
            reply
        };
        shim.fail_look(look);
        answered(&mut panics[0], service.login(&account.email, &account.password), expect_panic);
        shim.fail_look(look);
        let reply = answered(&mut panics[1], service.refresh(&pair.refresh), expect_shared_panic);
        // All or nothing: either the old token is live or its successor exists.
        let live = format!("FROM refresh_tokens WHERE jti = '{}' AND NOT revoked", pair.jti());
        if reply.status == 200 {
            pair = Pair::of(&reply);
        } else if service.database.count(&live) == 1 {
            pair = Pair::of(&service.refresh(&pair.refresh));
        } else {
            pair = service.sign_in(&account);
        }
    }
    // A refresh is one statement on PostgreSQL, so it reads the clock only once.
    assert!(panics[0] > 2 && panics[1] > 0, "{panics:?}");
    let revoked = "FROM refresh_tokens WHERE revoked";
    assert!(service.database.count(revoked) < 40);
    // More panics than there are connections, threads and permits: none of them is poisoned or lost.
    for _ in 0..40 {
        shim.fail_look(3);
        service.refresh(&pair.refresh);
        shim.fail_look(0);
        pair = service.sign_in(&account);
    }
    assert_eq!(service.circuit(), "closed");
    service.refresh(&pair.refresh).expect(200);
    service.stop();
}
