//! `/account/verify`: the page that a link in an email opens, and that requests such an email.

use super::{ask, confirm, inspect};
use crate::api::Api;
use crate::body::Fields;
use crate::call::Call;
use crate::errors::{ApiError, FieldError};
use crate::pages::account::{self, AccountPage, OfferReason, PageContent, PageContext, PasswordOffer};
use crate::pages::sign_in;
use crate::recovery::{address, one_time_token};
use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};
use portcullis_domain::ErrorCode;
use portcullis_domain::registration::Password;
use portcullis_domain::verification::Purpose;
use portcullis_usecases::verification::{EmailVerification, EmailVerified, Inspected};

/// Form fields.
const TOKEN: &str = "token";
const PURPOSE: &str = "purpose";
const PASSWORD: &str = "password";
/// Present if the page asked for the password.
const ASKED: &str = "asked";
/// Present if the reader did not choose the password.
const DISOWNED: &str = "disowned";
const EMAIL: &str = "email";

/// A link that was opened.
#[derive(Clone, Copy)]
struct Link<'a> {
    token: &'a str,
    purpose: Purpose,
    /// True if the password stays valid only when it is entered.
    asks_password: bool,
}

impl<'a> Link<'a> {
    /// Returns the page that confirms the link. The purpose only selects its texts.
    fn confirm(self) -> PageContent<'a> {
        PageContent::Confirm { token: self.token, purpose: texts_of(self.purpose), asks_password: self.asks_password }
    }
}

/// Returns the name of the purpose's texts.
fn texts_of(purpose: Purpose) -> &'static str {
    match purpose {
        Purpose::ChangeEmail | Purpose::UndoEmailChange => purpose.as_str(),
        Purpose::VerifyEmail | Purpose::ResetPassword => Purpose::VerifyEmail.as_str(),
    }
}

/// `GET`: inspects the token without redeeming it.
pub(crate) async fn open(api: Data<Api>, request: HttpRequest) -> HttpResponse {
    let reader = PageContext::of(&request, &api);
    let Some(token) = account::token_of(&request) else {
        let mut response = reader.ok(request_email(None));
        sign_in::remember_target(&request, &api, &mut response);
        return response;
    };
    match inspect(&api, &request, &token).await {
        Ok(Inspected { purpose: Purpose::ResetPassword, .. }) => {
            let foreign = ApiError::new(ErrorCode::TokenInvalid, "The token is for something else");
            reader.expired_link(AccountPage::Verify, foreign)
        }
        Ok(Inspected { purpose, asks_password }) => reader.ok(Link { token: &token, purpose, asks_password }.confirm()),
        Err(error) => {
            refused(&reader, Link { token: &token, purpose: Purpose::VerifyEmail, asks_password: true }, error)
        }
    }
}

/// `POST`: redeems the token, or requests an email if the form has none.
pub(crate) async fn submit(api: Data<Api>, request: HttpRequest, payload: Payload) -> HttpResponse {
    let reader = PageContext::of(&request, &api);
    let mut fields = match account::link_form(&request, &api, payload).await {
        Ok(fields) => fields,
        Err(error) => return reader.with_error(request_email(None), error),
    };
    let Some(token) = fields.optional(TOKEN) else { return send(&api, &request, &reader, &mut fields).await };
    // Decides how the page is rendered again after an error.
    let asks_password = fields.optional(ASKED).is_some();
    let purpose = fields.optional(PURPOSE).as_deref().and_then(Purpose::parse).unwrap_or(Purpose::VerifyEmail);
    let answer = Answer::of(&mut fields);
    // A password is removed only after an explicit answer: without one, ask again and keep the token.
    if matches!(answer, Answer::Missing)
        && let Ok(Inspected { purpose, asks_password: true }) = inspect(&api, &request, &token).await
    {
        return reader.ok(Link { token: &token, purpose, asks_password: true }.confirm());
    }
    match press(&api, &request, &token, answer).await {
        Ok(verified) => confirmed(&reader, &verified, sign_in::sign_in_link(&request, &api).as_deref()),
        Err(error) => refused(&reader, Link { token: &token, purpose, asks_password }, error),
    }
}

/// The reader's answer to the password question.
enum Answer {
    Missing,
    Entered(String),
    /// The reader did not choose the password.
    Disowned,
}

impl Answer {
    fn of(fields: &mut Fields) -> Self {
        match (fields.optional(DISOWNED), fields.optional(PASSWORD)) {
            (Some(_), _) => Self::Disowned,
            (None, Some(typed)) => Self::Entered(typed),
            (None, None) => Self::Missing,
        }
    }
}

/// Redeems the token with the entered password, or with the device cookie. If the reader did not choose
/// the password, presents neither.
async fn press(api: &Data<Api>, request: &HttpRequest, token: &str, answer: Answer) -> Result<EmailVerified, ApiError> {
    let mut call = Call::new(api, request).with_own_device();
    let password = match answer {
        Answer::Disowned => {
            call.caller.device = None;
            None
        }
        Answer::Missing => None,
        Answer::Entered(typed) if typed.is_empty() => return Err(at_the_password("missing", "Field required")),
        Answer::Entered(typed) => Some(Password::new(typed)),
    };
    let input = EmailVerification { token: one_time_token(token)?, bearer: None, password };
    confirm(&call, api, input).await.map_err(|error| match error.code {
        // A 401 would request HTTP credentials (RFC 9110 §15.5.2), but the page has a form field for
        // the password.
        ErrorCode::InvalidCredentials => at_the_password("password_wrong", "Wrong password"),
        _ => error,
    })
}

fn at_the_password(code: &'static str, message: &str) -> ApiError {
    ApiError::validation(vec![FieldError { field: PASSWORD, code, message: message.to_owned() }])
}

/// Renders the outcome, and offers a new password if the old one was removed or another person may know
/// it.
fn confirmed(reader: &PageContext<'_>, verified: &EmailVerified, sign_in: Option<&str>) -> HttpResponse {
    let reason = if verified.password_removed { OfferReason::PasswordRemoved } else { OfferReason::PasswordAtRisk };
    reader.ok(PageContent::Confirmed {
        purpose: texts_of(verified.purpose),
        email: verified.email.original(),
        others_signed_out: verified.sessions_ended > 0 && verified.purpose != Purpose::UndoEmailChange,
        sign_in: sign_in.filter(|_| verified.reset.is_none()),
        offer: verified.reset.as_ref().map(|token| PasswordOffer { reason, token: token.expose() }),
    })
}

async fn send(api: &Data<Api>, request: &HttpRequest, reader: &PageContext<'_>, fields: &mut Fields) -> HttpResponse {
    let typed = fields.optional(EMAIL).unwrap_or_default();
    let asked = match address(&typed) {
        Ok(email) => ask(api, request, email).await,
        Err(error) => Err(error),
    };
    match asked {
        Ok(()) => reader.ok(PageContent::EmailSent { page: AccountPage::Verify }),
        Err(error) => reader.with_error(request_email(Some(&typed)), error),
    }
}

fn request_email(email: Option<&str>) -> PageContent<'_> {
    PageContent::RequestEmail { page: AccountPage::Verify, email }
}

/// Renders the page again with the error, or the invalid-link page if the token is invalid.
fn refused(reader: &PageContext<'_>, link: Link<'_>, error: ApiError) -> HttpResponse {
    if account::is_dead(&error) {
        return reader.expired_link(AccountPage::Verify, error);
    }
    reader.with_error(link.confirm(), error)
}
