//! Trailing slashes. The FastAPI app redirected such requests, and its clients followed; here the route
//! itself responds.

use actix_web::HttpMessage;
use actix_web::dev::ServiceRequest;
use actix_web::http::Uri;
use actix_web::http::uri::PathAndQuery;

/// Paths of the FastAPI app. Other paths must match exactly.
const PATHS: [&str; 8] =
    ["/auth/register", "/auth/login", "/auth/refresh", "/auth/logout", "/health", "/docs", "/redoc", "/openapi.json"];

/// Marks a request whose path had a trailing slash: relative URLs on a page start one level deeper.
#[derive(Clone, Copy)]
pub(crate) struct Slashed;

/// Removes the trailing slash, so that the router, the log and the metrics see one path.
pub(super) fn strip(request: &mut ServiceRequest) {
    let Some(path) = request.path().strip_suffix('/').filter(|path| PATHS.contains(path)) else { return };
    let query = request.uri().query().map(|query| format!("?{query}")).unwrap_or_default();
    let Ok(target) = format!("{path}{query}").parse::<PathAndQuery>() else { return };
    let mut parts = request.uri().clone().into_parts();
    parts.path_and_query = Some(target);
    let Ok(uri) = Uri::from_parts(parts) else { return };
    request.match_info_mut().get_mut().update(&uri);
    request.head_mut().uri = uri;
    request.extensions_mut().insert(Slashed);
}
