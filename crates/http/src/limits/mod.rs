//! HTTP part of rate limiting: the client's address, final and provisional rejections, and response
//! headers.

mod client;
mod cookie;
mod forwarded;
mod headers;
mod proxies;

pub(crate) use client::ClientAddress;
pub(crate) use cookie::{device_cookie, own_device_cookie, set_device_cookie};
pub use forwarded::ForwardedHeader;
pub(crate) use headers::{rate_limit_headers, whole_seconds};
pub use proxies::{ParseProxiesError, TrustedProxies};

use crate::api::{Api, with_store};
use crate::errors::ApiError;
use crate::lanes::REFUSAL_DELAY;
use actix_web::web::Data;
use portcullis_domain::limits::{Budget, LimitSubject, Source};
use portcullis_usecases::limits::{Admission, Attempt, LimitError, Limits, RateLimited};
use portcullis_usecases::tokens::PresentedToken;
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::time::{Instant, sleep};

/// Maximum time a rejected call waits for calls in flight. While the service can serve logins, a hash
/// never takes longer.
const MAX_REFUSAL_WAIT: Duration = Duration::from_secs(5);

/// Counts an attempt. If the budget of a guess is spent, checks in the database whether the source has
/// logged in to the account before: known sources have a separate budget. Logs a rejection and charges
/// it to the source.
pub(crate) async fn admit(
    api: &Data<Api>,
    client: &ClientAddress,
    attempt: Attempt,
) -> Result<AdmissionGuard, ApiError> {
    let attempt = Arc::new(attempt);
    let counted = Arc::clone(&attempt);
    let limited = match settle(api, move |limits| limits.count(&counted)).await? {
        Ok(admission) => return Ok(admission),
        Err(limited) => limited,
    };
    if let Some(guess) = attempt.may_be_known(&limited).cloned() {
        let sought = guess.clone();
        // If the database is overloaded or unavailable, the source counts as unknown and the rejection
        // is final.
        if with_store(api.clone(), move |api| api.log_in.guesses.knows_source(&sought)).await.unwrap_or(false)
            && let Ok(admission) = settle(api, move |limits| limits.count_known(&guess)).await?
        {
            return Ok(admission);
        }
    }
    refuse(api, client, limited).await?;
    Err(LimitError::from(limited).into())
}

/// Repeats a request until its result is final. Calls in flight may have spent the budget, and a
/// successful one refunds its charge: twenty valid logins at once must all succeed. So a rejection is
/// final only when no call is in flight.
async fn settle(
    api: &Data<Api>,
    count: impl Fn(&Limits) -> Result<Admission, LimitError> + Clone + Send + 'static,
) -> Result<Result<AdmissionGuard, RateLimited>, ApiError> {
    let asked = Instant::now();
    let mut seen = false;
    loop {
        let count = count.clone();
        let limited = match on_lane(api, move |api| count(&api.limits)).await? {
            Ok(admission) => {
                return Ok(Ok(AdmissionGuard { admission: Some(admission), remote: api.lanes.limits.is_some() }));
            }
            Err(LimitError::Limited(limited)) => limited,
            Err(error) => return Err(error.into()),
        };
        let contended = api.limits.has_in_flight(&limited) && asked.elapsed() < MAX_REFUSAL_WAIT;
        if seen && !contended {
            return Ok(Err(limited));
        }
        // Always check once more: the last call in flight may have ended between the two checks.
        seen = true;
        sleep(REFUSAL_DELAY).await;
    }
}

/// Logs a rejection and charges it to the source once.
async fn refuse(api: &Data<Api>, client: &ClientAddress, limited: RateLimited) -> Result<(), ApiError> {
    limited.log(client.address);
    let source = client.address.map(Source::from_ip);
    on_lane(api, move |api| api.limits.charge_refusal(&limited, source)).await
}

/// An admission that is passed to the thread that does the work. It is refunded if the work does not
/// begin because the lane is full or the client disconnected. A refund over a network runs on a
/// blocking thread. The default value holds no charges.
#[derive(Default)]
pub(crate) struct AdmissionGuard {
    admission: Option<Admission>,
    remote: bool,
}

impl AdmissionGuard {
    /// Takes the admission when the work begins.
    pub(crate) fn begin(mut self) -> Admission {
        self.admission.take().unwrap_or_default()
    }

    /// Adds the charges of another attempt of the same call.
    pub(crate) fn and(mut self, other: Self) -> Self {
        let remote = self.remote || other.remote;
        Self { admission: Some(self.admission.take().unwrap_or_default().and(other.begin())), remote }
    }
}

impl Drop for AdmissionGuard {
    fn drop(&mut self) {
        if let Some(admission) = self.admission.take()
            && self.remote
            && let Ok(runtime) = Handle::try_current()
        {
            runtime.spawn_blocking(move || drop(admission));
        }
    }
}

/// Rejects a refresh token if refreshes with it, or of its session, failed too often and can never
/// succeed again.
pub(crate) async fn check_dead_refresh(
    api: &Data<Api>,
    client: &ClientAddress,
    shown: PresentedToken,
) -> Result<(), ApiError> {
    for name in shown.limit_keys() {
        if !api.limits.is_recorded(Budget::DeadRefresh, &LimitSubject::Bytes(name.as_bytes())) {
            continue;
        }
        let check = move |api: &Api| api.limits.check(Budget::DeadRefresh, &LimitSubject::Bytes(name.as_bytes()));
        let checked = on_lane(api, check).await?;
        if let Err(LimitError::Limited(limited)) = &checked {
            limited.log(client.address);
        }
        checked?;
    }
    Ok(())
}

/// Rejects a refresh if its session was refreshed too often at this replica.
pub(crate) fn limit_refresh(api: &Data<Api>, client: &ClientAddress, shown: PresentedToken) -> Result<(), ApiError> {
    let session = shown.session().to_string();
    let counted = api.limits.spend_here(Budget::Refresh, &LimitSubject::Bytes(session.as_bytes()));
    if let Err(LimitError::Limited(limited)) = &counted {
        limited.log(client.address);
    }
    Ok(counted?)
}

/// Calls the limiter on its own lane if it is remote, otherwise directly.
async fn on_lane<T: Send + 'static>(
    api: &Data<Api>,
    ask: impl FnOnce(&Api) -> T + Send + 'static,
) -> Result<T, ApiError> {
    let Some(lane) = &api.lanes.limits else { return Ok(ask(api)) };
    let shared = api.clone();
    Ok(lane.run(move || ask(&shared)).await?)
}
