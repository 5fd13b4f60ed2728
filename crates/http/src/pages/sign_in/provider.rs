//! Sign-in with a provider that ends in a session of the account pages.

use super::{SignInPage, Visit, cookies};
use crate::api::Api;
use crate::call::{Call, CallLane};
use crate::errors::ApiError;
use crate::pages::account::{self, PageContent, PageContext, see_other};
use crate::pages::page::FormError;
use crate::providers::{begin, set_flow_cookies};
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use portcullis_domain::ErrorCode;
use portcullis_domain::providers::{SignInError, append_query};
use portcullis_domain::registration::User;
use portcullis_usecases::providers::{CodeExchange, SignInStart, StartedFlow};

/// Begins a flow. `again` is the user of a session that needs recent authentication.
pub(super) async fn start(visit: &Visit<'_>, name: String, again: Option<&User>) -> HttpResponse {
    let (api, label) = (visit.api, visit.label(&name));
    match flow(visit, name.clone(), again).await {
        Ok(started) => {
            let mut response = visit.reader.ok(PageContent::Continue { provider: &label, url: &started.url });
            set_flow_cookies(api, visit.request, &started, &mut response);
            response
        }
        Err(error) => {
            let reason = match error.code {
                ErrorCode::NotFound => SignInError::ServerError,
                _ => SignInError::ProviderUnavailable,
            };
            visit.reader.with_error_text(PageContent::Failed {}, error, FormError::of_sign_in(reason))
        }
    }
}

async fn flow(visit: &Visit<'_>, provider: String, again: Option<&User>) -> Result<StartedFlow, ApiError> {
    Call::new(visit.api, visit.request).count().await?;
    let input = SignInStart {
        provider,
        redirect_uri: callback_url(visit.api),
        state: Some(visit.query.clone()),
        challenge: None,
        login_hint: again.map(|user| user.email.original().to_owned()),
        prompt: again.map(|_| "login".to_owned()),
        again: again.map(|user| user.id),
    };
    begin(visit.api, visit.request, input, None).await
}

/// Continues a callback in the account pages. Their cookies are not sent with a provider's redirect, so a page leads
/// there. A reason to refuse it is displayed where the flow began: at the login, or where an account authenticates
/// again.
pub(crate) fn returned(
    (api, request): (&Api, &HttpRequest),
    outcome: &Result<CodeExchange, SignInError>,
    (query, is_again): (&str, bool),
) -> HttpResponse {
    // Below /auth/providers/{name}/.
    let pages = "../../../account";
    match outcome {
        Ok(exchange) => {
            let url = format!("{pages}/callback{query}");
            let mut response = PageContext::of(request, api).ok(SignInPage::Returning { url: &url }.into());
            cookies::set_code(api, exchange, &mut response);
            response
        }
        Err(reason) => {
            let page = if is_again { "reauthenticate" } else { "login" };
            see_other(&append_query(&format!("{pages}/{page}{query}"), &[("error", reason.as_str())]))
        }
    }
}

/// `GET /account/callback`: begins the session.
pub(super) async fn callback(api: Data<Api>, request: HttpRequest) -> HttpResponse {
    let visit = match Visit::new(&api, &request) {
        Ok(visit) => visit,
        Err(response) => return *response,
    };
    let Some(exchange) = cookies::code(&request, &api, callback_url(&api)) else { return visit.expired() };
    let call = Call::new(&api, &request);
    let mut response = match call.counted(|api| &api.providers.exchange, exchange, CallLane::Store).await {
        Ok(logged_in) => visit.signed_in(&call, logged_in).await,
        Err(error) if account::is_dead(&error) => visit.expired(),
        Err(error) => visit.refused(None, error).unwrap_or_else(|error| visit.unavailable(error)),
    };
    cookies::clear_code(&api, &mut response);
    response
}

/// Returns the `redirect_uri` of the codes of the pages.
fn callback_url(api: &Api) -> String {
    format!("{}/account/callback", api.providers.providers.public_url)
}

impl Visit<'_> {
    fn label(&self, name: &str) -> String {
        self.api.providers.providers.find(name).map_or_else(|| name.to_owned(), |provider| provider.label.clone())
    }
}
