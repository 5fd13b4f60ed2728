//! `/account/reset`: the page that a link in an email opens, and that requests such an email.

use super::views::{self, EMAIL, PASSWORD, PASSWORD_AGAIN, TOKEN};
use super::{ask, set};
use crate::api::Api;
use crate::body::Fields;
use crate::errors::{ApiError, FieldError};
use crate::pages::account::{self, FormError, PageContext};
use crate::verification::inspect;
use actix_web::http::header::{HeaderValue, SET_COOKIE};
use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};
use portcullis_domain::ErrorCode;
use portcullis_domain::registration::{EmailAddress, NewPassword};
use portcullis_domain::verification::Purpose;

/// `GET`: inspects the token without redeeming it.
pub(crate) async fn open(api: Data<Api>, request: HttpRequest) -> HttpResponse {
    let reader = PageContext::of(&request, &api);
    let Some(token) = account::token_of(&request) else { return views::ask(&reader, None, None).ok(&reader) };
    match inspect(&api, &request, &token).await.map(|inspected| inspected.purpose) {
        Ok(Purpose::ResetPassword) => views::new_password(&reader, &token, &api.passwords, None).ok(&reader),
        Ok(_) => {
            let foreign = ApiError::new(ErrorCode::TokenInvalid, "The token is for something else");
            views::expired_link(&reader).gone(foreign, &reader)
        }
        Err(error) => refused(&api, &reader, &token, error),
    }
}

/// `POST`: sets the password, or requests an email if the form has no token.
pub(crate) async fn submit(api: Data<Api>, request: HttpRequest, payload: Payload) -> HttpResponse {
    let reader = PageContext::of(&request, &api);
    let mut fields = match account::form(&request, &api, payload).await {
        Ok(fields) => fields,
        Err(error) => return unasked(&api, &reader, None, error),
    };
    let Some(token) = fields.optional(TOKEN) else { return send(&api, &request, &reader, &mut fields).await };
    let saved = match chosen(fields, &api) {
        Ok(new) => set(&api, &request, &token, new).await,
        Err(error) => Err(error),
    };
    match saved {
        Ok(cookie) => with_cookie(views::changed(&reader).ok(&reader), cookie),
        Err(error) => refused(&api, &reader, &token, error),
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
        Ok(()) => views::sent(reader).ok(reader),
        Err(error) => unasked(api, reader, Some(typed), error),
    }
}

/// Parses an email address that was typed into a page.
pub(crate) fn address(typed: &str) -> Result<EmailAddress, ApiError> {
    EmailAddress::parse(typed).map_err(|error| {
        ApiError::validation(vec![FieldError { field: EMAIL, code: "value_error", message: error.to_string() }])
    })
}

/// Reads the new password, which must be typed twice.
fn chosen(mut fields: Fields, api: &Api) -> Result<NewPassword, ApiError> {
    let repeated = fields.optional(PASSWORD_AGAIN).unwrap_or_default();
    let Some(new) = fields.new_password(PASSWORD, &api.passwords) else { return Err(fields.into_error()) };
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

/// Renders the page again with the error, or the invalid-link page if the token is invalid.
fn refused(api: &Api, reader: &PageContext<'_>, token: &str, error: ApiError) -> HttpResponse {
    if account::is_dead(&error) {
        return views::expired_link(reader).gone(error, reader);
    }
    let fault = FormError::of(&error, reader.words, &api.passwords);
    views::new_password(reader, token, &api.passwords, Some(&fault)).with_error(error, &fault, reader)
}

fn unasked(api: &Api, reader: &PageContext<'_>, typed: Option<String>, error: ApiError) -> HttpResponse {
    let fault = FormError::of(&error, reader.words, &api.passwords);
    views::ask(reader, typed, Some(&fault)).with_error(error, &fault, reader)
}
