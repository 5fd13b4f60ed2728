//! The mailer against mail servers: a real one that works correctly or fails on request, and bare
//! sockets that behave worse.

#![expect(clippy::panic, clippy::unwrap_used, reason = "a failed step fails the test")]

mod delivery;
mod faults;
mod limits;
mod tls;

use chrono::DateTime;
use portcullis_domain::mail::{Language, RenderedMail};
use portcullis_domain::registration::EmailAddress;
use portcullis_lettre::{Sender, SmtpMailer, SmtpUrl, TimeLimits, TrustRoots};
use portcullis_ports::MailerError;
use portcullis_testkit::RunningClock;
use portcullis_testkit::smtp::Server;
use std::sync::Arc;
use std::time::Duration;

/// Short timeouts: only tests that hang on purpose reach them.
const LIMITS: TimeLimits = TimeLimits {
    connect: Duration::from_secs(5),
    greeting: Duration::from_secs(20),
    command: Duration::from_secs(20),
    total: Duration::from_secs(60),
    idle: Duration::from_secs(30),
};

fn clock() -> Arc<RunningClock> {
    Arc::new(RunningClock::start())
}

fn mailer(url: &str, authorities: &TrustRoots, limits: TimeLimits) -> SmtpMailer {
    let from = Sender::parse("Zugänge <no-reply@example.org>").unwrap();
    SmtpMailer::new(SmtpUrl::parse(url).unwrap(), from, authorities.clone(), limits, clock())
}

/// Creates a mailer to a server whose certificate it trusts.
fn to(server: &Server) -> SmtpMailer {
    mailer(&server.url(), &trusting(server), LIMITS)
}

fn trusting(server: &Server) -> TrustRoots {
    TrustRoots::One(std::fs::read(server.authority()).unwrap())
}

fn mail(number: u32) -> RenderedMail {
    mail_to("Ada@example.org", number)
}

fn mail_to(address: &str, number: u32) -> RenderedMail {
    RenderedMail {
        id: format!("{number:032x}"),
        to: EmailAddress::from_stored(address.to_owned()),
        language: Language::German,
        date: DateTime::from_timestamp(1_795_000_000, 0).unwrap(),
        subject: "Grüße".to_owned(),
        text: ".Hallo\n\n..\n.\nhttps://auth.example.org/x\n".to_owned(),
        html: "<p>Grüße</p>\n".to_owned(),
    }
}

fn unavailable(result: Result<(), MailerError>) -> String {
    match result {
        Err(MailerError::Unavailable(reason)) => reason,
        other => panic!("{other:?}"),
    }
}
