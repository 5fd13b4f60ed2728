//! Requests of a browser on its way to a provider and back. Errors are pages, since a person sees them.

use super::query::{CallbackQuery, StartError, StartQuery};
use super::{state_too_long, unknown_provider, with_provider};
use crate::api::{Api, with_store};
use crate::body;
use crate::call::Call;
use crate::errors::ApiError;
use crate::limits::own_device_cookie;
use crate::pages::account::{self, PageContent, PageContext, SignInProblem, see_other};
use crate::pages::session::is_secure;
use crate::pages::sign_in;
use crate::tokens::{TokenCookie, cookie_names, cookie_value};
use actix_web::cookie::time::Duration;
use actix_web::cookie::{Cookie, SameSite};
use actix_web::http::header;
use actix_web::web::{Data, Path, Payload};
use actix_web::{HttpRequest, HttpResponse, ResponseError};
use portcullis_domain::ErrorCode;
use portcullis_domain::providers::{FLOW_LIFETIME, SignInError, SignInSecret, append_query};
use portcullis_domain::registration::UserId;
use portcullis_domain::sessions::SessionId;
use portcullis_usecases::providers::{CallbackResponse, LinkOffer, ProviderCallback, SignInStart, StartedFlow};
use std::sync::Arc;

/// Cookies of a browser that are compared with a flow's. More are the work of someone who floods the browser.
const MAX_FLOW_COOKIES: usize = 20;
/// Cookie that identifies the browser of a flow. All its tabs share it.
const FLOW: &str = "portcullis_flow";
/// The same where `PUBLIC_URL` is https. A sibling host cannot set it, and so cannot pass a flow of its own on to a
/// person's browser.
const SECURE_FLOW: &str = "__Host-portcullis_flow";

/// `GET …/start`: sends the browser to the provider.
pub(super) async fn start(api: Data<Api>, request: HttpRequest, name: Path<String>) -> HttpResponse {
    let reader = PageContext::of(&request, &api);
    if let Err(error) = Call::new(&api, &request).count().await {
        return reader.failed_sign_in(SignInProblem::Unavailable, error);
    }
    let providers = &api.providers.providers;
    if providers.find(&name).is_none() {
        return reader.failed_sign_in(SignInProblem::UnknownProvider, unknown_provider());
    }
    let input = match StartQuery::of(&request).check(&name, &providers.redirect_uris) {
        Ok(input) => input,
        Err(fault) => {
            let (problem, text) = match fault {
                StartError::RedirectUri => (SignInProblem::RedirectUri, "redirect_uri is not listed"),
                StartError::Pkce => (SignInProblem::Pkce, "code_challenge of method S256 is missing"),
                StartError::State => return state_too_long().error_response(),
            };
            return reader.failed_sign_in(problem, ApiError::new(ErrorCode::Validation, text));
        }
    };
    let (redirect_uri, state) = (input.redirect_uri.clone(), input.state.clone());
    match begin(&api, &request, input, None).await {
        Ok(started) => {
            let mut response = see_other(&started.url);
            set_flow_cookies(&api, &request, &started, &mut response);
            response
        }
        // The redirect URI is listed, so the client learns the reason.
        Err(error) if error.code == ErrorCode::Unavailable => {
            let reason = SignInError::ProviderUnavailable.as_str();
            let state = state.iter().map(|state| ("state", state.as_str()));
            let parameters: Vec<_> = std::iter::once(("error", reason)).chain(state).collect();
            see_other(&append_query(&redirect_uri, &parameters))
        }
        Err(error) => reader.failed_sign_in(SignInProblem::Unavailable, error),
    }
}

/// `POST …/callback`: a provider posted its response (`form_post`). Browsers do not send the flow's cookie with such
/// a form of another site, but with the `GET` that follows.
pub(super) async fn posted_callback(api: Data<Api>, request: HttpRequest, payload: Payload) -> HttpResponse {
    let reader = PageContext::of(&request, &api);
    if let Err(error) = Call::new(&api, &request).count().await {
        return reader.failed_sign_in(SignInProblem::Unavailable, error);
    }
    match body::form_text(&request, payload.into_inner()).await {
        Ok(form) => see_other(&format!("callback{}", CallbackQuery::parse(&form).to_query())),
        Err(error) => reader.failed_sign_in(SignInProblem::Expired, error),
    }
}

/// `GET …/callback`: completes the flow, and sends the browser back to the client.
pub(super) async fn callback(api: Data<Api>, request: HttpRequest, name: Path<String>) -> HttpResponse {
    let reader = PageContext::of(&request, &api);
    let callback = ProviderCallback::from(CallbackQuery::parse(request.query_string()));
    match complete(&api, &request, name.into_inner(), callback).await {
        Ok(CallbackResponse::Client(url)) => see_other(&url),
        Ok(CallbackResponse::Pages { outcome, state, is_again }) => {
            sign_in::returned((&api, &request), &outcome, (&state, is_again))
        }
        Err(error) if error.code == ErrorCode::NotFound => reader.gone_sign_in(error),
        Err(error) => reader.failed_sign_in(SignInProblem::Unavailable, error),
    }
}

async fn complete(
    api: &Data<Api>,
    request: &HttpRequest,
    name: String,
    callback: ProviderCallback,
) -> Result<CallbackResponse, ApiError> {
    let call = Call::new(api, request);
    call.count().await?;
    let names = cookie_names(request.headers(), flow_cookie(api)).take(MAX_FLOW_COOKIES);
    let browsers: Vec<_> = names.filter_map(|name| read_cookie(request, &name)).collect();
    let caller = call.caller.clone();
    let provider = name.clone();
    let open = move |api: &Api| api.providers.complete.open(&provider, &callback, &browsers);
    let opened = Arc::new(with_store(api.clone(), open).await??);
    let redeemed = opened.clone();
    let result = match with_provider(api, &name, move |api| api.providers.complete.redeem(&redeemed)).await {
        // Too many calls wait for providers. The flow is spent, so the client learns the reason.
        Err(error) if error.code == ErrorCode::Unavailable => Err(SignInError::ProviderUnavailable),
        result => result?,
    };
    Ok(with_store(api.clone(), move |api| api.providers.complete.finish(&opened, result, &caller)).await??)
}

/// `GET …/connect`: names the account and the provider, and asks for confirmation.
pub(super) async fn open_link(api: Data<Api>, request: HttpRequest) -> HttpResponse {
    let reader = PageContext::of(&request, &api);
    if let Err(error) = Call::new(&api, &request).count().await {
        return refused_link(&reader, error);
    }
    let token = account::token_of(&request).unwrap_or_default();
    let opened = token.clone();
    match with_store(api.clone(), move |api| api.providers.link.inspect(&opened)).await {
        Ok(Ok(LinkOffer { owner, provider, .. })) => {
            let provider = label(&api, &provider);
            reader.ok(PageContent::LinkIdentity { token: &token, provider, email: owner.user.email.original() })
        }
        Ok(Err(error)) => refused_link(&reader, error.into()),
        Err(error) => refused_link(&reader, error),
    }
}

/// `POST …/connect`: begins the flow, in the browser of the session that created the URL.
pub(super) async fn confirm_link(api: Data<Api>, request: HttpRequest, payload: Payload) -> HttpResponse {
    let reader = PageContext::of(&request, &api);
    match connect(&api, &request, payload).await {
        Ok((started, provider)) => {
            let content = PageContent::Continue { provider: label(&api, &provider), url: &started.url };
            let mut response = reader.ok(content);
            set_flow_cookies(&api, &request, &started, &mut response);
            response
        }
        Err(error) => refused_link(&reader, error),
    }
}

async fn connect(api: &Data<Api>, request: &HttpRequest, payload: Payload) -> Result<(StartedFlow, String), ApiError> {
    Call::new(api, request).count().await?;
    let mut fields = account::link_form(request, api, payload).await?;
    let token = fields.optional("token").unwrap_or_default();
    let device = own_device_cookie(request.headers(), api);
    let access = api.config.cookies.as_ref().and_then(|own| own.read(request.headers(), TokenCookie::Access));
    let confirm = move |api: &Api| api.providers.link.confirm(&token, (device.as_deref(), access.as_deref()));
    let LinkOffer { provider, start, link, .. } = with_store(api.clone(), confirm).await??;
    Ok((begin(api, request, start, Some(link)).await?, provider))
}

fn refused_link(reader: &PageContext<'_>, error: ApiError) -> HttpResponse {
    match error.code {
        ErrorCode::NotFound => reader.gone_sign_in(error),
        ErrorCode::Forbidden => reader.failed_sign_in(SignInProblem::OtherBrowser, error),
        _ => reader.failed_sign_in(SignInProblem::Unavailable, error),
    }
}

/// Prepares a flow at the provider and stores it.
pub(crate) async fn begin(
    api: &Data<Api>,
    request: &HttpRequest,
    input: SignInStart,
    link: Option<(UserId, SessionId)>,
) -> Result<StartedFlow, ApiError> {
    let browser = read_cookie(request, flow_cookie(api));
    let name = input.provider.clone();
    let prepare = move |api: &Api| api.providers.start.prepare(&input, browser, link);
    let prepared = with_provider(api, &name, prepare).await??;
    Ok(with_store(api.clone(), move |api| api.providers.start.store(prepared)).await??)
}

/// Returns a cookie of the browser, if it is well-formed.
fn read_cookie(request: &HttpRequest, name: &str) -> Option<SignInSecret> {
    SignInSecret::parse(&cookie_value(request.headers(), name)?)
}

fn flow_cookie(api: &Api) -> &'static str {
    if is_secure(api) { SECURE_FLOW } else { FLOW }
}

/// Returns the name of the cookie of a single flow.
fn own_cookie(api: &Api, state: &SignInSecret) -> String {
    format!("{}_{}", flow_cookie(api), state.expose().get(..8).unwrap_or_default())
}

/// Sets or renews the browser's cookie. A browser without one may begin several flows at once, and the last
/// response replaces the cookie of the others. So each of them gets a separate one too, which also serves a flow
/// that began with the cookie in between.
pub(crate) fn set_flow_cookies(api: &Api, request: &HttpRequest, started: &StartedFlow, response: &mut HttpResponse) {
    set_flow_cookie(api, flow_cookie(api), &started.browser, response);
    if read_cookie(request, flow_cookie(api)).is_none() {
        set_flow_cookie(api, &own_cookie(api, &started.state), &started.browser, response);
    }
}

fn set_flow_cookie(api: &Api, name: &str, browser: &SignInSecret, response: &mut HttpResponse) {
    let cookie = Cookie::build(name, browser.expose())
        .path("/")
        .max_age(Duration::seconds(FLOW_LIFETIME.num_seconds()))
        .http_only(true)
        // The provider's redirect is a navigation from another site.
        .same_site(SameSite::Lax)
        .secure(is_secure(api));
    if let Ok(value) = header::HeaderValue::from_str(&cookie.finish().to_string()) {
        response.headers_mut().append(header::SET_COOKIE, value);
    }
}

fn label<'a>(api: &'a Api, provider: &'a str) -> &'a str {
    api.providers.providers.find(provider).map_or(provider, |provider| &provider.label)
}
