//! Begins a sign-in: sends the browser to the provider.

use super::error::log_failure;
use super::flow::FlowDetails;
use super::{Provider, ProviderReason, Providers};
use crate::LOG;
use crate::failure::{DependencyError, UseCaseError};
use portcullis_domain::providers::{CodeChallenge, CodeVerifier, FLOW_LIFETIME, SignInFlow, SignInSecret, StateDigest};
use portcullis_domain::registration::UserId;
use portcullis_domain::sessions::SessionId;
use portcullis_ports::{AuthorizationRequest, Clock, Entropy, EntropyExt, Sealer, Store, StoreExt};
use std::fmt;
use std::sync::Arc;

/// Request of a client to sign someone in.
#[derive(Debug, Clone)]
pub struct SignInStart {
    /// Name of the provider.
    pub provider: String,
    /// Where the browser is sent back to. One of the configured URIs: the caller checks it.
    pub redirect_uri: String,
    /// `state` of the client.
    pub state: Option<String>,
    /// `code_challenge` of the client. `None` in a flow that links an identity, and in one of the account pages.
    pub challenge: Option<CodeChallenge>,
    /// Email address that the person is likely to choose.
    pub login_hint: Option<String>,
    /// `prompt` for the provider.
    pub prompt: Option<String>,
    /// Account that authenticates again at the account pages: another one is refused.
    pub again: Option<UserId>,
}

/// A flow that is not stored yet. Redacted in `Debug`.
pub struct PreparedFlow {
    flow: SignInFlow,
    started: StartedFlow,
}

/// A flow that is under way. Redacted in `Debug`.
pub struct StartedFlow {
    /// URL of the provider to send the browser to.
    pub url: String,
    /// Cookie that identifies the browser.
    pub browser: SignInSecret,
    /// `state` of the flow.
    pub state: SignInSecret,
}

impl fmt::Debug for PreparedFlow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PreparedFlow(…)")
    }
}

impl fmt::Debug for StartedFlow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StartedFlow(…)")
    }
}

/// Begins a sign-in.
pub struct StartSignIn {
    /// Configured providers.
    pub providers: Arc<Providers>,
    /// Store of flows.
    pub store: Arc<dyn Store>,
    /// Encrypts the details of flows.
    pub sealer: Arc<dyn Sealer>,
    /// Random bytes for states, nonces and verifiers.
    pub entropy: Arc<dyn Entropy>,
    /// Clock.
    pub clock: Arc<dyn Clock>,
}

impl StartSignIn {
    /// Prepares a flow. May call the provider, and does not use the store. `browser` is the cookie of the browser,
    /// which all its tabs share.
    ///
    /// # Errors
    /// Returns [`ProviderReason::Unknown`] for an unknown provider, and [`ProviderReason::Unavailable`] if its
    /// configuration cannot be fetched.
    pub fn prepare(
        &self,
        input: &SignInStart,
        browser: Option<SignInSecret>,
        link: Option<(UserId, SessionId)>,
    ) -> Result<PreparedFlow, UseCaseError<ProviderReason>> {
        let provider = self.providers.find(&input.provider).ok_or(ProviderReason::Unknown)?;
        let secret = || SignInSecret::from_random(self.entropy.array());
        let (state, nonce, browser) = (secret(), secret(), browser.unwrap_or_else(secret));
        let verifier = CodeVerifier::from_random(self.entropy.array());
        let url = self.url(provider, input, (&state, &nonce, &verifier))?;
        let details = FlowDetails {
            provider: provider.name.clone(),
            redirect_uri: input.redirect_uri.clone(),
            state: input.state.clone(),
            challenge: input.challenge,
            nonce: nonce.expose(),
            verifier: verifier.expose().to_owned(),
            link,
            again: input.again,
        };
        let digest = StateDigest::from(&state);
        let sealed = details.seal(&digest, &*self.sealer).map_err(DependencyError::from)?;
        let expires_at = self.clock.now() + FLOW_LIFETIME;
        let flow = SignInFlow { state: digest, browser: browser.digest(), sealed, expires_at, spent_at: None };
        Ok(PreparedFlow { flow, started: StartedFlow { url, browser, state } })
    }

    /// Stores a flow.
    ///
    /// # Errors
    /// Returns [`DependencyError`] if the store fails.
    pub fn store(&self, prepared: PreparedFlow) -> Result<StartedFlow, DependencyError> {
        self.store.write(|tx| tx.sign_ins().insert_flow(&prepared.flow))?;
        tracing::info!(target: LOG, "Sign-in with provider started");
        Ok(prepared.started)
    }

    fn url(
        &self,
        provider: &Provider,
        input: &SignInStart,
        (state, nonce, verifier): (&SignInSecret, &SignInSecret, &CodeVerifier),
    ) -> Result<String, ProviderReason> {
        let request = AuthorizationRequest {
            redirect_uri: self.providers.callback_url(&provider.name),
            state: state.expose(),
            nonce: nonce.expose(),
            code_challenge: verifier.challenge().to_string(),
            login_hint: input.login_hint.clone(),
            prompt: input.prompt.clone(),
        };
        // Discovery failed. No response to this flow exists that could be invalid.
        provider.protocol.authorization_url(&request).map_err(|error| {
            log_failure(&provider.name, &error);
            ProviderReason::Unavailable
        })
    }
}
