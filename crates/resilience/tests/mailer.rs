//! Breaker around a mailer: only outages count, and no email is attempted while the circuit is open.

#![cfg(all(not(loom), feature = "ports"))]
#![expect(clippy::unwrap_used, reason = "a failed step fails the test")]

use chrono::DateTime;
use portcullis_domain::health::CircuitState;
use portcullis_domain::mail::{Language, RenderedMail};
use portcullis_domain::registration::EmailAddress;
use portcullis_ports::{CircuitMonitor, Clock, Mailer, MailerError};
use portcullis_resilience::{Breaker, BreakerSettings, CircuitBreaker};
use portcullis_testkit::FixedClock;
use std::sync::{Arc, Mutex};
use std::time::Duration;

const RECOVERY: Duration = Duration::from_secs(30);

/// Mailer that returns prepared results and counts its calls.
#[derive(Default)]
struct Told {
    answers: Mutex<Vec<Result<(), MailerError>>>,
    calls: Mutex<u32>,
}

impl Mailer for Told {
    fn send(&self, _: &RenderedMail) -> Result<(), MailerError> {
        *self.calls.lock().unwrap() += 1;
        self.answers.lock().unwrap().pop().unwrap_or(Ok(()))
    }

    fn check(&self) -> Result<(), MailerError> {
        *self.calls.lock().unwrap() += 1;
        self.answers.lock().unwrap().pop().unwrap_or(Ok(()))
    }
}

struct World {
    clock: Arc<FixedClock>,
    told: Arc<Told>,
    mailer: Breaker<Arc<Told>>,
}

impl World {
    /// Creates a world with these results, in reverse order.
    fn new(answers: Vec<Result<(), MailerError>>) -> Self {
        let clock = Arc::new(FixedClock::at(DateTime::UNIX_EPOCH));
        let time = clock.clone();
        let settings = BreakerSettings::default().with_failure_threshold(2).with_recovery_timeout(RECOVERY);
        let circuit = CircuitBreaker::builder(settings).clock(move || time.monotonic()).build();
        let told = Arc::new(Told { answers: Mutex::new(answers), calls: Mutex::default() });
        Self { clock, mailer: Breaker::new("mail", told.clone(), circuit), told }
    }

    fn send(&self) -> Result<(), MailerError> {
        let text = |text: &str| text.to_owned();
        let to = EmailAddress::parse("ada@example.org").unwrap();
        let (language, date) = (Language::English, DateTime::UNIX_EPOCH);
        self.mailer.send(&RenderedMail {
            id: text("1"),
            to,
            language,
            date,
            subject: text("s"),
            text: text("t"),
            html: text("h"),
        })
    }

    fn calls(&self) -> u32 {
        *self.told.calls.lock().unwrap()
    }
}

fn gone() -> Result<(), MailerError> {
    Err(MailerError::Unavailable("connection refused".to_owned()))
}

#[test]
fn outages_in_a_row_open_it_and_a_probe_closes_it() {
    let world = World::new(vec![gone(), gone()]);
    assert_eq!((world.send(), world.send()), (gone(), gone()));
    assert_eq!(world.send(), Err(MailerError::CircuitOpen { retry_after: RECOVERY }));
    assert_eq!(world.calls(), 2, "the mail server is left alone");
    assert_eq!((world.mailer.status().name, world.mailer.status().state), ("mail", CircuitState::Open));
    world.clock.advance(RECOVERY);
    assert_eq!(world.send(), Ok(()));
    assert_eq!((world.mailer.status().state, world.calls()), (CircuitState::Closed, 3));
}

/// A check detects that the mail server is back even if there is no email to send.
#[test]
fn a_check_closes_the_circuit_as_a_mail_does() {
    let world = World::new(vec![gone(), gone()]);
    assert_eq!((world.mailer.check(), world.send()), (gone(), gone()));
    assert_eq!(world.mailer.check(), Err(MailerError::CircuitOpen { retry_after: RECOVERY }));
    world.clock.advance(RECOVERY);
    assert_eq!(world.mailer.check(), Ok(()));
    assert_eq!((world.mailer.status().state, world.calls()), (CircuitState::Closed, 3));
}

#[test]
fn a_mail_that_is_put_off_or_refused_is_an_answer() {
    let put_off = || Err(MailerError::Deferred("450".to_owned()));
    let refused = || Err(MailerError::Refused("550".to_owned()));
    let world = World::new(vec![gone(), refused(), gone(), put_off(), gone()]);
    let sent: Vec<_> = (0..5).map(|_| world.send()).collect();
    assert_eq!(sent, [gone(), put_off(), gone(), refused(), gone()]);
    assert_eq!(world.mailer.status().state, CircuitState::Closed);
}

#[test]
fn a_call_that_never_left_counts_for_nothing() {
    let open = || Err(MailerError::CircuitOpen { retry_after: RECOVERY });
    let world = World::new(vec![gone(), open(), gone()]);
    let sent: Vec<_> = (0..3).map(|_| world.send()).collect();
    assert_eq!(sent, [gone(), open(), gone()]);
    assert_eq!(world.mailer.status().state, CircuitState::Open);
}
