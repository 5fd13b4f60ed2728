//! The OpenAPI document and its two viewers, Swagger UI and ReDoc, and the shared parts of the account
//! pages. All assets are embedded in the binary, so the pages work without network access.

pub(crate) mod account;
mod assets;
mod home;

use crate::middleware::Slashed;
use crate::{recovery, verification};
use actix_web::http::header::{self, HeaderValue};
use actix_web::web::{Data, Path, ServiceConfig, get, post, resource};
use actix_web::{HttpMessage, HttpRequest, HttpResponse};
use assets::Asset;
use serde_json::Value;

/// The serialized OpenAPI document and its viewers.
pub(crate) struct Pages {
    document: String,
    docs: Page,
    redoc: Page,
}

/// A viewer, in one variant for each path.
struct Page {
    plain: String,
    /// For a path with a trailing slash, where relative URLs start one level deeper.
    slashed: String,
}

impl Page {
    fn of(title: &str, html: fn(&str, &str) -> String) -> Self {
        Self { plain: html(title, ""), slashed: html(title, "../") }
    }

    fn shown(&self, request: &HttpRequest) -> HttpResponse {
        let html = if request.extensions().contains::<Slashed>() { &self.slashed } else { &self.plain };
        HttpResponse::Ok()
            .content_type("text/html; charset=utf-8")
            .insert_header((header::CONTENT_SECURITY_POLICY, POLICY))
            .insert_header((header::CACHE_CONTROL, "no-cache"))
            .body(html.clone())
    }
}

impl Pages {
    /// Renders the pages of a document.
    pub(crate) fn of(document: &Value) -> Self {
        let title = document.pointer("/info/title").and_then(Value::as_str).unwrap_or_default();
        let (docs, redoc) = (Page::of(title, assets::docs), Page::of(title, assets::redoc));
        Self { document: document.to_string(), docs, redoc }
    }
}

/// Registers the routes that are not in the document.
pub(crate) fn routes(config: &mut ServiceConfig) {
    config
        .service(resource("/").route(get().to(home::home)))
        .service(resource("/openapi.json").route(get().to(openapi)))
        .service(resource("/docs").route(get().to(docs)))
        .service(resource("/redoc").route(get().to(redoc)))
        .service(resource("/docs/assets/{name}").route(get().to(asset)))
        .service(resource("/account/verify").route(get().to(verification::open)).route(post().to(verification::submit)))
        .service(resource("/account/reset").route(get().to(recovery::open)).route(post().to(recovery::submit)))
        .service(resource("/account/assets/{name}").route(get().to(asset)));
}

async fn openapi(pages: Data<Pages>) -> HttpResponse {
    HttpResponse::Ok()
        .content_type(crate::errors::JSON)
        .insert_header((header::CACHE_CONTROL, "no-cache"))
        .body(pages.document.clone())
}

async fn docs(request: HttpRequest, pages: Data<Pages>) -> HttpResponse {
    pages.docs.shown(&request)
}

async fn redoc(request: HttpRequest, pages: Data<Pages>) -> HttpResponse {
    pages.redoc.shown(&request)
}

/// Allows scripts only from this service. Both viewers use inline styles, and ReDoc searches in a
/// worker that it creates from a blob.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
     font-src 'self' data:; connect-src 'self'; worker-src blob:; base-uri 'none'; form-action 'none'; \
     frame-ancestors 'none'",
);

async fn asset(name: Path<String>) -> HttpResponse {
    let Some(Asset { media_type, compressed, bytes }) = Asset::named(&name) else {
        return HttpResponse::NotFound().finish();
    };
    let mut response = HttpResponse::Ok();
    response.content_type(media_type);
    // The name contains the version, so the content never changes.
    response.insert_header((header::CACHE_CONTROL, "public, max-age=31536000, immutable"));
    if compressed {
        response.insert_header((header::CONTENT_ENCODING, "gzip"));
    }
    response.body(bytes)
}
