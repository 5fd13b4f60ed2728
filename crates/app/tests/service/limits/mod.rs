//! Rate limits: the documented promises to clients.

mod budgets;
mod dead_refreshes;
mod devices;
mod owners;
mod replicas;
mod sources;

use crate::harness::calls::Reply;
use crate::harness::services::{Service, ServiceBuilder};
use std::thread;

/// Enables the limits, which other tests disable.
fn limited(setup: ServiceBuilder) -> ServiceBuilder {
    setup.unset("RATE_LIMIT_ENABLED")
}

/// Makes concurrent calls.
fn at_once(count: usize, call: impl Fn(usize) -> Reply + Sync) -> Vec<Reply> {
    thread::scope(|scope| {
        let calls: Vec<_> = (0..count)
            .map(|number| {
                scope.spawn({
                    let call = &call;
                    move || call(number)
                })
            })
            .collect();
        calls.into_iter().map(|call| call.join().unwrap()).collect()
    })
}

fn count(replies: &[Reply], status: u16) -> usize {
    replies.iter().filter(|reply| reply.status == status).count()
}

/// Checks for the contract's 429 and returns the seconds to wait.
#[track_caller]
fn expect_limited(reply: &Reply, budget: &str, policy: &str) -> u64 {
    reply.expect_error(429, "RATE_LIMITED");
    let seconds: u64 = reply.header("Retry-After").expect("Retry-After").parse().unwrap();
    assert_eq!(reply.header("RateLimit-Policy"), Some(format!("\"{budget}\";{policy}").as_str()));
    assert_eq!(reply.header("RateLimit"), Some(format!("\"{budget}\";r=0;t={seconds}").as_str()));
    seconds
}

/// Uses up an account's free attempts.
fn spend(service: &Service, email: &str) {
    for _ in 0..10 {
        service.login(email, "wrong password").expect_error(401, "AUTH_INVALID_CREDENTIALS");
    }
}
