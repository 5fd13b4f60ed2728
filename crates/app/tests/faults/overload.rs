//! Security requirements P8 and F25: a login storm is bounded. How fast everything else stays
//! meanwhile is measured by `examples/measure_login.rs`.

use crate::harness::databases::Backend;
use crate::harness::on_both_databases;
use std::thread;

on_both_databases!(logins_past_the_queues_bound_get_503_and_the_rest_goes_on,);

/// More than two seconds' worth of hashes at cost 12, on any machine with up to 16 cores.
const CLIENTS: usize = 160;

fn logins_past_the_queues_bound_get_503_and_the_rest_goes_on(backend: Backend) {
    let service = backend.service().set("BCRYPT_COST", "12").start();
    let (account, pair) = service.session();
    let replies: Vec<_> = thread::scope(|scope| {
        let login = |_| scope.spawn(|| service.login(&account.email, &account.password));
        let logins: Vec<_> = (0..CLIENTS).map(login).collect();
        service.log.wait_for(2, |event| event["path"] == "/auth/login" && event["message"] == "Request started");
        assert_eq!(service.get("/health").status, 200);
        service.refresh(&pair.refresh).expect(200);
        service.me(&pair.access).expect(200);
        logins.into_iter().map(|login| login.join().unwrap()).collect()
    });
    let (served, shed): (Vec<_>, Vec<_>) = replies.into_iter().partition(|reply| reply.status == 200);
    assert!(!served.is_empty() && !shed.is_empty(), "{} served, {} shed", served.len(), shed.len());
    for reply in shed {
        reply.expect_unavailable();
    }
    assert_eq!(service.get("/health/ready").expect(200)["circuits"]["database"]["state"], "closed");
    service.sign_in(&account);
}
