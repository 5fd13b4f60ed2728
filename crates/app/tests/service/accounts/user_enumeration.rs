//! User enumeration: no response, header or response time reveals whether an account exists.

use super::seen;
use crate::harness::accounts::fresh_email;
use crate::harness::databases::Backend;
use crate::harness::on_both_databases;
use crate::harness::services::Service;
use crate::harness::timing::{long_form, timed};
use std::time::Duration;

on_both_databases!(
    whether_there_is_an_account_is_told_by_no_answer,
    a_mail_that_was_asked_for_takes_the_same_time_for_all,
);

fn whether_there_is_an_account_is_told_by_no_answer(service: &Service) {
    let (known, verified, inactive) = (service.account(), service.verified_account(), service.account());
    service.disable(&inactive);
    let unknown = fresh_email();
    let emails = [&unknown, &known.email, &verified.email, &inactive.email];
    for ask in [Service::forgot, Service::resend] {
        let answers: Vec<_> = emails.iter().map(|email| seen(&ask(service, email))).collect();
        assert_eq!(answers[0].0, 202);
        answers.iter().for_each(|answer| assert_eq!(answer, &answers[0]));
    }
}

/// The medians differ by less than 5 % in the long form, which needs an idle machine, or 25 % in the short
/// form. Noise can spoil a round, but a real difference shows in every round, so one good round in five is
/// enough.
#[expect(clippy::print_stdout, reason = "the figures are what the long form is for")]
fn a_mail_that_was_asked_for_takes_the_same_time_for_all(backend: Backend) {
    let service = backend.service().start();
    let known = service.account().email;
    let (pairs, bound) = if long_form() { (2_000, 1.05) } else { (100, 1.25) };
    let mut rounds = Vec::new();
    for _ in 0..5 {
        let [first, second] = medians(&service, &known, pairs);
        let ratio = first.as_secs_f64() / second.as_secs_f64();
        rounds.push((first, second));
        if (1.0 / bound..=bound).contains(&ratio) {
            println!("known and unknown, the medians of {pairs} each: {rounds:?}");
            return;
        }
    }
    panic!("known and unknown: {rounds:?}");
}

/// Returns the median times. Alternates which request goes first and waits for an empty outbox, because
/// sending an email would slow the next request down.
fn medians(service: &Service, known: &str, pairs: usize) -> [Duration; 2] {
    let mut times = [Vec::new(), Vec::new()];
    for round in 0..pairs {
        for place in [round % 2, 1 - round % 2] {
            let email = if place == 0 { known.to_owned() } else { fresh_email() };
            service.wait_until_all_mail_is_sent();
            let (time, reply) = timed(|| service.forgot(&email));
            reply.expect(202);
            times[place].push(time);
        }
    }
    times.map(|mut times| {
        times.sort();
        times[times.len() / 2]
    })
}
