//! Exchanges the one-time code of a sign-in for a session (RFC 6749 §4.1.3, RFC 7636).

use super::provider::{continued_entry, federated_entry};
use crate::SECURITY_LOG;
use crate::caller::Caller;
use crate::counted::Counted;
use crate::failure::{Reason, UseCaseError};
use crate::limits::{Admission, Attempt, LimitError, Limits};
use crate::login::{Gate, LogInReason, LoggedIn, MAX_ATTEMPTS, hash_contention};
use crate::tokens::TokenError;
use portcullis_domain::ErrorCode;
use portcullis_domain::providers::{CodeChallenge, SignInCode, SignInCodeDigest, SignInSecret};
use portcullis_domain::sessions::{EndReason, Session, SessionState};
use portcullis_ports::{Clock, Store, StoreError, StoreExt, Tx};
use std::sync::Arc;

/// Input of the exchange.
pub struct CodeExchange {
    /// The code.
    pub code: String,
    /// `code_verifier` of the client.
    pub code_verifier: String,
    /// `redirect_uri` that the code was sent to.
    pub redirect_uri: String,
}

/// Reason why no session began.
#[derive(Debug, thiserror::Error)]
pub enum CodeReason {
    /// The code is refused.
    #[error(transparent)]
    Token(TokenError),
    /// The login that the code completes was refused, or its second factor is due.
    #[error(transparent)]
    LogIn(#[from] LogInReason),
}

impl Reason for CodeReason {
    fn code(&self) -> ErrorCode {
        match self {
            Self::Token(error) => error.code(),
            Self::LogIn(reason) => reason.code(),
        }
    }
}

/// Exchanges one-time codes.
pub struct ExchangeCode {
    /// Store of codes and sessions.
    pub store: Arc<dyn Store>,
    /// Begins the session.
    pub gate: Arc<Gate>,
    /// Rate limits.
    pub limits: Arc<Limits>,
    /// Clock.
    pub clock: Arc<dyn Clock>,
}

impl Counted for ExchangeCode {
    type Input = CodeExchange;
    type Output = LoggedIn;
    type Reason = CodeReason;

    fn attempts(&self, _: &CodeExchange, caller: &Caller) -> Vec<Attempt> {
        vec![Attempt::Call(caller.source())]
    }

    fn count(&self, attempt: &Attempt) -> Result<Admission, LimitError> {
        self.limits.count(attempt)
    }

    /// Uses up the code and begins its session in one transaction. A second use ends the session.
    fn act(
        &self,
        input: &CodeExchange,
        caller: &Caller,
        admission: &Admission,
    ) -> Result<LoggedIn, UseCaseError<CodeReason>> {
        let code = self.redeem(input, caller)?;
        for _ in 0..MAX_ATTEMPTS {
            let (owner, page) = self.store.read(|tx| {
                let owner = tx.credentials().owner(code.user_id)?.ok_or(CodeReason::Token(TokenError::Invalid))?;
                Ok::<_, UseCaseError<CodeReason>>((owner, self.page(&code, tx)?))
            })?;
            let by = (caller, admission);
            let entry = match &page {
                Some(page) => continued_entry(&self.gate, &owner, (page, code.session_id), by),
                None => federated_entry(&self.gate, &owner, (code.multi_factor, code.session_id), by),
            };
            let mut uses = |tx: &mut dyn Tx| tx.sign_ins().use_code(&code.digest, self.clock.now());
            match self.gate.pass(&entry, &mut uses) {
                Ok(Some(logged_in)) => return Ok(logged_in),
                Ok(None) => {
                    let row = self.store.read(|tx| tx.sign_ins().code(&code.digest))?;
                    if row.is_none_or(|row| row.used_at.is_some()) {
                        return Err(self.refuse_second_use(&code, caller)?.into());
                    }
                }
                // A code works once, also if it only leads to the second factor.
                Err(UseCaseError::Refused(reason)) => {
                    let first = self.store.write(|tx| tx.sign_ins().use_code(&code.digest, self.clock.now()))?;
                    return Err(if first { CodeReason::LogIn(reason) } else { revoked() }.into());
                }
                Err(error) => return Err(error.convert()),
            }
        }
        Err(hash_contention().into())
    }
}

impl ExchangeCode {
    /// Returns the session of the account pages that the code continues, if any. A code ends with that session.
    fn page(&self, code: &SignInCode, tx: &mut dyn Tx) -> Result<Option<Session>, UseCaseError<CodeReason>> {
        let Some(id) = code.page_session else { return Ok(None) };
        let page = tx.sessions().find(id)?.filter(|page| {
            let state = self.gate.beginning.sessions.state(page, self.clock.now());
            state == SessionState::Active && page.authentication.is_some()
        });
        page.map(Some).ok_or_else(|| revoked().into())
    }

    /// Returns the code if it may be used. A wrong verifier spends it: it may have been intercepted.
    fn redeem(&self, input: &CodeExchange, caller: &Caller) -> Result<SignInCode, UseCaseError<CodeReason>> {
        let (invalid, now) = (|| CodeReason::Token(TokenError::Invalid), self.clock.now());
        let secret = SignInSecret::parse(&input.code).ok_or_else(invalid)?;
        let found = self.store.read(|tx| tx.sign_ins().code(&SignInCodeDigest::from(&secret)))?;
        let code = found.ok_or_else(invalid)?;
        if code.used_at.is_some() {
            return Err(self.refuse_second_use(&code, caller)?.into());
        }
        if code.expires_at <= now {
            return Err(CodeReason::Token(TokenError::Expired).into());
        }
        let is_clients = CodeChallenge::new(code.challenge).verify(&input.code_verifier);
        if !is_clients || code.redirect_uri != input.redirect_uri {
            self.store.write(|tx| tx.sign_ins().use_code(&code.digest, now))?;
            return Err(invalid().into());
        }
        Ok(code)
    }

    /// Ends the session that a used code began (RFC 6749 §4.1.2), and returns the reason to refuse the code.
    fn refuse_second_use(&self, code: &SignInCode, caller: &Caller) -> Result<CodeReason, StoreError> {
        let session_end = caller.session_end(EndReason::Theft, self.clock.now());
        let ended = self.store.write(|tx| {
            tx.sessions().lock_account(code.user_id)?;
            tx.sessions().end(code.session_id, &session_end)
        })?;
        if ended {
            let user_id = code.user_id.get();
            tracing::warn!(target: SECURITY_LOG, user_id, "A sign-in code was used again: its session is ended");
        }
        Ok(revoked())
    }
}

fn revoked() -> CodeReason {
    CodeReason::Token(TokenError::Revoked)
}
