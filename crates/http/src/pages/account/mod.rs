//! The pages that links in mails open, and the first page: what they have in common. What stands on a
//! page is left to its feature. They need no script, are kept by no cache, named in no `Referer`, and framed by
//! nobody.

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

/// The style of all pages. Its name bears its version: what it names never changes.
pub(super) const STYLE: &str = "style-2.css";

/// Where the style is, from the pages below `/account/`.
const ASSETS: &str = "assets/";

/// Nothing but the style, and forms to this service.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; style-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
);

/// Who reads a page.
pub(crate) struct PageContext<'a> {
    product: &'a str,
    language: Language,
    /// The texts in the reader's language.
    pub(crate) words: &'static Translations,
}

impl<'a> PageContext<'a> {
    /// Whoever sent the request.
    pub(crate) fn of(request: &HttpRequest, api: &'a Api) -> Self {
        Self::named(&api.config.app_name, language(request))
    }

    /// Whoever reads that language, of a service of that name.
    pub(crate) fn named(product: &'a str, language: Language) -> Self {
        Self { product, language, words: Translations::of(language) }
    }
}

/// A page, as its feature has it.
#[derive(Default)]
pub(crate) struct PageView {
    pub(crate) title: &'static str,
    pub(crate) parts: Vec<Html>,
}

impl PageView {
    /// The page as the answer to a request that went well.
    pub(crate) fn ok(&self, reader: &PageContext<'_>) -> HttpResponse {
        self.response(StatusCode::OK, None, reader)
    }

    /// The page as the answer at `/`, where its style is a folder further down.
    pub(crate) fn shown_at_root(&self, reader: &PageContext<'_>) -> HttpResponse {
        respond(StatusCode::OK, self.html("account/assets/", None, reader), reader)
    }

    /// The page of a link that is worth nothing: 410, for it was worth something, as far as the
    /// service tells anybody.
    pub(crate) fn gone(&self, error: ApiError, reader: &PageContext<'_>) -> HttpResponse {
        Problem::from(error).log_as(StatusCode::GONE);
        self.response(StatusCode::GONE, None, reader)
    }

    /// The page with what is wrong, and the status and the header fields that say the same.
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

/// Whether an error says that a token is worth nothing.
pub(crate) fn is_dead(error: &ApiError) -> bool {
    matches!(error.code, ErrorCode::TokenInvalid | ErrorCode::TokenExpired | ErrorCode::TokenRevoked)
}

/// The token of a link. A link may have been cut or mangled on its way: then there is none that
/// is worth anything.
pub(crate) fn token_of(request: &HttpRequest) -> Option<String> {
    #[derive(Deserialize)]
    struct Link {
        token: Option<String>,
    }
    Query::<Link>::from_query(request.query_string())
        .map_or_else(|_| Some(String::new()), |link| link.into_inner().token)
}

/// The form that a page sent, one of this service's own.
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
    async fn a_page_is_kept_by_no_cache_framed_by_nobody_and_tells_its_language() {
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
