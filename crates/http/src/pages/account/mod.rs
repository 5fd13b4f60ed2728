//! Shared parts of the home page and the account pages. Links in emails open the account pages. The
//! pages need no script but for passkeys, are not cached, send no `Referer` and cannot be framed.

mod csrf;
mod form_error;

pub(crate) use super::page::{AccountPage, OfferReason, PageContent, PasswordOffer, SignInProblem};
pub(crate) use csrf::FormSender;

use super::brand::Site;
use super::page::{FormError, Page};
use crate::api::Api;
use crate::body::{self, Fields};
use crate::errors::{ApiError, Problem, SkipEnvelope};
use crate::language::language;
use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderValue};
use actix_web::web::{Payload, Query};
use actix_web::{HttpRequest, HttpResponse, ResponseError};
use portcullis_domain::ErrorCode;
use portcullis_domain::mail::Language;
use serde::Deserialize;

/// Allows only the style sheets and the logo, and forms posted to this service.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
);
/// [`POLICY`] of a page that uses passkeys: allows scripts of this service.
const SCRIPT_POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; form-action 'self'; \
     frame-ancestors 'none'; base-uri 'none'",
);

/// Renders pages in the reader's language.
pub(crate) struct PageContext<'a> {
    api: &'a Api,
    language: Language,
    path: String,
}

impl<'a> PageContext<'a> {
    /// Reads the language from a request.
    pub(crate) fn of(request: &HttpRequest, api: &'a Api) -> Self {
        Self { api, language: language(request), path: request.path().to_owned() }
    }

    /// Renders a page with status 200.
    pub(crate) fn ok(&self, content: PageContent<'_>) -> HttpResponse {
        self.respond(StatusCode::OK, content, None)
    }

    /// Renders the page of an invalid link with status 410: the service does not reveal whether the
    /// link was ever valid.
    pub(crate) fn expired_link(&self, page: AccountPage, error: ApiError) -> HttpResponse {
        Problem::from(error).log_as(StatusCode::GONE);
        self.respond(StatusCode::GONE, PageContent::ExpiredLink { page }, None)
    }

    /// Renders the page of a sign-in with a provider that failed, with the status of the error.
    pub(crate) fn failed_sign_in(&self, reason: SignInProblem, error: ApiError) -> HttpResponse {
        let problem = Problem::from(error);
        problem.log();
        let mut response = self.respond(problem.status(), PageContent::SignInFailed { reason }, None);
        problem.set_headers(&mut response);
        response
    }

    /// Renders the page of a sign-in that is unknown in this browser with status 410.
    pub(crate) fn gone_sign_in(&self, error: ApiError) -> HttpResponse {
        Problem::from(error).log_as(StatusCode::GONE);
        self.respond(StatusCode::GONE, PageContent::SignInFailed { reason: SignInProblem::Expired }, None)
    }

    /// Renders a page with an error, its status and its header fields.
    pub(crate) fn with_error(&self, content: PageContent<'_>, error: ApiError) -> HttpResponse {
        let message = FormError::of(&error);
        self.with_error_text(content, error, message)
    }

    /// Like [`with_error`](Self::with_error), with another message.
    pub(crate) fn with_error_text(
        &self,
        content: PageContent<'_>,
        error: ApiError,
        message: FormError,
    ) -> HttpResponse {
        let problem = Problem::from(error);
        problem.log();
        let mut response = self.respond(problem.status(), content, Some(message));
        problem.set_headers(&mut response);
        response
    }

    /// Renders a page with a message, if there is one, and status 200.
    pub(crate) fn with_message(&self, content: PageContent<'_>, message: Option<FormError>) -> HttpResponse {
        self.respond(StatusCode::OK, content, message)
    }

    fn respond(&self, status: StatusCode, content: PageContent<'_>, error: Option<FormError>) -> HttpResponse {
        let referrer_policy = content.referrer_policy();
        let site = Site::new(&self.api.config.brand, !self.api.providers.providers.list.is_empty());
        let page = Page::new(self.language, content, error).at(&self.path).of(site);
        let policy = if page.has_script() { SCRIPT_POLICY } else { POLICY };
        let html = match self.api.pages.render(&page) {
            Ok(html) => html,
            Err(cause) => return ApiError::internal(cause).error_response(),
        };
        let mut response = HttpResponse::build(status)
            .content_type("text/html; charset=utf-8")
            .insert_header((header::CONTENT_SECURITY_POLICY, policy))
            .insert_header((header::CACHE_CONTROL, "no-store"))
            .insert_header((header::REFERRER_POLICY, referrer_policy))
            .insert_header((header::CONTENT_LANGUAGE, self.language.tag()))
            .insert_header((header::VARY, "accept-language"))
            .body(html);
        response.extensions_mut().insert(SkipEnvelope);
        response
    }
}

/// Sends the browser elsewhere. The URL may have a code, which the headers of every response protect.
pub(crate) fn see_other(url: &str) -> HttpResponse {
    let mut response = HttpResponse::build(StatusCode::SEE_OTHER).insert_header((header::LOCATION, url)).finish();
    response.extensions_mut().insert(SkipEnvelope);
    response
}

/// Returns whether an error means that a token is no longer valid.
pub(crate) fn is_dead(error: &ApiError) -> bool {
    matches!(error.code, ErrorCode::TokenInvalid | ErrorCode::TokenExpired | ErrorCode::TokenRevoked)
}

/// Returns the token of a link, or `None` if the link has none. A malformed query counts as an invalid
/// token, since the link may have been damaged on its way.
pub(crate) fn token_of(request: &HttpRequest) -> Option<String> {
    #[derive(Deserialize)]
    struct Link {
        token: Option<String>,
    }
    Query::<Link>::from_query(request.query_string())
        .map_or_else(|_| Some(String::new()), |link| link.into_inner().token)
}

/// Reads a form that acts for the session of the browser, or begins one. Only a page of this service may send it.
pub(crate) async fn form(request: &HttpRequest, api: &Api, payload: Payload) -> Result<Fields, ApiError> {
    form_of(&[FormSender::Own], request, api, payload).await
}

/// Reads a form of a page that a link opens. Its token authorizes the action, so the browser need not say who sent
/// it: that page sends no `Referer`, and then no `Origin`.
pub(crate) async fn link_form(request: &HttpRequest, api: &Api, payload: Payload) -> Result<Fields, ApiError> {
    form_of(&[FormSender::Own, FormSender::Unknown], request, api, payload).await
}

async fn form_of(
    senders: &[FormSender],
    request: &HttpRequest,
    api: &Api,
    payload: Payload,
) -> Result<Fields, ApiError> {
    if !senders.contains(&FormSender::of(request.headers(), &api.config.public_origin)) {
        let refusal = ApiError::new(ErrorCode::Forbidden, "The form was sent from another site");
        return Err(ApiError { close: true, ..refusal });
    }
    body::page_form(request, payload.into_inner()).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::test::TestRequest;

    #[test]
    fn a_mangled_link_has_a_token_that_is_worth_nothing() {
        let token = |target: &str| token_of(&TestRequest::get().uri(target).to_http_request());
        assert_eq!(token("/account/verify"), None);
        assert_eq!(token("/account/verify?a=b"), None);
        assert_eq!(token("/account/verify?token=ab&utm=1").as_deref(), Some("ab"));
        assert_eq!(token("/account/verify?token=ab&token=cd").as_deref(), Some(""));
    }
}
