//! State shared by all handlers: use cases, lanes and the HTTP configuration.

use crate::errors::ApiError;
use crate::lanes::{BatchLane, Lane, OutboundLanes};
use crate::limits::{ForwardedHeader, TrustedProxies};
use crate::pages::{Brand, PageRenderer};
use crate::request_metrics::{LoginObserver, RequestObserver};
use crate::tokens::TokenCookies;
use actix_web::web::Data;
use portcullis_domain::keys::PublicKey;
use portcullis_domain::registration::PasswordPolicy;
use portcullis_usecases::health::CheckReadiness;
use portcullis_usecases::limits::Limits;
use portcullis_usecases::login::LogIn;
use portcullis_usecases::mail::RequestLink;
use portcullis_usecases::mfa::{
    Challenges, ConfirmTotp, EnrolTotp, ListFactors, PrepareReauthentication, Reauthenticate, RemoveTotp, RenameTotp,
    RenewRecoveryCodes, TrustedDevices, VerifySecondFactor,
};
use portcullis_usecases::passkeys::{
    AddPasskey, ListPasskeys, LogInWithPasskey, PasskeyCeremonies, PreparePasskey, RemovePasskey, RenamePasskey,
};
use portcullis_usecases::providers::{
    CompleteSignIn, ContinueInApp, ExchangeCode, ListIdentities, NativeSignIn, Providers, StartLink, StartSignIn,
    UnlinkIdentity,
};
use portcullis_usecases::recovery::{ChangePassword, ResetPassword};
use portcullis_usecases::registration::{DeleteOwnAccount, Register};
use portcullis_usecases::sessions::{ListSessions, LogOut, LogOutAll, PageSessions, ReadTimeline, RevokeSession};
use portcullis_usecases::tokens::{
    Authenticate, BearerLookup, BearerLookupResult, Refresh, RotationRequest, RotationResult,
};
use portcullis_usecases::verification::{InspectToken, RequestEmailChange, VerifyEmail};
use std::sync::Arc;
use tokio::time::Instant;

/// State shared by all handlers.
pub struct Api {
    /// Registers accounts.
    pub register: Register,
    /// Logs users in.
    pub log_in: LogIn,
    /// Exchanges refresh tokens.
    pub refresh: Arc<Refresh>,
    /// Deletes accounts at their owners' request.
    pub delete_own_account: DeleteOwnAccount,
    /// Use cases for password changes and resets.
    pub recovery: RecoveryUseCases,
    /// Use cases for verifying and changing email addresses.
    pub verification: VerificationUseCases,
    /// Use cases for second factors and recent authentication.
    pub mfa: MfaUseCases,
    /// Use cases for passkeys.
    pub passkeys: PasskeyUseCases,
    /// Use cases for sign-in with providers.
    pub providers: ProviderUseCases,
    /// Ends a session by one of its tokens.
    pub log_out: LogOut,
    /// Use cases for a user's own sessions.
    pub sessions: SessionUseCases,
    /// Validates access tokens.
    pub authenticate: Arc<Authenticate>,
    /// Checks whether the service is ready.
    pub readiness: CheckReadiness,
    /// Rate limits.
    pub limits: Arc<Limits>,
    /// Public keys that verify tokens, the current one first; published as a JWK Set.
    pub public_keys: Vec<PublicKey>,
    /// Rules for new passwords.
    pub passwords: PasswordPolicy,
    /// Lanes to the blocking threads.
    pub lanes: Lanes,
    /// Renders the pages.
    pub pages: Arc<dyn PageRenderer>,
    /// Observer of finished requests, if any.
    pub observer: Option<Arc<dyn RequestObserver>>,
    /// Observer of logins by password.
    pub logins: Arc<dyn LoginObserver>,
    /// HTTP configuration.
    pub config: HttpConfig,
}

/// Use cases for password changes and resets.
pub struct RecoveryUseCases {
    /// Changes a password, given the old one.
    pub change: ChangePassword,
    /// Requests a password-reset email.
    pub request: RequestLink,
    /// Sets a new password with the token of that email.
    pub reset: ResetPassword,
}

/// Use cases for verifying and changing email addresses.
pub struct VerificationUseCases {
    /// Redeems the token of a verification, change or undo email.
    pub verify: VerifyEmail,
    /// Returns what a token is for, without redeeming it.
    pub inspect: InspectToken,
    /// Requests another verification email.
    pub resend: RequestLink,
    /// Requests a change of the email address.
    pub change: RequestEmailChange,
}

/// Use cases for second factors and recent authentication.
pub struct MfaUseCases {
    /// Reads the tokens between two factors.
    pub challenges: Arc<Challenges>,
    /// Lists a user's own factors.
    pub list: ListFactors,
    /// Begins the enrolment of an authenticator app.
    pub enrol: EnrolTotp,
    /// Confirms an authenticator app.
    pub confirm: ConfirmTotp,
    /// Renames an authenticator app.
    pub rename: RenameTotp,
    /// Removes an authenticator app.
    pub remove: RemoveTotp,
    /// Replaces the recovery codes.
    pub renew_recovery_codes: RenewRecoveryCodes,
    /// Completes a login.
    pub verify: VerifySecondFactor,
    /// Lists and forgets a user's own trusted devices.
    pub devices: TrustedDevices,
    /// Returns the ways to authenticate again.
    pub prepare_reauthentication: PrepareReauthentication,
    /// Authenticates the user of a session again.
    pub reauthenticate: Reauthenticate,
}

/// Use cases for passkeys.
pub struct PasskeyUseCases {
    /// Issues the options of a sign-in.
    pub ceremonies: Arc<PasskeyCeremonies>,
    /// Prepares the registration of a passkey.
    pub prepare: PreparePasskey,
    /// Adds a passkey.
    pub add: AddPasskey,
    /// Lists a user's own passkeys.
    pub list: ListPasskeys,
    /// Renames a passkey.
    pub rename: RenamePasskey,
    /// Removes a passkey.
    pub remove: RemovePasskey,
    /// Signs in with a passkey.
    pub log_in: LogInWithPasskey,
}

/// Use cases for sign-in with providers.
pub struct ProviderUseCases {
    /// Configured providers.
    pub providers: Arc<Providers>,
    /// Sends browsers to a provider.
    pub start: StartSignIn,
    /// Completes a sign-in when the browser returns.
    pub complete: CompleteSignIn,
    /// Exchanges the code of a sign-in.
    pub exchange: ExchangeCode,
    /// Issues codes to apps whose users are signed in at the account pages.
    pub continue_in_app: ContinueInApp,
    /// Signs in with the ID token of a native app.
    pub native: NativeSignIn,
    /// Begins the flow that links an identity.
    pub link: StartLink,
    /// Lists a user's own identities.
    pub list: ListIdentities,
    /// Removes an identity.
    pub unlink: UnlinkIdentity,
}

/// Use cases for a user's own sessions.
pub struct SessionUseCases {
    /// Lists the active sessions.
    pub list: ListSessions,
    /// Ends one session.
    pub revoke: RevokeSession,
    /// Ends all sessions.
    pub log_out_all: LogOutAll,
    /// Returns the events of a session.
    pub timeline: ReadTimeline,
    /// Signs and reads the cookie of the account pages, and ends their sessions.
    pub page: PageSessions,
}

/// Lanes to blocking threads, one for each resource that a use case may wait for.
pub struct Lanes {
    /// To the database; as wide as its connection pool.
    pub store: Lane,
    /// To the database, for refresh-token exchanges; waiting jobs run as one batch.
    pub exchanges: BatchLane<RotationRequest, RotationResult>,
    /// To the database, to resolve bearers' accounts and sessions; waiting jobs run as one batch.
    pub accounts: BatchLane<BearerLookup, BearerLookupResult>,
    /// To the password hasher; as wide as the number of jobs that may wait for a hash.
    pub crypto: Lane,
    /// To identity providers over HTTP.
    pub outbound: OutboundLanes,
    /// To the rate limiter if it is remote; `None` if it runs in this process.
    pub limits: Option<Lane>,
}

/// HTTP configuration.
pub struct HttpConfig {
    /// Name of the service on its pages, and title of the OpenAPI document.
    pub app_name: String,
    /// Origin of `PUBLIC_URL` as browsers spell it; the service's pages are served there.
    pub public_origin: String,
    /// Origins on other domains that may use passkeys of this service; none: the list is not served.
    pub related_origins: Vec<String>,
    /// Path of `PUBLIC_URL` without a trailing slash; empty if the service is served at the root.
    pub public_path: String,
    /// Account pages that this service serves itself.
    pub account_pages: AccountPages,
    /// The operator's style sheet and logo for the pages.
    pub brand: Brand,
    /// Origins allowed by CORS (Fetch standard).
    pub cors_origins: Vec<String>,
    /// Cookies that hold the tokens of browsers; `None`: cookie mode is off.
    pub cookies: Option<TokenCookies>,
    /// Proxies whose forwarding header is trusted.
    pub proxies: TrustedProxies,
    /// Forwarding header that is trusted from these proxies.
    pub forwarded: ForwardedHeader,
    /// `max-age` of `Strict-Transport-Security` (RFC 6797) in seconds; 0 sends no header.
    pub hsts_seconds: u32,
    /// Whether requests of the health endpoints are logged and traced.
    pub log_health: bool,
    /// Source of 16 unpredictable bytes for request ids.
    pub random: fn() -> [u8; 16],
}

/// Account pages that this service serves itself. The operator may host the others elsewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AccountPages {
    /// The page that verifies email addresses.
    pub verify: bool,
    /// The page that sets passwords.
    pub reset: bool,
    /// The pages on which people sign in and manage their account.
    pub enabled: bool,
    /// The page that creates accounts.
    pub sign_up: bool,
}

/// Runs a use case that needs the database on the store lane.
pub(crate) async fn with_store<T: Send + 'static>(
    api: Data<Api>,
    work: impl FnOnce(&Api) -> T + Send + 'static,
) -> Result<T, ApiError> {
    let deadline = api.lanes.store.deadline();
    with_store_by(deadline, api, work).await
}

/// Like [`with_store`], with the deadline of a request that has already waited elsewhere.
pub(crate) async fn with_store_by<T: Send + 'static>(
    deadline: Instant,
    api: Data<Api>,
    work: impl FnOnce(&Api) -> T + Send + 'static,
) -> Result<T, ApiError> {
    let shared = api.clone();
    Ok(api.lanes.store.run_by(deadline, move || work(&shared)).await?)
}
