//! Runs the real use cases up to their next store call, or to their end, with the store responses
//! recorded so far. They run again from the beginning at every step, so that their state can be stored,
//! compared and restored.

use crate::accounts::{account, enrolled_memory, memory, outbox, secrets};
use crate::answers::{Answer, refused};
use crate::clients::{DEVICE, Request};
use crate::rows::{
    Call, Exchange, MODELLED, Reply, Row, Seconds, Sid, Spent, State, Token, key, moment, seconds, session, session_of,
    sid, token_of,
};
use crate::tokens::{ClearTokens, access_token, read, refresh_token};
use chrono::{DateTime, Utc};
use portcullis_domain::login::{Authentication, Credentials, Owner};
use portcullis_domain::registration::UserId;
use portcullis_domain::sessions::{
    ClientInfo, KeepSessions, Session, SessionEnd, SessionEvent, SessionId, SessionPolicy, SourceHash,
};
use portcullis_domain::tokens::{Jti, RefreshPolicy, RefreshToken, SpendRecord, TokenLifetimes};
use portcullis_ports::{
    BearerIdentity, CredentialRepository, Entropy, FactorRepository, FoundToken, IdentityRepository, ListedSession,
    OneTimeTokenRepository, OutboxRepository, PasskeyRepository, RefreshTokenRepository, ResolvedBearer, Rotation,
    RowCursor, RowRange, SessionCutoffs, SessionRepository, SignInRepository, Store, StoreError, Tx, TxMode, TxOutcome,
    TxWork, UserRepository, rotate_in_transaction,
};
use portcullis_testkit::{FixedClock, MemoryStore};
use portcullis_usecases::Caller;
use portcullis_usecases::sessions::{LogOut, LogOutAll, LogoutAll, RevokeSession, SessionRevocation};
use portcullis_usecases::tokens::{Authenticate, Authenticated, Refresh, RefreshExchange, TokenFactory};
use std::sync::{Arc, Mutex};

/// Next step of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Next {
    Asks(Call),
    Answers(Answer),
}

/// Parameters of a running request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Run {
    pub(crate) request: Request,
    pub(crate) at: Seconds,
    /// Token that the request creates, if any.
    pub(crate) makes: Token,
}

/// Parameters of the use cases.
#[derive(Clone, Copy)]
pub(crate) struct Rules {
    pub(crate) policy: RefreshPolicy,
    /// `true` if a rotation is one statement, `false` if it is a transaction.
    pub(crate) one_statement: bool,
}

#[derive(Default)]
struct Tape {
    replies: Vec<Reply>,
    at: usize,
    wanted: Option<Call>,
}

pub(crate) struct TapeStore {
    tape: Mutex<Tape>,
    one_statement: bool,
    /// Everything that is not modelled.
    memory: MemoryStore,
}

/// Placeholder error that ends a use case. It is never reported.
fn unanswered() -> StoreError {
    StoreError::Failed("not answered yet".to_owned())
}

impl TapeStore {
    fn ask(&self, call: Call) -> Result<Reply, StoreError> {
        let mut tape = self.tape.lock().unwrap();
        if tape.wanted.is_some() {
            return Err(unanswered());
        }
        let reply = tape.replies.get(tape.at).cloned();
        tape.at += 1;
        match reply {
            Some(Reply::Failed) => Err(StoreError::Failed("staged".to_owned())),
            Some(reply) => Ok(reply),
            None => {
                tape.wanted = Some(call);
                Err(unanswered())
            }
        }
    }

    fn told(&self, call: Call) -> Result<bool, StoreError> {
        match self.ask(call)? {
            Reply::Told(told) => Ok(told),
            other => panic!("no answer to this: {other:?}"),
        }
    }
}

impl Store for TapeStore {
    fn transact(&self, mode: TxMode, work: &mut TxWork<'_>) -> Result<(), StoreError> {
        self.ask(Call::Begin { writes: mode == TxMode::Write })?;
        let mut end = Call::Rollback;
        let done = self.memory.transact(mode, &mut |rest| {
            let before = secrets(rest);
            let mut tx = TapeTx { store: self, rest, before, held: false };
            let concluded = work(&mut tx)?;
            assert!(tx.held || tx.before == secrets(tx.rest), "the account is held before its secrets change");
            end = if concluded == TxOutcome::Commit { Call::Commit } else { Call::Rollback };
            Ok(concluded)
        });
        self.ask(end)?;
        done
    }

    fn rotate(&self, rotations: &[Rotation]) -> Result<Vec<bool>, StoreError> {
        if !self.one_statement {
            return rotate_in_transaction(self, rotations);
        }
        let exchange = |rotation: &Rotation| Exchange {
            token: token_of(rotation.spent),
            spent: Spent::of(&rotation.spend_record()),
        };
        rotations.iter().map(|rotation| self.told(Call::Rotate(exchange(rotation)))).collect()
    }
}

struct TapeTx<'a> {
    store: &'a TapeStore,
    rest: &'a mut dyn Tx,
    /// Secrets of the account when the transaction began.
    before: (Credentials, bool),
    /// `true` if the transaction has locked the account.
    held: bool,
}

impl Tx for TapeTx<'_> {
    fn users(&mut self) -> &mut dyn UserRepository {
        self.rest.users()
    }

    fn credentials(&mut self) -> &mut dyn CredentialRepository {
        self.rest.credentials()
    }

    fn factors(&mut self) -> &mut dyn FactorRepository {
        self.rest.factors()
    }

    fn passkeys(&mut self) -> &mut dyn PasskeyRepository {
        self.rest.passkeys()
    }

    fn identities(&mut self) -> &mut dyn IdentityRepository {
        self.rest.identities()
    }

    fn sign_ins(&mut self) -> &mut dyn SignInRepository {
        self.rest.sign_ins()
    }

    fn sessions(&mut self) -> &mut dyn SessionRepository {
        self
    }

    fn refresh_tokens(&mut self) -> &mut dyn RefreshTokenRepository {
        self
    }

    fn one_time_tokens(&mut self) -> &mut dyn OneTimeTokenRepository {
        self.rest.one_time_tokens()
    }

    fn outbox(&mut self) -> &mut dyn OutboxRepository {
        self.rest.outbox()
    }
}

impl SessionRepository for TapeTx<'_> {
    fn lock_account(&mut self, _: UserId) -> Result<(), StoreError> {
        assert!(self.held || self.before == secrets(self.rest), "the account is held before its secrets change");
        self.held = true;
        self.store.ask(Call::Hold).map(drop)
    }

    fn begin(&mut self, _: &Session, _: &ClientInfo) -> Result<(), StoreError> {
        panic!("no session begins in the model")
    }

    fn find(&mut self, id: SessionId) -> Result<Option<Session>, StoreError> {
        let number = session_of(id);
        match self.store.ask(Call::FindSession(number))? {
            Reply::Session { ended } => Ok(Some(session(number, ended))),
            other => panic!("no answer to this: {other:?}"),
        }
    }

    fn list(&mut self, _: UserId, _: DateTime<Utc>, _: u32) -> Result<Vec<ListedSession>, StoreError> {
        panic!("nobody lists in the model")
    }

    fn count(&mut self, _: UserId, _: DateTime<Utc>, _: u32) -> Result<u32, StoreError> {
        panic!("nobody signs in in the model")
    }

    fn least_recently_used(&mut self, _: UserId, _: DateTime<Utc>, _: u32) -> Result<Vec<SessionId>, StoreError> {
        panic!("nobody signs in in the model")
    }

    fn recent_clients(&mut self, _: UserId, _: u32) -> Result<Vec<ClientInfo>, StoreError> {
        panic!("nobody signs in in the model")
    }

    fn knows_source(&mut self, _: &SourceHash) -> Result<bool, StoreError> {
        panic!("nothing is limited in the model")
    }

    fn end(&mut self, id: SessionId, _: &SessionEnd) -> Result<bool, StoreError> {
        self.store.told(Call::End(session_of(id)))
    }

    fn end_all(&mut self, _: UserId, keep: &KeepSessions, _: &SessionEnd) -> Result<u64, StoreError> {
        match self.store.ask(Call::EndAll { keep: keep.session.map(session_of) })? {
            Reply::Ended(ended) => Ok(ended),
            other => panic!("no answer to this: {other:?}"),
        }
    }

    fn reauthenticate(&mut self, id: SessionId, _: &Authentication) -> Result<bool, StoreError> {
        self.store.told(Call::Reauthenticate(session_of(id)))
    }

    fn record(&mut self, _: SessionId, _: &SessionEvent) -> Result<(), StoreError> {
        self.store.ask(Call::Record).map(drop)
    }

    fn events(&mut self, _: SessionId, _: u32) -> Result<Vec<SessionEvent>, StoreError> {
        panic!("nobody reads timelines in the model")
    }

    fn resolve_bearers(&mut self, keys: &[BearerIdentity]) -> Result<Vec<Option<ResolvedBearer>>, StoreError> {
        let find = |bearer: &BearerIdentity| {
            let number = session_of(bearer.session_id.unwrap());
            match self.store.ask(Call::Bearer(number))? {
                Reply::Session { ended } => {
                    let Owner { user, credentials } = account();
                    let (password, session) = (credentials.hash().clone(), Some(session(number, ended)));
                    let (has_password, second_factor) = (credentials.has_password(), false);
                    Ok(Some(ResolvedBearer { user, password, has_password, second_factor, session }))
                }
                other => panic!("no answer to this: {other:?}"),
            }
        };
        keys.iter().map(find).collect()
    }

    fn scan(&mut self, _: RowCursor, _: u32, _: &SessionCutoffs) -> Result<Option<RowRange>, StoreError> {
        panic!("nobody purges in the model")
    }

    fn purge(&mut self, _: &RowRange, _: &SessionCutoffs, _: u32) -> Result<u64, StoreError> {
        panic!("nobody purges in the model")
    }
}

impl RefreshTokenRepository for TapeTx<'_> {
    fn insert(&mut self, token: &RefreshToken) -> Result<(), StoreError> {
        assert_eq!(token.session_id, Some(sid(MODELLED)), "a token of the session");
        let (token, created_at) = (token_of(token.jti), seconds(token.created_at));
        self.store.ask(Call::Insert(Row { token, created_at, state: State::Live })).map(drop)
    }

    fn find(&mut self, jti: Jti) -> Result<Option<FoundToken>, StoreError> {
        match self.store.ask(Call::Find(token_of(jti)))? {
            Reply::Found(found) => Ok(found.map(|found| found.token())),
            other => panic!("no answer to this: {other:?}"),
        }
    }

    fn spend(&mut self, jti: Jti, spend_record: &SpendRecord) -> Result<bool, StoreError> {
        self.store.told(Call::Spend(Exchange { token: token_of(jti), spent: Spent::of(spend_record) }))
    }

    fn revoke(&mut self, jti: Jti, _: DateTime<Utc>) -> Result<bool, StoreError> {
        self.store.told(Call::Revoke(token_of(jti)))
    }

    fn scan(&mut self, _: RowCursor, _: u32, _: DateTime<Utc>) -> Result<Option<RowRange>, StoreError> {
        panic!("nobody purges in the model")
    }

    fn purge(&mut self, _: &RowRange, _: u32) -> Result<u64, StoreError> {
        panic!("nobody purges in the model")
    }
}

/// Id of the one token that a request creates.
struct Makes(Token);

impl Entropy for Makes {
    fn fill(&self, bytes: &mut [u8]) {
        bytes.fill(self.0);
    }
}

impl Run {
    /// Runs the use case with the recorded responses.
    pub(crate) fn next(&self, replies: &[Reply], rules: &Rules) -> Next {
        let tape = Mutex::new(Tape { replies: replies.to_vec(), ..Tape::default() });
        let removes = matches!(self.request, Request::RemoveFactor { .. });
        let memory = if removes { enrolled_memory() } else { memory() };
        let store = Arc::new(TapeStore { tape, one_statement: rules.one_statement, memory });
        let answer = self.answer(store.clone(), rules);
        let wanted = store.tape.lock().unwrap().wanted.take();
        wanted.map_or(Next::Answers(answer), Next::Asks)
    }

    fn answer(&self, store: Arc<TapeStore>, rules: &Rules) -> Answer {
        match self.request {
            Request::Refresh { token, key } => self.refresh(store, rules, token, key),
            Request::LogOut { token } => {
                let verb = LogOut { store, verifier: Arc::new(ClearTokens), clock: self.clock() };
                let ended = verb.run(&refresh_token(token, 0), &Caller::default());
                ended.map_or_else(|error| refused(&error), |_| Answer::Ended)
            }
            Request::ChangePassword { bearer } => {
                self.as_owner(&store, bearer, |owner| self.change_password(&store, owner))
            }
            Request::ConfirmFactor { bearer } => {
                self.as_owner(&store, bearer, |owner| self.confirm_factor(&store, owner))
            }
            Request::RemoveFactor { bearer } => {
                self.as_owner(&store, bearer, |owner| self.remove_factor(&store, &owner))
            }
            Request::ResetPassword if self.reset_password(&store) => Answer::Ended,
            Request::ResetPassword => Answer::Failed,
            Request::LogOutAll { bearer } => self.as_owner(&store, bearer, |owner| {
                let input = LogoutAll { owner, keep_current: false };
                LogOutAll { store: store.clone(), clock: self.clock() }.run(&input, &Caller::default()).is_ok()
            }),
            Request::Revoke { bearer } => self.as_owner(&store, bearer, |owner| {
                let input = SessionRevocation { session_id: sid(MODELLED), owner };
                RevokeSession { store: store.clone(), clock: self.clock() }.run(&input, &Caller::default()).is_ok()
            }),
        }
    }

    pub(crate) fn clock(&self) -> Arc<FixedClock> {
        Arc::new(FixedClock::at(moment(self.at)))
    }

    fn refresh(&self, store: Arc<TapeStore>, rules: &Rules, token: Token, number: Option<u8>) -> Answer {
        let tokens = Arc::new(ClearTokens);
        let (entropy, lifetimes) = (Arc::new(Makes(self.makes)), TokenLifetimes::default());
        let verb = Refresh {
            store,
            verifier: tokens.clone(),
            issuance: Arc::new(TokenFactory { issuer: tokens, entropy, lifetimes }),
            policy: rules.policy,
            sessions: SessionPolicy::default(),
            outbox: outbox(),
            observer: Arc::new(()),
            require_verified_email: false,
            clock: self.clock(),
        };
        let by_device = number == Some(DEVICE);
        let input = RefreshExchange { refresh_token: refresh_token(token, 0), key: number.map(key), by_device };
        match verb.run(&input, &Caller::default()) {
            Ok(refreshed) => {
                let (token, issued_at) = read(&refreshed.pair.refresh_token);
                Answer::Pair { token, issued_at, verdict: refreshed.verdict.as_str() }
            }
            Err(error) => refused(&error),
        }
    }

    fn as_owner(&self, store: &Arc<TapeStore>, bearer: Sid, act: impl Fn(Authenticated) -> bool) -> Answer {
        let (verifier, sessions) = (Arc::new(ClearTokens), SessionPolicy::default());
        let verb = Authenticate { store: store.clone(), verifier, sessions, clock: self.clock() };
        match verb.run(&access_token(bearer, self.at)) {
            Ok(owner) => {
                if act(owner) {
                    Answer::Ended
                } else {
                    Answer::Failed
                }
            }
            Err(error) => refused(&error),
        }
    }
}
