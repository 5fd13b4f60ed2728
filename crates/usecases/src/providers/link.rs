//! Begins the flow that links an identity to a user's own account, at a one-time URL.

use super::flow::FlowDetails;
use super::{ProviderReason, Providers, SignInStart};
use crate::failure::{DependencyError, Reason, UseCaseError};
use crate::limits::DeviceCookies;
use crate::mfa::{MfaReason, StepUp};
use crate::tokens::{Authenticate, Authenticated};
use portcullis_domain::ErrorCode;
use portcullis_domain::login::Owner;
use portcullis_domain::providers::{LINK_START_LIFETIME, SignInFlow, SignInSecret, StateDigest};
use portcullis_domain::registration::UserId;
use portcullis_domain::sessions::{Session, SessionId};
use portcullis_ports::{Clock, Entropy, EntropyExt, Sealer, Store, StoreExt, Tx};
use std::sync::Arc;

/// Stored for the URL of a link, which is no flow: no cookie has this digest.
const NO_BROWSER: [u8; 32] = [0; 32];

/// Reason why no flow began.
#[derive(Debug, thiserror::Error)]
pub enum LinkStart {
    /// The provider is unknown.
    #[error(transparent)]
    Provider(#[from] ProviderReason),
    /// The session may not do that now.
    #[error(transparent)]
    Session(#[from] MfaReason),
    /// The URL is unknown, too old or was used, or its session has ended.
    #[error("The link has expired")]
    Expired,
    /// The browser is not the one of the session.
    #[error("The link was opened in another browser")]
    OtherBrowser,
}

impl Reason for LinkStart {
    fn code(&self) -> ErrorCode {
        match self {
            Self::Provider(reason) => reason.code(),
            Self::Session(reason) => reason.code(),
            Self::Expired => ErrorCode::NotFound,
            Self::OtherBrowser => ErrorCode::Forbidden,
        }
    }
}

/// A one-time URL that was opened: the account and the provider to name, and the flow to begin.
pub struct LinkOffer {
    /// Owner of the account.
    pub owner: Owner,
    /// Name of the provider.
    pub provider: String,
    /// The flow.
    pub start: SignInStart,
    /// Account and session that began the flow.
    pub link: (UserId, SessionId),
}

/// Begins flows that link identities.
pub struct StartLink {
    /// Configured providers.
    pub providers: Arc<Providers>,
    /// Store of flows.
    pub store: Arc<dyn Store>,
    /// Encrypts the details of flows.
    pub sealer: Arc<dyn Sealer>,
    /// Requires recent authentication.
    pub step_up: Arc<StepUp>,
    /// Known devices.
    pub devices: Arc<DeviceCookies>,
    /// Validates access tokens.
    pub authenticate: Arc<Authenticate>,
    /// Random bytes for tokens.
    pub entropy: Arc<dyn Entropy>,
    /// Clock.
    pub clock: Arc<dyn Clock>,
}

impl StartLink {
    /// Creates the token of a one-time URL. Calls no provider.
    ///
    /// # Errors
    /// Returns [`LinkStart`].
    pub fn offer(&self, session: &Authenticated, input: &SignInStart) -> Result<SignInSecret, UseCaseError<LinkStart>> {
        let provider = self.providers.find(&input.provider).ok_or(ProviderReason::Unknown).map_err(LinkStart::from)?;
        let session_id = session.session_id.ok_or(LinkStart::Session(MfaReason::Revoked))?;
        let token = SignInSecret::from_random(self.entropy.array());
        let digest = StateDigest::from(&token);
        let details = FlowDetails {
            provider: provider.name.clone(),
            redirect_uri: input.redirect_uri.clone(),
            state: input.state.clone(),
            challenge: None,
            nonce: String::new(),
            verifier: String::new(),
            link: Some((session.user.id, session_id)),
            again: None,
        };
        let sealed = details.seal(&digest, &*self.sealer).map_err(DependencyError::from)?;
        let expires_at = self.clock.now() + LINK_START_LIFETIME;
        let flow = SignInFlow { state: digest, browser: NO_BROWSER, sealed, expires_at, spent_at: None };
        self.store.write(|tx| {
            self.step_up.require(session, tx).map_err(UseCaseError::convert)?;
            Ok::<_, UseCaseError<LinkStart>>(tx.sign_ins().insert_flow(&flow)?)
        })?;
        Ok(token)
    }

    /// Permits a flow in the browser of a session, which needs no one-time URL.
    ///
    /// # Errors
    /// Returns [`LinkStart::Session`] if the session was not authenticated recently.
    pub fn permit(&self, session: &Authenticated) -> Result<(UserId, SessionId), UseCaseError<LinkStart>> {
        let session_id = session.session_id.ok_or(LinkStart::Session(MfaReason::Revoked))?;
        let required = self.store.write(|tx| self.step_up.require(session, tx).map(drop));
        required.map_err(UseCaseError::convert)?;
        Ok((session.user.id, session_id))
    }

    /// Returns what a one-time URL offers, for the page that asks for confirmation. Does not use it up.
    ///
    /// # Errors
    /// Returns [`LinkStart::Expired`].
    pub fn inspect(&self, token: &str) -> Result<LinkOffer, UseCaseError<LinkStart>> {
        let token = SignInSecret::parse(token).ok_or(LinkStart::Expired)?;
        let digest = StateDigest::from(&token);
        let (flow, owner, _) = self.store.read(|tx| self.find(&digest, tx))?;
        self.open(&digest, &flow, owner)
    }

    /// Uses up a one-time URL in the browser of the session that created it: its device cookie or its access token
    /// proves that. Otherwise an attacker could have a victim's identity linked to the attacker's account.
    ///
    /// # Errors
    /// Returns [`LinkStart::Expired`] and [`LinkStart::OtherBrowser`].
    pub fn confirm(
        &self,
        token: &str,
        (device, access_token): (Option<&str>, Option<&str>),
    ) -> Result<LinkOffer, UseCaseError<LinkStart>> {
        let token = SignInSecret::parse(token).ok_or(LinkStart::Expired)?;
        let digest = StateDigest::from(&token);
        let bearer = access_token.and_then(|token| self.authenticate.run(token).ok());
        let (flow, owner) = self.store.write(|tx| {
            let (flow, owner, session) = self.find(&digest, tx)?;
            let Owner { user, credentials } = &owner;
            let known = device.and_then(|cookie| self.devices.recognise(cookie, &user.email, credentials.hash()));
            let is_known = |hash| known.is_some_and(|device| self.devices.is_hash_of(hash, user.id, device));
            let by_device = session.device.is_some_and(is_known);
            let by_token = bearer.as_ref().is_some_and(|bearer| bearer.session_id == Some(session.id));
            if !by_device && !by_token {
                return Err(LinkStart::OtherBrowser.into());
            }
            if !tx.sign_ins().spend_flow(&digest, self.clock.now())? {
                return Err(LinkStart::Expired.into());
            }
            Ok::<_, UseCaseError<LinkStart>>((flow, owner))
        })?;
        self.open(&digest, &flow, owner)
    }

    /// Finds an unused offer with the owner and the session that began it.
    fn find(
        &self,
        digest: &StateDigest,
        tx: &mut dyn Tx,
    ) -> Result<(SignInFlow, Owner, Session), UseCaseError<LinkStart>> {
        let now = self.clock.now();
        let flow = tx.sign_ins().flow(digest)?.filter(|flow| flow.browser == NO_BROWSER);
        let flow = flow.filter(|flow| flow.spent_at.is_none() && flow.expires_at > now).ok_or(LinkStart::Expired)?;
        let details = self.details(digest, &flow)?;
        let (user_id, session_id) = details.link.ok_or(LinkStart::Expired)?;
        let session = tx.sessions().find(session_id)?.filter(|session| session.ended_at.is_none());
        let owner = tx.credentials().owner(user_id)?.filter(|owner| owner.user.is_active);
        Ok((flow, owner.ok_or(LinkStart::Expired)?, session.ok_or(LinkStart::Expired)?))
    }

    fn open(
        &self,
        digest: &StateDigest,
        flow: &SignInFlow,
        owner: Owner,
    ) -> Result<LinkOffer, UseCaseError<LinkStart>> {
        let FlowDetails { provider, redirect_uri, state, link, .. } = self.details(digest, flow)?;
        let (provider, link) = (provider.to_string(), link.ok_or(LinkStart::Expired)?);
        let (challenge, login_hint, prompt, again) = (None, None, None, None);
        let start =
            SignInStart { provider: provider.clone(), redirect_uri, state, challenge, login_hint, prompt, again };
        Ok(LinkOffer { owner, provider, start, link })
    }

    fn details(&self, digest: &StateDigest, flow: &SignInFlow) -> Result<FlowDetails, UseCaseError<LinkStart>> {
        Ok(FlowDetails::open(digest, &flow.sealed, &*self.sealer).map_err(DependencyError::from)?)
    }
}
