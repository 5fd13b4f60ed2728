//! Expected answers to a request by the documented rules, computed from the store's rows and the time the
//! request began.

use crate::request::{Answer, Request};
use crate::rows::{Rows, is_hash};
use crate::signer::Signed;
use crate::world::{Record, State};
use chrono::{DateTime, TimeDelta, Utc};
use portcullis_domain::registration::UserId;
use portcullis_domain::sessions::SessionState;
use portcullis_domain::tokens::RefreshState;

/// Default token lifetimes.
pub(crate) const ACCESS_LIFE: TimeDelta = TimeDelta::minutes(15);
pub(crate) const REFRESH_LIFE: TimeDelta = TimeDelta::days(7);
/// Maximum clock skew between replicas.
const SKEW: TimeDelta = TimeDelta::seconds(60);

/// Returns the answers due to the current request if the store responds. For a token pair, a challenge and a
/// new account only the kind is given. Whether a code is right depends on the time of its check, so both
/// answers are due; what a right one may change is checked by [`Rows::allows`].
pub(crate) fn due(state: &State) -> Vec<Answer> {
    let request = &state.records[&state.client].request;
    let also: &[Answer] = match (request, due_first(state)) {
        (Request::LogIn { email, coded, .. }, Answer::Pair { .. }) if state.rows.has_factor_at(email) => {
            let challenge = Answer::SecondFactorDue(String::new());
            return if *coded { vec![a_pair(), Answer::InvalidCredentials, challenge] } else { vec![challenge] };
        }
        (Request::Verify { token }, _) => return verify(state, token),
        (Request::Enrol { .. }, Answer::Enrolled) => {
            &[Answer::StepUpDue, Answer::NoFactor, Answer::InvalidCredentials, Answer::TooManyFactors]
        }
        (Request::Remove { .. }, Answer::Removed) => &[Answer::StepUpDue, Answer::NoFactor],
        _ => &[],
    };
    [&[due_first(state)], also].concat()
}

/// A challenge is used up by the session that it begins. It is invalid once the hash was replaced.
fn verify(state: &State, token: &str) -> Vec<Answer> {
    let (user, session) = state.challenges[token];
    let revoked = !state.rows.users[&user].is_active || state.rows.sessions.contains_key(&session);
    if revoked { vec![Answer::Revoked] } else { vec![a_pair(), Answer::InvalidCredentials, Answer::Invalid] }
}

fn due_first(state: &State) -> Answer {
    let Record { request, began, .. } = &state.records[&state.client];
    let shown = request.token().map(|token| read(state, token, *began, request));
    match (request, shown) {
        (_, Some(Err(refusal))) => refusal,
        (Request::Register { email, .. }, _) => match state.rows.account(email) {
            Some(_) => Answer::EmailTaken,
            None => Answer::Registered(UserId::new(0)),
        },
        (Request::LogIn { email, password, .. }, _) => log_in(&state.rows, email, password),
        (Request::Refresh { .. }, Some(Ok(shown))) => refresh(&state.rows, shown, *began),
        (Request::LogOut { .. }, _) => Answer::LoggedOut,
        (Request::Authenticate { .. } | Request::Enrol { .. } | Request::Remove { .. }, Some(Ok(shown))) => {
            match state.rows.users.get(&shown.user_id) {
                None => Answer::Invalid,
                Some(user) if !user.is_active => Answer::Revoked,
                Some(user) => match state.rows.session_state(shown.session_id, *began) {
                    SessionState::Ended => Answer::Revoked,
                    SessionState::Expired => Answer::Expired,
                    SessionState::Active => match request {
                        Request::Enrol { .. } => Answer::Enrolled,
                        Request::Remove { .. } => Answer::Removed,
                        _ => Answer::Account(user.id),
                    },
                },
            }
        }
        (Request::Readiness, _) => Answer::Ready(true),
        (Request::Verify { .. }, _) => a_pair(),
        (_, None) => unreachable!("the others show a token"),
    }
}

/// Returns a placeholder for any token pair.
pub(crate) fn a_pair() -> Answer {
    Answer::Pair { access: String::new(), refresh: String::new() }
}

/// Judges a token before the store is queried (RFC 7519 §4.1.4 and §4.1.6). Expiry is reported before a wrong
/// kind, and never for a logout.
pub(crate) fn read<'a>(
    state: &'a State,
    token: &str,
    now: DateTime<Utc>,
    request: &Request,
) -> Result<&'a Signed, Answer> {
    let signed = state.signed.get(token).ok_or(Answer::Invalid)?;
    if signed.issued_at - now > SKEW {
        return Err(Answer::Invalid);
    }
    let logout = matches!(request, Request::LogOut { .. });
    if !logout && signed.expires_at <= now {
        return Err(Answer::Expired);
    }
    let right_kind = signed.access != matches!(request, Request::Refresh { .. } | Request::LogOut { .. });
    if right_kind { Ok(signed) } else { Err(Answer::Invalid) }
}

fn log_in(rows: &Rows, email: &str, password: &str) -> Answer {
    let account = rows.account(email).filter(|user| user.is_active);
    let right = account.is_some_and(|user| is_hash(rows.credentials[&user.id].hash(), "", password));
    if right { a_pair() } else { Answer::InvalidCredentials }
}

fn refresh(rows: &Rows, shown: &Signed, now: DateTime<Utc>) -> Answer {
    let Some(token) = rows.tokens.get(&shown.jti) else { return Answer::Invalid };
    let active = rows.users.get(&token.user_id).is_some_and(|user| user.is_active);
    let session = rows.session_state(token.session_id_or_legacy(), now);
    match token.state {
        _ if !active || session == SessionState::Ended => Answer::Revoked,
        RefreshState::Revoked => Answer::Revoked,
        _ if session == SessionState::Expired => Answer::Expired,
        RefreshState::Spent(_) => Answer::Revoked,
        RefreshState::Live if token.expires_at <= now => Answer::Expired,
        RefreshState::Live => a_pair(),
    }
}
