//! `POST /auth/refresh`, and the bearer token of other routes.

mod bearer;
mod cookies;
mod dto;
mod idempotency_key;
mod issued;
mod proof;
mod transport;

pub(crate) use bearer::{Bearer, OptionalBearer};
pub use cookies::TokenCookies;
pub(crate) use cookies::{TokenCookie, cookie_names, cookie_value};
pub(crate) use issued::{Issued, exposed};
pub(crate) use proof::proof;
pub(crate) use transport::Transport;

use crate::api::{Api, with_store_by};
use crate::body::Body;
use crate::call::Call;
use crate::errors::ApiError;
use crate::limits::{check_dead_refresh, limit_refresh};
use crate::reply::Reply;
use crate::routes::{Table, responds};
use actix_web::HttpRequest;
use actix_web::http::Method;
use actix_web::web::Data;
use dto::RefreshRequest;
use idempotency_key::idempotency_key;
use paperclip::actix::api_v2_operation;
use portcullis_domain::ErrorCode;
use portcullis_domain::limits::{Budget, LimitSubject};
use portcullis_usecases::tokens::{RefreshExchange, SettleOutcome};
use serde_json::json;
use std::convert::identity;

/// Registers the routes of this feature.
pub(crate) fn routes(table: &mut Table) {
    let idempotency_key = json!({
        "name": "Idempotency-Key", "in": "header", "required": false,
        "description": "Names this exchange. If the response is lost, a retry with the same token and key returns the same pair.",
        "schema": { "type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$", "example": "0f9d7c1e" }
    });
    let operation = responds("The next pair of tokens.").parameter(idempotency_key).fails(&[
        ErrorCode::TokenInvalid,
        ErrorCode::TokenExpired,
        ErrorCode::TokenRevoked,
        ErrorCode::EmailUnverified,
        ErrorCode::RateLimited,
    ]);
    let operation = operation.offers_cookies();
    table.add(Method::POST, "/auth/refresh", refresh, operation.reads::<RefreshRequest>());
}

/// Exchange refresh token
///
/// Returns a new pair of tokens and marks the refresh token as spent. Exactly one concurrent request
/// with the same token succeeds. If the response was lost, retry with the same token and
/// `Idempotency-Key` to get the same pair. Any other late reuse of a spent token ends its session.
/// Returns 401 if the token is invalid, expired or revoked. In cookie mode, the token comes from its cookie, and
/// the body may be missing.
#[api_v2_operation(operation_id = "refresh", tags(auth))]
async fn refresh(api: Data<Api>, request: HttpRequest, body: Body<RefreshRequest>) -> Result<Reply<Issued>, ApiError> {
    let deadline = api.lanes.store.deadline();
    let transport = Transport::unless(body.0.is_some(), &request, &api)?;
    let call = Call::new(&api, &request);
    let input = exchange(&call, &request, transport, body.0)?;
    let attempt = api.refresh.prepare(&input, &call.caller)?;
    let shown = attempt.presented();
    check_dead_refresh(&api, &call.address, shown).await?;
    limit_refresh(&api, &call.address, shown)?;
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
            with_store_by(deadline, api.clone(), judge).await??
        }
    };
    Ok(Issued::from(refreshed.pair).reply(&call, transport, identity))
}

/// Reads the token and the key of an exchange. A browser's tabs share the key of their device, so a race between
/// them, or a lost response, is a retry.
fn exchange(
    call: &Call<'_>,
    request: &HttpRequest,
    transport: Transport,
    token: Option<String>,
) -> Result<RefreshExchange, ApiError> {
    let cookies = transport.cookies(call.api);
    let shown = token.or_else(|| cookies?.read(request.headers(), TokenCookie::Refresh));
    let refresh_token = shown.ok_or_else(|| ApiError::new(ErrorCode::TokenInvalid, "A refresh token is required"))?;
    let device = call.caller.device.as_deref().filter(|_| cookies.is_some());
    match device.and_then(|device| call.api.log_in.devices.exchange_key(device)) {
        Some(key) => Ok(RefreshExchange { refresh_token, key: Some(key), by_device: true }),
        None => Ok(RefreshExchange { refresh_token, key: idempotency_key(request)?, by_device: false }),
    }
}
