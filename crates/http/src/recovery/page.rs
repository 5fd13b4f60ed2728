//! `/account/reset`: the page that a link in an email opens, and that requests such an email.

use super::{ask, one_time_token, set};
use crate::api::Api;
use crate::body::{Fields, Member, NEW_PASSWORD, REMOVE_OTHERS};
use crate::errors::{ApiError, FieldError};
use crate::pages::account::{self, AccountPage, PageContent, PageContext};
use crate::pages::sign_in;
use crate::verification::inspect;
use actix_web::http::header::{HeaderValue, SET_COOKIE};
use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};
use portcullis_domain::ErrorCode;
use portcullis_domain::registration::{EmailAddress, NewPassword};
use portcullis_domain::verification::Purpose;
use portcullis_usecases::recovery::PasswordReset;

/// Form fields.
const TOKEN: &str = "token";
const PASSWORD_AGAIN: &str = "repetition";
const EMAIL: &str = "email";

/// `GET`: inspects the token without redeeming it.
pub(crate) async fn open(api: Data<Api>, request: HttpRequest) -> HttpResponse {
    let reader = PageContext::of(&request, &api);
    let Some(token) = account::token_of(&request) else {
        let mut response = reader.ok(request_email(None));
        sign_in::remember_target(&request, &api, &mut response);
        return response;
    };
    match inspect(&api, &request, &token).await.map(|inspected| inspected.purpose) {
        Ok(Purpose::ResetPassword) => reader.ok(PageContent::NewPassword { token: &token, remove_others: false }),
        Ok(_) => {
            let foreign = ApiError::new(ErrorCode::TokenInvalid, "The token is for something else");
            reader.expired_link(AccountPage::Reset, foreign)
        }
        Err(error) => refused(&reader, PageContent::NewPassword { token: &token, remove_others: false }, error),
    }
}

/// `POST`: sets the password, or requests an email if the form has no token.
pub(crate) async fn submit(api: Data<Api>, request: HttpRequest, payload: Payload) -> HttpResponse {
    let reader = PageContext::of(&request, &api);
    let mut fields = match account::link_form(&request, &api, payload).await {
        Ok(fields) => fields,
        Err(error) => return reader.with_error(request_email(None), error),
    };
    let Some(token) = fields.optional(TOKEN) else { return send(&api, &request, &reader, &mut fields).await };
    // Browsers send only a checked box.
    let remove_others = fields.optional(REMOVE_OTHERS.name).is_some();
    let input = chosen(fields, NEW_PASSWORD, &api)
        .and_then(|new| Ok(PasswordReset { token: one_time_token(&token)?, new, remove_others }));
    let saved = match input {
        Ok(input) => set(&api, &request, input).await,
        Err(error) => Err(error),
    };
    match saved {
        Ok(cookie) => {
            let sign_in = sign_in::sign_in_link(&request, &api);
            with_cookie(reader.ok(PageContent::PasswordChanged { sign_in: sign_in.as_deref() }), cookie)
        }
        Err(error) => refused(&reader, PageContent::NewPassword { token: &token, remove_others }, error),
    }
}

fn with_cookie(mut response: HttpResponse, cookie: Option<HeaderValue>) -> HttpResponse {
    if let Some(cookie) = cookie {
        response.headers_mut().insert(SET_COOKIE, cookie);
    }
    response
}

async fn send(api: &Data<Api>, request: &HttpRequest, reader: &PageContext<'_>, fields: &mut Fields) -> HttpResponse {
    let typed = fields.optional(EMAIL).unwrap_or_default();
    let asked = match address(&typed) {
        Ok(email) => ask(api, request, email).await,
        Err(error) => Err(error),
    };
    match asked {
        Ok(()) => reader.ok(PageContent::EmailSent { page: AccountPage::Reset }),
        Err(error) => reader.with_error(request_email(Some(&typed)), error),
    }
}

/// Parses an email address that was typed into a page.
pub(crate) fn address(typed: &str) -> Result<EmailAddress, ApiError> {
    EmailAddress::parse(typed).map_err(|error| {
        ApiError::validation(vec![FieldError { field: EMAIL, code: "value_error", message: error.to_string() }])
    })
}

/// Reads a new password, which must be typed twice.
pub(crate) fn chosen(mut fields: Fields, member: Member, api: &Api) -> Result<NewPassword, ApiError> {
    let repeated = fields.optional(PASSWORD_AGAIN).unwrap_or_default();
    let Some(new) = fields.new_password(member, &api.passwords) else { return Err(fields.into_error()) };
    if new.password().expose() != repeated {
        let message = "The two passwords are not the same".to_owned();
        return Err(ApiError::validation(vec![FieldError {
            field: PASSWORD_AGAIN,
            code: "password_differs",
            message,
        }]));
    }
    Ok(new)
}

fn request_email(email: Option<&str>) -> PageContent<'_> {
    PageContent::RequestEmail { page: AccountPage::Reset, email }
}

/// Renders the page again with the error, or the invalid-link page if the token is invalid.
fn refused(reader: &PageContext<'_>, form: PageContent<'_>, error: ApiError) -> HttpResponse {
    if account::is_dead(&error) {
        return reader.expired_link(AccountPage::Reset, error);
    }
    reader.with_error(form, error)
}
