//! Delivered emails and the connections that they use.

use super::{LIMITS, mail, mail_to, mailer, to, trusting};
use portcullis_lettre::{Sender, SmtpMailer, SmtpUrl, TrustRoots};
use portcullis_ports::{Mailer, MailerError};
use portcullis_testkit::FixedClock;
use portcullis_testkit::smtp::{Authority, Fault, Server, Step, TlsMode, USER};
use std::sync::Arc;
use std::time::Duration;

#[test]
fn a_mail_arrives_as_it_was_over_each_way_there_is() {
    for mode in [TlsMode::StartTls, TlsMode::Tls, TlsMode::Clear] {
        let server = Server::start(mode);
        to(&server).send(&mail(1)).unwrap();
        let [received] = &server.wait_for(1)[..] else { panic!("{mode:?}") };
        assert_eq!(received.to, ["Ada@example.org"]);
        assert_eq!(received.sender, "no-reply@example.org");
        assert_eq!(received.encrypted, mode != TlsMode::Clear, "{mode:?}");
        assert_eq!(received.user.as_deref(), Some(USER), "{mode:?}");
        assert_eq!(received.subject, "Grüße");
        assert_eq!(received.text, mail(1).text, "dots at the beginning of lines are kept");
        assert_eq!(received.html, mail(1).html);
        assert_eq!(received.header("From"), Some("Zugänge <no-reply@example.org>"));
        assert_eq!(received.header("Message-ID"), Some("<00000000000000000000000000000001@example.org>"));
        assert_eq!(received.header("Auto-Submitted"), Some("auto-generated"));
        assert_eq!(received.link.as_deref(), Some("https://auth.example.org/x"));
    }
}

#[test]
fn one_connection_carries_one_mail_after_another() {
    let server = Server::start(TlsMode::StartTls);
    let mailer = to(&server);
    for number in 0..20 {
        mailer.send(&mail(number)).unwrap();
    }
    assert_eq!((server.wait_for(20).len(), server.connections()), (20, 1));
}

#[test]
fn a_check_signs_in_and_keeps_the_connection_for_the_next_mail() {
    let server = Server::start(TlsMode::StartTls);
    let mailer = to(&server);
    mailer.check().unwrap();
    mailer.send(&mail(1)).unwrap();
    assert_eq!((server.wait_for(1).len(), server.connections()), (1, 1));
    server.close();
    assert!(matches!(to(&server).check(), Err(MailerError::Unavailable(_))));
}

#[test]
fn a_mail_that_is_refused_leaves_the_connection_to_others() {
    let server = Server::start(TlsMode::StartTls);
    let mailer = to(&server);
    server.fail_times(Step::Recipient, Fault::Reply("550 5.1.1 <Ada@example.org> is unknown"), 1);
    assert!(matches!(mailer.send(&mail(1)), Err(MailerError::Refused(_))));
    mailer.send(&mail(2)).unwrap();
    assert_eq!((server.wait_for(1).len(), server.connections()), (1, 1));
}

#[test]
fn a_connection_that_ended_meanwhile_costs_no_mail() {
    let server = Server::start(TlsMode::Tls);
    let mailer = to(&server);
    mailer.send(&mail(1)).unwrap();
    for fault in [Fault::Drop, Fault::Reply("421 4.3.2 closing")] {
        server.fail_times(Step::Sender, fault, 1);
        mailer.send(&mail(2)).unwrap();
    }
    assert_eq!((server.wait_for(3).len(), server.connections()), (3, 3));
}

#[test]
fn a_connection_is_not_kept_for_long() {
    let server = Server::start(TlsMode::Clear);
    let clock = Arc::new(FixedClock::at(chrono::DateTime::UNIX_EPOCH));
    let (url, from) = (SmtpUrl::parse(&server.url()).unwrap(), Sender::parse("a@example.org").unwrap());
    let mailer = SmtpMailer::new(url, from, TrustRoots::System, LIMITS, clock.clone());
    for (wait, connections) in [(0, 1), (30, 1), (31, 2), (1, 2)] {
        clock.advance(Duration::from_secs(wait));
        mailer.send(&mail(1)).unwrap();
        assert_eq!(server.connections(), connections, "after {wait} s");
    }
}

#[test]
fn many_at_once_have_a_connection_each_and_share_them_after() {
    let server = Server::start(TlsMode::StartTls);
    let mailer = to(&server);
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let mailer = &mailer;
            scope.spawn(move || (0..25).for_each(|number| mailer.send(&mail(100 * thread + number)).unwrap()));
        }
    });
    let ids: std::collections::BTreeSet<_> =
        server.wait_for(100).iter().map(|mail| mail.header("Message-ID").unwrap().to_owned()).collect();
    assert_eq!(ids.len(), 100);
    assert!(server.connections() <= 4, "{}", server.connections());
}

#[test]
fn non_ascii_local_part_needs_smtputf8_and_domain_does_not() {
    let certificate = Authority::new().issue(&["localhost"]);
    for international in [true, false] {
        let server = Server::with(TlsMode::StartTls, &certificate, international);
        let mailer = mailer(&server.url(), &trusting(&server), LIMITS);
        mailer.send(&mail_to("ada@bücher.example", 1)).unwrap();
        assert_eq!(server.wait_for(1)[0].to, ["ada@xn--bcher-kva.example"]);
        let result = mailer.send(&mail_to("用户@example.org", 2));
        if international {
            result.unwrap();
            assert_eq!(server.wait_for(2)[1].to, ["用户@example.org"]);
        } else {
            assert!(matches!(&result, Err(MailerError::Refused(why)) if why.contains("SMTPUTF8")), "{result:?}");
            mailer.send(&mail(3)).unwrap();
            assert_eq!(server.connections(), 1);
        }
    }
}
