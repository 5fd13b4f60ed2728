//! F18: the service is killed while it sends emails, several replicas send concurrently, or the mail server
//! is unavailable.

use crate::prelude::*;
use portcullis_testkit::smtp::{Fault, Received, Server, Step, TlsMode};
use std::collections::{BTreeMap, BTreeSet};

on_both_databases!(
    emails_survive_kills_and_are_sent_at_most_twice,
    a_mail_server_that_is_away_delays_mails_and_no_request,
);

const PASSWORD: &str = "correct horse battery";

/// Counts the copies of each email by `Message-ID`, per email address.
fn copies(mails: &[Received]) -> BTreeMap<String, BTreeMap<String, usize>> {
    let mut copies = BTreeMap::<_, BTreeMap<_, _>>::new();
    for mail in mails {
        let [to] = &mail.to[..] else { panic!("{:?}", mail.to) };
        let id = mail.header("Message-ID").unwrap().to_owned();
        *copies.entry(to.clone()).or_default().entry(id).or_default() += 1;
    }
    copies
}

/// Checks that each account got its one email, at most `most` times.
fn expect_complete(database: &Database, mails: &[Received], most: usize) {
    let copies = copies(mails);
    let accounts: BTreeSet<_> = database.texts("email", "FROM users").into_iter().collect();
    assert_eq!(copies.keys().cloned().collect::<BTreeSet<_>>(), accounts, "accounts without a mail, or the other way");
    for (account, mails) in copies {
        assert_eq!(mails.len(), 1, "{account} has got different mails");
        assert!(mails.values().all(|count| *count <= most), "{account} has got {mails:?}");
    }
}

/// Registers accounts with four concurrent clients until `until` returns or the service is gone.
fn register_while(service: &Service, until: impl FnOnce()) {
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    let body = serde_json::json!({"email": fresh_email(), "password": PASSWORD});
                    if service.call("POST", "/auth/register").json(&body).attempt().is_err() {
                        break;
                    }
                }
            });
        }
        until();
        stop.store(true, Ordering::Relaxed);
    });
}

fn emails_survive_kills_and_are_sent_at_most_twice(backend: Backend) {
    let server = Server::start(TlsMode::StartTls);
    // The server accepts an email shortly before the service learns of it. The kills should hit that window.
    server.fail(Step::Answer, Fault::Slow(20));
    let mut service = backend.service().mailing(&server).start();
    let rounds = if long_form() { 50 } else { 8 };
    for round in 0..rounds {
        let sent = server.mails().len();
        register_while(&service, || {
            drop(server.wait_for(sent + 3 + round * 7 % 20));
            service.kill();
        });
        // Claimed emails stay claimed by the dead process for now. Making none due limits each to one
        // interruption.
        service.database.make_mails_due(false);
        service = service.again().mailing(&server).start();
    }
    service.kill();
    service.database.make_mails_due(true);
    service = service.again().mailing(&server).start();
    service.database.wait_for_empty_outbox();
    let mails = server.mails();
    expect_complete(&service.database, &mails, 2);
    let twice = copies(&mails).values().flat_map(BTreeMap::values).filter(|count| **count == 2).count();
    assert!(twice > 0, "no kill fell between a mail and its receipt");
}

#[test]
fn two_replicas_send_each_of_a_thousand_mails_once() {
    const MAILS: usize = 1_000;
    let server = Server::start(TlsMode::StartTls);
    let database = Backend::Postgres.database();
    let replicas = [
        ServiceBuilder::over(&database).mailing(&server).start(),
        ServiceBuilder::over(&database).mailing(&server).start(),
    ];
    std::thread::scope(|scope| {
        for client in 0..8 {
            let service = &replicas[client % 2];
            scope.spawn(|| (0..MAILS / 8).for_each(|_| drop(service.register(&fresh_email(), PASSWORD).expect(201))));
        }
    });
    let received = server.wait_for(MAILS);
    database.wait_for_empty_outbox();
    assert_eq!(server.mails().len(), MAILS);
    expect_complete(&database, &received, 1);
    for replica in &replicas {
        let sent = replica.flushed_log().events().iter().filter(|event| event["message"] == "Mail sent").count();
        assert!(sent > MAILS / 10, "a replica sent {sent} alone");
    }
}

fn a_mail_server_that_is_away_delays_mails_and_no_request(backend: Backend) {
    let server = Server::start(TlsMode::StartTls);
    let service = backend.service().mailing(&server).start();
    let register = || {
        let (time, reply) = timed(|| service.register(&fresh_email(), PASSWORD));
        reply.expect(201);
        time
    };
    let median = |mut times: Vec<Duration>| {
        times.sort_unstable();
        times[times.len() / 2]
    };
    let before = median((0..30).map(|_| register()).collect());
    drop(server.wait_for(30));
    server.close();
    // Connections that the service keeps open fail as well.
    server.fail(Step::Sender, Fault::Drop);
    let during: Vec<_> = (0..30).map(|_| register()).collect();
    eventually("the circuit opens", || (service.mail_state().2 == "open").then_some(()));
    let away = median((0..30).map(|_| register()).chain(during).collect());
    assert!(away < 3 * before + Duration::from_millis(50), "{before:?} before, {away:?} meanwhile");
    let (status, check, _) = service.mail_state();
    assert_eq!((status, check), (200, json!({"status": "degraded"})));
    assert_eq!(service.database.count("FROM outbox WHERE dead_at IS NULL"), 60, "every mail is kept");
    let tried = service.flushed_log().events().iter().filter(|event| event["message"] == "Mail not sent yet").count();
    assert!(tried < 30, "{tried} tries of a server that is away");
    server.clear_faults();
    server.open();
    // Skips the backoff of one minute after the first attempts.
    service.database.make_mails_due(true);
    service.database.wait_for_empty_outbox();
    let received = server.wait_for(90);
    assert_eq!(received.len(), 90);
    expect_complete(&service.database, &received, 1);
    eventually("the circuit closes", || (service.mail_state().2 == "closed").then_some(()));
}
