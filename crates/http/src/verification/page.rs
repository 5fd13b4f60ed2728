//! `/account/verify`: the page of a link in a mail, and of whoever waits for one.

use super::screens::{self, Done, EMAIL, PURPOSE, TOKEN};
use super::{ask, confirm, inspect};
use crate::api::Api;
use crate::body::Fields;
use crate::errors::ApiError;
use crate::pages::account::{self, Fault, Reader};
use crate::recovery::address;
use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};
use portcullis_domain::ErrorCode;
use portcullis_domain::verification::Purpose;
use portcullis_usecases::verification::EmailVerified;

/// `GET`: looks at the token, and changes nothing.
pub(crate) async fn open(api: Data<Api>, request: HttpRequest) -> HttpResponse {
    let reader = Reader::of(&request, &api);
    let Some(token) = account::token_of(&request) else { return screens::ask(&reader, None, None).shown(&reader) };
    match inspect(&api, &token).await {
        Ok(Purpose::ResetPassword) => {
            let foreign = ApiError::new(ErrorCode::TokenInvalid, "The token is for something else");
            screens::dead(&reader).gone(foreign, &reader)
        }
        Ok(purpose) => screens::confirm(&reader, &token, purpose).shown(&reader),
        Err(error) => refused(&api, &reader, &token, Purpose::VerifyEmail, error),
    }
}

/// `POST`: does what the token is for, or orders a mail where the form has none.
pub(crate) async fn submit(api: Data<Api>, request: HttpRequest, payload: Payload) -> HttpResponse {
    let reader = Reader::of(&request, &api);
    let mut fields = match account::form(&request, &api, payload).await {
        Ok(fields) => fields,
        Err(error) => return unasked(&api, &reader, None, error),
    };
    let Some(token) = fields.optional(TOKEN) else { return send(&api, &request, &reader, &mut fields).await };
    match confirm(&api, &request, &token, None).await {
        Ok(verified) => shown(&api, &reader, verified),
        Err(error) => {
            let purpose = fields.optional(PURPOSE).as_deref().and_then(Purpose::parse);
            refused(&api, &reader, &token, purpose.unwrap_or(Purpose::VerifyEmail), error)
        }
    }
}

fn shown(api: &Api, reader: &Reader<'_>, verified: EmailVerified) -> HttpResponse {
    let done = Done {
        purpose: verified.purpose,
        email: verified.email.spelled(),
        others_signed_out: verified.sessions_ended > 0,
        reset: verified.reset,
    };
    screens::done(reader, &done, &api.passwords).shown(reader)
}

async fn send(api: &Data<Api>, request: &HttpRequest, reader: &Reader<'_>, fields: &mut Fields) -> HttpResponse {
    let typed = fields.optional(EMAIL).unwrap_or_default();
    let asked = match address(&typed) {
        Ok(email) => ask(api, request, email).await,
        Err(error) => Err(error),
    };
    match asked {
        Ok(()) => screens::sent(reader).shown(reader),
        Err(error) => unasked(api, reader, Some(typed), error),
    }
}

/// The page again, with what is wrong, or the end of a link.
fn refused(api: &Api, reader: &Reader<'_>, token: &str, purpose: Purpose, error: ApiError) -> HttpResponse {
    if account::is_dead(&error) {
        return screens::dead(reader).gone(error, reader);
    }
    let fault = Fault::of(&error, reader.words, &api.passwords);
    screens::confirm(reader, token, purpose).refused(error, &fault, reader)
}

fn unasked(api: &Api, reader: &Reader<'_>, typed: Option<String>, error: ApiError) -> HttpResponse {
    let fault = Fault::of(&error, reader.words, &api.passwords);
    screens::ask(reader, typed, Some(&fault)).refused(error, &fault, reader)
}
