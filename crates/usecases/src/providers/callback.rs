//! Completes a sign-in when the browser returns from the provider.

use super::error::log_failure;
use super::flow::FlowDetails;
use super::resolve::{NoAccount, ResolveAccount, SignedIn};
use super::{CodeExchange, ProviderReason, Providers};
use crate::LOG;
use crate::caller::Caller;
use crate::failure::{DependencyError, UseCaseError};
use portcullis_domain::providers::{
    CodeVerifier, ProviderProfile, SIGN_IN_CODE_LIFETIME, SignInCode, SignInCodeDigest, SignInError, SignInSecret,
    StateDigest, append_query,
};
use portcullis_domain::sessions::SessionId;
use portcullis_ports::{
    Clock, CodeCallback, Entropy, EntropyExt, Sealer, SignInObserver, Store, StoreError, StoreExt, Tx,
};
use std::fmt;
use std::sync::Arc;

/// Parameters of a callback.
#[derive(Clone, Default)]
pub struct ProviderCallback {
    /// `state`.
    pub state: String,
    /// `code`.
    pub code: Option<String>,
    /// `error`.
    pub error: Option<String>,
    /// `iss` (RFC 9207).
    pub issuer: Option<String>,
}

/// A flow whose callback arrived in its browser. It cannot be used again. Redacted in `Debug`.
pub struct OpenedFlow {
    details: FlowDetails,
    /// Reason why the flow ends here.
    failed: Option<SignInError>,
    code: String,
    issuer: Option<String>,
}

impl fmt::Debug for OpenedFlow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OpenedFlow(…)")
    }
}

/// There is no such flow in this browser.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("The sign-in has expired")]
pub struct FlowRejection;

impl crate::Reason for FlowRejection {
    fn code(&self) -> portcullis_domain::ErrorCode {
        portcullis_domain::ErrorCode::NotFound
    }
}

/// Profile from the provider, or the reason why there is none.
pub type SignInResult = Result<ProviderProfile, SignInError>;

/// Where the browser goes on. Redacted in `Debug`, because it may have a code.
pub enum CallbackResponse {
    /// To the client, at this URL.
    Client(String),
    /// To the account pages, which began the flow.
    Pages {
        /// The code for [`ExchangeCode`](super::ExchangeCode), or the reason why no one is signed in.
        outcome: Result<CodeExchange, SignInError>,
        /// `state` of the flow.
        state: String,
        /// `true` if an account was to authenticate again.
        is_again: bool,
    },
}

impl fmt::Debug for CallbackResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CallbackResponse(…)")
    }
}

/// Completes a sign-in.
pub struct CompleteSignIn {
    /// Configured providers.
    pub providers: Arc<Providers>,
    /// Finds the account.
    pub accounts: Arc<ResolveAccount>,
    /// Store of flows and codes.
    pub store: Arc<dyn Store>,
    /// Decrypts the details of flows.
    pub sealer: Arc<dyn Sealer>,
    /// Random bytes for codes.
    pub entropy: Arc<dyn Entropy>,
    /// Notified of each outcome.
    pub observer: Arc<dyn SignInObserver>,
    /// Clock.
    pub clock: Arc<dyn Clock>,
}

impl CompleteSignIn {
    /// Finds and spends the flow of a callback. `browsers` are the cookies of the browser. Calls no provider.
    ///
    /// # Errors
    /// Returns [`FlowRejection`] if the state is unknown or belongs to another browser.
    pub fn open(
        &self,
        provider: &str,
        callback: &ProviderCallback,
        browsers: &[SignInSecret],
    ) -> Result<OpenedFlow, UseCaseError<FlowRejection>> {
        let state = SignInSecret::parse(&callback.state).ok_or(FlowRejection)?;
        let (digest, now) = (StateDigest::from(&state), self.clock.now());
        let (sealed, is_usable) = self.store.write(|tx| {
            let flow =
                tx.sign_ins().flow(&digest)?.filter(|flow| browsers.iter().any(|one| one.digest() == flow.browser));
            let flow = flow.ok_or(FlowRejection)?;
            let is_usable = flow.expires_at > now && tx.sign_ins().spend_flow(&digest, now)?;
            Ok::<_, UseCaseError<FlowRejection>>((flow.sealed, is_usable))
        })?;
        let details = FlowDetails::open(&digest, &sealed, &*self.sealer).map_err(DependencyError::from)?;
        if details.provider.as_str() != provider {
            return Err(FlowRejection.into());
        }
        if let (true, Some(error)) = (is_usable, &callback.error) {
            let error: String = error.chars().filter(|c| c.is_ascii_lowercase() || *c == '_').take(40).collect();
            tracing::info!(target: LOG, provider, error, "Provider returned an error");
        }
        let failed = if is_usable { failure(callback) } else { Some(SignInError::FlowExpired) };
        let (code, issuer) = (callback.code.clone().unwrap_or_default(), callback.issuer.clone());
        Ok(OpenedFlow { details, failed, code, issuer })
    }

    /// Exchanges the provider's code. Calls the provider, and does not use the store.
    pub fn redeem(&self, opened: &OpenedFlow) -> SignInResult {
        if let Some(failed) = opened.failed {
            return Err(failed);
        }
        let details = &opened.details;
        let provider = self.providers.find(details.provider.as_str()).ok_or(ProviderReason::Unknown)?;
        let callback = CodeCallback {
            code: opened.code.clone(),
            issuer: opened.issuer.clone(),
            redirect_uri: self.providers.callback_url(&provider.name),
            nonce: details.nonce.clone(),
            code_verifier: details.verifier.clone(),
        };
        let redeemed = provider.protocol.redeem(&callback, self.clock.now());
        redeemed.map_err(|error| log_failure(&provider.name, &error).into())
    }

    /// Finds the account, and returns the client's URL with a one-time code, or with the reason why there is none.
    ///
    /// # Errors
    /// Returns [`DependencyError`] if the store fails.
    pub fn finish(
        &self,
        opened: &OpenedFlow,
        result: SignInResult,
        caller: &Caller,
    ) -> Result<CallbackResponse, DependencyError> {
        let outcome = self.outcome(opened, result, caller)?;
        if let Some(provider) = self.providers.find(opened.details.provider.as_str()) {
            self.observer.on_sign_in(provider.kind, outcome.as_ref().map(drop).map_err(|reason| *reason));
        }
        Ok(self.respond(opened, outcome))
    }

    /// Returns the code, `None` for a flow that links an identity, or the reason why no one is signed in.
    fn outcome(
        &self,
        opened: &OpenedFlow,
        result: SignInResult,
        caller: &Caller,
    ) -> Result<Result<Option<CodeExchange>, SignInError>, DependencyError> {
        if let Some((_, session)) = opened.details.link
            && !self.store.read(|tx| is_active(session, tx))?
        {
            return Ok(Err(SignInError::FlowExpired));
        }
        match result.map(|profile| self.begin_code(opened, &profile, caller)) {
            Ok(Ok(code)) => Ok(Ok(code)),
            Ok(Err(UseCaseError::Refused(NoAccount(reason)))) => Ok(Err(reason.into())),
            Ok(Err(UseCaseError::Failed(error))) => Err(error),
            Ok(Err(UseCaseError::Limited(_))) => Ok(Err(SignInError::ServerError)),
            Err(reason) => Ok(Err(reason)),
        }
    }

    /// Resolves the account and stores a code for it. A flow that links an identity gives none. A code for the
    /// account pages comes with its verifier.
    fn begin_code(
        &self,
        opened: &OpenedFlow,
        profile: &ProviderProfile,
        caller: &Caller,
    ) -> Result<Option<CodeExchange>, UseCaseError<NoAccount>> {
        let details = &opened.details;
        let gone = || StoreError::Failed("the provider is no longer configured".to_owned());
        let provider = self.providers.find(details.provider.as_str()).ok_or_else(gone)?;
        let secret = SignInSecret::from_random(self.entropy.array());
        let signed_in = SignedIn { provider, profile, link_to: details.link, again: details.again, caller };
        let session_id = SessionId::from_random(self.entropy.array());
        let verifier = CodeVerifier::from_random(self.entropy.array());
        let challenge = details.challenge.unwrap_or_else(|| verifier.challenge());
        self.accounts.run(&signed_in, &mut |user_id, tx| {
            if let Some((_, session)) = details.link {
                return still_active(session, tx);
            }
            tx.sign_ins().insert_code(&SignInCode {
                digest: SignInCodeDigest::from(&secret),
                user_id,
                session_id,
                challenge: *challenge.as_bytes(),
                redirect_uri: details.redirect_uri.clone(),
                multi_factor: provider.counts_factors(profile.multi_factor),
                page_session: None,
                expires_at: self.clock.now() + SIGN_IN_CODE_LIFETIME,
                used_at: None,
            })
        })?;
        let (code_verifier, redirect_uri) = (verifier.expose().to_owned(), details.redirect_uri.clone());
        Ok(details.link.is_none().then(|| CodeExchange { code: secret.expose(), code_verifier, redirect_uri }))
    }

    fn respond(&self, opened: &OpenedFlow, outcome: Result<Option<CodeExchange>, SignInError>) -> CallbackResponse {
        let FlowDetails { redirect_uri, state, .. } = &opened.details;
        if opened.details.is_for_pages() {
            let outcome = outcome.and_then(|code| code.ok_or(SignInError::ServerError));
            let (state, is_again) = (state.clone().unwrap_or_default(), opened.details.again.is_some());
            return CallbackResponse::Pages { outcome, state, is_again };
        }
        let mut parameters: Vec<(&str, &str)> = Vec::new();
        match &outcome {
            Ok(Some(exchange)) => parameters.push(("code", &exchange.code)),
            Ok(None) => {}
            Err(reason) => parameters.push(("error", reason.as_str())),
        }
        if let Some(state) = state {
            parameters.push(("state", state));
        }
        if matches!(outcome, Ok(Some(_))) {
            parameters.push(("iss", &self.providers.public_url));
        }
        CallbackResponse::Client(append_query(redirect_uri, &parameters))
    }
}

fn is_active(session: SessionId, tx: &mut dyn Tx) -> Result<bool, StoreError> {
    Ok(tx.sessions().find(session)?.is_some_and(|session| session.ended_at.is_none()))
}

/// Refuses to link an identity if the session that began the flow ended a moment ago.
fn still_active(session: SessionId, tx: &mut dyn Tx) -> Result<(), StoreError> {
    if is_active(session, tx)? {
        Ok(())
    } else {
        Err(StoreError::Busy("the session that began the flow has ended".to_owned()))
    }
}

/// Returns why a callback brings no code (RFC 6749 §4.1.2.1, OpenID Connect Core 1.0 §3.1.2.6).
fn failure(callback: &ProviderCallback) -> Option<SignInError> {
    match callback.error.as_deref() {
        None if callback.code.is_some() => None,
        Some(
            "access_denied"
            | "user_cancelled_authorize"
            | "login_required"
            | "consent_required"
            | "interaction_required"
            | "account_selection_required",
        ) => Some(SignInError::AccessDenied),
        Some("temporarily_unavailable") => Some(SignInError::ProviderUnavailable),
        Some(_) | None => Some(SignInError::ServerError),
    }
}
