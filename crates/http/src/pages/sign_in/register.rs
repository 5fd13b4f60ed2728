//! `/account/register`: creates an account and signs in to it.

use super::{SignInPage, Visit};
use crate::api::Api;
use crate::body::{EMAIL, Fields, PASSWORD};
use crate::call::{Call, CallLane};
use crate::errors::ApiError;
use crate::pages::account::{self, PageContent};
use crate::pages::page::{ErrorText, FormError};
use crate::recovery::{address, chosen};
use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};
use portcullis_domain::ErrorCode;
use portcullis_domain::registration::Password;
use portcullis_usecases::login::PasswordLogin;
use portcullis_usecases::registration::Registration;

/// `GET`: displays the form.
pub(super) async fn open(api: Data<Api>, request: HttpRequest) -> HttpResponse {
    match Visit::new(&api, &request) {
        Ok(visit) => visit.reader.ok(visit.sign_up_form(None)),
        Err(response) => *response,
    }
}

/// `POST`: creates the account. The response to an email address that is taken is that of the API.
pub(super) async fn submit(api: Data<Api>, request: HttpRequest, payload: Payload) -> HttpResponse {
    let visit = match Visit::new(&api, &request) {
        Ok(visit) => visit,
        Err(response) => return *response,
    };
    let mut fields = match account::form(&request, &api, payload).await {
        Ok(fields) => fields,
        Err(error) => return visit.reader.with_error(visit.sign_up_form(None), error),
    };
    let typed = fields.optional(EMAIL.name).unwrap_or_default();
    match visit.register(&typed, fields).await {
        Ok(login) => visit.log_in(&typed, login, false).await,
        Err(error) if error.code == ErrorCode::Conflict => {
            let message = FormError { text: ErrorText::Registered, field: Some(EMAIL.name) };
            visit.reader.with_error_text(visit.sign_up_form(Some(&typed)), error, message)
        }
        Err(error) => visit.reader.with_error(visit.sign_up_form(Some(&typed)), error),
    }
}

impl Visit<'_> {
    fn sign_up_form<'b>(&'b self, email: Option<&'b str>) -> PageContent<'b> {
        SignInPage::Register { query: &self.query, email, app: self.target.app() }.into()
    }

    /// Creates the account. Returns the login that follows.
    async fn register(&self, typed: &str, fields: Fields) -> Result<PasswordLogin, ApiError> {
        let email = address(typed)?;
        let password = chosen(fields, PASSWORD, self.api)?;
        let login = PasswordLogin {
            email: email.clone(),
            password: Password::new(password.password().expose().to_owned()),
            code: None,
            remember_device: false,
        };
        let call = Call::new(self.api, self.request);
        call.counted(|api| &api.register, Registration { email, password }, CallLane::Crypto).await?;
        Ok(login)
    }
}
