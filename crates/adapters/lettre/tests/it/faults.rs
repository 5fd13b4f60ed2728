//! Faults of a mail server, and the errors that the sender gets.

use super::{LIMITS, mail, mailer, to, trusting, unavailable};
use portcullis_ports::{Mailer, MailerError};
use portcullis_testkit::smtp::{Fault, Server, Step, TlsMode, USERINFO};

#[test]
fn each_refusal_is_classified_and_reported_by_code_only() {
    let server = Server::start(TlsMode::Clear);
    let mailer = to(&server);
    let text = "<Ada@example.org> marker";
    let deferred = |told: &str| Err(MailerError::Deferred(told.to_owned()));
    let refused = |told: &str| Err(MailerError::Refused(told.to_owned()));
    let unavailable = |told: &str| Err(MailerError::Unavailable(told.to_owned()));
    for (step, reply, told) in [
        (Step::Recipient, "450 4.2.0", deferred("450 4.2.0 while naming the recipient")),
        (Step::Recipient, "550 5.1.1", refused("550 5.1.1 while naming the recipient")),
        (Step::Recipient, "530 5.7.0", unavailable("530 5.7.0 while naming the recipient")),
        (Step::Content, "451 4.3.0", deferred("451 4.3.0 while sending the mail")),
        (Step::Content, "554 5.7.1", refused("554 5.7.1 while sending the mail")),
        (Step::Content, "421 4.3.2", unavailable("421 4.3.2 while sending the mail")),
        (Step::Sender, "451", unavailable("451 while naming the sender")),
        (Step::Sender, "550 5.7.1", unavailable("550 5.7.1 while naming the sender")),
    ] {
        server.fail_times(step, Fault::Reply(&format!("{reply} {text}")), 1);
        assert_eq!(mailer.send(&mail(1)), told, "{step:?} {reply}");
    }
    assert!(server.mails().is_empty());
    mailer.send(&mail(2)).unwrap();
}

#[test]
fn a_wrong_password_is_an_outage_and_not_said() {
    for mode in [TlsMode::StartTls, TlsMode::Tls, TlsMode::Clear] {
        let server = Server::start(mode);
        let url = server.url().replace(USERINFO, "portcullis:marker");
        let reason = unavailable(mailer(&url, &trusting(&server), LIMITS).send(&mail(1)));
        assert_eq!(reason, "535 5.7.8 while logging in", "{mode:?}");
        assert!(server.mails().is_empty());
    }
}

#[test]
fn a_server_that_is_not_there_is_an_outage_until_it_is() {
    let server = Server::start(TlsMode::StartTls);
    let mailer = to(&server);
    server.close();
    assert_eq!(unavailable(mailer.send(&mail(1))), "connection refused while connecting");
    server.open();
    mailer.send(&mail(1)).unwrap();
    assert_eq!(server.wait_for(1).len(), 1);
}

#[test]
fn a_connection_that_breaks_within_a_mail_is_an_outage() {
    let server = Server::start(TlsMode::StartTls);
    let mailer = to(&server);
    for step in [Step::Recipient, Step::Content, Step::Answer] {
        server.fail_times(step, Fault::Drop, 1);
        let reason = unavailable(mailer.send(&mail(1)));
        assert!(reason.contains(" while "), "{reason}");
        server.clear_faults();
    }
    assert_eq!(server.wait_for(1).len(), 1, "whose answer was lost, and nobody knows");
    mailer.send(&mail(2)).unwrap();
}

#[test]
fn a_host_that_is_none_is_an_outage_and_not_told() {
    let mailer = mailer("smtp://u:p@marker.invalid:25", &portcullis_lettre::TrustRoots::System, LIMITS);
    let reason = unavailable(mailer.send(&mail(1)));
    assert!(reason.ends_with(" while connecting") && !reason.contains("marker"), "{reason}");
}
