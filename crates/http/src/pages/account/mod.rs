//! Shared parts of the home page and the account pages. Links in emails open the account pages. Each
//! feature supplies its own content. The pages need no script, are not cached, send no `Referer` and
//! cannot be framed.

mod csrf;
mod form_error;
mod html;
mod translations;

pub(crate) use csrf::is_same_origin;
pub(crate) use form_error::FormError;
pub(crate) use html::{Field, Html, escaped};
pub(crate) use translations::{FormPage, Notice, Translations, with_number};

use crate::api::Api;
use crate::body::{self, Fields};
use crate::errors::{ApiError, Problem, SkipEnvelope};
use crate::language::language;
use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderValue};
use actix_web::web::{Payload, Query};
use actix_web::{HttpRequest, HttpResponse};
use portcullis_domain::ErrorCode;
use portcullis_domain::mail::Language;
use serde::Deserialize;

/// Style sheet of all pages. The name contains its version, so the content never changes.
pub(super) const STYLE: &str = "style-2.css";

/// Folder of the style sheet, relative to the pages below `/account/`.
const ASSETS: &str = "assets/";

/// Allows only the style sheet, and forms posted to this service.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; style-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
);

/// Product name and language of a page.
pub(crate) struct PageContext<'a> {
    product: &'a str,
    language: Language,
    /// The texts in the reader's language.
    pub(crate) words: &'static Translations,
}

impl<'a> PageContext<'a> {
    /// Reads the language from a request.
    pub(crate) fn of(request: &HttpRequest, api: &'a Api) -> Self {
        Self::named(&api.config.app_name, language(request))
    }

    /// Creates a context from a product name and a language.
    pub(crate) fn named(product: &'a str, language: Language) -> Self {
        Self { product, language, words: Translations::of(language) }
    }
}

/// Content of a page.
#[derive(Default)]
pub(crate) struct PageView {
    pub(crate) title: &'static str,
    pub(crate) parts: Vec<Html>,
}

impl PageView {
    /// Renders the page with status 200.
    pub(crate) fn ok(&self, reader: &PageContext<'_>) -> HttpResponse {
        self.response(StatusCode::OK, None, reader)
    }

    /// Renders the page for `/`, where the style sheet is one folder deeper.
    pub(crate) fn shown_at_root(&self, reader: &PageContext<'_>) -> HttpResponse {
        respond(StatusCode::OK, self.html("account/assets/", None, reader), reader)
    }

    /// Renders the page of an invalid link with status 410: the service does not reveal whether the
    /// link was ever valid.
    pub(crate) fn gone(&self, error: ApiError, reader: &PageContext<'_>) -> HttpResponse {
        Problem::from(error).log_as(StatusCode::GONE);
        self.response(StatusCode::GONE, None, reader)
    }

    /// Renders the page with an error, its status and its header fields.
    pub(crate) fn with_error(&self, error: ApiError, fault: &FormError, reader: &PageContext<'_>) -> HttpResponse {
        let problem = Problem::from(error);
        problem.log();
        let mut response = self.response(problem.status(), Some(fault), reader);
        problem.set_headers(&mut response);
        response
    }

    fn response(&self, status: StatusCode, fault: Option<&FormError>, reader: &PageContext<'_>) -> HttpResponse {
        respond(status, self.html(ASSETS, fault, reader), reader)
    }

    fn html(&self, assets: &str, fault: Option<&FormError>, reader: &PageContext<'_>) -> String {
        let (language, product, title) = (reader.language.tag(), escaped(reader.product), escaped(self.title));
        let mark = fault.map(|_| format!("{}: ", reader.words.fault)).unwrap_or_default();
        let problem = fault.map(Html::problem).unwrap_or_default();
        let parts: String = std::iter::once(&problem).chain(&self.parts).map(Html::as_str).collect();
        format!(
            "<!doctype html>\n<html lang=\"{language}\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <meta name=\"robots\" content=\"noindex\">\n<title>{mark}{title} – {product}</title>\n\
             <link rel=\"stylesheet\" href=\"{assets}{STYLE}\">\n</head>\n\
             <body>\n<header><p>{product}</p></header>\n<main>\n<h1>{title}</h1>\n{parts}</main>\n</body>\n</html>\n"
        )
    }
}

fn respond(status: StatusCode, html: String, reader: &PageContext<'_>) -> HttpResponse {
    let mut response = HttpResponse::build(status)
        .content_type("text/html; charset=utf-8")
        .insert_header((header::CONTENT_SECURITY_POLICY, POLICY))
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .insert_header((header::REFERRER_POLICY, "no-referrer"))
        .insert_header((header::CONTENT_LANGUAGE, reader.language.tag()))
        .insert_header((header::VARY, "accept-language"))
        .body(html);
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

/// Reads a form, which only a page of this service may send.
pub(crate) async fn form(request: &HttpRequest, api: &Api, payload: Payload) -> Result<Fields, ApiError> {
    if !csrf::is_same_origin(request.headers(), &api.config.public_origin) {
        let refusal = ApiError::new(ErrorCode::Forbidden, "The form was sent from another site");
        return Err(ApiError { close: true, ..refusal });
    }
    body::page_form(request, payload.into_inner()).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::body::to_bytes;
    use actix_web::test::TestRequest;

    fn reader(language: Language) -> PageContext<'static> {
        PageContext::named("<Gate> & \"house\"", language)
    }

    async fn text(response: HttpResponse) -> String {
        String::from_utf8(to_bytes(response.into_body()).await.unwrap().to_vec()).unwrap()
    }

    #[actix_web::test]
    async fn page_is_not_cached_not_framed_and_declares_its_language() {
        let screen = PageView { title: "Title", parts: vec![Html::paragraph("text")] };
        let response = screen.ok(&reader(Language::German));
        for (name, value) in [
            ("cache-control", "no-store"),
            ("referrer-policy", "no-referrer"),
            ("content-language", "de"),
            (
                "content-security-policy",
                "default-src 'none'; style-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
            ),
        ] {
            assert_eq!(response.headers().get(name).unwrap(), value);
        }
        let html = text(response).await;
        assert!(html.contains("<html lang=\"de\">"), "{html}");
        assert!(html.contains("<title>Title – &lt;Gate&gt; &amp; &quot;house&quot;</title>"), "{html}");
        for stopped in ["<script", "style=", "<style", " on"] {
            assert!(!html.contains(stopped), "{stopped}: {html}");
        }
    }

    #[actix_web::test]
    async fn what_is_wrong_stands_in_the_title_and_before_everything_else() {
        let screen = PageView { title: "Title", parts: vec![Html::paragraph("text")] };
        let fault = FormError { text: "busy".to_owned(), field: None };
        let response =
            screen.with_error(ApiError::new(ErrorCode::Unavailable, "x"), &fault, &reader(Language::English));
        assert_eq!(
            (response.status(), response.headers().get("retry-after").unwrap()),
            (StatusCode::SERVICE_UNAVAILABLE, &HeaderValue::from_static("1"))
        );
        let html = text(response).await;
        assert!(html.contains("<title>Error: Title"), "{html}");
        assert!(html.find("role=\"alert\"").unwrap() < html.find("<p>text").unwrap(), "{html}");
    }

    #[test]
    fn a_mangled_link_has_a_token_that_is_worth_nothing() {
        let token = |target: &str| token_of(&TestRequest::get().uri(target).to_http_request());
        assert_eq!(token("/account/verify"), None);
        assert_eq!(token("/account/verify?a=b"), None);
        assert_eq!(token("/account/verify?token=ab&utm=1").as_deref(), Some("ab"));
        assert_eq!(token("/account/verify?token=ab&token=cd").as_deref(), Some(""));
    }
}
