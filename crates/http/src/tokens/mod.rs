//! `POST /auth/refresh`, and the bearer token on other routes.

mod bearer;
mod dto;

pub(crate) use bearer::Bearer;
pub(crate) use dto::TokenResponse;

use crate::api::{Api, with_store_by};
use crate::body::Body;
use crate::errors::ApiError;
use crate::limits::{Client, refuse_dead};
use crate::reply::Reply;
use actix_web::HttpRequest;
use actix_web::web::Data;
use dto::RefreshRequest;
use paperclip::actix::api_v2_operation;
use portcullis_domain::limits::{Budget, Subject};
use portcullis_usecases::tokens::{Settled, TokenError};

/// Exchange a refresh token
///
/// Gives a new pair for a refresh token, once: the token is spent. Of any number of simultaneous
/// calls with one token exactly one succeeds.
#[api_v2_operation(operation_id = "refresh", tags(auth))]
pub(crate) async fn refresh(
    api: Data<Api>,
    request: HttpRequest,
    body: Body<RefreshRequest>,
) -> Result<Reply<TokenResponse>, ApiError> {
    let deadline = api.lanes.store.deadline();
    let attempt = api.refresh.prepare(&body.0)?;
    let token = attempt.token();
    refuse_dead(&api, &Client::of(&request, &api), token).await?;
    let exchanged = api.lanes.exchanges.run_by(deadline, attempt.exchange()).await?;
    let refreshed = match api.refresh.settle(attempt, exchanged) {
        Settled::Done(outcome) => outcome?,
        Settled::Doubtful(attempt) => {
            let judge = move |api: &Api| {
                let outcome = api.refresh.judge(attempt);
                if outcome.as_ref().is_err_and(TokenError::is_final) {
                    api.limits.record(Budget::DeadRefresh, &Subject::Bytes(token.to_string().as_bytes()));
                }
                outcome
            };
            with_store_by(deadline, api, judge).await??
        }
    };
    Ok(Reply::secret(refreshed.0.into()))
}
