//! Accounts in memory.

use super::{State, Transaction};
use chrono::{DateTime, SubsecRound, Utc};
use portcullis_domain::login::{Credentials, Owner};
use portcullis_domain::registration::{EmailAddress, NewUser, PasswordHash, User, UserId};
use portcullis_ports::{CredentialRepository, EmailChange, StoreError, UserRepository};
use std::ops::Bound::{Excluded, Unbounded};

/// Credentials as stored: the text, and the hash that is no password's.
#[derive(Debug, Clone)]
pub(super) struct CredentialRow {
    text: PasswordHash,
    no_password: Option<PasswordHash>,
}

impl CredentialRow {
    fn of(credentials: &Credentials) -> Self {
        let text = PasswordHash::new(credentials.text().to_owned());
        Self { text, no_password: credentials.no_password_hash().cloned() }
    }

    fn has_text_of(&self, credentials: &Credentials) -> bool {
        self.text.expose() == credentials.text()
    }
}

impl State {
    pub(super) fn add_user(&mut self, new: &NewUser, email: EmailAddress) -> User {
        self.last_id += 1;
        let user = User {
            id: UserId::new(self.last_id),
            email,
            is_active: true,
            created_at: new.created_at.trunc_subsecs(6),
            email_verified_at: new.verified_at.map(|time| time.trunc_subsecs(6)),
        };
        self.users.insert(user.id, user.clone());
        self.credentials.insert(user.id, CredentialRow::of(&new.credentials));
        user
    }

    pub(super) fn credentials(&self, id: UserId) -> Option<Credentials> {
        let CredentialRow { text, no_password } = self.credentials.get(&id)?.clone();
        let second_factor = self.factors.has_confirmed(id) || self.passkeys.has_second_factor(id);
        Some(Credentials::from_stored(text, no_password.as_ref(), second_factor))
    }
}

impl UserRepository for Transaction {
    fn insert(&mut self, new: &NewUser) -> Result<Option<User>, StoreError> {
        let taken = !self.find_by_email(&new.email)?.is_empty();
        let state = self.writable()?;
        if taken {
            return Ok(None);
        }
        Ok(Some(state.add_user(new, EmailAddress::from_stored(new.email.canonical().to_owned()))))
    }

    fn find(&mut self, id: UserId) -> Result<Option<User>, StoreError> {
        Ok(self.state.users.get(&id).cloned())
    }

    fn find_by_email(&mut self, email: &EmailAddress) -> Result<Vec<User>, StoreError> {
        let same = |user: &&User| user.email.canonical() == email.canonical();
        Ok(self.state.users.values().filter(same).cloned().collect())
    }

    fn list(&mut self, after: Option<UserId>, limit: u32) -> Result<Vec<Result<User, StoreError>>, StoreError> {
        let beyond = (after.map_or(Unbounded, Excluded), Unbounded);
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        Ok(self.state.users.range(beyond).map(|(_, user)| Ok(user.clone())).take(limit).collect())
    }

    fn set_active(&mut self, id: UserId, is_active: bool) -> Result<bool, StoreError> {
        let user = self.writable()?.users.get_mut(&id).filter(|user| user.is_active != is_active);
        Ok(user.map(|user| user.is_active = is_active).is_some())
    }

    fn sample_passwords(&mut self, ranges: u32, each: u32) -> Result<Vec<PasswordHash>, StoreError> {
        let most = usize::try_from(ranges.saturating_mul(each)).unwrap_or(usize::MAX);
        let credentials = self.state.credentials.keys().filter_map(|id| self.state.credentials(*id));
        Ok(credentials.map(Credentials::into_hash).take(most).collect())
    }

    fn verify_email(&mut self, id: UserId, email: &EmailAddress, at: DateTime<Utc>) -> Result<bool, StoreError> {
        let due = |user: &&mut User| user.email.original() == email.original() && user.email_verified_at.is_none();
        let user = self.writable()?.users.get_mut(&id).filter(due);
        Ok(user.map(|user| user.email_verified_at = Some(at.trunc_subsecs(6))).is_some())
    }

    fn change_email(
        &mut self,
        id: UserId,
        read: &EmailAddress,
        new: &EmailAddress,
        at: DateTime<Utc>,
    ) -> Result<EmailChange, StoreError> {
        let taken = self.find_by_email(new)?.iter().any(|other| other.id != id);
        let state = self.writable()?;
        let Some(user) = state.users.get_mut(&id).filter(|user| user.email.original() == read.original()) else {
            return Ok(EmailChange::Outdated);
        };
        if taken {
            return Ok(EmailChange::Taken);
        }
        user.email = EmailAddress::from_stored(new.canonical().to_owned());
        user.email_verified_at = Some(at.trunc_subsecs(6));
        Ok(EmailChange::Changed)
    }
}

impl CredentialRepository for Transaction {
    fn owner(&mut self, id: UserId) -> Result<Option<Owner>, StoreError> {
        let found = self.state.users.get(&id).cloned().zip(self.state.credentials(id));
        Ok(found.map(|(user, credentials)| Owner { user, credentials }))
    }

    fn owners(&mut self, email: &EmailAddress) -> Result<Vec<Owner>, StoreError> {
        let found = UserRepository::find_by_email(self, email)?;
        found.into_iter().filter_map(|user| self.owner(user.id).transpose()).collect()
    }

    fn still_current(&mut self, id: UserId, credentials: &Credentials) -> Result<bool, StoreError> {
        let state = self.writable()?;
        let active = state.users.get(&id).is_some_and(|user| user.is_active);
        Ok(active && state.credentials.get(&id).is_some_and(|own| own.has_text_of(credentials)))
    }

    fn replace(&mut self, id: UserId, expected: &Credentials, new: &Credentials) -> Result<bool, StoreError> {
        let own = self.writable()?.credentials.get_mut(&id).filter(|own| own.has_text_of(expected));
        Ok(own.map(|own| *own = CredentialRow::of(new)).is_some())
    }
}
