//! Issues a one-time code to an app whose user is signed in at the account pages (hosted sign-in).

use super::Providers;
use crate::LOG;
use crate::failure::DependencyError;
use crate::login::Gate;
use portcullis_domain::providers::{
    CodeChallenge, SIGN_IN_CODE_LIFETIME, SignInCode, SignInCodeDigest, SignInSecret, append_query,
};
use portcullis_domain::registration::UserId;
use portcullis_domain::sessions::{SessionId, SessionState};
use portcullis_ports::{Clock, Entropy, EntropyExt, Store, StoreError, StoreExt, Tx};
use std::sync::Arc;

/// Request of an app to sign its user in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AppSignIn {
    /// Where the browser is sent back to. One of the configured URIs: the caller checks it.
    pub redirect_uri: String,
    /// `state` of the app.
    pub state: Option<String>,
    /// `code_challenge` of the app.
    pub challenge: CodeChallenge,
}

/// Issues codes that continue a session of the account pages in an app.
pub struct ContinueInApp {
    /// Issuer of responses (RFC 9207).
    pub providers: Arc<Providers>,
    /// Decides whether the session may go on in an app.
    pub gate: Arc<Gate>,
    /// Store of codes and sessions.
    pub store: Arc<dyn Store>,
    /// Random bytes for codes.
    pub entropy: Arc<dyn Entropy>,
    /// Clock.
    pub clock: Arc<dyn Clock>,
}

impl ContinueInApp {
    /// Returns the app's URL with a code for [`ExchangeCode`](super::ExchangeCode). `None` if the session has ended, or
    /// if the account must sign in again: a second factor, an email address or a trusted device may be missing since.
    ///
    /// # Errors
    /// Returns [`DependencyError`] if the store fails.
    pub fn run(
        &self,
        (user_id, session_id): (UserId, SessionId),
        input: &AppSignIn,
    ) -> Result<Option<String>, DependencyError> {
        let secret = SignInSecret::from_random(self.entropy.array());
        let code = SignInCode {
            digest: SignInCodeDigest::from(&secret),
            user_id,
            session_id: SessionId::from_random(self.entropy.array()),
            challenge: *input.challenge.as_bytes(),
            redirect_uri: input.redirect_uri.clone(),
            multi_factor: false,
            page_session: Some(session_id),
            expires_at: self.clock.now() + SIGN_IN_CODE_LIFETIME,
            used_at: None,
        };
        let issued = self.store.write(|tx| {
            tx.sessions().lock_account(user_id)?;
            let is_admitted = self.is_admitted(user_id, session_id, tx)?;
            if is_admitted {
                tx.sign_ins().insert_code(&code)?;
            }
            Ok::<_, StoreError>(is_admitted)
        })?;
        if !issued {
            return Ok(None);
        }
        tracing::info!(target: LOG, user_id = user_id.get(), "Sign-in continued in an app");
        let code = secret.expose();
        let state = input.state.iter().map(|state| ("state", state.as_str()));
        let issuer = ("iss", self.providers.public_url.as_str());
        let parameters: Vec<_> = std::iter::once(("code", code.as_str())).chain(state).chain([issuer]).collect();
        Ok(Some(append_query(&input.redirect_uri, &parameters)))
    }

    fn is_admitted(&self, user_id: UserId, session_id: SessionId, tx: &mut dyn Tx) -> Result<bool, StoreError> {
        let is_active = |state| state == SessionState::Active;
        let page = tx.sessions().find(session_id)?.filter(|page| {
            page.user_id == user_id && is_active(self.gate.beginning.sessions.state(page, self.clock.now()))
        });
        let (Some(page), Some(owner)) = (page, tx.credentials().owner(user_id)?) else { return Ok(false) };
        self.gate.admits(&owner, &page, tx)
    }
}
