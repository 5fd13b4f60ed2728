//! Values and imports of the conformance suites.

pub(super) use super::races::run_concurrently;
pub(super) use super::rotations::rotation;
pub(super) use chrono::{DateTime, TimeDelta, TimeZone, Utc};
pub(super) use portcullis_domain::login::{Authentication, Credentials, Method, Owner};
pub(super) use portcullis_domain::mail::{Language, NewMail, Occasion};
pub(super) use portcullis_domain::providers::{
    Identity, IdentityId, IdentityKey, ProviderName, SignInCode, SignInCodeDigest, SignInFlow, StateDigest,
};
pub(super) use portcullis_domain::registration::{EmailAddress, NewUser, PasswordHash, User, UserId};
pub(super) use portcullis_domain::sessions::{
    ClientInfo, DeviceHash, EndReason, EventKind, KeepSessions, Session, SessionEnd, SessionEvent, SessionId,
    SessionPolicy, SourceHash, UserAgent,
};
pub(super) use portcullis_domain::tokens::{IdempotencyKeyDigest, Jti, RefreshState, RefreshToken, SpendRecord};
pub(super) use portcullis_domain::verification::{
    OneTimeTokenRecord, PasswordVersion, Purpose, TokenDigest, TokenSeed,
};
pub(super) use portcullis_ports::{
    BearerIdentity, EmailChange, FoundToken, ListedSession, MailId, OutboxCounts, QueuedMail, Remains, Rotation,
    RowCursor, RowRange, SessionCutoffs, Store, StoreError, StoreExt, Tx, TxMode, TxOutcome,
};

/// Result of a promise: an unexpected error, or nothing. Broken promises panic.
pub(super) type Outcome = Result<(), StoreError>;

/// Returns a fixed time with microseconds, plus `seconds`.
pub(super) fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::microseconds(1_795_356_283_905_380) + TimeDelta::seconds(seconds)
}

pub(super) fn email(text: &str) -> EmailAddress {
    EmailAddress::from_stored(text.to_owned())
}

pub(super) fn hash(text: &str) -> PasswordHash {
    PasswordHash::new(text.to_owned())
}

pub(super) fn credentials(text: &str) -> Credentials {
    Credentials::from_hash(hash(text))
}

/// Returns the credentials of a new account.
pub(super) fn first_credentials() -> Credentials {
    credentials("$2b$12$first")
}

pub(super) fn newcomer(address: &str) -> NewUser {
    NewUser { email: email(address), credentials: first_credentials(), created_at: at(0), verified_at: None }
}

pub(super) fn jti(number: u8) -> Jti {
    Jti::from_random([number; 16])
}

pub(super) fn spend_record(successor: Jti) -> SpendRecord {
    SpendRecord { at: at(5), key: Some(IdempotencyKeyDigest([7; 32])), successor }
}

/// Registers a new account.
pub(super) fn register(store: &dyn Store, address: &str) -> Result<User, StoreError> {
    add_user(store, &newcomer(address))
}

/// Adds an account.
pub(super) fn add_user(store: &dyn Store, new: &NewUser) -> Result<User, StoreError> {
    let user = store.write(|tx| tx.users().insert(new))?;
    user.ok_or_else(|| StoreError::Failed(format!("{} is taken", new.email.original())))
}

/// Returns the client of all requests.
pub(super) fn client() -> ClientInfo {
    ClientInfo { ip_address: Some([192, 0, 2, 7].into()), user_agent: UserAgent::new("käse/1.0 'x'; --") }
}

/// Creates an email for an address without an account id, created at `seconds`.
pub(super) fn order(address: &str, seconds: i64) -> NewMail {
    NewMail {
        occasion: Occasion::ResetPassword,
        user_id: None,
        to: email(address),
        language: Language::Portuguese,
        seed: TokenSeed::from_random([7; 32]),
        password: None,
        client: client(),
        created_at: at(seconds),
    }
}

/// Creates a session that starts now, with an id derived from its first token.
pub(super) fn session_of(user: &User, first: Jti) -> Session {
    Session::begin(SessionId::for_legacy_token(first), user.id, at(0))
}

/// Begins a session.
pub(super) fn begin(store: &dyn Store, user: &User, first: Jti) -> Result<SessionId, StoreError> {
    let session = session_of(user, first);
    store.write(|tx| tx.sessions().begin(&session, &client()))?;
    Ok(session.id)
}

/// Adds a live token that is valid for 60 s, in a new session.
pub(super) fn add_token(store: &dyn Store, user: &User, jti: Jti) -> Result<RefreshToken, StoreError> {
    let token = RefreshToken::new(jti, user.id, at(0), TimeDelta::seconds(60));
    let token = token.with_session(begin(store, user, jti)?);
    store.write(|tx| tx.refresh_tokens().insert(&token))?;
    Ok(token)
}

/// Adds a live token that is valid for 60 s, in an existing session.
pub(super) fn add_to(store: &dyn Store, first: &RefreshToken, jti: Jti) -> Result<RefreshToken, StoreError> {
    let token = RefreshToken { jti, ..first.clone() };
    store.write(|tx| tx.refresh_tokens().insert(&token))?;
    Ok(token)
}

/// Adds a live token without a session, like the FastAPI application.
pub(super) fn add_adopted_token(store: &dyn Store, user: &User, jti: Jti) -> Result<RefreshToken, StoreError> {
    let token = RefreshToken::new(jti, user.id, at(0), TimeDelta::seconds(60));
    store.write(|tx| tx.refresh_tokens().insert(&token))?;
    Ok(token)
}

/// Returns a token, which must exist.
pub(super) fn found(store: &dyn Store, jti: Jti) -> Result<FoundToken, StoreError> {
    let found = store.read(|tx| tx.refresh_tokens().find(jti))?;
    found.ok_or_else(|| StoreError::Failed("the token is gone".to_owned()))
}
