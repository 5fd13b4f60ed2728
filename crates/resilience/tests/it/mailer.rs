//! Breaker around a mailer: only outages count, and no email is attempted while the circuit is open.

use crate::{RECOVERY, Time};
use chrono::DateTime;
use portcullis_domain::health::CircuitState;
use portcullis_domain::mail::{Language, RenderedMail};
use portcullis_domain::registration::EmailAddress;
use portcullis_ports::{CircuitMonitor, Mailer, MailerError};
use portcullis_resilience::Breaker;
use std::sync::{Arc, Mutex};

/// Mailer that returns prepared results and counts its calls.
#[derive(Default)]
struct Told {
    answers: Mutex<Vec<Result<(), MailerError>>>,
    calls: Mutex<u32>,
}

impl Mailer for Told {
    fn send(&self, _: &RenderedMail) -> Result<(), MailerError> {
        self.check()
    }

    fn check(&self) -> Result<(), MailerError> {
        *self.calls.lock().unwrap() += 1;
        self.answers.lock().unwrap().pop().unwrap_or(Ok(()))
    }
}

struct World {
    time: Time,
    told: Arc<Told>,
    mailer: Breaker<Arc<Told>>,
}

impl World {
    /// Creates a world with these results, in reverse order.
    fn new(answers: Vec<Result<(), MailerError>>) -> Self {
        let (time, told) = (Time::default(), Told { answers: Mutex::new(answers), calls: Mutex::default() });
        let told = Arc::new(told);
        Self { mailer: Breaker::new("mail", told.clone(), time.breaker(2)), time, told }
    }

    fn send(&self) -> Result<(), MailerError> {
        let (to, language) = (EmailAddress::parse("ada@example.org").unwrap(), Language::English);
        let [id, subject, text, html] = ["1", "s", "t", "h"].map(str::to_owned);
        self.mailer.send(&RenderedMail { id, to, language, date: DateTime::UNIX_EPOCH, subject, text, html })
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
    world.time.pass(RECOVERY);
    assert_eq!(world.send(), Ok(()));
    assert_eq!((world.mailer.status().state, world.calls()), (CircuitState::Closed, 3));
}

/// A check detects that the mail server is back even if there is no email to send.
#[test]
fn a_check_closes_the_circuit_as_a_mail_does() {
    let world = World::new(vec![gone(), gone()]);
    assert_eq!((world.mailer.check(), world.send()), (gone(), gone()));
    assert_eq!(world.mailer.check(), Err(MailerError::CircuitOpen { retry_after: RECOVERY }));
    world.time.pass(RECOVERY);
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
