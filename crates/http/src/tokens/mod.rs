//! `POST /auth/refresh`, and the bearer token of other routes.

mod bearer;
mod dto;
mod idempotency_key;

pub(crate) use bearer::{Bearer, OptionalBearer};
pub(crate) use dto::TokenResponse;

use crate::api::{Api, with_store_by};
use crate::body::Body;
use crate::client_info::client_info;
use crate::errors::ApiError;
use crate::language::language;
use crate::limits::{ClientAddress, check_dead_refresh, limit_refresh};
use crate::reply::Reply;
use actix_web::HttpRequest;
use actix_web::web::Data;
use dto::RefreshRequest;
use idempotency_key::idempotency_key;
use paperclip::actix::api_v2_operation;
use portcullis_domain::limits::{Budget, LimitSubject};
use portcullis_usecases::tokens::{RefreshExchange, SettleOutcome};

/// Exchange refresh token
///
/// Returns a new pair of tokens and marks the refresh token as spent. Exactly one concurrent request
/// with the same token succeeds. If the response was lost, retry with the same token and
/// `Idempotency-Key` to get the same pair. Any other late reuse of a spent token ends its session.
/// Returns 401 if the token is invalid, expired or revoked.
#[api_v2_operation(operation_id = "refresh", tags(auth))]
pub(crate) async fn refresh(
    api: Data<Api>,
    request: HttpRequest,
    body: Body<RefreshRequest>,
) -> Result<Reply<TokenResponse>, ApiError> {
    let deadline = api.lanes.store.deadline();
    let client = ClientAddress::from_request(&request, &api);
    let (key, info) = (idempotency_key(&request)?, client_info(&request, &client));
    let language = language(&request);
    let attempt = api.refresh.prepare(RefreshExchange { refresh_token: body.0, key, client: info, language })?;
    let shown = attempt.presented();
    check_dead_refresh(&api, &client, shown).await?;
    limit_refresh(&api, &client, shown)?;
    let exchanged = api.lanes.exchanges.run_by(deadline, attempt.exchange()).await?;
    let refreshed = match api.refresh.settle(attempt, exchanged) {
        SettleOutcome::Done(outcome) => outcome?,
        SettleOutcome::NeedsJudgement(attempt) => {
            let judge = move |api: &Api| {
                let outcome = api.refresh.judge(*attempt);
                if let Some(name) = outcome.as_ref().err().and_then(|error| shown.failure_key(error)) {
                    api.limits.record(Budget::DeadRefresh, &LimitSubject::Bytes(name.as_bytes()));
                }
                outcome
            };
            with_store_by(deadline, api, judge).await??
        }
    };
    Ok(Reply::secret(refreshed.pair.into()))
}
