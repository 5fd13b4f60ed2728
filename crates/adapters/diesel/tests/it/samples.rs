//! Fixtures shared by the tests of both databases.

use chrono::{DateTime, TimeDelta, Utc};
use portcullis_diesel::StoreOptions;
use portcullis_domain::login::Credentials;
use portcullis_domain::mail::{Language, NewMail, Occasion};
use portcullis_domain::mfa::{FactorId, FactorName, SealedSecret, TotpFactor, TrustedDevice, TrustedDeviceId};
use portcullis_domain::passkeys::{
    Aaguid, Algorithm, AuthenticatorFlags, CredentialId, Passkey, PasskeyId, default_name,
};
use portcullis_domain::providers::{
    Identity, IdentityId, IdentityKey, ProviderName, SignInCode, SignInCodeDigest, SignInFlow, StateDigest,
};
use portcullis_domain::registration::{EmailAddress, NewUser, PasswordHash, User, UserId};
use portcullis_domain::sessions::{ClientInfo, DeviceHash, Session, SessionId, SessionPolicy};
use portcullis_domain::tokens::{Jti, RefreshToken};
use portcullis_domain::verification::{OneTimeTokenRecord, PasswordVersion, Purpose, TokenDigest, TokenSeed};
use portcullis_ports::{Clock, Rotation, Store, StoreError, StoreExt};
use portcullis_testkit::FixedClock;
use std::sync::Arc;
use std::time::Duration;

pub(crate) fn now() -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::seconds(1_795_400_000)
}

pub(crate) fn clock() -> Arc<dyn Clock> {
    Arc::new(FixedClock::at(now()))
}

/// Real clock, for stores that measure statements.
#[expect(clippy::disallowed_methods, reason = "the server's time limits are real")]
pub(crate) fn clock_that_goes() -> Arc<dyn Clock> {
    struct Real(std::time::Instant);
    impl Clock for Real {
        fn now(&self) -> DateTime<Utc> {
            now()
        }

        fn monotonic(&self) -> Duration {
            self.0.elapsed()
        }
    }
    Arc::new(Real(std::time::Instant::now()))
}

/// Options with a wait that is long enough for a busy machine.
pub(crate) fn patient() -> StoreOptions {
    StoreOptions { wait: Duration::from_secs(60), ..StoreOptions::default() }
}

/// Options with a very short wait.
pub(crate) fn impatient() -> StoreOptions {
    StoreOptions { wait: Duration::from_millis(50), ..StoreOptions::default() }
}

pub(crate) fn newcomer(address: &str) -> NewUser {
    let email = EmailAddress::from_stored(address.to_owned());
    let credentials = Credentials::from_hash(PasswordHash::new("$2b$12$hash".to_owned()));
    NewUser { email, credentials, created_at: now(), verified_at: None }
}

pub(crate) fn register(store: &dyn Store, address: &str) -> Result<Option<User>, StoreError> {
    store.write(|tx| tx.users().insert(&newcomer(address)))
}

pub(crate) fn accounts(store: &dyn Store, address: &str) -> Result<Vec<User>, StoreError> {
    let email = EmailAddress::from_stored(address.to_owned());
    store.read(|tx| tx.users().find_by_email(&email))
}

/// Registers an account with a session and one live token.
pub(crate) fn account_with_token(store: &dyn Store, address: &str, jti: Jti) -> User {
    let user = register(store, address).unwrap().unwrap();
    let session = Session::begin(SessionId::for_legacy_token(jti), user.id, now());
    let token = RefreshToken::new(jti, user.id, now(), TimeDelta::days(7)).with_session(session.id);
    let added = store.write(|tx| {
        tx.sessions().begin(&session, &ClientInfo::default())?;
        tx.refresh_tokens().insert(&token)
    });
    added.unwrap();
    user
}

/// Creates a rotation of a session's first token at [`now`].
pub(crate) fn rotation(user: UserId, spent: Jti, successor: Jti) -> Rotation {
    let successor = RefreshToken::new(successor, user, now(), TimeDelta::days(7));
    let successor = successor.with_session(SessionId::for_legacy_token(spent));
    let (session_cutoff, client) = (SessionPolicy::default().max_age_cutoff(now()), ClientInfo::default());
    Rotation { spent, at: now(), key: None, session_cutoff, verified_only: false, client, successor }
}

/// Creates an email at [`now`], for an account or only for an email address.
pub(crate) fn order(user_id: Option<UserId>) -> NewMail {
    NewMail {
        occasion: Occasion::VerifyEmail,
        user_id,
        to: EmailAddress::from_stored("ada@example.com".to_owned()),
        language: Language::English,
        seed: TokenSeed::from_random([7; 32]),
        password: None,
        client: ClientInfo { ip_address: Some([192, 0, 2, 7].into()), user_agent: None },
        created_at: now(),
    }
}

/// Creates a one-time token that expires one hour after [`now`].
pub(crate) fn record(user_id: UserId) -> OneTimeTokenRecord {
    let (digest, password) = (TokenDigest::new([7; 32]), PasswordVersion::new([8; 32]));
    let email = EmailAddress::from_stored("ada@example.com".to_owned());
    let expires_at = now() + TimeDelta::hours(1);
    OneTimeTokenRecord { digest, purpose: Purpose::VerifyEmail, user_id, email, password, expires_at }
}

/// Returns the names of all migrations in the repository, oldest first. `cargo xtask tidy` checks that
/// both databases have the same ones.
pub(crate) fn all_migrations() -> Vec<String> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../migrations/sqlite");
    let names = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names.collect();
    names.sort();
    names
}

/// Creates a pending factor.
pub(crate) fn factor(user_id: UserId) -> TotpFactor {
    let (id, secret) = (FactorId::from_random([7; 16]), SealedSecret::new(vec![7; 57]));
    TotpFactor::new(id, user_id, FactorName::default(), secret, now())
}

/// Creates a trusted device that is valid for 60 s.
pub(crate) fn device(user_id: UserId) -> TrustedDevice {
    TrustedDevice {
        id: TrustedDeviceId::from_random([7; 16]),
        user_id,
        device: DeviceHash::new([7; 32]),
        client: ClientInfo::default(),
        created_at: now(),
        expires_at: now() + TimeDelta::seconds(60),
    }
}

/// Creates a passkey.
pub(crate) fn passkey(user_id: UserId) -> Passkey {
    Passkey {
        id: PasskeyId::from_random([7; 16]),
        user_id,
        credential_id: CredentialId::new(vec![7; 16]).unwrap(),
        public_key: vec![7; 77],
        algorithm: Algorithm::Es256,
        rp_id: "example.com".to_owned(),
        counter: 0,
        flags: AuthenticatorFlags(5),
        discoverable: true,
        aaguid: Aaguid([0; 16]),
        transports: Vec::new(),
        name: default_name(),
        second_factor: false,
        set_up_by: None,
        created_at: now(),
        last_used_at: None,
    }
}

/// Creates an identity.
pub(crate) fn identity(user_id: UserId) -> Identity {
    Identity {
        id: IdentityId::from_random([7; 16]),
        user_id,
        key: IdentityKey::new("https://accounts.example.com", "7").unwrap(),
        provider: ProviderName::parse("corp").unwrap(),
        email: None,
        set_up_by: None,
        created_at: now(),
        last_used_at: None,
    }
}

/// Creates a flow that is valid for 60 s.
pub(crate) fn flow() -> SignInFlow {
    let (state, expires_at) = (StateDigest::new([7; 32]), now() + TimeDelta::seconds(60));
    SignInFlow { state, browser: [7; 32], sealed: vec![7], expires_at, spent_at: None }
}

/// Creates a code that is valid for 60 s.
pub(crate) fn code(user_id: UserId) -> SignInCode {
    SignInCode {
        digest: SignInCodeDigest::new([7; 32]),
        user_id,
        session_id: SessionId::from_random([7; 16]),
        challenge: [7; 32],
        redirect_uri: "https://app.example.com/".to_owned(),
        multi_factor: false,
        page_session: Some(SessionId::from_random([8; 16])),
        expires_at: now() + TimeDelta::seconds(60),
        used_at: None,
    }
}
