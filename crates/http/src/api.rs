//! What the handlers share: the use cases, the lanes to them, and what the service calls itself.

use crate::errors::ApiError;
use crate::lanes::{BatchLane, Lane};
use crate::limits::{ForwardedHeader, TrustedProxies};
use crate::request_gate::RequestGate;
use crate::request_metrics::RequestObserver;
use actix_web::HttpRequest;
use actix_web::web::Data;
use portcullis_domain::keys::PublicKey;
use portcullis_domain::registration::PasswordPolicy;
use portcullis_usecases::health::CheckReadiness;
use portcullis_usecases::limits::Limits;
use portcullis_usecases::login::LogIn;
use portcullis_usecases::recovery::{ChangePassword, RequestReset, ResetPassword};
use portcullis_usecases::registration::{DeleteOwnAccount, Register};
use portcullis_usecases::sessions::{ListSessions, LogOut, LogOutAll, ReadTimeline, RevokeSession};
use portcullis_usecases::tokens::{
    Authenticate, BearerLookup, BearerLookupResult, Refresh, RotationRequest, RotationResult,
};
use portcullis_usecases::verification::{InspectToken, RequestEmailChange, ResendVerification, VerifyEmail};
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;
use tokio::time::Instant;

/// Everything that the handlers need.
pub struct Api {
    /// Registers accounts.
    pub register: Register,
    /// Signs in.
    pub log_in: LogIn,
    /// Exchanges refresh tokens.
    pub refresh: Arc<Refresh>,
    /// Deletes accounts at their owners' wish.
    pub delete_own_account: DeleteOwnAccount,
    /// Passwords that are changed, or forgotten.
    pub recovery: RecoveryUseCases,
    /// Addresses that are verified, or changed.
    pub verification: VerificationUseCases,
    /// Ends a session by one of its tokens.
    pub log_out: LogOut,
    /// What owners do with their sessions.
    pub sessions: SessionUseCases,
    /// Reads access tokens.
    pub authenticate: Arc<Authenticate>,
    /// Tells whether the service can work.
    pub readiness: CheckReadiness,
    /// How often what may be tried.
    pub limits: Arc<Limits>,
    /// The keys that verify tokens, for everybody: the current one first.
    pub public_keys: Vec<PublicKey>,
    /// What a new password must be.
    pub passwords: PasswordPolicy,
    /// The ways to blocking threads.
    pub lanes: Lanes,
    /// Who is told of requests that were answered, if anybody.
    pub observer: Option<Arc<dyn RequestObserver>>,
    /// What the service is called and calls others.
    pub config: HttpConfig,
}

/// What becomes of passwords.
pub struct RecoveryUseCases {
    /// Changes one, for who knows the old one.
    pub change: ChangePassword,
    /// Orders a mail, for who forgot it.
    pub request: RequestReset,
    /// Sets one, by the token of that mail.
    pub reset: ResetPassword,
}

/// What becomes of addresses.
pub struct VerificationUseCases {
    /// Does what the token of a mail is for.
    pub verify: VerifyEmail,
    /// Tells what it is for.
    pub inspect: InspectToken,
    /// Orders the mail again.
    pub resend: ResendVerification,
    /// Orders a mail to another address.
    pub change: RequestEmailChange,
}

/// What the owner of an account does with its sessions.
pub struct SessionUseCases {
    /// Lists them.
    pub list: ListSessions,
    /// Ends one.
    pub revoke: RevokeSession,
    /// Ends all.
    pub log_out_all: LogOutAll,
    /// Tells what happened to one.
    pub timeline: ReadTimeline,
}

/// One lane for each resource that a use case may wait for.
pub struct Lanes {
    /// To the store: as many as it has connections.
    pub store: Lane,
    /// To the store, for exchanges of refresh tokens: those that wait go together.
    pub exchanges: BatchLane<RotationRequest, RotationResult>,
    /// To the store, for accounts and sessions that bearers speak for: those that wait are looked up
    /// together.
    pub accounts: BatchLane<BearerLookup, BearerLookupResult>,
    /// To the password hasher: as many as may wait for a hash.
    pub crypto: Lane,
    /// To the limiter, where it is beyond a network; none where it is in this process.
    pub limits: Option<Lane>,
}

/// Names.
pub struct HttpConfig {
    /// The title of the API document.
    pub app_name: String,
    /// The origin of `PUBLIC_URL`, as browsers spell it: pages of the service are found there.
    pub public_origin: String,
    /// The pages for owners of accounts that are this service's own.
    pub account_pages: AccountPages,
    /// The origins that browsers may call from (the Fetch standard's CORS protocol).
    pub cors_origins: Vec<String>,
    /// The proxies that are believed when they say whom a call comes from.
    pub proxies: TrustedProxies,
    /// The header that is believed when one of them sends it.
    pub forwarded: ForwardedHeader,
    /// Seconds of `Strict-Transport-Security` (RFC 6797); 0 for no header.
    pub hsts_seconds: u32,
    /// Sixteen unpredictable bytes for a request's identifier.
    pub random: fn() -> [u8; 16],
}

/// Which pages for owners of accounts are this service's own. An operator may have others in their
/// place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AccountPages {
    /// The page that verifies addresses.
    pub verify: bool,
    /// The page that sets passwords.
    pub reset: bool,
}

/// Runs a use case that needs the store, on its lane.
pub(crate) async fn with_store<T: Send + 'static>(
    api: Data<Api>,
    work: impl FnOnce(&Api) -> T + Send + 'static,
) -> Result<T, ApiError> {
    let deadline = api.lanes.store.deadline();
    with_store_by(deadline, api, work).await
}

/// The same for a request that has waited elsewhere before.
pub(crate) async fn with_store_by<T: Send + 'static>(
    deadline: Instant,
    api: Data<Api>,
    work: impl FnOnce(&Api) -> T + Send + 'static,
) -> Result<T, ApiError> {
    let shared = api.clone();
    Ok(api.lanes.store.run_by(deadline, move || work(&shared)).await?)
}

/// Tells whether somebody waits for the answer.
pub(crate) struct RequestGuard {
    answering: Weak<()>,
    departed: Arc<AtomicBool>,
}

impl RequestGuard {
    pub(crate) fn is_connected(&self) -> bool {
        self.answering.strong_count() > 0 && !self.departed.load(Ordering::Relaxed)
    }
}

/// A use case that waited no longer for its turn is run for whoever asked, also for a caller who has
/// only said that it will ask nothing more.
const CANCEL_GRACE: Duration = Duration::from_millis(20);

/// Runs a use case that hashes, on its lane, unless the caller left while it waited for its turn.
/// The presence ends when the client closes its side of
/// the connection, and with this future: when the time is up, or the connection broke.
pub(crate) async fn with_crypto<T: Send + 'static, E: Into<ApiError> + Send + 'static>(
    api: Data<Api>,
    request: &HttpRequest,
    work: impl FnOnce(&Api, RequestGuard) -> Result<T, E> + Send + 'static,
) -> Result<T, ApiError> {
    let departed = request.conn_data::<Rc<RequestGate>>().map(|turn| turn.half_closed_flag()).unwrap_or_default();
    let (shared, answering) = (api.clone(), Arc::new(()));
    let presence = RequestGuard { answering: Arc::downgrade(&answering), departed };
    let since = Instant::now();
    let job = move || (since.elapsed() <= CANCEL_GRACE || presence.is_connected()).then(|| work(&shared, presence));
    let outcome = match api.lanes.crypto.run(job).await? {
        Some(outcome) => outcome.map_err(Into::into),
        None => Err(api.lanes.crypto.rejection().into()),
    };
    drop(answering);
    if outcome.as_ref().is_err_and(|error| error.crowded) {
        api.lanes.crypto.delay().await;
    }
    outcome
}
