//! `/account/login`: signs in with a password, a passkey or a provider, or goes on to an app with the account of the browser.

use super::target::{Parameters, Target};
use super::{SignInPage, Visit, at_field, at_passkey, provider};
use crate::api::{AccountPages, Api};
use crate::body::{EMAIL, Fields, PASSWORD, REMEMBER};
use crate::call::{Call, CallLane};
use crate::errors::ApiError;
use crate::login::log_in;
use crate::pages::account::{self, PageContent, see_other};
use crate::pages::passkeys::{self, PasskeyOptions, Signal};
use crate::pages::session::PageSession;
use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};
use portcullis_domain::ErrorCode;
use portcullis_domain::providers::append_query;
use portcullis_domain::registration::{EmailAddress, Password};
use portcullis_usecases::login::PasswordLogin;
use portcullis_usecases::passkeys::PasskeyLogIn;
use portcullis_usecases::tokens::Authenticated;
use std::sync::Arc;

/// Field of the button that goes on with the account of the browser.
const ACCOUNT: &str = "account";
/// Field of the buttons of providers.
pub(super) const PROVIDER: &str = "provider";

/// `GET`: displays the form. A browser that is signed in goes on, but never to an app unasked: otherwise any site
/// could sign people in to an app with a link.
pub(super) async fn open(api: Data<Api>, request: HttpRequest) -> HttpResponse {
    let visit = match Visit::new(&api, &request) {
        Ok(visit) => visit,
        Err(response) => return *response,
    };
    let parameters = Parameters::of(request.query_string());
    if parameters.switch.is_none() {
        match PageSession::find(&request, &api).await {
            Ok(Some(PageSession(session))) => return visit.signed_in_already(&session),
            Ok(None) => {}
            Err(error) => return visit.unavailable(error),
        }
    }
    let form = visit.form(parameters.login_hint.as_deref());
    visit.reader.with_message(form, parameters.message())
}

/// `POST`: signs in.
pub(super) async fn submit(api: Data<Api>, request: HttpRequest, payload: Payload) -> HttpResponse {
    let visit = match Visit::new(&api, &request) {
        Ok(visit) => visit,
        Err(response) => return *response,
    };
    let mut fields = match account::form(&request, &api, payload).await {
        Ok(fields) => fields,
        Err(error) => return visit.reader.with_error(visit.form(None), error),
    };
    if let Some(account) = fields.optional(ACCOUNT) {
        return visit.continue_as(&account).await;
    }
    if let Some(name) = fields.optional(PROVIDER) {
        return provider::start(&visit, name, None).await;
    }
    let forget = fields.optional(REMEMBER.name).is_none();
    let typed = fields.optional(EMAIL.name).unwrap_or_default();
    if let Some(credential) = passkeys::credential(&mut fields) {
        return visit.log_in_with_passkey(credential, forget).await;
    }
    match credentials(&typed, &mut fields) {
        Ok(input) => visit.log_in(&typed, input, forget).await,
        Err(error) => visit.reader.with_error(visit.form(Some(&typed)), error),
    }
}

fn credentials(typed: &str, fields: &mut Fields) -> Result<PasswordLogin, ApiError> {
    let email = EmailAddress::parse_known(typed);
    let email = email.map_err(|_| at_field(EMAIL.name, "value_error", "value is not a valid email address"))?;
    let password = fields.optional(PASSWORD.name).filter(|password| !password.is_empty());
    let password = password.ok_or_else(|| at_field(PASSWORD.name, "required", "Field required"))?;
    Ok(PasswordLogin { email, password: Password::new(password), code: None, remember_device: false })
}

impl Visit<'_> {
    fn form<'b>(&'b self, email: Option<&'b str>) -> PageContent<'b> {
        self.form_with(email, None)
    }

    fn form_with<'b>(&'b self, email: Option<&'b str>, signal: Option<Signal>) -> PageContent<'b> {
        let AccountPages { sign_up, reset, .. } = self.api.config.account_pages;
        let (query, app, providers) = (&*self.query, self.target.app(), self.providers());
        let passkey = self.api.passkeys.ceremonies.log_in_options().ok().and_then(PasskeyOptions::request);
        SignInPage::Login { query, email, app, providers, sign_up, reset, passkey, signal }.into()
    }

    pub(super) fn signed_in_already(&self, session: &Authenticated) -> HttpResponse {
        if !self.api.sessions.page.admits(session) {
            // To sign in again, once the address is verified.
            let query = append_query(&self.query, &[("switch", "1")]);
            return self.check_inbox(&query, Some(session.user.email.original()));
        }
        match &self.target {
            Target::Page(None) => see_other("../account"),
            Target::Page(Some(path)) => see_other(path.as_str()),
            Target::App(_) => {
                let (email, user_id) = (session.user.email.original(), session.user.id.get());
                self.reader.ok(SignInPage::ContinueAs { query: &self.query, app: self.app(), email, user_id }.into())
            }
        }
    }

    /// Goes on with the account of the browser, if it is still the one that the page named.
    async fn continue_as(&self, account: &str) -> HttpResponse {
        if let Err(error) = Call::new(self.api, self.request).count().await {
            return self.unavailable(error);
        }
        match PageSession::find(self.request, self.api).await {
            Ok(Some(PageSession(session))) => match session.session_id {
                Some(id) if self.names(account, &session) => self.go_on((session.user.id, id)).await,
                _ => self.signed_in_already(&session),
            },
            Ok(None) => see_other(&self.path("login", &[])),
            Err(error) => self.unavailable(error),
        }
    }

    /// Returns whether a page named the account of a session that may use the pages.
    fn names(&self, account: &str, session: &Authenticated) -> bool {
        session.user.id.get().to_string() == account && self.api.sessions.page.admits(session)
    }

    /// Signs in with the response of a passkey.
    async fn log_in_with_passkey(&self, credential: String, forget: bool) -> HttpResponse {
        let call = Call::new(self.api, self.request).forgetting(forget);
        let input = Arc::new(PasskeyLogIn { credential });
        let error = match call.counted(|api| &api.passkeys.log_in, input.clone(), CallLane::Store).await {
            Ok(logged_in) => return self.signed_in(&call, logged_in).await,
            Err(error) => error,
        };
        self.refused(None, error).unwrap_or_else(|error| {
            let is_unknown = error.details.as_ref().is_some_and(|details| details.get("unknown_credential").is_some());
            let party = self.api.passkeys.ceremonies.party.as_ref().filter(|_| is_unknown);
            let signal = party.and_then(|party| Signal::unknown(&input.credential, &party.id));
            self.reader.with_error(self.form_with(None, signal), at_passkey(error))
        })
    }

    /// Signs in with a password.
    pub(super) async fn log_in(&self, typed: &str, input: PasswordLogin, forget: bool) -> HttpResponse {
        let call = Call::new(self.api, self.request).forgetting(forget);
        let error = match log_in(call, input).await {
            Ok((logged_in, call)) => return self.signed_in(&call, logged_in).await,
            Err(error) => error,
        };
        self.refused(Some(typed), error).unwrap_or_else(|error| {
            let error = match error.code {
                ErrorCode::InvalidCredentials => at_field(PASSWORD.name, "credentials", "Wrong email or password"),
                _ => error,
            };
            self.reader.with_error(self.form(Some(typed)), error)
        })
    }
}
