//! Rows and store calls of the model, in small integers, so that states can be compared by hash.
//! `database.rs` changes the rows.

use chrono::{DateTime, TimeDelta, Utc};
use portcullis_domain::login::{Authentication, Method, Methods};
use portcullis_domain::registration::UserId;
use portcullis_domain::sessions::{Session, SessionId};
use portcullis_domain::tokens::{IdempotencyKeyDigest, Jti, RefreshState, RefreshToken, SpendRecord};
use portcullis_ports::FoundToken;

/// Id of a token. The first of the session is [`FIRST`].
pub(crate) type Token = u8;
/// Id of an `Idempotency-Key`.
pub(crate) type Key = u8;
/// Time since the login, in seconds.
pub(crate) type Seconds = u16;
/// Id of a session: the modelled one, or another of its account.
pub(crate) type Sid = u8;

pub(crate) const FIRST: Token = 1;
pub(crate) const MODELLED: Sid = 0;
pub(crate) const ANOTHER: Sid = 1;
pub(crate) const OWNER: UserId = UserId::new(1);

/// Spend record of a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Spent {
    pub(crate) at: Seconds,
    pub(crate) key: Option<Key>,
    pub(crate) successor: Token,
}

/// State of a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum State {
    Live,
    Spent(Spent),
    Revoked,
}

/// Row of a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Row {
    pub(crate) token: Token,
    pub(crate) created_at: Seconds,
    pub(crate) state: State,
}

/// A token and the facts that its use depends on, as read by a statement.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Found {
    pub(crate) row: Row,
    pub(crate) live_successor: Option<Row>,
    pub(crate) session_ended: bool,
    /// Measured by the clock of the store, if it has one.
    pub(crate) spent_age: Option<Seconds>,
}

/// Exchange of a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Exchange {
    pub(crate) token: Token,
    pub(crate) spent: Spent,
}

/// Call of the store by a use case.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Call {
    Begin { writes: bool },
    Commit,
    Rollback,
    Hold,
    Find(Token),
    Spend(Exchange),
    Insert(Row),
    Revoke(Token),
    FindSession(Sid),
    End(Sid),
    EndAll { keep: Option<Sid> },
    Reauthenticate(Sid),
    Record,
    Bearer(Sid),
    Rotate(Exchange),
}

/// Response of the store.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Reply {
    Done,
    Told(bool),
    Found(Option<Found>),
    Session { ended: bool },
    Ended(u64),
    Failed,
}

pub(crate) fn moment(at: Seconds) -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::days(20_000) + TimeDelta::seconds(i64::from(at))
}

pub(crate) fn seconds(at: DateTime<Utc>) -> Seconds {
    u16::try_from(at.signed_duration_since(moment(0)).num_seconds()).unwrap()
}

pub(crate) fn jti(token: Token) -> Jti {
    Jti::from_random([token; 16])
}

pub(crate) fn token_of(known: Jti) -> Token {
    (0..=Token::MAX).find(|token| jti(*token) == known).unwrap()
}

pub(crate) fn sid(session: Sid) -> SessionId {
    SessionId::from_random([0xf0 + session; 16])
}

pub(crate) fn session_of(id: SessionId) -> Sid {
    [MODELLED, ANOTHER].into_iter().find(|session| sid(*session) == id).unwrap()
}

pub(crate) fn key(number: Key) -> IdempotencyKeyDigest {
    IdempotencyKeyDigest([number; 32])
}

pub(crate) fn session(number: Sid, ended: bool) -> Session {
    let shown = Methods::from(Method::Password).with(Method::OneTimeCode);
    let by = Authentication::new(shown, moment(0));
    let session = Session::begin(sid(number), OWNER, moment(0)).with_authentication(by);
    if ended { session.end(moment(0)) } else { session }
}

impl Spent {
    pub(crate) fn of(spend_record: &SpendRecord) -> Self {
        let key = spend_record.key.map(|key| key.0[0]);
        Self { at: seconds(spend_record.at), key, successor: token_of(spend_record.successor) }
    }
}

impl Row {
    /// Converts the row to the domain's type.
    pub(crate) fn token(&self) -> RefreshToken {
        let lifetime = TimeDelta::days(7);
        let live = RefreshToken::new(jti(self.token), OWNER, moment(self.created_at), lifetime);
        let live = live.with_session(sid(MODELLED));
        let state = match self.state {
            State::Live => RefreshState::Live,
            State::Revoked => RefreshState::Revoked,
            State::Spent(Spent { at, key: number, successor }) => {
                RefreshState::Spent(SpendRecord { at: moment(at), key: number.map(key), successor: jti(successor) })
            }
        };
        RefreshToken { state, ..live }
    }
}

impl Found {
    /// Converts the result to the port's type.
    pub(crate) fn token(&self) -> FoundToken {
        FoundToken {
            token: self.row.token(),
            account_active: true,
            account_verified: false,
            live_successor: self.live_successor.map(|row| row.token()),
            spent_age: self.spent_age.map(|age| TimeDelta::seconds(i64::from(age))),
            session: Some(session(MODELLED, self.session_ended)),
        }
    }
}
