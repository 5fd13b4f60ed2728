//! A slash at the end of a path. The FastAPI application redirected such a call, and its clients
//! followed: here the route itself answers.

use actix_web::HttpMessage;
use actix_web::dev::ServiceRequest;
use actix_web::http::Uri;
use actix_web::http::uri::PathAndQuery;

/// The paths of that application. Others are found by their exact spelling alone.
const PATHS: [&str; 8] =
    ["/auth/register", "/auth/login", "/auth/refresh", "/auth/logout", "/health", "/docs", "/redoc", "/openapi.json"];

/// Marks a request whose path had a slash at its end: relative addresses on a page start deeper.
#[derive(Clone, Copy)]
pub(crate) struct Slashed;

/// Takes the slash away, so that the router, the log and the metrics see one path.
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
