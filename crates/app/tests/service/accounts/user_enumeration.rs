//! User enumeration: no response, header or amount of work reveals whether an account exists.

use crate::harness::collector::{Collector, CollectorMode};
use crate::prelude::*;

on_both_databases!(requested_mail_is_the_same_response_and_work_for_all);

fn requested_mail_is_the_same_response_and_work_for_all(backend: Backend) {
    let collector = Collector::start(CollectorMode::Kind);
    let service = backend.service().set("OTEL_EXPORTER_OTLP_ENDPOINT", &collector.url()).start();
    let (known, verified, inactive) = (service.account(), service.verified_account(), service.account());
    service.disable(&inactive);
    let emails = [&fresh_email(), &known.email, &verified.email, &inactive.email];
    for path in ["/auth/password/forgot", "/auth/email/resend"] {
        let mut first = None;
        for email in emails {
            let trace = format!("0af7651916cd43dd8448{:012x}", unique());
            let call = service.call("POST", path).header("traceparent", &format!("00-{trace}-b7ad6b7169203331-01"));
            let reply = call.json(&json!({"email": email})).send();
            reply.expect(202);
            // The steps that take time, such as transactions and hashes, are spans.
            let work = collector.trace(&trace).tree();
            assert!(work.contains("store write"), "{work}");
            let told = (reply.seen(), work);
            assert_eq!(&told, first.get_or_insert_with(|| told.clone()), "{}", reply.request);
        }
    }
}
