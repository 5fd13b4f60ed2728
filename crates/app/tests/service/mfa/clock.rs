//! What the clock decides: time steps, the ends of tokens, pending factors, recent authentication and
//! trusted devices. The service runs under a clock that stands still where the test puts it.

use crate::harness::shim::Shim;
use crate::harness::totp::{Authenticator, STEP};
use crate::prelude::*;

on_both_databases!(
    c1_15_the_step_and_one_to_each_side_are_accepted_once,
    c1_15_no_step_before_the_last_accepted_one_is,
    c1_3_a_pending_factor_ends_after_ten_minutes,
    c1_12_a_challenge_ends_after_five_minutes_and_an_enrolment_after_ten,
    c0_9_authentication_is_recent_for_ten_minutes,
    c1_21_reauthentication_lifts_auth_time_until_the_next_refresh,
    c1_16_a_trusted_device_ends_with_its_days,
);

const DAY: i64 = 86_400;

/// Service whose clock stands still.
struct Stopped {
    shim: Shim,
    service: Service,
    /// Start of a time step.
    now: i64,
}

impl Stopped {
    fn start(setup: ServiceBuilder) -> Self {
        let (shim, now) = (Shim::new(), unix_now() / STEP * STEP);
        shim.stop_at(now, 0);
        Self { service: shim.under(setup).start(), shim, now }
    }

    /// Sets the clock to `seconds` after the start.
    fn at(&self, seconds: i64) -> i64 {
        self.shim.stop_at(self.now + seconds, 0);
        self.now + seconds
    }

    /// Sets the clock to the last nanosecond before that.
    fn just_before(&self, seconds: i64) {
        self.shim.stop_at(self.now + seconds - 1, 999_999_999);
    }

    /// Enrols an account with the code of the moment.
    fn enrolled(&self) -> Enrolled {
        let account = self.service.account();
        let login = self.service.login(&account.email, &account.password);
        let pair = Pair::of(&login);
        let (factor, app) = self.begin(&pair.access);
        let confirmed = self.service.confirm_factor(&pair.access, &factor, &app.at(self.now)).expect(200);
        let codes = crate::harness::mfa::texts(&confirmed["recovery_codes"]);
        Enrolled { account, app, factor, codes, pair, cookie: login.cookie() }
    }

    fn begin(&self, access: &str) -> (String, Authenticator) {
        let begun = self.service.begin_factor(access).expect(201);
        (begun["id"].as_str().unwrap().to_owned(), Authenticator::of(begun["secret"].as_str().unwrap()))
    }
}

fn c1_15_the_step_and_one_to_each_side_are_accepted_once(backend: Backend) {
    let stopped = Stopped::start(backend.service());
    let enrolled = stopped.enrolled();
    let service = &stopped.service;
    for (minute, steps, accepted) in [
        (2, -2, false),
        (2, 2, false),
        (2, -1, true),
        (2, 0, true),
        (2, 1, true),
        (4, 1, true),
        (6, -1, true),
        (8, 0, true),
    ] {
        let code = enrolled.app.at(stopped.at(minute * 60 + 7) + steps * STEP);
        let reply = service.login_with(&enrolled.account, &code);
        assert_eq!(reply.status, if accepted { 200 } else { 401 }, "{steps} steps: {}", reply.text());
        service.login_with(&enrolled.account, &code).wrong_credentials();
    }
    // A step is half a minute, to the nanosecond.
    let code = enrolled.app.at(stopped.at(600));
    let token = service.challenge(&enrolled.account);
    stopped.at(600 + 2 * STEP);
    service.second(&token, &json!({"code": code})).wrong_credentials();
    stopped.just_before(600 - STEP);
    service.second(&token, &json!({"code": code})).wrong_credentials();
    stopped.just_before(600 + 2 * STEP);
    service.second(&token, &json!({"code": code})).expect(200);
}

fn c1_15_no_step_before_the_last_accepted_one_is(backend: Backend) {
    let stopped = Stopped::start(backend.service());
    let enrolled = stopped.enrolled();
    let (service, account, app) = (&stopped.service, &enrolled.account, &enrolled.app);
    // The enrolment used this step up, and with it the one before.
    for steps in [-1, 0] {
        service.login_with(account, &app.at(stopped.now + steps * STEP)).wrong_credentials();
    }
    service.login_with(account, &app.at(stopped.now + STEP)).expect(200);
    let now = stopped.at(300);
    service.login_with(account, &app.at(now)).expect(200);
    service.login_with(account, &app.at(now - STEP)).wrong_credentials();
    // Nor does a clock that is set back bring one back.
    let before = stopped.at(200);
    for steps in [-1, 0, 1] {
        service.login_with(account, &app.at(before + steps * STEP)).wrong_credentials();
    }
    service.login_with(account, &enrolled.codes[0]).expect(200);
}

fn c1_3_a_pending_factor_ends_after_ten_minutes(backend: Backend) {
    let stopped = Stopped::start(backend.service());
    let service = &stopped.service;
    for (late, status) in [(false, 200), (true, 404)] {
        stopped.at(0);
        let (_, pair) = service.session();
        let (id, app) = stopped.begin(&pair.access);
        let moment = stopped.at(600);
        if !late {
            stopped.just_before(600);
        }
        let code = app.at(moment - if late { 0 } else { STEP });
        service.confirm_factor(&pair.access, &id, &code).has_status(status);
    }
}

fn c1_12_a_challenge_ends_after_five_minutes_and_an_enrolment_after_ten(backend: Backend) {
    let stopped = Stopped::start(backend.service());
    let enrolled = stopped.enrolled();
    let service = &stopped.service;
    let tokens = [service.challenge(&enrolled.account), service.challenge(&enrolled.account)];
    stopped.just_before(300);
    service.second(&tokens[0], &json!({"recovery_code": enrolled.codes[0]})).expect(200);
    stopped.at(300);
    service.second(&tokens[1], &json!({"recovery_code": enrolled.codes[1]})).expired();
    stopped.at(0);
    let strict = stopped.shim.under(service.again().set("MFA_REQUIRED", "true")).start();
    let token = |account: &Account| strict.login(&account.email, &account.password).enrolment_token();
    let (first, second) = (strict.account(), strict.account());
    let tokens = [token(&first), token(&second)];
    stopped.just_before(600);
    strict.begin_factor(&tokens[0]).expect(201);
    stopped.at(600);
    let reply = strict.begin_factor(&tokens[1]);
    reply.expired();
    assert!(reply.header("WWW-Authenticate").is_some_and(|told| told.contains("invalid_token")), "{}", reply.text());
}

fn c0_9_authentication_is_recent_for_ten_minutes(backend: Backend) {
    let stopped = Stopped::start(backend.service());
    let (service, enrolled) = (&stopped.service, stopped.enrolled());
    let (account, plain) = service.session();
    // The confirmation and the login are as old as the clock.
    stopped.at(600);
    service.begin_factor(&plain.access).expect(201);
    service.new_recovery_codes(&enrolled.pair.access).expect(200);
    let now = stopped.at(601);
    service.begin_factor(&plain.access).step_up();
    service.new_recovery_codes(&enrolled.pair.access).step_up();
    // A refresh is no authentication.
    service.begin_factor(&service.renewed(&plain).access).step_up();
    service.reauthenticate(&plain.access, &json!({"password": account.password})).expect(200);
    let both = json!({"password": enrolled.account.password, "code": enrolled.app.at(now)});
    service.reauthenticate(&enrolled.pair.access, &both).expect(200);
    stopped.at(601 + 600);
    let (access, other) = (service.renewed(&enrolled.pair).access, service.sign_in(&account));
    service.new_recovery_codes(&access).expect(200);
    service.begin_factor(&other.access).expect(201);
}

fn c1_21_reauthentication_lifts_auth_time_until_the_next_refresh(backend: Backend) {
    let stopped = Stopped::start(backend.service());
    let (service, enrolled) = (&stopped.service, stopped.enrolled());
    let time = |token: &str| jose::claims(token)["auth_time"].as_i64();
    let began = stopped.at(60);
    let pair = Pair::of(&service.login_with(&enrolled.account, &enrolled.app.at(began)));
    assert_eq!((time(&pair.access), time(&pair.refresh)), (Some(began), Some(began)));
    let now = stopped.at(700);
    let proof = json!({"password": enrolled.account.password, "code": enrolled.app.at(now)});
    let lifted = service.reauthenticate(&pair.access, &proof).expect(200);
    assert_eq!(time(lifted["access_token"].as_str().unwrap()), Some(now));
    stopped.at(760);
    let next = Pair::of(&service.refresh_with(&pair.refresh, "a-key"));
    assert_eq!((time(&next.access), time(&next.refresh)), (Some(began), Some(began)));
    stopped.at(800);
    let again = Pair::of(&service.refresh_with(&pair.refresh, "a-key"));
    assert_eq!(jose::claims(&again.refresh), jose::claims(&next.refresh));
    // The session is as recent as its last authentication.
    service.new_recovery_codes(&next.access).expect(200);
}

fn c1_16_a_trusted_device_ends_with_its_days(backend: Backend) {
    let stopped = Stopped::start(backend.service().set("MFA_TRUST_DAYS", "7"));
    let (service, enrolled) = (&stopped.service, stopped.enrolled());
    let proof = json!({"recovery_code": enrolled.codes[0], "remember_device": true});
    let reply = service.second(&service.challenge(&enrolled.account), &proof);
    let cookie = reply.cookie();
    stopped.just_before(7 * DAY);
    service.login_from(&cookie, &enrolled.account).expect(200);
    // A login from a trusted device does not extend the trust.
    stopped.at(7 * DAY);
    service.login_from(&cookie, &enrolled.account).mfa_token();
    let pair = Pair::of(&service.login_with(&enrolled.account, &enrolled.codes[1]));
    let devices = service.ask("GET", "/auth/mfa/devices", &pair.access).expect(200);
    assert_eq!(devices, json!({"devices": []}));
}
