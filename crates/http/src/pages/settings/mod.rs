//! The pages on which people manage their account: security, connected accounts, devices, email address and deletion.
//! They call the same use cases as the API, with the same limits. A change ends in a redirect, so that reloading the
//! page repeats nothing.

mod ago;
mod authenticator;
mod content;
mod delete;
mod device;
mod done;
mod email;
mod identities;
mod passkey;
mod password;
mod recovery_codes;
mod security;
mod sessions;

pub(crate) use content::SettingsPage;

use super::account::{PageContent, PageContext};
use super::session::{self, PageSession};
use super::sign_in::at_field;
use crate::api::{AccountPages, Api};
use crate::body::{Fields, Member};
use crate::errors::ApiError;
use crate::routes::Table;
use actix_web::dev::Payload;
use actix_web::web::{self, Data, get, post};
use actix_web::{FromRequest, HttpRequest, HttpResponse};
use futures_util::future::LocalBoxFuture;
use portcullis_domain::ErrorCode;
use portcullis_domain::registration::Password;
use portcullis_usecases::login::OwnerProof;
use portcullis_usecases::tokens::Authenticated;

/// Fields of several forms.
const ID: &str = "id";
const NAME: &str = "name";

/// Registers the pages.
pub(super) fn routes(table: &mut Table) {
    const ON: fn(&AccountPages) -> bool = |pages| pages.enabled;
    table.account_page("/account/security", ON, [get().to(security::open), post().to(security::submit)]);
    table.account_page("/account/password", ON, [get().to(password::open), post().to(password::submit)]);
    table.account_page("/account/authenticator", ON, [get().to(authenticator::open), post().to(authenticator::submit)]);
    table.account_page("/account/passkey", ON, [get().to(passkey::open), post().to(passkey::submit)]);
    let codes = [get().to(recovery_codes::open), post().to(recovery_codes::submit)];
    table.account_page("/account/recovery-codes", ON, codes);
    table.account_page("/account/identities", ON, [get().to(identities::open), post().to(identities::submit)]);
    table.account_page("/account/sessions", ON, [get().to(sessions::open), post().to(sessions::submit)]);
    table.account_page("/account/email", ON, [get().to(email::open), post().to(email::submit)]);
    table.account_page("/account/delete", ON, [get().to(delete::open), post().to(delete::submit)]);
}

/// A request of a person who is signed in.
struct Visit {
    api: Data<Api>,
    request: HttpRequest,
    session: Authenticated,
}

impl FromRequest for Visit {
    type Error = actix_web::Error;
    type Future = LocalBoxFuture<'static, Result<Self, actix_web::Error>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let session = PageSession::from_request(request, payload);
        let request = request.clone();
        Box::pin(async move {
            let PageSession(session) = session.await?;
            let api = request.app_data::<Data<Api>>().cloned();
            let api = api.ok_or_else(|| ApiError::internal("no API in the application's data"))?;
            Ok(Self { api, request, session })
        })
    }
}

impl Visit {
    /// Reads the page's form.
    async fn form(&self, payload: web::Payload) -> Result<Fields, ApiError> {
        super::account::form(&self.request, &self.api, payload).await
    }

    /// Returns the response that asks for recent authentication on the way, and comes back. `None` if the session's
    /// authentication is recent.
    fn needs_reauthentication(&self) -> Option<HttpResponse> {
        let recent = self.api.sessions.page.step_up.is_recent(&self.session);
        (!recent).then(|| session::reauthenticate(&self.request, &self.api))
    }

    /// Like [`needs_reauthentication`](Self::needs_reauthentication), for what the password proves if the account has
    /// one.
    fn needs_proof(&self) -> Option<HttpResponse> {
        if self.session.has_password { None } else { self.needs_reauthentication() }
    }

    fn page(&self, content: SettingsPage) -> HttpResponse {
        self.reader().ok(PageContent::Settings(content))
    }

    /// Renders a page with an error, unless the error sends the browser elsewhere.
    fn refused(&self, content: SettingsPage, error: ApiError) -> HttpResponse {
        match session::detour(&self.request, &self.api, &error) {
            Some(detour) => detour,
            None => self.reader().with_error(PageContent::Settings(content), error),
        }
    }

    /// Renders the response to a failure of the store.
    fn failed(&self, error: ApiError) -> HttpResponse {
        self.reader().with_error(PageContent::Failed {}, error)
    }

    fn reader(&self) -> PageContext<'_> {
        PageContext::of(&self.request, &self.api)
    }

    fn email(&self) -> String {
        self.session.user.email.original().to_owned()
    }

    /// Reads the password that proves who sent the form. An account without one needs recent authentication.
    fn proof(&self, fields: &mut Fields, member: Member) -> Result<OwnerProof, ApiError> {
        if !self.session.has_password {
            return Ok(OwnerProof::RecentSession);
        }
        let password = fields.optional(member.name).filter(|password| !password.is_empty());
        let password = password.ok_or_else(|| at_field(member.name, "required", "Field required"))?;
        Ok(OwnerProof::Password(Password::new(password)))
    }
}

/// Returns the error of a wrong password at its field. A 401 would request HTTP credentials (RFC 9110 §15.5.2).
fn at_password(member: Member) -> impl Fn(ApiError) -> ApiError {
    move |error| match error.code {
        ErrorCode::InvalidCredentials => at_field(member.name, "current_password_wrong", "Wrong password"),
        _ => error,
    }
}
