//! A request on its way to a use case: who calls, whether the call is admitted, and where it runs.

use crate::api::{Api, with_store};
use crate::errors::{ApiError, Described};
use crate::language::language;
use crate::limits::{self, AdmissionGuard, ClientAddress, device_cookie, own_device_cookie};
use crate::request_gate::RequestGate;
use actix_web::HttpRequest;
use actix_web::http::header::{HeaderValue, USER_AGENT};
use actix_web::web::Data;
use portcullis_domain::limits::Source;
use portcullis_domain::sessions::{ClientInfo, UserAgent};
use portcullis_usecases::limits::Attempt;
use portcullis_usecases::{CANCEL_GRACE, Caller, Counted};
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use tokio::time::Instant;

/// A request, and the caller that it stands for.
pub(crate) struct Call<'a> {
    pub(crate) api: &'a Data<Api>,
    request: &'a HttpRequest,
    pub(crate) address: ClientAddress,
    pub(crate) caller: Caller,
}

/// Lane that a use case runs on.
#[derive(Debug, Clone, Copy)]
pub(crate) enum CallLane {
    /// It only needs the database.
    Store,
    /// It hashes a password.
    Crypto,
}

impl<'a> Call<'a> {
    /// Reads the caller of a request.
    pub(crate) fn new(api: &'a Data<Api>, request: &'a HttpRequest) -> Self {
        let address = ClientAddress::from_request(request, api);
        let agent = request.headers().get(USER_AGENT).map(|value| String::from_utf8_lossy(value.as_bytes()));
        let user_agent = agent.and_then(|text| UserAgent::new(&text));
        let client = ClientInfo { ip_address: address.address, user_agent };
        let (language, device) = (language(request), device_cookie(request.headers(), api));
        let caller = Caller { client, language, device, ..Caller::default() };
        Self { api, request, address, caller }
    }

    /// Returns a second call of the request, after its device cookie turned out to be bound to an old
    /// password.
    pub(crate) fn as_unknown_device(&self) -> Self {
        Self { caller: self.caller.as_unknown_device(), ..*self }
    }

    /// Sets whether a browser must forget the tokens of a new session when it closes.
    pub(crate) fn forgetting(mut self, forget: bool) -> Self {
        self.caller.forget = forget;
        self
    }

    /// Ignores a device cookie that another host may have set, for a call in which the cookie proves who it is.
    pub(crate) fn with_own_device(mut self) -> Self {
        self.caller.device = own_device_cookie(self.request.headers(), self.api);
        self
    }

    /// Creates the header that sets the device cookie.
    pub(crate) fn set_device_cookie(&self, cookie: &str) -> Option<HeaderValue> {
        limits::set_device_cookie(self.request, self.api, &self.address, cookie)
    }

    /// Charges the source for a call without a bearer token.
    pub(crate) async fn count(&self) -> Result<(), ApiError> {
        let source = self.address.address.map(Source::from_ip);
        limits::admit(self.api, &self.address, Attempt::Call(source)).await.map(drop)
    }

    /// Counts the call, and executes it if it is admitted.
    pub(crate) async fn counted<U: Counted>(
        &self,
        use_case: fn(&Api) -> &U,
        input: impl Into<Arc<U::Input>>,
        lane: CallLane,
    ) -> Result<U::Output, ApiError>
    where
        U::Reason: Described,
    {
        let (input, mut admission) = (input.into(), AdmissionGuard::default());
        for attempt in use_case(self.api).attempts(&input, &self.caller) {
            admission = admission.and(limits::admit(self.api, &self.address, attempt).await?);
        }
        let work = move |api: &Api, caller: &Caller| use_case(api).execute(&input, caller, admission.begin());
        match lane {
            CallLane::Store => {
                let caller = self.caller.clone();
                Ok(with_store(self.api.clone(), move |api| work(api, &caller)).await??)
            }
            CallLane::Crypto => self.hash(work).await,
        }
    }

    /// Runs a use case that hashes on the crypto lane, unless the client disconnected while the job was
    /// queued. The work is cancelled when the client half-closes the connection, or when this future is
    /// dropped because of a timeout or a broken connection.
    pub(crate) async fn hash<T: Send + 'static, E: Into<ApiError> + Send + 'static>(
        &self,
        work: impl FnOnce(&Api, &Caller) -> Result<T, E> + Send + 'static,
    ) -> Result<T, ApiError> {
        let departed = self.request.conn_data::<Rc<RequestGate>>().map(|gate| gate.half_closed_flag());
        let (api, caller, answering) = (self.api.clone(), self.caller.clone(), Arc::new(()));
        let client = RequestGuard { answering: Arc::downgrade(&answering), departed: departed.unwrap_or_default() };
        let since = Instant::now();
        let job = move || {
            let is_wanted = since.elapsed() <= CANCEL_GRACE || client.is_connected();
            is_wanted.then(|| work(&api, &caller.waiting_while(move || client.is_connected())))
        };
        let crypto = &self.api.lanes.crypto;
        let outcome = match crypto.run(job).await? {
            Some(outcome) => outcome.map_err(Into::into),
            None => Err(crypto.rejection().into()),
        };
        drop(answering);
        if outcome.as_ref().is_err_and(|error| error.crowded) {
            crypto.delay().await;
        }
        outcome
    }
}

/// Handle that reports whether the client still waits for its response.
struct RequestGuard {
    answering: Weak<()>,
    departed: Arc<AtomicBool>,
}

impl RequestGuard {
    fn is_connected(&self) -> bool {
        self.answering.strong_count() > 0 && !self.departed.load(Ordering::Relaxed)
    }
}
