//! What of the limits is HTTP's: who a call comes from, when a refusal is the last word, and how
//! it is told.

mod client;
mod cookie;
mod forwarded;
mod headers;
mod proxies;

pub(crate) use client::ClientAddress;
pub(crate) use cookie::{device_cookie, set_device_cookie};
pub use forwarded::ForwardedHeader;
pub(crate) use headers::{rate_limit_headers, whole_seconds};
pub use proxies::{IpNetwork, ParseNetworkError, TrustedProxies};

use crate::api::{Api, with_store};
use crate::errors::ApiError;
use actix_web::web::Data;
use portcullis_domain::limits::{Budget, LimitSubject, Source};
use portcullis_usecases::limits::{Admission, Guess, Guesses, LimitError, RateLimited};
use portcullis_usecases::recovery::RequestResetError;
use portcullis_usecases::registration::RegisterError;
use portcullis_usecases::tokens::PresentedToken;
use portcullis_usecases::verification::ResendVerificationError;
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::time::{Instant, sleep};

/// A refusal waits this long: callers that come back at once would cost more than the work that
/// they are refused for.
const REFUSAL_DELAY: Duration = Duration::from_millis(25);
/// The longest that a refused call waits for those before it: a hash takes no longer where logins
/// are served at all.
const MAX_REFUSAL_WAIT: Duration = Duration::from_secs(5);

/// Asks for an admission. A refusal is logged, and charged to the source.
pub(crate) async fn admit<A, E>(
    api: &Data<Api>,
    client: &ClientAddress,
    ask: impl Fn(&Api) -> Result<A, E> + Clone + Send + 'static,
) -> Result<AdmissionGuard<A>, ApiError>
where
    A: Default + Send + 'static,
    E: AsRateLimited + Send + 'static,
    ApiError: From<E>,
{
    let error = match settle(api, ask).await? {
        Ok(pass) => return Ok(pass),
        Err(error) => error,
    };
    if let Some(limited) = error.limited() {
        refuse(api, client, limited).await?;
    }
    Err(error.into())
}

/// Counts a guess at a password. Where that is refused, the store says whether the source signed in to
/// the account before: it has a budget of its own.
pub(crate) async fn admit_guess(
    api: &Data<Api>,
    client: &ClientAddress,
    guess: Guess,
) -> Result<AdmissionGuard<Admission>, ApiError> {
    let guess = Arc::new(guess);
    let asked = Arc::clone(&guess);
    let limited = match settle(api, move |api| api.log_in.guesses.admit(&asked)).await? {
        Ok(pass) => return Ok(pass),
        Err(LimitError::Limited(limited)) => limited,
        Err(error) => return Err(error.into()),
    };
    let asked = Arc::clone(&guess);
    // A store that is shed or lost knows no source: the refusal stands.
    if Guesses::may_be_known(&guess, &limited)
        && with_store(api.clone(), move |api| api.log_in.guesses.knows_source(&asked)).await.unwrap_or(false)
    {
        match settle(api, move |api| api.log_in.guesses.admit_known(&guess)).await? {
            Err(LimitError::Limited(_)) => {}
            outcome => return Ok(outcome?),
        }
    }
    refuse(api, client, limited).await?;
    Err(LimitError::from(limited).into())
}

/// Asks until the answer is the last word. A budget may be spent by calls that are still at work, and
/// one that succeeds gives its place back: twenty good logins at once must all get in. So a refusal is
/// the last word only when nobody is at work any more.
async fn settle<A, E>(
    api: &Data<Api>,
    ask: impl Fn(&Api) -> Result<A, E> + Clone + Send + 'static,
) -> Result<Result<AdmissionGuard<A>, E>, ApiError>
where
    A: Default + Send + 'static,
    E: AsRateLimited + Send + 'static,
{
    let asked = Instant::now();
    let mut seen = false;
    loop {
        let error = match on_lane(api, ask.clone()).await? {
            Ok(admission) => {
                return Ok(Ok(AdmissionGuard { admission: Some(admission), remote: api.lanes.limits.is_some() }));
            }
            Err(error) => error,
        };
        let Some(limited) = error.limited() else { return Ok(Err(error)) };
        let contended = api.limits.has_in_flight(&limited) && asked.elapsed() < MAX_REFUSAL_WAIT;
        if seen && !contended {
            return Ok(Err(error));
        }
        // Once more in any case: the last of those at work may have ended between the two looks.
        seen = true;
        sleep(REFUSAL_DELAY).await;
    }
}

/// Logs a refusal, and charges it to the source once.
async fn refuse(api: &Data<Api>, client: &ClientAddress, limited: RateLimited) -> Result<(), ApiError> {
    limited.log(client.address);
    let source = client.address.map(Source::from_ip);
    on_lane(api, move |api| api.limits.charge_refusal(&limited, source)).await
}

/// An admission on its way to the thread that does the work. One that does not get there, for the
/// lane is full or the caller gone, is given back, and not by a thread that speaks HTTP where that
/// goes over a network.
pub(crate) struct AdmissionGuard<A: Send + 'static> {
    admission: Option<A>,
    remote: bool,
}

impl<A: Default + Send + 'static> AdmissionGuard<A> {
    /// The admission, for the work that begins.
    pub(crate) fn begin(mut self) -> A {
        self.admission.take().unwrap_or_default()
    }
}

impl<A: Send + 'static> Drop for AdmissionGuard<A> {
    fn drop(&mut self) {
        if let Some(admission) = self.admission.take()
            && self.remote
            && let Ok(runtime) = Handle::try_current()
        {
            runtime.spawn_blocking(move || drop(admission));
        }
    }
}

/// An error that may be a refusal.
pub(crate) trait AsRateLimited {
    fn limited(&self) -> Option<RateLimited>;
}

macro_rules! may_be_limited {
    ($($error:ty),+ $(,)?) => {$(
        impl AsRateLimited for $error {
            fn limited(&self) -> Option<RateLimited> {
                if let Self::Limited(limited) = self { Some(*limited) } else { None }
            }
        }
    )+};
}

may_be_limited!(LimitError, RegisterError, RequestResetError, ResendVerificationError,);

/// Refuses a refresh token where refreshes of its session, or with it, were tried too often though
/// none can ever succeed again.
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

/// Refuses a refresh whose session was refreshed too often at this replica.
pub(crate) fn limit_refresh(api: &Data<Api>, client: &ClientAddress, shown: PresentedToken) -> Result<(), ApiError> {
    let session = shown.session().to_string();
    let counted = api.limits.spend_here(Budget::Refresh, &LimitSubject::Bytes(session.as_bytes()));
    if let Err(LimitError::Limited(limited)) = &counted {
        limited.log(client.address);
    }
    Ok(counted?)
}

/// Asks on a lane of its own where the limiter is beyond a network, and at once where it is not.
async fn on_lane<T: Send + 'static>(
    api: &Data<Api>,
    ask: impl FnOnce(&Api) -> T + Send + 'static,
) -> Result<T, ApiError> {
    let Some(lane) = &api.lanes.limits else { return Ok(ask(api)) };
    let shared = api.clone();
    Ok(lane.run(move || ask(&shared)).await?)
}
