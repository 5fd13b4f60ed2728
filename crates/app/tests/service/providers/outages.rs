//! Providers that are slow, large or down.

use super::*;
use std::time::Duration;

on_both_databases!(
    c3_30_a_slow_provider_delays_no_other_call,
    c3_30_a_slow_provider_delays_no_other_provider,
    c3_30_a_provider_that_is_down_opens_only_its_own_circuit,
);

fn c3_30_a_slow_provider_delays_no_other_call(backend: Backend) {
    let home = Home::alone(backend, |setup| setup);
    let (account, pair) = home.session();
    home.server.set(Fault::Slow(Duration::from_secs(12)));
    let names: Vec<_> = PROVIDERS.iter().map(|(name, _)| *name).filter(|name| *name != "github").collect();
    let own = challenge(VERIFIER);
    let replies = at_once(24, |number| {
        if number % 2 == 0 {
            let (time, reply) = timed(|| home.begin_with(names[number % names.len()], "", &parameters(&own)));
            assert!(time < Duration::from_secs(20), "{time:?}");
            reply.returned_error("provider_unavailable");
            return time;
        }
        let (time, ()) = timed(|| {
            home.me(&pair.access).expect(200);
            home.login(&account.email, &account.password).expect(200);
            home.get("/health/ready").expect(200);
            home.get("/auth/providers").expect(200);
        });
        assert!(time < Duration::from_secs(3), "{time:?}");
        time
    });
    assert_eq!(replies.len(), 24);
}

fn c3_30_a_slow_provider_delays_no_other_provider(backend: Backend) {
    let other = Server::start();
    let home = Home::alone(backend, |setup| setup.set("PROVIDER_PLAIN_ISSUER", &other.issuer("plain")));
    let own = challenge(VERIFIER);
    let tabs: Vec<_> = (0..40).map(|_| home.tab("corp", "")).collect();
    let queries: Vec<_> = tabs.iter().map(|tab| home.server.approve(&tab.url, &Person::fresh())).collect();
    home.server.set(Fault::Slow(Duration::from_secs(12)));
    at_once(48, |number| {
        if let (Some(tab), Some(query)) = (tabs.get(number), queries.get(number)) {
            return tab.back(query).returned_error("provider_unavailable");
        }
        let (time, reply) = timed(|| home.begin_with("plain", "", &parameters(&own)));
        assert!(reply.location().starts_with(&other.issuer("plain")), "{}", reply.location());
        assert!(time < Duration::from_secs(4), "a call to the slow one takes 5 s: {time:?}");
    });
}

fn c3_30_a_provider_that_is_down_opens_only_its_own_circuit(backend: Backend) {
    let other = Server::start();
    let home = Home::alone(backend, |setup| setup.set("PROVIDER_PLAIN_ISSUER", &other.issuer("plain")));
    let healthy = home.get("/health/ready").expect(200);
    assert_eq!((&healthy["status"], &healthy["checks"]["providers"]["status"]), (&json!("ok"), &json!("ok")));
    assert_eq!(healthy["circuits"]["providers"]["state"], "closed");
    home.server.set(Fault::Status(500));
    let start = |name: &str| home.begin_with(name, "", &parameters(&challenge(VERIFIER)));
    let down = PROVIDERS.iter().map(|(name, _)| *name).filter(|name| !matches!(*name, "github" | "plain"));
    down.for_each(|name| start(name).returned_error("provider_unavailable"));
    let ready = home.get("/health/ready").expect(200);
    assert_eq!((&ready["status"], &ready["checks"]["providers"]["status"]), (&json!("degraded"), &json!("degraded")));
    assert_eq!(ready["circuits"]["providers"]["state"], "open");
    // Nothing is sent while it is open, and another server is not affected.
    let before = home.server.requests("GET ");
    start("corp").returned_error("provider_unavailable");
    assert_eq!(home.server.requests("GET "), before);
    assert!(start("plain").location().starts_with(&other.issuer("plain")));
    home.server.set(Fault::None);
    eventually("the provider is back", || {
        start("corp").location().starts_with(&home.server.issuer("corp")).then_some(())
    });
    eventually("the circuit is closed", || {
        let ready = home.get("/health/ready").expect(200);
        (ready["circuits"]["providers"]["state"] == "closed").then_some(())
    });
}
