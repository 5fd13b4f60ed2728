//! The API document and the two pages that show it, Swagger UI and ReDoc, and what the pages for
//! people have in common. Every asset comes from the binary, so the pages work with no network.

pub(crate) mod account;
mod assets;

use crate::{recovery, verification};
use actix_web::HttpResponse;
use actix_web::http::header::{self, HeaderValue};
use actix_web::web::{Data, Path, ServiceConfig, get, post, resource};
use assets::Asset;
use serde_json::Value;

/// The API document as it is served, and the pages around it.
pub(crate) struct Pages {
    document: String,
    docs: String,
    redoc: String,
}

impl Pages {
    /// The pages of a document.
    pub(crate) fn of(document: &Value) -> Self {
        let title = document.pointer("/info/title").and_then(Value::as_str).unwrap_or_default();
        Self { document: document.to_string(), docs: assets::docs(title), redoc: assets::redoc(title) }
    }
}

/// The routes that the document does not name.
pub(crate) fn routes(config: &mut ServiceConfig) {
    config
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

async fn docs(pages: Data<Pages>) -> HttpResponse {
    page(&pages.docs)
}

async fn redoc(pages: Data<Pages>) -> HttpResponse {
    page(&pages.redoc)
}

/// Scripts come from this service alone. Styles may be inline, as both programs make them; ReDoc
/// searches in a worker that it makes from a blob.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
     font-src 'self' data:; connect-src 'self'; worker-src blob:; base-uri 'none'; form-action 'none'; \
     frame-ancestors 'none'",
);

fn page(html: &str) -> HttpResponse {
    HttpResponse::Ok()
        .content_type("text/html; charset=utf-8")
        .insert_header((header::CONTENT_SECURITY_POLICY, POLICY))
        .insert_header((header::CACHE_CONTROL, "no-cache"))
        .body(html.to_owned())
}

async fn asset(name: Path<String>) -> HttpResponse {
    let Some(Asset { media_type, compressed, bytes }) = Asset::named(&name) else {
        return HttpResponse::NotFound().finish();
    };
    let mut response = HttpResponse::Ok();
    response.content_type(media_type);
    // A name bears its version: what it names never changes.
    response.insert_header((header::CACHE_CONTROL, "public, max-age=31536000, immutable"));
    if compressed {
        response.insert_header((header::CONTENT_ENCODING, "gzip"));
    }
    response.body(bytes)
}
