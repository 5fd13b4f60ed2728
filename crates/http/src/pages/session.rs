//! Session of a browser at the account pages. Its cookie is accepted by these pages only, and each request looks the
//! session up.

use super::account::{PageContent, PageContext, see_other};
use crate::api::{Api, with_store};
use crate::call::Call;
use crate::errors::ApiError;
use crate::tokens::cookie_value;
use actix_web::body::MessageBody;
use actix_web::cookie::time::Duration;
use actix_web::cookie::{Cookie, SameSite};
use actix_web::dev::{Payload, ServiceRequest, ServiceResponse};
use actix_web::error::InternalError;
use actix_web::http::header::{HeaderValue, SET_COOKIE};
use actix_web::middleware::Next;
use actix_web::web::Data;
use actix_web::{FromRequest, HttpMessage, HttpRequest, HttpResponse};
use chrono::TimeDelta;
use futures_util::future::LocalBoxFuture;
use portcullis_domain::ErrorCode;
use portcullis_domain::providers::append_query;
use portcullis_usecases::login::LoggedIn;
use portcullis_usecases::sessions::PageCookieValue;
use portcullis_usecases::tokens::{Authenticated, TokenError};

const LOGIN: &str = "login";
const REAUTHENTICATE: &str = "reauthenticate";
const PAGE: &str = "portcullis_page";
/// The same where `PUBLIC_URL` is https. A sibling host cannot set it.
const SECURE_PAGE: &str = "__Host-portcullis_page";

/// Extractor of the session. Without one, the response sends the browser to the sign-in page, which comes back.
pub(crate) struct PageSession(pub(crate) Authenticated);

impl FromRequest for PageSession {
    type Error = actix_web::Error;
    type Future = LocalBoxFuture<'static, Result<Self, actix_web::Error>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let request = request.clone();
        Box::pin(async move {
            let api = request.app_data::<Data<Api>>().cloned();
            let api = api.ok_or_else(|| ApiError::internal("no API in the application's data"))?;
            let response = match Self::find(&request, &api).await {
                Ok(Some(session)) if api.sessions.page.admits(&session.0) => return Ok(session),
                // The sign-in page says what is missing.
                Ok(_) => ask(&request, &api, LOGIN),
                Err(error) => unavailable(&request, &api, error),
            };
            Err(InternalError::from_response("no session of the pages", response).into())
        })
    }
}

impl PageSession {
    /// Returns the session, or `None` without a valid cookie of an active session. Renews the cookie if that is due.
    ///
    /// # Errors
    /// Returns [`ApiError`] if the store fails.
    pub(crate) async fn find(request: &HttpRequest, api: &Api) -> Result<Option<Self>, ApiError> {
        let cookie = cookie_value(request.headers(), name(api));
        let read = cookie.and_then(|cookie| api.sessions.page.read(&cookie));
        let Some((lookup, renewed)) = read else { return Ok(None) };
        let deadline = api.lanes.store.deadline();
        match api.lanes.accounts.run_by(deadline, lookup).await?.into_result() {
            Ok(session) => {
                if let Some(cookie) = renewed.and_then(|cookie| build(api, &cookie)) {
                    request.extensions_mut().insert(RenewedCookie(cookie));
                }
                Ok(Some(Self(session)))
            }
            Err(TokenError::Failed(failure)) => Err(failure.into()),
            Err(_) => Ok(None),
        }
    }

    /// Returns the response that asks for recent authentication on the way, and comes back to this page. `None` if
    /// the session's authentication is recent.
    pub(crate) fn needs_reauthentication(&self, request: &HttpRequest, api: &Api) -> Option<HttpResponse> {
        (!api.sessions.page.step_up.is_recent(&self.0)).then(|| reauthenticate(request, api))
    }
}

/// `Set-Cookie` value of a cookie that the use of its session renews.
struct RenewedCookie(HeaderValue);

/// Middleware of the pages. Adds the renewed cookie to a response, unless that sets or deletes the cookie itself.
pub(crate) async fn renew_cookie(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<impl MessageBody + 'static>, actix_web::Error> {
    let mut response = next.call(request).await?;
    let renewed = response.request().extensions_mut().remove::<RenewedCookie>();
    if let Some(RenewedCookie(cookie)) = renewed {
        let name = |cookie: &HeaderValue| cookie.as_bytes().split(|byte| *byte == b'=').next().map(<[u8]>::to_vec);
        if !response.headers().get_all(SET_COOKIE).any(|set| name(set) == name(&cookie)) {
            response.headers_mut().append(SET_COOKIE, cookie);
        }
    }
    Ok(response)
}

/// Returns the response to a failed call that asks for recent authentication if that is missing, and for a sign-in if
/// the session has ended. `None` for other errors.
pub(crate) fn detour(request: &HttpRequest, api: &Api, error: &ApiError) -> Option<HttpResponse> {
    page_for(error.code).map(|page| ask(request, api, page))
}

const fn page_for(code: ErrorCode) -> Option<&'static str> {
    match code {
        ErrorCode::StepUpRequired => Some(REAUTHENTICATE),
        ErrorCode::TokenRevoked => Some(LOGIN),
        _ => None,
    }
}

/// Sends the browser to the page that asks for recent authentication, which comes back.
pub(crate) fn reauthenticate(request: &HttpRequest, api: &Api) -> HttpResponse {
    ask(request, api, REAUTHENTICATE)
}

/// Sends the browser to another account page, which comes back to this one with `GET`.
fn ask(request: &HttpRequest, api: &Api, page: &str) -> HttpResponse {
    let query = if request.query_string().is_empty() { String::new() } else { format!("?{}", request.query_string()) };
    let here = format!("{}{}{query}", api.config.public_path, request.path());
    see_other(&append_query(&format!("{}{page}", folder(request)), &[("continue", &here)]))
}

fn unavailable(request: &HttpRequest, api: &Api, error: ApiError) -> HttpResponse {
    PageContext::of(request, api).with_error(PageContent::Failed {}, error)
}

/// Returns the relative path to the folder of the account pages, since the service may be served below a path.
fn folder(request: &HttpRequest) -> &'static str {
    if request.path() == "/account" { "account/" } else { "" }
}

/// Returns the `Set-Cookie` value for a session that has just begun.
pub(crate) fn set_cookie(api: &Api, logged_in: &LoggedIn) -> Option<HeaderValue> {
    build(api, &api.sessions.page.cookie(logged_in))
}

/// Ends the session and deletes its cookie.
pub(crate) async fn end(api: &Data<Api>, request: &HttpRequest, session: Authenticated) -> Result<(), ApiError> {
    let caller = Call::new(api, request).caller;
    with_store(api.clone(), move |api| api.sessions.page.end(&session, &caller)).await??;
    Ok(())
}

/// Adds the `Set-Cookie` value that deletes the cookie.
pub(crate) fn clear_cookie(api: &Api, response: &mut HttpResponse) {
    if let Some(value) = build(api, &PageCookieValue { value: String::new(), lifetime: Some(TimeDelta::zero()) }) {
        response.headers_mut().append(SET_COOKIE, value);
    }
}

fn name(api: &Api) -> &'static str {
    if is_secure(api) { SECURE_PAGE } else { PAGE }
}

/// Returns whether browsers reach the pages over TLS.
pub(crate) fn is_secure(api: &Api) -> bool {
    api.config.public_origin.starts_with("https://")
}

fn build(api: &Api, PageCookieValue { value, lifetime }: &PageCookieValue) -> Option<HeaderValue> {
    let mut cookie = Cookie::new(name(api), value);
    cookie.set_path("/");
    cookie.set_http_only(true);
    cookie.set_secure(is_secure(api));
    // Links from other sites and the redirects of providers must find the user signed in.
    cookie.set_same_site(SameSite::Lax);
    cookie.set_max_age(lifetime.map(|lifetime| Duration::seconds(lifetime.num_seconds())));
    HeaderValue::from_str(&cookie.to_string()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_that_ends_meanwhile_leads_to_the_sign_in() {
        for (code, page) in [
            (ErrorCode::TokenRevoked, Some("login")),
            (ErrorCode::StepUpRequired, Some("reauthenticate")),
            (ErrorCode::Unavailable, None),
        ] {
            assert_eq!(page_for(code), page);
        }
    }
}
