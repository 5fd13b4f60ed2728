//! How long challenges live. The service runs under a clock that stands still where the test puts it.

use super::*;
use crate::harness::shim::Shim;

on_both_databases!(c2_17_a_challenge_lives_for_five_minutes);

fn c2_17_a_challenge_lives_for_five_minutes(backend: Backend) {
    let (shim, now) = (Shim::new(), unix_now());
    shim.stop_at(now, 0);
    let service = shim.under(backend.service().with_passkeys()).start();
    let mut holder = Holder::new(&service);
    for (issued, second, nanos, is_accepted) in [(0, 299, 999_999_999, true), (300, 600, 0, false)] {
        shim.stop_at(now + issued, 0);
        let challenges = USES.map(|of| holder.options(of)["challenge"].clone());
        shim.stop_at(now + second, nanos);
        for (to, challenge) in USES.into_iter().zip(&challenges) {
            let credential = holder.respond(to, challenge, |_| {});
            let fault = (!is_accepted).then_some("challenge_expired");
            to.expect(&holder.send(to, &credential), fault, second);
        }
    }
    // One from the future is no challenge; clocks of replicas differ by up to a minute.
    let now = now + 600;
    for (ahead, fault) in [(60, None), (61, Some("challenge"))] {
        shim.stop_at(now + ahead, 0);
        let challenges = [Register, LogIn].map(|of| holder.options(of)["challenge"].clone());
        shim.stop_at(now, 0);
        for (to, challenge) in [Register, LogIn].into_iter().zip(&challenges) {
            let credential = holder.respond(to, challenge, |_| {});
            to.expect(&holder.send(to, &credential), fault, ahead);
        }
    }
}
