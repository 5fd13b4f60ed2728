//! Repositories for the parts of the account that the model's use cases touch: password, one-time
//! tokens and emails. No other request of the model changes them, so their state is not modelled: a
//! transaction that locks the account finds it unchanged. Checks that a password is replaced only under
//! the lock.

use crate::replay::{Run, TapeStore, TapeTx};
use crate::rows::{OWNER, moment};
use chrono::{DateTime, TimeDelta, Utc};
use portcullis_domain::mail::{Language, NewMail};
use portcullis_domain::registration::{EmailAddress, NewUser, Password, PasswordHash, PasswordPolicy, User, UserId};
use portcullis_domain::sessions::ClientInfo;
use portcullis_domain::verification::{OneTimeToken, OneTimeTokenRecord, PasswordVersion, Purpose, TokenDigest};
use portcullis_ports::{
    Clock, EmailChange, Entropy, MacSigner, MailId, OneTimeTokenRepository, OutboxCounts, OutboxNotifier,
    OutboxRepository, QueuedMail, Remains, StoreError, UserDeletion, UserRepository,
};
use portcullis_testkit::PlainHasher;
use portcullis_usecases::limits::{DeviceCookies, Guesses, Limits};
use portcullis_usecases::login::Reauthentication;
use portcullis_usecases::mail::{Notices, Outbox};
use portcullis_usecases::recovery::{ChangePassword, PasswordChange, PasswordReset, ResetPassword};
use portcullis_usecases::registration::PasswordScreening;
use portcullis_usecases::tokens::Authenticated;
use portcullis_usecases::verification::OneTimeTokens;
use std::sync::Arc;

pub(crate) fn account() -> User {
    let new = NewUser {
        email: EmailAddress::from_stored("ada@example.org".to_owned()),
        password: PasswordHash::new("new:old password".to_owned()),
        created_at: moment(0),
    };
    let NewUser { email, password, created_at } = new;
    User { id: OWNER, email, password, is_active: true, created_at, email_verified_at: None }
}

/// Signs every message with the same MAC.
struct OneCode;

impl MacSigner for OneCode {
    fn sign(&self, _: &[u8]) -> [u8; 32] {
        [7; 32]
    }

    fn verify(&self, _: &[u8], code: &[u8; 32]) -> bool {
        *code == [7; 32]
    }
}

struct Zeros;

impl Entropy for Zeros {
    fn fill(&self, bytes: &mut [u8]) {
        bytes.fill(0);
    }
}

struct Deaf;

impl OutboxNotifier for Deaf {
    fn notify(&self) {}
}

fn one_time_tokens() -> Arc<OneTimeTokens> {
    Arc::new(OneTimeTokens { authenticator: Arc::new(OneCode), entropy: Arc::new(Zeros) })
}

pub(crate) fn outbox() -> Arc<Outbox> {
    Arc::new(Outbox { tokens: one_time_tokens(), notices: Notices::default(), observer: Arc::new(Deaf) })
}

fn screening() -> Arc<PasswordScreening> {
    Arc::new(PasswordScreening { blocklist: None, product: "Portcullis".to_owned() })
}

fn devices(clock: Arc<dyn Clock>) -> Arc<DeviceCookies> {
    Arc::new(DeviceCookies { authenticator: Arc::new(OneCode), entropy: Arc::new(Zeros), clock })
}

impl Run {
    /// The model has no rate limits.
    fn guesses(&self, store: &Arc<TapeStore>) -> Arc<Guesses> {
        let (limits, store) = (Arc::new(Limits::off()), store.clone());
        Arc::new(Guesses { limits, devices: devices(self.clock()), store })
    }

    /// Returns whether the owner could change the password.
    pub(crate) fn change_password(&self, store: &Arc<TapeStore>, owner: Authenticated) -> bool {
        let (hasher, guesses) = (Arc::new(PlainHasher::default()), self.guesses(store));
        let devices = devices(self.clock());
        let owners = Arc::new(Reauthentication { store: store.clone(), hasher, guesses, devices });
        let verb =
            ChangePassword { reauthentication: owners, screening: screening(), outbox: outbox(), clock: self.clock() };
        let new = PasswordPolicy::default().validate(Password::new("new password")).unwrap();
        let (current, client, language) = (Password::new("old password"), ClientInfo::default(), Language::default());
        verb.run(&PasswordChange { owner, current, new, client, device: None, language }, || true).is_ok()
    }

    /// Returns whether the owner could reset the password with a link from an email.
    pub(crate) fn reset_password(&self, store: &Arc<TapeStore>) -> bool {
        let verb = ResetPassword {
            store: store.clone(),
            hasher: Arc::new(PlainHasher::default()),
            screening: screening(),
            guesses: self.guesses(store),
            tokens: one_time_tokens(),
            outbox: outbox(),
            clock: self.clock(),
        };
        let new = PasswordPolicy::default().validate(Password::new("new password")).unwrap();
        let (token, client, language) = (OneTimeToken::new([7; 32]), ClientInfo::default(), Language::default());
        verb.run(&PasswordReset { token, new, client, device: None, language }, || true).is_ok()
    }
}

impl UserDeletion for TapeTx<'_> {
    fn mark_deleted(&mut self, _: UserId, _: DateTime<Utc>) -> Result<bool, StoreError> {
        panic!("no account is deleted in the model")
    }

    fn list_marked_deleted(&mut self, _: u32) -> Result<Vec<UserId>, StoreError> {
        panic!("no account is deleted in the model")
    }

    fn delete_owned_rows(&mut self, _: UserId, _: u32) -> Result<u64, StoreError> {
        panic!("no account is deleted in the model")
    }

    fn delete_row_if_empty(&mut self, _: UserId, _: DateTime<Utc>) -> Result<Remains, StoreError> {
        panic!("no account is deleted in the model")
    }
}

impl UserRepository for TapeTx<'_> {
    fn insert(&mut self, _: &NewUser) -> Result<Option<User>, StoreError> {
        panic!("nobody registers in the model")
    }

    fn find(&mut self, _: UserId) -> Result<Option<User>, StoreError> {
        Ok(Some(account()))
    }

    fn find_by_email(&mut self, _: &EmailAddress) -> Result<Vec<User>, StoreError> {
        panic!("nobody signs in in the model")
    }

    fn list(&mut self, _: Option<UserId>, _: u32) -> Result<Vec<Result<User, StoreError>>, StoreError> {
        panic!("nobody lists accounts in the model")
    }

    fn set_active(&mut self, _: UserId, _: bool) -> Result<bool, StoreError> {
        panic!("no account is switched off in the model")
    }

    fn sample_passwords(&mut self, _: u32, _: u32) -> Result<Vec<PasswordHash>, StoreError> {
        panic!("nobody signs in in the model")
    }

    fn replace_password(&mut self, _: UserId, read: &PasswordHash, _: &PasswordHash) -> Result<bool, StoreError> {
        assert!(self.held, "the account is held before its password is replaced");
        assert_eq!(*read, account().password);
        Ok(true)
    }

    fn password_still_current(&mut self, _: UserId, _: &PasswordHash) -> Result<bool, StoreError> {
        panic!("nobody signs in in the model")
    }

    fn verify_email(&mut self, _: UserId, _: &EmailAddress, _: DateTime<Utc>) -> Result<bool, StoreError> {
        Ok(true)
    }

    fn change_email(
        &mut self,
        _: UserId,
        _: &EmailAddress,
        _: &EmailAddress,
        _: DateTime<Utc>,
    ) -> Result<EmailChange, StoreError> {
        panic!("no address changes in the model")
    }
}

/// Holds one token, which resets the password.
impl OneTimeTokenRepository for TapeTx<'_> {
    fn upsert(&mut self, _: &OneTimeTokenRecord) -> Result<(), StoreError> {
        panic!("no token is made in the model")
    }

    fn extend(&mut self, _: TokenDigest, _: DateTime<Utc>) -> Result<bool, StoreError> {
        panic!("no mail is sent in the model")
    }

    fn find(&mut self, digest: TokenDigest) -> Result<Option<OneTimeTokenRecord>, StoreError> {
        let (user_id, email, password) = (OWNER, account().email, PasswordVersion::new([7; 32]));
        let expires_at = moment(0) + TimeDelta::minutes(30);
        Ok(Some(OneTimeTokenRecord { digest, purpose: Purpose::ResetPassword, user_id, email, password, expires_at }))
    }

    fn consume(&mut self, _: TokenDigest) -> Result<bool, StoreError> {
        assert!(self.held, "the account is held before a token of it is consumed");
        Ok(true)
    }

    fn revoke_all(&mut self, _: UserId) -> Result<(), StoreError> {
        Ok(())
    }

    fn rebind(&mut self, _: UserId, _: &PasswordVersion, _: &PasswordVersion) -> Result<(), StoreError> {
        panic!("no hash is made anew in the model")
    }

    fn delete_superseded(&mut self, _: &OneTimeTokenRecord) -> Result<(), StoreError> {
        panic!("no change of address is undone in the model")
    }

    fn delete_for_user(&mut self, _: UserId) -> Result<(), StoreError> {
        panic!("no account is deleted in the model")
    }

    fn find_reclaimer(&mut self, _: &EmailAddress, _: DateTime<Utc>) -> Result<Option<UserId>, StoreError> {
        panic!("no address changes in the model")
    }

    fn purge(&mut self, _: DateTime<Utc>, _: u32) -> Result<u64, StoreError> {
        panic!("nobody purges in the model")
    }
}

/// Accepts emails, which are never sent.
impl OutboxRepository for TapeTx<'_> {
    fn enqueue(&mut self, _: &NewMail) -> Result<(), StoreError> {
        Ok(())
    }

    fn claim_next(&mut self, _: DateTime<Utc>, _: DateTime<Utc>) -> Result<Option<QueuedMail>, StoreError> {
        panic!("no mail is sent in the model")
    }

    fn mark_token_issued(&mut self, _: MailId) -> Result<(), StoreError> {
        panic!("no mail is sent in the model")
    }

    fn rebind(&mut self, _: &PasswordVersion, _: &PasswordVersion) -> Result<(), StoreError> {
        panic!("no hash is made anew in the model")
    }

    fn remove(&mut self, _: MailId, _: u32) -> Result<bool, StoreError> {
        panic!("no mail is sent in the model")
    }

    fn postpone(&mut self, _: MailId, _: u32, _: DateTime<Utc>, _: &str) -> Result<bool, StoreError> {
        panic!("no mail is sent in the model")
    }

    fn mark_dead(&mut self, _: MailId, _: u32, _: DateTime<Utc>, _: &str) -> Result<bool, StoreError> {
        panic!("no mail is sent in the model")
    }

    fn retry(&mut self, _: MailId, _: DateTime<Utc>) -> Result<bool, StoreError> {
        panic!("no mail is sent in the model")
    }

    fn list(&mut self, _: Option<MailId>, _: u32) -> Result<Vec<QueuedMail>, StoreError> {
        panic!("nobody lists mails in the model")
    }

    fn count(&mut self, _: u32) -> Result<OutboxCounts, StoreError> {
        panic!("nobody counts mails in the model")
    }

    fn delete_for_user(&mut self, _: UserId) -> Result<(), StoreError> {
        panic!("no account is deleted in the model")
    }

    fn purge(&mut self, _: DateTime<Utc>, _: u32) -> Result<u64, StoreError> {
        panic!("nobody purges in the model")
    }
}
