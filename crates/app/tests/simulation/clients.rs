//! Clients and their next requests: owners, who retry, repeat requests and send old tokens, and thieves, who
//! send the tokens of others.

use crate::request::{Answer, Request};
use crate::rng::SeededRng;
use crate::rows::EMAILS;

/// Number of clients. Some share an email address, which one of them wins.
pub(crate) const CLIENTS: usize = 5;

/// Everything clients were sent so far, in order.
#[derive(Default)]
pub(crate) struct ClientHistory {
    pub(crate) pairs: Vec<Pair>,
}

/// Token pair and the client that received it.
#[derive(Clone)]
pub(crate) struct Pair {
    pub(crate) client: usize,
    pub(crate) access: String,
    pub(crate) refresh: String,
}

/// Returns the email address that a client considers its own.
pub(crate) fn email(client: usize) -> &'static str {
    EMAILS[client % EMAILS.len()]
}

pub(crate) fn password(client: usize) -> String {
    format!("password-{client}")
}

/// Chooses a client's next request. After an uncertain outcome it often repeats the last one.
pub(crate) fn next(client: usize, last: Option<&(Request, Answer)>, told: &ClientHistory, dice: &SeededRng) -> Request {
    match last {
        Some((_, Answer::SecondFactorDue(token))) if dice.chance(80) => {
            return Request::Verify { token: token.clone() };
        }
        // While the login is recent.
        Some((Request::LogIn { .. }, Answer::Pair { access, .. })) if dice.chance(50) => {
            return Request::Enrol { token: access.clone() };
        }
        Some((Request::Enrol { token }, Answer::Enrolled)) if dice.chance(50) => {
            return Request::Remove { token: token.clone() };
        }
        Some((request, answer)) if answer.is_open() && dice.chance(50) => return request.clone(),
        Some((request, _)) if dice.chance(5) => return request.clone(),
        _ => {}
    }
    let (own, own_password) = (email(client).to_owned(), password(client));
    let weights = if told.pairs.is_empty() { [20, 70, 3, 0, 3, 4, 0, 0] } else { [4, 20, 45, 8, 23, 5, 12, 2] };
    match dice.weighted(&weights) {
        0 => Request::Register { email: own, password: own_password },
        1 => log_in(client, own, own_password, dice),
        2 => Request::Refresh { token: refresh_token(client, told, dice) },
        3 => Request::LogOut { token: refresh_token(client, told, dice) },
        4 => Request::Authenticate { token: access_token(client, told, dice) },
        5 => Request::Readiness,
        // The newest pair, whose login is recent.
        6 => Request::Enrol { token: told.pairs.last().map_or_else(String::new, |pair| pair.access.clone()) },
        _ => Request::Remove { token: access_token(client, told, dice) },
    }
}

fn log_in(client: usize, own: String, password: String, dice: &SeededRng) -> Request {
    let coded = dice.chance(50);
    let (email, password) = match dice.below(10) {
        0 => (own, "password-wrong".to_owned()),
        1 => (email(client + 1).to_owned(), password),
        2 => ("nobody@example.org".to_owned(), password),
        3 => (own.to_ascii_uppercase(), password),
        _ => (own, password),
    };
    Request::LogIn { email, password, coded }
}

/// Chooses a pair: usually the client's newest, sometimes an older one or another client's.
fn pair<'a>(client: usize, told: &'a ClientHistory, dice: &SeededRng) -> Option<&'a Pair> {
    let own: Vec<&Pair> = told.pairs.iter().filter(|pair| pair.client == client).collect();
    let any: Vec<&Pair> = told.pairs.iter().collect();
    let some = |pairs: &[&'a Pair]| (!pairs.is_empty()).then(|| dice.pick(pairs));
    let chosen = match dice.below(20) {
        0..13 => own.last().copied(),
        13..16 => some(&own),
        16 | 17 => any.last().copied(),
        _ => some(&any),
    };
    chosen.or_else(|| some(&any))
}

fn refresh_token(client: usize, told: &ClientHistory, dice: &SeededRng) -> String {
    match pair(client, told, dice) {
        Some(pair) if dice.chance(3) => pair.access.clone(),
        Some(pair) if dice.chance(3) => forged(&pair.refresh),
        Some(pair) => pair.refresh.clone(),
        None => "garbage".to_owned(),
    }
}

fn access_token(client: usize, told: &ClientHistory, dice: &SeededRng) -> String {
    match pair(client, told, dice) {
        Some(pair) if dice.chance(5) => pair.refresh.clone(),
        Some(pair) if dice.chance(5) => forged(&pair.access),
        Some(pair) => pair.access.clone(),
        None => String::new(),
    }
}

/// Returns the token with a different signature.
fn forged(token: &str) -> String {
    let (signed, signature) = token.rsplit_once('.').unwrap();
    format!("{signed}.{}", signature.chars().rev().collect::<String>())
}
