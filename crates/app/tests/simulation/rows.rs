//! What the store holds, as values that can be compared, and what may change in them: the frame of
//! every transaction.

use crate::request::Request;
use crate::signer::Signed;
use portcullis_domain::registration::{EmailAddress, User, UserId};
use portcullis_domain::tokens::{Jti, RefreshState, RefreshToken};
use portcullis_testkit::MemoryStore;
use std::collections::{BTreeMap, BTreeSet};

/// The addresses of all accounts that there can be.
pub(crate) const EMAILS: [&str; 3] = ["ada@example.org", "bob@example.org", "eve@example.org"];

/// The rows of a store.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Rows {
    pub(crate) users: BTreeMap<UserId, User>,
    pub(crate) tokens: BTreeMap<Jti, RefreshToken>,
}

/// A difference between two states.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Change {
    NewUser(UserId),
    Rehashed(UserId),
    NewToken(Jti),
    Spent {
        jti: Jti,
        successor: Jti,
    },
    Revoked(Jti),
    /// None that anything may make.
    Forbidden(String),
}

impl Rows {
    pub(crate) fn of(memory: &MemoryStore) -> Self {
        let accounts = EMAILS.iter().map(|email| memory.accounts(&EmailAddress::stored((*email).to_owned())).unwrap());
        let users: BTreeMap<_, _> = accounts.flatten().map(|user| (user.id, user)).collect();
        let tokens = users.keys().flat_map(|id| memory.tokens_of(*id)).map(|token| (token.jti, token)).collect();
        Self { users, tokens }
    }

    /// The account with that address.
    pub(crate) fn account(&self, email: &str) -> Option<&User> {
        let email = email.to_ascii_lowercase();
        self.users.values().find(|user| user.email.canonical() == email)
    }

    /// The differences to a later state.
    pub(crate) fn changes(&self, after: &Self) -> Vec<Change> {
        let mut changes = Vec::new();
        for (id, user) in &after.users {
            match self.users.get(id) {
                None => changes.push(Change::NewUser(*id)),
                Some(before) if before == user => {}
                Some(before) if *before == (User { password: before.password.clone(), ..user.clone() }) => {
                    changes.push(Change::Rehashed(*id));
                }
                Some(before) => changes.push(Change::Forbidden(format!("{before:?} became {user:?}"))),
            }
        }
        for (jti, token) in &after.tokens {
            changes.extend(change(self.tokens.get(jti), token));
        }
        let gone = self.tokens.keys().filter(|jti| !after.tokens.contains_key(jti));
        changes.extend(gone.map(|jti| Change::Forbidden(format!("{jti} is gone"))));
        changes
    }

    /// Whether a request may make these changes from this state on to that.
    pub(crate) fn allows(&self, request: &Request, shown: Option<&Signed>, changes: &[Change], after: &Self) -> bool {
        match (request, changes) {
            (_, []) => true,
            (Request::Register { email, password }, [Change::NewUser(id)]) => {
                let new = &after.users[id];
                self.account(email).is_none()
                    && new.email.canonical() == email
                    && new.password.expose() == format!("new:{password}")
            }
            (Request::LogIn { email, password }, [Change::Rehashed(id)]) => {
                self.account(email).is_some_and(|user| user.id == *id)
                    && self.users[id].password.expose() == format!("old:{password}")
                    && after.users[id].password.expose() == format!("new:{password}")
            }
            (Request::LogIn { email, password }, [Change::NewToken(jti)]) => self.account(email).is_some_and(|user| {
                after.tokens[jti].user_id == user.id
                    && user.password.expose().split_once(':').is_some_and(|(_, stored)| stored == password)
            }),
            (Request::Refresh { .. }, [one, other]) => self.allows_rotation(shown, one, other, after),
            (Request::LogOut { .. }, [Change::Revoked(jti)]) => shown.is_some_and(|shown| shown.jti == *jti),
            _ => false,
        }
    }

    /// Spending a token and adding its successor are one: neither without the other.
    fn allows_rotation(&self, shown: Option<&Signed>, one: &Change, other: &Change, after: &Self) -> bool {
        let ((Change::Spent { jti, successor }, Change::NewToken(new))
        | (Change::NewToken(new), Change::Spent { jti, successor })) = (one, other)
        else {
            return false;
        };
        let (old, spent, new_token) = (&self.tokens[jti], &after.tokens[jti], &after.tokens[new]);
        let in_time = matches!(&spent.state, RefreshState::Spent(spending) if spending.at < old.expires_at);
        let active = self.users[&old.user_id].is_active;
        successor == new
            && in_time
            && active
            && new_token.user_id == old.user_id
            && shown.is_some_and(|shown| shown.jti == *jti && shown.user_id == old.user_id)
    }

    /// The tokens that no other was exchanged for, each with how many of its line are live and
    /// whether one was revoked.
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
