//! Attacks on the limits of one account, in any order: with many sources, cookies of an old password, a
//! stolen cookie, a stolen access token, and emails requested by attackers. The owner gets in within a
//! few attempts by each promised way, and the wrong passwords checked for attackers stay below a daily
//! bound.

use crate::mail_fixtures::{entered, leave_of, new_password, reset_of, token_in};
use crate::world::{World, at, login};
use chrono::{DateTime, TimeDelta, Utc};
use portcullis_domain::ErrorCode;
use portcullis_domain::limits::{Budget, Gcra, Rule, SlidingWindow};
use portcullis_domain::registration::EmailAddress;
use portcullis_ports::Clock;
use portcullis_usecases::limits::{RateLimited, Rules};
use portcullis_usecases::login::{LogInError, LoggedIn, ReauthenticationError};
use portcullis_usecases::mail::{DeliveryOutcome, RequestLinkError};
use portcullis_usecases::recovery::{ChangePassword, ChangePasswordError, PasswordChange};
use portcullis_usecases::tokens::Authenticated;
use portcullis_usecases::verification::{EmailChangeRequest, RequestEmailChange};
use portcullis_usecases::{Caller, Counted, Reason, UseCaseError};
use proptest::prelude::*;
use std::num::NonZeroU32;
use std::time::Duration;

const ADA: &str = "ada@example.org";
/// Ada's password when the attackers knew it, and her current one.
const OLD: &str = "old battery";
const NOW: &str = "correct horse";
/// Address from which Ada has logged in, and one from which she has not.
const HOME: &str = "192.0.2.1";
const HOTEL: &str = "198.51.100.1";
/// Number of the attackers' sources and old cookies.
const SOURCES: u8 = 6;
/// Wrong passwords in a day from all devices, plus the waits after them: 1, 2, 4 … minutes, for unknown
/// and for known devices.
const CEILING: usize = 100 + 2 * 11;

fn rules() -> Rules {
    let some = |n| NonZeroU32::new(n).unwrap();
    let relenting = |n, hours_or_less| SlidingWindow::new(some(n), hours_or_less).with_backoff(Duration::from_mins(1));
    Rules {
        account: Rule::SlidingWindow(relenting(10, Duration::from_mins(15))),
        account_day: Rule::SlidingWindow(relenting(100, Duration::from_hours(24))),
        device: Rule::SlidingWindow(relenting(10, Duration::from_mins(15))),
        source: Rule::Gcra(Gcra::new(some(300), Duration::from_mins(5), some(101))),
        mail: Rule::SlidingWindow(SlidingWindow::new(some(3), Duration::from_hours(1))),
        refresh: Rule::Gcra(Gcra::new(some(120), Duration::from_mins(5), some(61))),
        dead_refresh: Rule::Gcra(Gcra::new(some(1), Duration::from_secs(30), some(5))),
        second_factor: Rule::SlidingWindow(relenting(5, Duration::from_hours(1))),
        second_factor_day: Rule::SlidingWindow(relenting(50, Duration::from_hours(24))),
    }
}

/// Cookie that an attacker sends with a wrong password.
#[derive(Debug, Clone, Copy)]
enum Cookie {
    None,
    Forged,
    /// Cookie of a login before the password was changed.
    Old(u8),
    /// Copy of the cookie of another device of Ada's.
    Stolen,
}

#[derive(Debug, Clone, Copy)]
enum Place {
    LogIn,
    ChangePassword,
    ChangeEmail,
    Leave,
}

#[derive(Debug, Clone, Copy)]
enum Move {
    Guess { source: u8, cookie: Cookie, place: Place, times: u8 },
    AskForMail { source: u8, times: u8 },
    Pass { minutes: u16 },
}

fn moves(steals: bool) -> impl Strategy<Value = Vec<Move>> {
    let stolen = if steals { Cookie::Stolen } else { Cookie::Forged };
    let cookie = prop_oneof![
        3 => Just(Cookie::None), 1 => Just(Cookie::Forged), 2 => (0..SOURCES).prop_map(Cookie::Old), 1 => Just(stolen)
    ];
    let place = prop_oneof![
        6 => Just(Place::LogIn),
        2 => Just(Place::ChangePassword), 1 => Just(Place::ChangeEmail), 1 => Just(Place::Leave)
    ];
    let guess = (0..SOURCES, cookie, place, 1_u8..15);
    let guess = guess.prop_map(|(source, cookie, place, times)| Move::Guess { source, cookie, place, times });
    let one = prop_oneof![
        8 => guess,
        1 => (0..SOURCES, 1_u8..5).prop_map(|(source, times)| Move::AskForMail { source, times }),
        3 => (0_u16..90).prop_map(|minutes| Move::Pass { minutes }),
    ];
    prop::collection::vec(one, 1..60)
}

struct Siege {
    world: World,
    /// Cookie of Ada's own device.
    own: String,
    old: Vec<String>,
    stolen: String,
    /// Identity of a stolen access token.
    thief: Authenticated,
    /// Times at which wrong passwords were checked.
    checked: Vec<DateTime<Utc>>,
}

impl Siege {
    fn begin() -> Self {
        let world = World::limited(rules());
        world.register(ADA, OLD).unwrap();
        let old = (0..SOURCES).map(|source| enter(&world, OLD, &attacker(source), None).unwrap().cookie).collect();
        let pair = enter(&world, OLD, HOME, None).unwrap().pair;
        let ada = world.authenticate(&pair.access_token).unwrap();
        change(&world, ada, (OLD, NOW), HOME, None).unwrap();
        let own = enter(&world, NOW, HOME, None).unwrap().cookie;
        let LoggedIn { pair, cookie: stolen, .. } = enter(&world, NOW, "192.0.2.2", None).unwrap();
        let thief = world.authenticate(&pair.access_token).unwrap();
        world.deliver();
        Self { world, own, old, stolen, thief, checked: Vec::new() }
    }

    fn play(&mut self, step: Move) {
        match step {
            Move::Guess { source, cookie, place, times } => {
                (0..times).for_each(|_| self.guess(&attacker(source), cookie, place));
            }
            Move::AskForMail { source, times } => (0..times).for_each(|_| self.ask_for_mail(&attacker(source))),
            Move::Pass { minutes } => self.world.pass(TimeDelta::minutes(minutes.into())),
        }
    }

    fn guess(&mut self, source: &str, cookie: Cookie, place: Place) {
        let cookie = match cookie {
            Cookie::None => None,
            Cookie::Forged => Some(self.own.replace('a', "b")),
            Cookie::Old(number) => self.old.get(usize::from(number)).cloned(),
            Cookie::Stolen => Some(self.stolen.clone()),
        };
        let (world, thief) = (&self.world, self.thief.clone());
        let wrong = match place {
            Place::LogIn => is_wrong(&enter(world, "wrong", source, cookie)),
            Place::ChangePassword => is_wrong(&change(world, thief, ("wrong", "thief's own"), source, cookie)),
            Place::ChangeEmail => is_wrong(&change_email(world, thief, ("wrong", "thief@example.net"), source, cookie)),
            Place::Leave => is_wrong(&world.leaving().run(&leave_of(thief, "wrong"), &on(cookie, source))),
        };
        if wrong {
            self.checked.push(self.world.clock.now());
        }
    }

    fn ask_for_mail(&self, source: &str) {
        drop(self.world.resend(ADA));
        drop(self.world.forgot(ADA));
        drop(change_email(&self.world, self.thief.clone(), ("wrong", ADA), source, None));
    }

    /// All attackers try everything.
    fn poll(&mut self) {
        for source in 0..SOURCES {
            self.guess(&attacker(source), Cookie::None, Place::LogIn);
            self.guess(&attacker(source), Cookie::Old(source), Place::ChangePassword);
        }
    }

    /// Ada waits for `retry_after`, while the attackers go on.
    fn wait(&mut self, limited: &RateLimited) {
        self.poll();
        self.world.pass(TimeDelta::from_std(limited.retry_after).unwrap());
        self.poll();
    }

    /// Ada gets in on her own device, within one wait.
    fn owner_by_device(&mut self, address: &str) -> Result<(), LogInError> {
        match enter(&self.world, NOW, address, Some(self.own.clone())) {
            Err(LogInError::Limited(limited)) => {
                assert!(limited.retry_after <= Duration::from_mins(1), "{limited:?}");
                self.wait(&limited);
                enter(&self.world, NOW, address, Some(self.own.clone())).map(drop)
            }
            outcome => outcome.map(drop),
        }
    }

    /// Ada gets a link, sets a password from a hotel, and gets in with and without its cookie.
    fn owner_by_mail(&mut self) {
        let mut links = self.links();
        while links.is_empty() {
            match self.world.forgot(ADA) {
                Err(RequestLinkError::Limited(limited)) => self.wait(&limited),
                outcome => outcome.unwrap(),
            }
            links = self.links();
        }
        let token = token_in(&links.pop().unwrap());
        let cookie = self.world.resetting().run(&reset_of(&token, "new staple"), &at(HOTEL)).unwrap().cookie;
        enter(&self.world, "new staple", HOTEL, None).unwrap();
        self.poll();
        enter(&self.world, "new staple", "203.0.113.9", Some(cookie)).unwrap();
    }

    /// Returns the valid reset links, oldest first.
    fn links(&self) -> Vec<String> {
        let delivery = self.world.delivery();
        while delivery.deliver_next().unwrap() != DeliveryOutcome::Idle {}
        let sent = std::mem::take(&mut *self.world.mailbox.sent.lock().unwrap());
        let links = sent.into_iter().map(|mail| mail.text);
        links.filter(|text| text.contains("/r?") && self.world.inspect(&token_in(text)).is_some()).collect()
    }

    fn most_checked_in_a_day(&self) -> usize {
        let day = TimeDelta::hours(24);
        let within = |start: &DateTime<Utc>| {
            self.checked.iter().filter(|time| **time >= *start && **time - *start < day).count()
        };
        self.checked.iter().map(within).max().unwrap_or_default()
    }
}

/// Returns whether a password was checked and found wrong.
fn is_wrong<T, R: Reason>(outcome: &Result<T, UseCaseError<R>>) -> bool {
    outcome.as_ref().is_err_and(|error| error.code() == ErrorCode::InvalidCredentials)
}

fn on(device: Option<String>, address: &str) -> Caller {
    Caller { device, ..at(address) }
}

fn attacker(source: u8) -> String {
    format!("203.0.113.{}", 100 + u16::from(source))
}

fn enter(world: &World, password: &str, address: &str, device: Option<String>) -> Result<LoggedIn, LogInError> {
    world.verb().run(&login(ADA, password), &on(device, address))
}

fn change(
    world: &World,
    owner: Authenticated,
    (current, new): (&str, &str),
    address: &str,
    device: Option<String>,
) -> Result<String, ChangePasswordError> {
    let (screening, outbox, clock) = (world.screening.clone(), world.outbox.clone(), world.clock.clone());
    let input = PasswordChange { owner, current: entered(current), new: new_password(new) };
    let verb = ChangePassword { reauthentication: world.owners(), screening, outbox, clock };
    verb.run(&input, &on(device, address)).map(|changed| changed.cookie)
}

fn change_email(
    world: &World,
    owner: Authenticated,
    (password, new_email): (&str, &str),
    address: &str,
    device: Option<String>,
) -> Result<(), ReauthenticationError> {
    let (tokens, outbox, clock) = (world.one_time.clone(), world.outbox.clone(), world.clock.clone());
    let (password, new_email) = (entered(password), EmailAddress::parse(new_email).unwrap());
    let verb = RequestEmailChange { reauthentication: world.owners(), tokens, outbox, clock };
    verb.run(&EmailChangeRequest { owner, password, new_email }, &on(device, address)).map(drop)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn an_owner_gets_in_whatever_strangers_do(moves in moves(false)) {
        let mut siege = Siege::begin();
        moves.into_iter().for_each(|step| siege.play(step));
        // From a known source, at once: without a cookie and with one.
        prop_assert!(enter(&siege.world, NOW, HOME, None).is_ok());
        prop_assert!(enter(&siege.world, NOW, HOME, Some(siege.own.clone())).is_ok());
        prop_assert!(change_email(&siege.world, siege.thief.clone(), (NOW, "ada@example.com"), HOME, None).is_ok());
        // On her own device anywhere.
        prop_assert!(siege.owner_by_device(HOTEL).is_ok());
        prop_assert!(siege.most_checked_in_a_day() <= CEILING, "{}", siege.most_checked_in_a_day());
        siege.owner_by_mail();
    }

    #[test]
    fn an_owner_gets_in_whatever_thieves_of_a_device_do(moves in moves(true)) {
        let mut siege = Siege::begin();
        moves.into_iter().for_each(|step| siege.play(step));
        prop_assert!(enter(&siege.world, NOW, HOME, None).is_ok());
        prop_assert!(enter(&siege.world, NOW, HOME, Some(siege.own.clone())).is_ok());
        prop_assert!(siege.most_checked_in_a_day() <= CEILING, "{}", siege.most_checked_in_a_day());
        siege.owner_by_mail();
    }

    /// Ada is on an unknown device. Each source backs off separately until a ceiling is reached.
    #[test]
    fn an_owner_somewhere_new_gets_in_within_a_wait(moves in moves(false)) {
        let mut siege = Siege::begin();
        moves.into_iter().for_each(|step| siege.play(step));
        siege.poll();
        let mut tries = 0;
        loop {
            match enter(&siege.world, NOW, HOTEL, None) {
                Ok(_) => break,
                Err(LogInError::Limited(limited)) if limited.budget == Budget::AccountDay => break siege.owner_by_mail(),
                Err(LogInError::Limited(limited)) => siege.wait(&limited),
                Err(error) => prop_assert!(false, "{error}"),
            }
            tries += 1;
            prop_assert!(tries <= 2);
        }
    }
}

/// Cookies and sources are valid for one password only.
#[test]
fn old_password_cookies_and_sources_count_as_unknown() {
    let mut siege = Siege::begin();
    let work = || siege.world.hasher.work.load(std::sync::atomic::Ordering::SeqCst);
    let (cookies, before) = (siege.old.clone(), work());
    for cookie in &cookies {
        for _ in 0..10 {
            drop(enter(&siege.world, "wrong", &attacker(0), Some(cookie.clone())));
        }
    }
    assert_eq!(work() - before, 10, "the budget of strangers, and no hash past it");
    let limited = |address: &str| match enter(&siege.world, NOW, address, None) {
        Err(LogInError::Limited(limited)) => Some(limited.budget),
        _ => None,
    };
    assert_eq!(limited(&attacker(0)), Some(Budget::Account));
    assert_eq!(limited(&attacker(3)), Some(Budget::Account), "it signed in with the old password alone");
    assert_eq!(limited(HOME), None);
    siege.poll();
    assert!(enter(&siege.world, NOW, HOTEL, Some(siege.own.clone())).is_ok());
}

#[test]
fn all_devices_together_have_a_hundred_guesses_a_day() {
    let siege = Siege::begin();
    let cookies: Vec<_> = (0..40).map(|_| enter(&siege.world, NOW, HOTEL, None).unwrap().cookie).collect();
    let wrong = |cookie: &String, source| enter(&siege.world, "wrong", &attacker(source), Some(cookie.clone()));
    let outcomes = cookies.iter().flat_map(|cookie| (0..10).map(move |number| wrong(cookie, number % SOURCES)));
    let checked = outcomes.filter(is_wrong).count();
    assert_eq!(checked, 100);
    let refused = enter(&siege.world, NOW, "203.0.113.9", Some(siege.own.clone()));
    assert!(matches!(refused, Err(LogInError::Limited(limited)) if limited.budget == Budget::AccountDay));
    assert!(enter(&siege.world, NOW, HOME, Some(siege.own.clone())).is_ok(), "a known source passes");
}

#[test]
fn a_new_password_leaves_the_device_that_set_it_known() {
    let siege = Siege::begin();
    let spend = || (0..11).for_each(|_| drop(enter(&siege.world, "wrong", &attacker(0), None)));
    spend();
    // The device has its own budget there too.
    let cookie =
        change(&siege.world, siege.thief.clone(), (NOW, "new staple"), HOTEL, Some(siege.own.clone())).unwrap();
    spend();
    assert!(enter(&siege.world, "new staple", HOTEL, Some(cookie)).is_ok());
    let old = enter(&siege.world, "new staple", "203.0.113.9", Some(siege.own.clone()));
    assert!(matches!(old, Err(LogInError::Limited(limited)) if limited.budget == Budget::Account));
}
