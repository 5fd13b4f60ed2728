//! `POST /auth/email/verify`, `/resend` and `/change`, and the verification page.

mod dto;
mod page;

pub(crate) use page::{open, submit};

use crate::api::{Api, with_store};
use crate::body::{Body, PASSWORD};
use crate::call::{Call, CallLane};
use crate::errors::ApiError;
use crate::limits::own_device_cookie;
use crate::recovery::one_time_token;
use crate::reply::{Accepted, MessageResponse, Reply};
use crate::routes::{Table, responds};
use crate::tokens::{Bearer, OptionalBearer, proof};
use actix_web::HttpRequest;
use actix_web::http::Method;
use actix_web::web::Data;
use dto::{ChangeEmailRequest, ResendRequest, VerifiedResponse, VerifyEmailRequest};
use paperclip::actix::api_v2_operation;
use portcullis_domain::ErrorCode;
use portcullis_domain::registration::EmailAddress;
use portcullis_domain::verification::Purpose;
use portcullis_usecases::verification::{EmailChangeRequest, EmailVerification, EmailVerified, Inspected};

const RESENT: MessageResponse = MessageResponse { message: "If this address is to be verified, a mail is on its way" };
const CHANGING: MessageResponse = MessageResponse { message: "A mail is on its way to the new address" };

/// Registers the routes of this feature.
pub(crate) fn routes(table: &mut Table) {
    let verified = responds("The token was redeemed; `purpose` names what it was for.");
    let verified = verified.fails(&[ErrorCode::InvalidCredentials, ErrorCode::Conflict, ErrorCode::RateLimited]);
    table.add(Method::POST, "/auth/email/verify", verify, verified.reads::<VerifyEmailRequest>());
    let resent = responds("An email may be on its way.").example(&RESENT).fails(&[ErrorCode::RateLimited]);
    table.add(Method::POST, "/auth/email/resend", resend, resent.sends_email().reads::<ResendRequest>());
    let changing = responds("An email is on its way to the new address.").example(&CHANGING);
    let changing = changing.fails(&[ErrorCode::InvalidCredentials, ErrorCode::StepUpRequired, ErrorCode::RateLimited]);
    table.add(Method::POST, "/auth/email/change", change, changing.sends_email().reads::<ChangeEmailRequest>());
}

/// Verify email address
///
/// Redeems the token of an email: verifies the email address of an account, confirms a new one, or
/// undoes a change. For a first verification or an undo, the request must prove that the owner chose
/// the password: with the password itself, a bearer token of the account, or the cookie of a device
/// that is logged in to it. Otherwise the password is removed, and `reset_token` authorizes a new one.
/// Ends all sessions except those of that bearer token or device. Returns 401 for a wrong password,
/// which does not use up the token, and 409 if another account has the address.
#[api_v2_operation(operation_id = "verify_email", tags(accounts))]
async fn verify(
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
    let input = EmailVerification { token: one_time_token(&token)?, bearer, password };
    let verified = confirm(&Call::new(&api, &request).with_own_device(), &api, input).await?;
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
async fn resend(
    api: Data<Api>,
    request: HttpRequest,
    body: Body<ResendRequest>,
) -> Result<Accepted<MessageResponse>, ApiError> {
    ask(&api, &request, body.0).await?;
    Ok(Accepted(RESENT))
}

/// Change email address
///
/// Requires the account's password. An account without one omits it and needs recent authentication. Sends an email to the new email address; the change takes effect
/// once its link is confirmed. The old email address is notified and can undo the change. Does not
/// reveal whether another account has the new address. Returns 401 for a wrong password.
#[api_v2_operation(operation_id = "change_email", tags(accounts))]
async fn change(
    api: Data<Api>,
    request: HttpRequest,
    bearer: Bearer,
    body: Body<ChangeEmailRequest>,
) -> Result<Accepted<MessageResponse>, ApiError> {
    let (password, new_email) = body.0;
    let owner = bearer.authenticate(&api).await?;
    let input = EmailChangeRequest { password: proof(&owner, password, PASSWORD)?, owner, new_email };
    Call::new(&api, &request).counted(|api| &api.verification.change, input, CallLane::Crypto).await?;
    Ok(Accepted(CHANGING))
}

/// Redeems the token. Uses the crypto lane only if a password is checked or removed.
async fn confirm(call: &Call<'_>, api: &Data<Api>, input: EmailVerification) -> Result<EmailVerified, ApiError> {
    let caller = call.caller.clone();
    let claimed = with_store(api.clone(), move |api| api.verification.verify.precheck(input, &caller)).await??;
    let lane = if claimed.hashes() { CallLane::Crypto } else { CallLane::Store };
    call.counted(|api| &api.verification.verify, claimed, lane).await
}

/// Requests the email.
async fn ask(api: &Data<Api>, request: &HttpRequest, email: EmailAddress) -> Result<(), ApiError> {
    Call::new(api, request).counted(|api| &api.verification.resend, email, CallLane::Store).await?;
    Ok(())
}

/// Returns what a token is for, and whether the page must ask this browser for the password. Does not
/// use up the token.
pub(crate) async fn inspect(api: &Data<Api>, request: &HttpRequest, token: &str) -> Result<Inspected, ApiError> {
    let (token, device) = (one_time_token(token)?, own_device_cookie(request.headers(), api));
    let inspected = with_store(api.clone(), move |api| api.verification.inspect.run(&token, device.as_deref())).await?;
    inspected?.ok_or_else(|| ApiError::new(ErrorCode::TokenInvalid, "Invalid token"))
}
