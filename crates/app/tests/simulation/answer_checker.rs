//! Checks each answer against earlier answers and the store. These are rules a client could check without
//! looking inside.

use crate::request::{Answer, Request};
use crate::rows::{Change, Rows};
use crate::signer::Signed;
use crate::spec::{self, ACCESS_LIFE, REFRESH_LIFE};
use crate::world::{Record, SimWorld, State};
use portcullis_domain::sessions::SessionId;
use portcullis_domain::tokens::{RefreshState, RefreshToken};
use std::collections::{BTreeMap, BTreeSet};

/// Facts known from earlier answers.
#[derive(Default)]
pub(crate) struct AnswerChecker {
    /// Number of successful refreshes per token.
    refreshed: BTreeMap<String, usize>,
    /// Sessions whose logout was confirmed.
    ended: BTreeSet<SessionId>,
}

impl AnswerChecker {
    /// Returns whether a logout of the token's session was confirmed.
    pub(crate) fn has_ended(&self, stage: &SimWorld, request: &Request) -> bool {
        let session = |token| stage.with(|state| state.signed.get(token).map(|signed| signed.session_id));
        request.token().and_then(session).is_some_and(|session| self.ended.contains(&session))
    }

    /// Records and checks an answer. `ended` is whether its token's logout had been confirmed before the
    /// request.
    pub(crate) fn take(&mut self, stage: &SimWorld, record: &Record, answer: &Answer, ended: bool) {
        check(stage, record, answer);
        match (&record.request, answer) {
            (Request::Refresh { token }, Answer::Pair { .. }) => {
                let times = self.refreshed.entry(token.clone()).or_default();
                *times += 1;
                stage.expect(*times == 1, || format!("{token} was exchanged {times} times"));
                stage.expect(!ended, || format!("{token} was logged out and lived on"));
            }
            (Request::LogOut { token }, Answer::LoggedOut) => {
                let session = stage.with(|state| state.signed.get(token).map(|signed| signed.session_id));
                self.ended.extend(session);
            }
            (Request::Authenticate { token }, Answer::Account(_)) => {
                stage.expect(!ended, || format!("the session of {token} was logged out and lived on"));
            }
            _ => {}
        }
        cover(stage, record, answer);
    }
}

/// Checks that an answer is due to the request and is true.
fn check(stage: &SimWorld, record: &Record, answer: &Answer) {
    // What is stored before the request can succeed.
    let early = |change: &&Change| matches!(change, Change::Rehashed(_) | Change::Pending(_));
    let effects: Vec<&Change> = record.effects.iter().filter(|change| !early(change)).collect();
    let nothing_done = effects.is_empty();
    // A detected theft is refused and ends the session.
    let ended_alone = matches!(effects.first(), None | Some(Change::EndedSession(_)));
    let right = match answer {
        Answer::Store(error) => record.store_error.as_ref() == Some(error) && (nothing_done || record.lost),
        Answer::Hasher(error) => record.hasher_error.as_ref() == Some(error) && nothing_done,
        Answer::Signing => record.unsigned && nothing_done,
        Answer::Panicked => record.staged && nothing_done,
        Answer::Lost => true,
        Answer::Ready(ready) => *ready == record.store_error.is_none() && nothing_done,
        success if success.is_success() => stage.with(|state| is_true(state, record, success, &effects)),
        Answer::Revoked if matches!(record.request, Request::Refresh { .. }) => ended_alone,
        _ => nothing_done,
    };
    stage.expect(right, || format!("{:?} was told {answer:?}, and did {effects:?}", record.request));
    if answer.is_open() || matches!(answer, Answer::Ready(_)) {
        return;
    }
    stage.expect(record.store_error.is_none(), || format!("told {answer:?} after {:?}", record.store_error));
    let due = stage.with(|state| is_due(state, record, answer));
    stage.expect(due, || format!("{:?} was told {answer:?}, and due was {:?}", record.request, record.due));
}

fn is_due(state: &State, record: &Record, answer: &Answer) -> bool {
    if record.due.is_empty() {
        // The store was not queried, so only the token itself can explain the refusal.
        let shown = record.request.token().map(|token| spec::read(state, token, record.began, &record.request));
        let is_challenge = matches!(record.request, Request::Verify { .. });
        return matches!(shown, Some(Err(refusal)) if refusal == *answer)
            || is_challenge && matches!(answer, Answer::Invalid | Answer::Expired);
    }
    record.due.iter().any(|due| match (due, answer) {
        (Answer::Pair { .. }, Answer::Pair { .. }) | (Answer::Registered(_), Answer::Registered(_)) => true,
        (Answer::SecondFactorDue(_), Answer::SecondFactorDue(_)) => true,
        (due, answer) => due == answer,
    })
}

/// Returns whether the store contains what the answer confirms, and whether the issued tokens are valid.
fn is_true(state: &State, record: &Record, answer: &Answer, effects: &[&Change]) -> bool {
    let shown = record.request.token().and_then(|token| state.signed.get(token));
    match (&record.request, answer) {
        (Request::Register { .. }, Answer::Registered(id)) => effects == [&Change::NewUser(*id)],
        (Request::LogIn { email, .. }, Answer::Pair { access, refresh }) => {
            let Some((access, refresh)) = pair(state, access, refresh) else { return false };
            let owner = state.rows.account(email).map(|user| user.id);
            let begun = Change::NewSession(access.session_id);
            effects.ends_with(&[&begun, &Change::NewToken(refresh.jti)]) && owner == Some(access.user_id)
        }
        (Request::Verify { token }, Answer::Pair { access, refresh }) => {
            let Some((access, refresh)) = pair(state, access, refresh) else { return false };
            let begun = Change::NewSession(access.session_id);
            effects.ends_with(&[&begun, &Change::NewToken(refresh.jti)])
                && state.challenges[token] == (access.user_id, access.session_id)
        }
        (Request::Enrol { .. }, Answer::Enrolled) => {
            effects.iter().any(|change| matches!(change, Change::Confirmed(_)))
        }
        (Request::Remove { .. }, Answer::Removed) => effects.iter().any(|change| matches!(change, Change::Removed(_))),
        (Request::Refresh { .. }, Answer::Pair { access, refresh }) => {
            let (Some((access, refresh)), Some(shown)) = (pair(state, access, refresh), shown) else { return false };
            let spent = Change::Spent { jti: shown.jti, successor: refresh.jti };
            let both = effects.len() == 2 && effects.contains(&&spent);
            both && access.jti == shown.jti && access.user_id == shown.user_id
        }
        (Request::LogOut { .. }, Answer::LoggedOut) => shown.is_some_and(|shown| has_ended(&state.rows, shown)),
        (Request::Authenticate { .. }, Answer::Account(id)) => shown.is_some_and(|shown| shown.user_id == *id),
        _ => false,
    }
}

/// Returns the contents of the two tokens if they form a valid pair.
fn pair<'a>(state: &'a State, access: &str, refresh: &str) -> Option<(&'a Signed, &'a Signed)> {
    let (access, refresh) = (state.signed.get(access)?, state.signed.get(refresh)?);
    let life = |signed: &Signed| signed.expires_at - signed.issued_at;
    let alike = access.user_id == refresh.user_id && access.session_id == refresh.session_id;
    let good = access.access && !refresh.access && alike;
    (good && life(access) == ACCESS_LIFE && life(refresh) == REFRESH_LIFE).then_some((access, refresh))
}

/// Returns whether a token's session has ended and none of its tokens is live.
fn has_ended(rows: &Rows, shown: &Signed) -> bool {
    let of_session = |token: &&RefreshToken| token.session_id == Some(shown.session_id);
    let live = rows.tokens.values().filter(of_session).any(|token| token.state == RefreshState::Live);
    !live && rows.sessions.get(&shown.session_id).is_some_and(|session| session.ended_at.is_some())
}

fn cover(stage: &SimWorld, record: &Record, answer: &Answer) {
    if record.effects.iter().any(|change| matches!(change, Change::Rehashed(_))) {
        stage.cover("hash replaced");
    }
    if *answer == Answer::Revoked && record.effects.iter().any(|change| matches!(change, Change::EndedSession(_))) {
        stage.cover("theft");
    }
    let asked = |due: &Answer| matches!(due, Answer::Pair { .. });
    if matches!(answer, Answer::SecondFactorDue(_)) && record.due.iter().any(asked) {
        stage.cover("login overtaken by an enrolment");
    }
    let is_proof = record.request.is_coded() && record.due.iter().any(asked);
    let signed = stage.with(|state| record.request.token().and_then(|token| state.signed.get(token).cloned()));
    let what = match (answer, &record.request) {
        (Answer::Registered(_), _) => "registered",
        (Answer::EmailTaken, _) => "email taken",
        (Answer::SecondFactorDue(_), _) => "second factor due",
        (Answer::Enrolled, _) => "factor enrolled",
        (Answer::Removed, _) => "factor removed",
        (Answer::InvalidCredentials, _) if is_proof => "code reused",
        (_, Request::Verify { .. } | Request::Enrol { .. } | Request::Remove { .. }) if !answer.is_success() => return,
        (Answer::InvalidCredentials, _) => "login refused",
        (Answer::Pair { .. }, Request::LogIn { .. } | Request::Verify { .. }) => "logged in",
        (Answer::Pair { .. }, _) => "refreshed",
        (Answer::Account(_), _) => "authenticated",
        (Answer::LoggedOut, _) => "logged out",
        (Answer::Revoked, Request::Authenticate { .. }) => "inactive account refused",
        (Answer::Revoked, _) => "spent or revoked token refused",
        (Answer::Expired, Request::Authenticate { .. }) => "access token expired",
        (Answer::Expired, _) => "refresh token expired",
        (Answer::Invalid, _) if signed.is_none() => "garbage refused",
        (Answer::Invalid, _) if signed.is_some_and(|signed| signed.issued_at > record.began) => {
            "token from the future refused"
        }
        (Answer::Invalid, _) => "token of the other kind refused",
        (Answer::Lost, _) => "process died",
        _ => return,
    };
    stage.cover(what);
}
