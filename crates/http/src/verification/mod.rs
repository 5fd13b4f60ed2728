//! `POST /auth/email/verify`, `/resend` and `/change`, and the verification page.

mod dto;
mod page;

pub(crate) use page::{open, submit};

use crate::api::{Api, RequestGuard, with_crypto, with_store};
use crate::body::Body;
use crate::client_info::client_info;
use crate::errors::ApiError;
use crate::language::language;
use crate::limits::{self, ClientAddress, device_cookie};
use crate::recovery::one_time_token;
use crate::reply::{Accepted, MessageResponse, Reply};
use crate::tokens::{Bearer, OptionalBearer};
use actix_web::HttpRequest;
use actix_web::web::Data;
use dto::{ChangeEmailRequest, ResendRequest, VerifiedResponse, VerifyEmailRequest};
use paperclip::actix::api_v2_operation;
use portcullis_domain::ErrorCode;
use portcullis_domain::registration::{EmailAddress, Password};
use portcullis_domain::verification::Purpose;
use portcullis_usecases::limits::Admission;
use portcullis_usecases::verification::{
    Browser, EmailChangeAdmission, EmailChangeRequest, EmailVerification, EmailVerified, Inspected, VerificationRequest,
};
use std::sync::Arc;

/// Verify email address
///
/// Redeems the token of an email: verifies the email address of an account, confirms a new one, or
/// undoes a change. For a first verification or an undo, the request must prove that the owner chose
/// the password: with the password itself, a bearer token of the account, or the cookie of a device
/// that is logged in to it. Otherwise the password is removed, and `reset_token` authorizes a new one.
/// Ends all sessions except those of that bearer token or device. Returns 401 for a wrong password,
/// which does not use up the token, and 409 if another account has the address.
#[api_v2_operation(operation_id = "verify_email", tags(accounts))]
pub(crate) async fn verify(
    api: Data<Api>,
    request: HttpRequest,
    bearer: OptionalBearer,
    body: Body<VerifyEmailRequest>,
) -> Result<Reply<VerifiedResponse>, ApiError> {
    // Reject a stale bearer token before the email token is used up: the client can refresh it and keep
    // its session.
    let bearer = match bearer.0 {
        Some(bearer) => Some(bearer.authenticate(&api).await?),
        None => None,
    };
    let (token, password) = body.0;
    let browser = Browser { bearer, device: device_cookie(request.headers()) };
    let verified = confirm(&api, &request, Presented { token: &token, browser, password }).await?;
    Ok(Reply::secret(VerifiedResponse {
        message: message(verified.purpose),
        purpose: verified.purpose.as_str(),
        email: verified.email.original().to_owned(),
        sessions_ended: verified.sessions_ended,
        reset_token: verified.reset.map(|token| token.expose()),
    }))
}

fn message(purpose: Purpose) -> &'static str {
    match purpose {
        Purpose::ChangeEmail => "Address changed",
        Purpose::UndoEmailChange => "Change of address undone",
        Purpose::VerifyEmail | Purpose::ResetPassword => "Address verified",
    }
}

/// Resend verification email
///
/// Sends another verification email if the email address is not verified yet. Responds at once, and the
/// same for every email address.
#[api_v2_operation(operation_id = "resend_verification", tags(accounts))]
pub(crate) async fn resend(
    api: Data<Api>,
    request: HttpRequest,
    body: Body<ResendRequest>,
) -> Result<Accepted<MessageResponse>, ApiError> {
    ask(&api, &request, body.0).await?;
    let message = "If this address is to be verified, a mail is on its way";
    Ok(Accepted(MessageResponse { message }))
}

/// Change email address
///
/// Requires the account's password. Sends an email to the new email address; the change takes effect
/// once its link is confirmed. The old email address is notified and can undo the change. Does not
/// reveal whether another account has the new address. Returns 401 for a wrong password.
#[api_v2_operation(operation_id = "change_email", tags(accounts))]
pub(crate) async fn change(
    api: Data<Api>,
    request: HttpRequest,
    bearer: Bearer,
    body: Body<ChangeEmailRequest>,
) -> Result<Accepted<MessageResponse>, ApiError> {
    let client = ClientAddress::from_request(&request, &api);
    let owner = bearer.authenticate(&api).await?;
    let (password, new_email) = body.0;
    let (info, device, language) =
        (client_info(&request, &client), device_cookie(request.headers()), language(&request));
    let input = Arc::new(EmailChangeRequest { owner, password, new_email, client: info, device, language });
    let guess = limits::admit_guess(&api, &client, api.verification.change.guess(&input)).await?;
    let asked = Arc::clone(&input);
    let mail = limits::admit(&api, &client, move |api| api.verification.change.admit_mail(&asked)).await?;
    let work = move |api: &Api, client: RequestGuard| {
        let admission = EmailChangeAdmission { guess: guess.begin(), mail: mail.begin() };
        api.verification.change.execute(&input, admission, move || client.is_connected())
    };
    with_crypto(api, &request, work).await?;
    let message = "A mail is on its way to the new address";
    Ok(Accepted(MessageResponse { message }))
}

/// Credentials that a request presents to verify an email address.
struct Presented<'a> {
    token: &'a str,
    browser: Browser,
    password: Option<Password>,
}

/// Redeems the token. Uses the crypto lane only if a password is checked or removed.
async fn confirm(api: &Data<Api>, request: &HttpRequest, presented: Presented<'_>) -> Result<EmailVerified, ApiError> {
    let client = ClientAddress::from_request(request, api);
    let input = Arc::new(EmailVerification {
        token: one_time_token(presented.token)?,
        browser: presented.browser,
        password: presented.password,
        client: client_info(request, &client),
        language: language(request),
    });
    let asked = Arc::clone(&input);
    let claim = with_store(api.clone(), move |api| api.verification.verify.precheck(&asked)).await??;
    if !claim.hashes(&input) {
        let work = move |api: &Api| api.verification.verify.execute(&input, claim, Admission::default(), || true);
        return Ok(with_store(api.clone(), work).await??);
    }
    let pass = match api.verification.verify.guess(&input, &claim) {
        Some(guess) => Some(limits::admit_guess(api, &client, guess).await?),
        None => None,
    };
    let work = move |api: &Api, client: RequestGuard| {
        let admission = pass.map(limits::AdmissionGuard::begin).unwrap_or_default();
        api.verification.verify.execute(&input, claim, admission, move || client.is_connected())
    };
    with_crypto(api.clone(), request, work).await
}

/// Requests the email.
async fn ask(api: &Data<Api>, request: &HttpRequest, email: EmailAddress) -> Result<(), ApiError> {
    let client = ClientAddress::from_request(request, api);
    let input = VerificationRequest { email, client: client_info(request, &client), language: language(request) };
    let input = Arc::new(input);
    let asked = Arc::clone(&input);
    let pass = limits::admit(api, &client, move |api| api.verification.resend.admit(&asked)).await?;
    with_store(api.clone(), move |api| api.verification.resend.execute(&input, pass.begin())).await??;
    Ok(())
}

/// Returns what a token is for, and whether the page must ask this browser for the password. Does not
/// use up the token.
pub(crate) async fn inspect(api: &Data<Api>, request: &HttpRequest, token: &str) -> Result<Inspected, ApiError> {
    let (token, device) = (one_time_token(token)?, device_cookie(request.headers()));
    let inspected = with_store(api.clone(), move |api| api.verification.inspect.run(&token, device.as_deref())).await?;
    inspected
        .map_err(|failure| ApiError::from(&failure))?
        .ok_or_else(|| ApiError::new(ErrorCode::TokenInvalid, "Invalid token"))
}
