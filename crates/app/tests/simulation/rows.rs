//! Contents of the store as comparable values, and the changes that a transaction may make to them.

use crate::request::Request;
use crate::signer::Signed;
use chrono::{DateTime, Utc};
use portcullis_domain::login::{Credentials, Owner};
use portcullis_domain::mfa::{FactorId, TotpFactor};
use portcullis_domain::registration::{EmailAddress, PasswordHash, User, UserId};
use portcullis_domain::sessions::{Session, SessionId, SessionPolicy, SessionState};
use portcullis_domain::tokens::{Jti, RefreshPolicy, RefreshState, RefreshToken};
use portcullis_ports::StoreExt;
use portcullis_testkit::MemoryStore;
use std::collections::{BTreeMap, BTreeSet};

/// Email addresses of all possible accounts.
pub(crate) const EMAILS: [&str; 3] = ["ada@example.org", "bob@example.org", "eve@example.org"];

/// Rows of a store.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Rows {
    pub(crate) users: BTreeMap<UserId, User>,
    pub(crate) credentials: BTreeMap<UserId, Credentials>,
    pub(crate) sessions: BTreeMap<SessionId, Session>,
    pub(crate) tokens: BTreeMap<Jti, RefreshToken>,
    /// Apps, each with its last accepted time step.
    pub(crate) factors: BTreeMap<String, TotpFactor>,
}

/// Difference between two states.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Change {
    NewUser(UserId),
    Rehashed(UserId),
    /// The account has its first second factor, or lost the last one.
    Remarked(UserId),
    /// A pending app was added or removed.
    Pending(FactorId),
    Confirmed(FactorId),
    UsedCode(FactorId),
    Removed(FactorId),
    /// The session's user was authenticated again.
    Authenticated(SessionId),
    NewSession(SessionId),
    EndedSession(SessionId),
    NewToken(Jti),
    Spent {
        jti: Jti,
        successor: Jti,
    },
    Revoked(Jti),
    /// Change that no request may make.
    Forbidden(String),
}

impl Rows {
    pub(crate) fn of(memory: &MemoryStore) -> Self {
        let accounts =
            EMAILS.iter().map(|email| memory.owners(&EmailAddress::from_stored((*email).to_owned())).unwrap());
        let own = |Owner { user, credentials }| ((user.id, user.clone()), (user.id, credentials));
        let (users, credentials): (BTreeMap<_, _>, _) = accounts.flatten().map(own).unzip();
        let sessions =
            users.keys().flat_map(|id| memory.sessions_of(*id)).map(|session| (session.id, session)).collect();
        let tokens = users.keys().flat_map(|id| memory.tokens_of(*id)).map(|token| (token.jti, token)).collect();
        let apps = users.keys().flat_map(|id| memory.read(|tx| tx.factors().totp(*id)).unwrap());
        let factors = apps.map(|app| (app.id.to_string(), app)).collect();
        Self { users, credentials, sessions, tokens, factors }
    }

    /// Returns the account with that email address, or `None` if it does not exist.
    pub(crate) fn account(&self, email: &str) -> Option<&User> {
        let email = email.to_ascii_lowercase();
        self.users.values().find(|user| user.email.canonical() == email)
    }

    /// Returns the differences to a later state.
    pub(crate) fn changes(&self, after: &Self) -> Vec<Change> {
        let mut changes = Vec::new();
        for (id, user) in &after.users {
            match self.users.get(id) {
                None => changes.push(Change::NewUser(*id)),
                Some(before) if before == user => {
                    changes.extend(credentials_change(*id, &self.credentials[id], &after.credentials[id]));
                }
                Some(before) => changes.push(Change::Forbidden(format!("{before:?} became {user:?}"))),
            }
        }
        for (id, app) in &after.factors {
            changes.extend(factor_change(self.factors.get(id), app));
        }
        let gone = self.factors.iter().filter(|(id, _)| !after.factors.contains_key(*id));
        let removed = |app: &TotpFactor| {
            if app.is_confirmed() { Change::Removed(app.id) } else { Change::Pending(app.id) }
        };
        changes.extend(gone.map(|(_, app)| removed(app)));
        for (id, session) in &after.sessions {
            changes.extend(session_change(self.sessions.get(id), session));
        }
        for (jti, token) in &after.tokens {
            changes.extend(change(self.tokens.get(jti), token));
        }
        let gone = self.tokens.keys().filter(|jti| !after.tokens.contains_key(jti));
        changes.extend(gone.map(|jti| Change::Forbidden(format!("{jti} is gone"))));
        changes
    }

    /// Returns whether a request may make these changes between the two states.
    pub(crate) fn allows(&self, request: &Request, shown: Option<&Signed>, changes: &[Change], after: &Self) -> bool {
        match (request, changes) {
            (_, []) => true,
            (Request::Register { email, password }, [Change::NewUser(id)]) => {
                let new = &after.users[id];
                self.account(email).is_none()
                    && new.email.canonical() == email
                    && is_hash(after.credentials[id].hash(), "new", password)
            }
            (Request::LogIn { email, password, .. }, [Change::Rehashed(id)]) => {
                self.account(email).is_some_and(|user| user.id == *id)
                    && is_hash(self.credentials[id].hash(), "old", password)
                    && is_hash(after.credentials[id].hash(), "new", password)
            }
            (Request::LogIn { email, password, .. }, [used @ .., Change::NewSession(id), Change::NewToken(jti)]) => {
                self.account(email).is_some_and(|user| {
                    self.admits(user.id, used)
                        && after.tokens[jti].user_id == user.id
                        && after.tokens[jti].session_id == Some(*id)
                        && after.sessions[id].user_id == user.id
                        && is_hash(self.credentials[&user.id].hash(), "", password)
                })
            }
            (Request::Verify { .. }, [used @ .., Change::NewSession(id), Change::NewToken(jti)]) => {
                let user = after.sessions[id].user_id;
                let owned = after.tokens[jti].user_id == user && after.tokens[jti].session_id == Some(*id);
                owned && !used.is_empty() && self.admits(user, used)
            }
            (Request::Enrol { .. }, changes) if changes.iter().all(|change| matches!(change, Change::Pending(_))) => {
                true
            }
            (Request::Enrol { .. } | Request::Remove { .. }, _) => {
                shown.is_some_and(|shown| self.allows_factors(request, shown, changes, after))
            }
            (Request::Refresh { .. }, [Change::EndedSession(id), rest @ ..]) => {
                shown.is_some_and(|shown| self.is_theft(shown, *id, after)) && self.allows_end(*id, rest)
            }
            (Request::Refresh { .. }, [one, other]) => self.allows_rotation(shown, one, other, after),
            (Request::LogOut { .. }, [Change::EndedSession(id), rest @ ..]) => {
                shown.is_some_and(|shown| shown.session_id == *id) && self.allows_end(*id, rest)
            }
            _ => false,
        }
    }

    fn has_factor(&self, id: UserId) -> bool {
        self.credentials[&id].has_second_factor()
    }

    /// Returns whether the account with that email address has a second factor.
    pub(crate) fn has_factor_at(&self, email: &str) -> bool {
        self.account(email).is_some_and(|user| self.has_factor(user.id))
    }

    /// Returns whether a session may begin: the transaction uses up a code of the account's app, if it has one.
    fn admits(&self, id: UserId, used: &[Change]) -> bool {
        match used {
            [] => !self.has_factor(id),
            [Change::UsedCode(app)] => self.factors[&app.to_string()].user_id == id,
            _ => false,
        }
    }

    /// Returns whether the changes confirm or remove one app of the caller. The first app and the removal of the
    /// last one end all other sessions.
    fn allows_factors(&self, request: &Request, shown: &Signed, changes: &[Change], after: &Self) -> bool {
        let (owner, own) = (shown.user_id, shown.session_id);
        let is_last = self.has_factor(owner) != after.has_factor(owner);
        let enrols = matches!(request, Request::Enrol { .. });
        let apps = changes.iter().filter(|change| matches!(change, Change::Confirmed(_) | Change::Removed(_))).count();
        let allowed = |change: &Change| match change {
            Change::Confirmed(id) => enrols && after.factors[&id.to_string()].user_id == owner,
            Change::Removed(id) => !enrols && self.factors[&id.to_string()].user_id == owner,
            Change::Authenticated(id) => enrols && *id == own,
            Change::Pending(_) => !enrols && is_last,
            Change::Remarked(id) => *id == owner,
            Change::EndedSession(id) => is_last && self.sessions[id].user_id == owner && *id != own,
            Change::Revoked(jti) => is_last && self.tokens[jti].user_id == owner,
            _ => false,
        };
        let others = after.sessions.values().filter(|session| session.user_id == owner && session.id != own);
        let ended = others.clone().all(|session| session.ended_at.is_some());
        let live = after.tokens.values().filter(|token| token.user_id == owner && token.state == RefreshState::Live);
        let revoked = live.clone().all(|token| token.session_id == Some(own));
        apps == 1 && changes.iter().all(allowed) && (!is_last || ended && revoked)
    }

    /// Returns whether the changes revoke the live token of the ended session and no other token.
    fn allows_end(&self, id: SessionId, rest: &[Change]) -> bool {
        match rest {
            [] => !self.tokens.values().any(|token| token.session_id == Some(id) && token.state == RefreshState::Live),
            [Change::Revoked(jti)] => self.tokens[jti].session_id == Some(id),
            _ => false,
        }
    }

    /// Returns whether a token was presented so long after its rotation that its session must end.
    fn is_theft(&self, shown: &Signed, id: SessionId, after: &Self) -> bool {
        let (Some(token), Some(at)) = (self.tokens.get(&shown.jti), after.sessions[&id].ended_at) else { return false };
        let late = |at_first| at - at_first >= RefreshPolicy::STRICT.grace;
        token.session_id == Some(id) && matches!(&token.state, RefreshState::Spent(spending) if late(spending.at))
    }

    /// Returns the session's state at a time, from its own row.
    pub(crate) fn session_state(&self, id: SessionId, now: DateTime<Utc>) -> SessionState {
        SessionPolicy::default().state(&self.sessions[&id], now)
    }

    /// Returns whether both changes form one rotation: a token is spent and its successor is added.
    fn allows_rotation(&self, shown: Option<&Signed>, one: &Change, other: &Change, after: &Self) -> bool {
        let ((Change::Spent { jti, successor }, Change::NewToken(new))
        | (Change::NewToken(new), Change::Spent { jti, successor })) = (one, other)
        else {
            return false;
        };
        let (old, spent, new_token) = (&self.tokens[jti], &after.tokens[jti], &after.tokens[new]);
        let in_time = matches!(&spent.state, RefreshState::Spent(spending) if spending.at < old.expires_at);
        let session = self.sessions[&old.session_id_or_legacy()].clone();
        let active = self.users[&old.user_id].is_active && session.ended_at.is_none();
        successor == new
            && in_time
            && active
            && new_token.user_id == old.user_id
            && new_token.session_id == old.session_id
            && shown.is_some_and(|shown| shown.jti == *jti && shown.user_id == old.user_id)
    }

    /// Returns the first token of each token family, the number of live tokens in the family and whether one
    /// was revoked.
    pub(crate) fn lines(&self) -> Vec<(Jti, usize, bool)> {
        let successor = |token: &RefreshToken| match &token.state {
            RefreshState::Spent(spending) => Some(spending.successor),
            RefreshState::Live | RefreshState::Revoked => None,
        };
        let exchanged: BTreeSet<Jti> = self.tokens.values().filter_map(successor).collect();
        let first = self.tokens.keys().filter(|jti| !exchanged.contains(jti));
        let line = |first: &Jti| {
            let next = |jti: &Jti| self.tokens.get(jti).and_then(successor);
            let states: Vec<_> =
                std::iter::successors(Some(*first), next).map(|jti| &self.tokens[&jti].state).collect();
            let live = states.iter().filter(|state| ***state == RefreshState::Live).count();
            (*first, live, states.contains(&&RefreshState::Revoked))
        };
        first.map(line).collect()
    }
}

/// Returns whether this is a hash of the password by that scheme. All schemes start with "".
pub(crate) fn is_hash(hash: &PasswordHash, scheme: &str, password: &str) -> bool {
    let parts = hash.expose().split_once(':');
    parts.is_some_and(|(by, stored)| by.starts_with(scheme) && stored == password)
}

/// The stored hash has the mark as long as there is a second factor.
fn credentials_change(id: UserId, before: &Credentials, after: &Credentials) -> Option<Change> {
    if after.is_marked() != after.has_second_factor() {
        return Some(Change::Forbidden(format!("the hash of {id} is marked: {}", after.is_marked())));
    }
    let rehashed = (before.hash() != after.hash()).then_some(Change::Rehashed(id));
    rehashed.or_else(|| (before != after).then_some(Change::Remarked(id)))
}

/// No step is used twice, and none before the last used one.
fn factor_change(before: Option<&TotpFactor>, after: &TotpFactor) -> Option<Change> {
    match before {
        None if after.is_confirmed() => Some(Change::Forbidden(format!("{} was never pending", after.id))),
        None => Some(Change::Pending(after.id)),
        Some(before) if before == after => None,
        Some(before) if !before.is_confirmed() && after.is_confirmed() => Some(Change::Confirmed(after.id)),
        Some(before) if before.last_step < after.last_step => Some(Change::UsedCode(after.id)),
        Some(before) => Some(Change::Forbidden(format!("{before:?} became {after:?}"))),
    }
}

fn session_change(before: Option<&Session>, after: &Session) -> Option<Change> {
    match before {
        None if after.ended_at.is_none() => Some(Change::NewSession(after.id)),
        None => Some(Change::Forbidden(format!("{} never began", after.id))),
        Some(before) if before == after => None,
        Some(before) if *before == (Session { ended_at: None, ..after.clone() }) => {
            Some(Change::EndedSession(after.id))
        }
        Some(before) if *before == (Session { authentication: before.authentication, ..after.clone() }) => {
            Some(Change::Authenticated(after.id))
        }
        Some(before) => Some(Change::Forbidden(format!("{before:?} became {after:?}"))),
    }
}

fn change(before: Option<&RefreshToken>, after: &RefreshToken) -> Option<Change> {
    let jti = after.jti;
    let Some(before) = before else {
        let live = after.state == RefreshState::Live;
        return Some(if live { Change::NewToken(jti) } else { Change::Forbidden(format!("{jti} was never live")) });
    };
    if before == after {
        return None;
    }
    let same = *before == RefreshToken { state: before.state.clone(), ..after.clone() };
    Some(match (&before.state, &after.state) {
        (RefreshState::Live, RefreshState::Spent(spending)) if same => {
            Change::Spent { jti, successor: spending.successor }
        }
        (RefreshState::Live, RefreshState::Revoked) if same => Change::Revoked(jti),
        _ => Change::Forbidden(format!("{jti}: {:?} became {:?}", before.state, after.state)),
    })
}
