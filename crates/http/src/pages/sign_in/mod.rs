//! The pages of sign-in: login, second factor, registration, recent authentication and logout, and the overview of
//! the account. They call the same use cases as the API, with the same limits, and end in a session of the pages.
//! An app can send people here and gets a code for `POST /auth/code` (hosted sign-in).

mod content;
mod cookies;
mod enrol;
mod login;
mod overview;
mod provider;
mod reauthenticate;
mod register;
mod second_factor;
mod target;

pub(crate) use content::{NewAuthenticator, SignInPage};
pub(crate) use provider::returned;
pub(crate) use second_factor::entered;

use super::account::{PageContent, PageContext, SignInProblem, see_other};
use super::session::{self, PageSession};
use crate::api::{Api, with_store};
use crate::call::Call;
use crate::errors::{ApiError, FieldError};
use crate::providers::{StartError, state_too_long};
use crate::routes::{Switch, Table};
use actix_web::http::header::SET_COOKIE;
use actix_web::web::{Data, get, post};
use actix_web::{HttpRequest, HttpResponse, ResponseError};
use content::ProviderButton;
use portcullis_domain::ErrorCode;
use portcullis_domain::mfa::RecoveryCode;
use portcullis_domain::registration::UserId;
use portcullis_domain::sessions::SessionId;
use portcullis_usecases::login::LoggedIn;
use serde_json::Value;
use target::Target;

/// Registers the pages.
pub(super) fn routes(table: &mut Table) {
    const ON: Switch = |pages| pages.enabled;
    table.account_page("/account", ON, [get().to(overview::open)]);
    table.account_page("/account/login", ON, [get().to(login::open), post().to(login::submit)]);
    table.account_page("/account/callback", ON, [get().to(provider::callback)]);
    table.account_page("/account/second-factor", ON, [get().to(second_factor::open), post().to(second_factor::submit)]);
    table.account_page("/account/enrol", ON, [get().to(enrol::open), post().to(enrol::submit)]);
    let register = [get().to(register::open), post().to(register::submit)];
    table.account_page("/account/register", |pages| pages.enabled && pages.sign_up, register);
    let again = [get().to(reauthenticate::open), post().to(reauthenticate::submit)];
    table.account_page("/account/reauthenticate", ON, again);
    table.account_page("/account/logout", ON, [get().to(overview::ask_logout), post().to(overview::log_out)]);
}

/// A request of a sign-in, with its target.
struct Visit<'a> {
    api: &'a Data<Api>,
    request: &'a HttpRequest,
    reader: PageContext<'a>,
    target: Target,
    /// The target as a query.
    query: String,
}

impl<'a> Visit<'a> {
    /// Reads the target of a request.
    ///
    /// # Errors
    /// Returns a page if an app's parameters are unusable. The browser is never sent to an address that is not listed.
    fn new(api: &'a Data<Api>, request: &'a HttpRequest) -> Result<Self, Box<HttpResponse>> {
        let reader = PageContext::of(request, api);
        match Target::of(request, api) {
            Ok(target) => Ok(Self { api, request, query: target.query(), target, reader }),
            Err(fault) => Err(Box::new(unusable(&reader, &fault))),
        }
    }

    /// Completes a sign-in: sets its cookies, ends the earlier session of the browser, and goes on.
    async fn signed_in(&self, call: &Call<'_>, logged_in: LoggedIn) -> HttpResponse {
        self.end_earlier(logged_in.session_id).await;
        let mut response = match &logged_in.recovery_codes {
            Some(codes) => self.recovery_codes(codes),
            None => self.go_on((logged_in.user_id, logged_in.session_id)).await,
        };
        let cookies = [session::set_cookie(self.api, &logged_in), call.set_device_cookie(&logged_in.cookie)];
        for cookie in cookies.into_iter().flatten() {
            response.headers_mut().append(SET_COOKIE, cookie);
        }
        cookies::clear_challenge(self.api, &mut response);
        response
    }

    /// Ends the session that the browser had before. Its cookie is replaced, so a failure only leaves it in the list.
    async fn end_earlier(&self, new: SessionId) {
        if let Ok(Some(PageSession(earlier))) = PageSession::find(self.request, self.api).await
            && earlier.session_id != Some(new)
            && let Err(error) = session::end(self.api, self.request, earlier).await
        {
            tracing::warn!(target: "app.auth.service", %error, "Earlier session of the pages not ended");
        }
    }

    /// Sends the browser to the target.
    async fn go_on(&self, session: (UserId, SessionId)) -> HttpResponse {
        let app = match &self.target {
            Target::Page(None) => return see_other("../account"),
            Target::Page(Some(path)) => return see_other(path.as_str()),
            Target::App(app) => app.clone(),
        };
        let issue = move |api: &Api| api.providers.continue_in_app.run(session, &app);
        match with_store(self.api.clone(), issue).await.and_then(|issued| Ok(issued?)) {
            Ok(Some(url)) if self.request.method() == actix_web::http::Method::GET => see_other(&url),
            Ok(Some(url)) => self.reader.ok(SignInPage::ContinueToApp { app: self.app(), url: &url }.into()),
            Ok(None) => see_other(&self.path("login", &[("switch", "1")])),
            Err(error) => self.unavailable(error),
        }
    }

    /// Displays new recovery codes, and then goes on.
    fn recovery_codes(&self, codes: &[RecoveryCode]) -> HttpResponse {
        let next = match &self.target {
            Target::Page(None) => "../account".to_owned(),
            Target::Page(Some(path)) => path.as_str().to_owned(),
            // The page asks whether to go on with this account.
            Target::App(_) => self.path("login", &[]),
        };
        let codes = codes.iter().map(RecoveryCode::expose).collect();
        self.reader.ok(SignInPage::RecoveryCodes { codes, next: &next }.into())
    }

    /// Returns the response to a first factor that did not begin a session, or the error for the page itself.
    fn refused(&self, email: Option<&str>, error: ApiError) -> Result<HttpResponse, ApiError> {
        let page = match error.code {
            ErrorCode::MfaRequired => "second-factor",
            ErrorCode::MfaEnrolmentRequired => "enrol",
            ErrorCode::EmailUnverified => return Ok(self.check_inbox(&self.query, email)),
            _ => return Err(error),
        };
        let detail = |name: &str| error.details.as_ref().and_then(|details| details.get(name));
        let token = detail("mfa_token").and_then(Value::as_str).unwrap_or_default();
        let mut response = see_other(&self.path(page, &[]));
        let seconds = detail("expires_in").and_then(Value::as_i64).unwrap_or_default();
        cookies::set_challenge(self.api, token, seconds, &mut response);
        Ok(response)
    }

    /// Asks for the verification of the account's email address, and remembers the target until then.
    fn check_inbox(&self, query: &str, email: Option<&str>) -> HttpResponse {
        let mut response = self.reader.ok(SignInPage::CheckInbox { query, email }.into());
        cookies::set_detour(self.api, &self.target, &mut response);
        response
    }

    /// Returns a relative URL of another page with the target and more parameters.
    fn path(&self, page: &str, more: &[(&str, &str)]) -> String {
        portcullis_domain::providers::append_query(&format!("{page}{}", self.query), more)
    }

    /// Sends the browser back to the sign-in page, which says that it took too long.
    fn expired(&self) -> HttpResponse {
        let expired = portcullis_domain::providers::SignInError::FlowExpired.as_str();
        let mut response = see_other(&self.path("login", &[("error", expired)]));
        cookies::clear_challenge(self.api, &mut response);
        response
    }

    fn app(&self) -> &str {
        self.target.app().unwrap_or_default()
    }

    fn unavailable(&self, error: ApiError) -> HttpResponse {
        self.reader.with_error(PageContent::Failed {}, error)
    }

    fn providers(&self) -> Vec<ProviderButton<'a>> {
        let button = |provider: &'a portcullis_usecases::providers::Provider| ProviderButton {
            name: provider.name.as_str(),
            label: &provider.label,
        };
        self.api.providers.providers.list.iter().map(button).collect()
    }
}

fn unusable(reader: &PageContext<'_>, fault: &StartError) -> HttpResponse {
    let (problem, text) = match fault {
        StartError::RedirectUri => (SignInProblem::RedirectUri, "redirect_uri is not listed"),
        StartError::Pkce => (SignInProblem::Pkce, "code_challenge of method S256 is missing"),
        StartError::State => return state_too_long().error_response(),
    };
    reader.failed_sign_in(problem, ApiError::new(ErrorCode::Validation, text))
}

/// Returns where the browser goes on after an email was verified or a password was reset: to the sign-in page, with
/// the target that it remembers. `None` if the pages are off.
pub(crate) fn sign_in_link(request: &HttpRequest, api: &Api) -> Option<String> {
    api.config.account_pages.enabled.then(|| format!("login{}", cookies::detour(request, api).query()))
}

/// Remembers the target of a request on a page that sends an email.
pub(crate) fn remember_target(request: &HttpRequest, api: &Api, response: &mut HttpResponse) {
    if let Ok(target) = Target::of(request, api) {
        cookies::set_detour(api, &target, response);
    }
}

/// Creates the error of a form field.
pub(crate) fn at_field(field: &'static str, code: &'static str, message: &'static str) -> ApiError {
    ApiError::validation(vec![FieldError { field, code, message: message.to_owned() }])
}

/// Returns the error of a wrong code on its page. A 401 would request HTTP credentials (RFC 9110 §15.5.2).
pub(crate) fn at_code(error: ApiError) -> ApiError {
    match error.code {
        ErrorCode::InvalidCredentials => at_field("code", "code_wrong", "Wrong code"),
        ErrorCode::NotFound => at_field("body", "setup_expired", "The app can no longer be confirmed"),
        _ => error,
    }
}

/// Returns the error of a passkey that is not accepted, without a 401 as [`at_code`] does.
pub(crate) fn at_passkey(error: ApiError) -> ApiError {
    match error.code {
        ErrorCode::InvalidCredentials => at_field("body", "passkey_refused", "The passkey is not accepted"),
        _ => error,
    }
}
