//! The pages: home page, account pages, the OpenAPI document and its two viewers, Swagger UI and ReDoc.
//! A [`PageRenderer`] has the markup and the texts. All assets are embedded in the binary, so the pages
//! work without network access.

pub(crate) mod account;
mod assets;
mod brand;
mod error_text;
mod home;
mod page;
mod passkeys;
pub(crate) mod session;
mod settings;
pub(crate) mod sign_in;

pub use brand::{Brand, Logo};
pub use page::{Page, PageRenderer};

use crate::api::Api;
use crate::errors::ApiError;
use crate::middleware::Slashed;
use crate::routes::Table;
use crate::{recovery, verification};
use account::PageContext;
use actix_web::body::MessageBody;
use actix_web::http::header::{self, HeaderValue};
use actix_web::web::{Data, Path, get, post};
use actix_web::{HttpMessage, HttpRequest, HttpResponse, ResponseError};
use assets::Asset;
use page::PageContent;
use portcullis_domain::mail::Language;
use std::sync::OnceLock;

/// The serialized OpenAPI document. The first request generates it, because that takes about 10 ms and few
/// services get such a request.
#[derive(Default)]
pub(crate) struct Document(OnceLock<String>);

/// Registers the routes that are not in the document.
pub(crate) fn routes(table: &mut Table) {
    table.page("/", [get().to(home::home)]);
    table.page("/openapi.json", [get().to(openapi)]);
    table.page("/docs", [get().to(docs)]);
    table.page("/redoc", [get().to(redoc)]);
    table.page("/docs/assets/{name}", [get().to(asset)]);
    table.page("/account/verify", [get().to(verification::open), post().to(verification::submit)]);
    table.page("/account/reset", [get().to(recovery::open), post().to(recovery::submit)]);
    table.page("/account/assets/own.css", [get().to(own_style)]);
    table.page("/account/assets/logo", [get().to(logo)]);
    table.page("/account/assets/{name}", [get().to(asset)]);
    sign_in::routes(table);
    settings::routes(table);
}

async fn openapi(api: Data<Api>, document: Data<Document>) -> HttpResponse {
    let generate = || crate::openapi::document(&api.config.app_name, &api.passwords).to_string();
    HttpResponse::Ok()
        .content_type(crate::errors::JSON)
        .insert_header((header::CACHE_CONTROL, "no-cache"))
        .body(document.0.get_or_init(generate).clone())
}

async fn docs(api: Data<Api>, request: HttpRequest) -> HttpResponse {
    viewer(&api, PageContent::swagger_ui(up(&request)))
}

async fn redoc(api: Data<Api>, request: HttpRequest) -> HttpResponse {
    viewer(&api, PageContent::redoc(up(&request)))
}

/// Returns the relative path to the root: a path with a trailing slash is one level deeper.
fn up(request: &HttpRequest) -> &'static str {
    if request.extensions().contains::<Slashed>() { "../" } else { "" }
}

fn viewer(api: &Api, content: PageContent<'_>) -> HttpResponse {
    match api.pages.render(&Page::new(Language::English, content, None)) {
        Ok(html) => HttpResponse::Ok()
            .content_type("text/html; charset=utf-8")
            .insert_header((header::CONTENT_SECURITY_POLICY, POLICY))
            .insert_header((header::CACHE_CONTROL, "no-cache"))
            .body(html),
        Err(cause) => ApiError::internal(cause).error_response(),
    }
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

/// The operator's style sheet.
async fn own_style(api: Data<Api>) -> HttpResponse {
    let style = api.config.brand.style.as_ref();
    style.map_or_else(|| HttpResponse::NotFound().finish(), |style| own("text/css; charset=utf-8", style.clone()))
}

/// The operator's logo.
async fn logo(api: Data<Api>) -> HttpResponse {
    let logo = api.config.brand.logo.as_ref();
    logo.map_or_else(|| HttpResponse::NotFound().finish(), |logo| own(logo.media_type, logo.bytes.clone()))
}

/// Serves a file of the operator, whose content may change with the next start. An SVG image that is opened by
/// itself runs no script.
fn own(media_type: &'static str, bytes: impl MessageBody + 'static) -> HttpResponse {
    HttpResponse::Ok()
        .content_type(media_type)
        .insert_header((header::CACHE_CONTROL, "public, max-age=600"))
        .insert_header((header::CONTENT_SECURITY_POLICY, "default-src 'none'; style-src 'unsafe-inline'; sandbox"))
        .body(bytes)
}
