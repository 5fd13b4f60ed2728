//! What the clock decides: how long codes, flows and one-time URLs live. The service runs under a clock that stands
//! still where the test puts it.

use super::*;
use crate::harness::shim::Shim;

on_both_databases!(
    c3_9_a_code_lives_for_a_minute,
    c3_20_a_flow_lives_for_ten_minutes,
    c3_27_the_url_of_a_link_lives_for_a_minute,
    c3_26_unlinking_needs_an_authentication_of_the_last_ten_minutes,
);

struct Stopped {
    shim: Shim,
    home: Home,
    now: i64,
}

impl Stopped {
    fn start(backend: Backend) -> Self {
        let (shim, now) = (Shim::new(), unix_now());
        shim.stop_at(now, 0);
        Self { home: Home::start(backend, |setup| shim.under(setup)), shim, now }
    }

    /// Sets the clock to `seconds` after the start.
    fn at(&self, seconds: i64) {
        self.shim.stop_at(self.now + seconds, 0);
    }

    /// Sets the clock to the last nanosecond before that.
    fn just_before(&self, seconds: i64) {
        self.shim.stop_at(self.now + seconds - 1, 999_999_999);
    }

    /// Returns a person whose ID tokens are valid all along.
    fn person(&self) -> Person {
        Person::fresh().with("iat", self.now).with("exp", self.now + 7200)
    }
}

fn c3_9_a_code_lives_for_a_minute(backend: Backend) {
    let stopped = Stopped::start(backend);
    let home = &stopped.home;
    let codes = [home.code("corp", &stopped.person()), home.code("corp", &stopped.person())];
    stopped.just_before(60);
    home.exchange(&codes[0]).expect(200);
    stopped.at(60);
    home.exchange(&codes[1]).expired();
    // A used one says so for as long as it is known.
    home.exchange(&codes[0]).revoked();
}

fn c3_20_a_flow_lives_for_ten_minutes(backend: Backend) {
    let stopped = Stopped::start(backend);
    let home = &stopped.home;
    let tabs = [home.tab("corp", ""), home.tab("corp", "")];
    let back = |tab: &Tab| tab.back(&home.server.approve(&tab.url, &stopped.person()));
    stopped.just_before(600);
    assert!(back(&tabs[0]).returned().contains_key("code"));
    stopped.at(600);
    back(&tabs[1]).returned_error("flow_expired");
}

fn c3_27_the_url_of_a_link_lives_for_a_minute(backend: Backend) {
    let stopped = Stopped::start(backend);
    let home = &stopped.home;
    let (session, _) = links::Session::begin(home);
    let offers = [session.offer("corp"), session.offer("corp")];
    stopped.just_before(60);
    home.get(&offers[0]).page(200);
    session.confirm(&offers[0]).page(200);
    stopped.at(60);
    home.get(&offers[1]).page(410);
    session.confirm(&offers[1]).page(410);
}

fn c3_26_unlinking_needs_an_authentication_of_the_last_ten_minutes(backend: Backend) {
    let stopped = Stopped::start(backend);
    let (home, person) = (&stopped.home, stopped.person());
    let pair = home.signed_in("corp", &person);
    let path = format!("/auth/identities/{}", home.identities(&pair)[0]["id"].as_str().unwrap());
    let start = || home.tell("POST", "/auth/providers/plain/link", &pair.access, &json!({"redirect_uri": BACK}));
    stopped.at(600);
    home.ask("DELETE", &path, &pair.access).conflict("last_sign_in_method");
    start().expect(200);
    stopped.at(601);
    assert_eq!(home.ask("DELETE", &path, &pair.access).step_up()["max_age"], 600);
    start().step_up();
    // A sign-in with a provider is an authentication.
    let pair = home.signed_in("corp", &person);
    home.ask("DELETE", &path, &pair.access).conflict("last_sign_in_method");
}
