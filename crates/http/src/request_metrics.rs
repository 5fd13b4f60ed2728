//! Metrics of finished requests and logins. Labels are indexes into fixed lists, so that client input never
//! becomes one.

use crate::api::Api;
use crate::routes::Table;
use actix_web::dev::ServiceRequest;
use actix_web::http::StatusCode;
use actix_web::web::Data;
use portcullis_domain::ErrorCode;
use std::sync::{Arc, LazyLock};
use std::time::Duration;
use tokio::time::Instant;

/// Patterns of all routes, and `unmatched` for every other path.
pub static ROUTES: LazyLock<Vec<&'static str>> = LazyLock::new(|| Table::new().patterns().chain([UNMATCHED]).collect());
const UNMATCHED: &str = "unmatched";

/// Methods with their own label, and `other`.
pub const METHODS: [&str; 8] = ["GET", "POST", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS", "other"];
const OTHER: usize = METHODS.len() - 1;

/// A finished request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RequestRecord {
    /// Index of its route in [`ROUTES`].
    pub route: usize,
    /// Index of its method in [`METHODS`].
    pub method: usize,
    /// Response status.
    pub status: u16,
    /// Time from its headers to those of the response.
    pub took: Duration,
}

/// Observer of finished requests. Called on HTTP worker threads, so implementations must not block.
pub trait RequestObserver: Send + Sync {
    /// Called for every finished request.
    fn on_response(&self, request: RequestRecord);
}

/// Observer of logins by password, at the API and on the pages. Implementations must not block.
pub trait LoginObserver: Send + Sync {
    /// Called for every login, also if it was refused before the password was checked. Not called for
    /// invalid input.
    fn on_login(&self, outcome: Result<(), ErrorCode>);
}

/// Ignores all logins.
impl LoginObserver for () {
    fn on_login(&self, _: Result<(), ErrorCode>) {}
}

/// Timer of a request that is observed.
pub(crate) struct RequestTimer {
    observer: Arc<dyn RequestObserver>,
    route: usize,
    method: usize,
    since: Instant,
}

impl RequestTimer {
    /// Starts a timer, or returns `None` without an observer.
    pub(crate) fn begin(request: &ServiceRequest) -> Option<Self> {
        let observer = request.app_data::<Data<Api>>()?.observer.clone()?;
        let route = route_of(request.match_info().as_str());
        let method = METHODS.iter().position(|method| *method == request.method().as_str()).unwrap_or(OTHER);
        Some(Self { observer, route, method, since: Instant::now() })
    }

    pub(crate) fn end(self, status: StatusCode) {
        let Self { observer, route, method, since } = self;
        observer.on_response(RequestRecord { route, method, status: status.as_u16(), took: since.elapsed() });
    }
}

/// Returns the pattern of the route that serves a request, or `None` if there is no such route.
pub(crate) fn route(request: &ServiceRequest) -> Option<&'static str> {
    let number = route_of(request.match_info().as_str());
    ROUTES.get(number).copied().filter(|route| *route != UNMATCHED)
}

/// Returns the method of a request, or `None` if it has no label.
pub(crate) fn method(request: &ServiceRequest) -> Option<&'static str> {
    METHODS.iter().take(OTHER).find(|method| **method == request.method().as_str()).copied()
}

/// Returns the index of the route that matches a path.
fn route_of(path: &str) -> usize {
    let exact = ROUTES.iter().position(|route| *route == path);
    let found = exact.or_else(|| ROUTES.iter().position(|route| route.contains('{') && matches(route, path)));
    found.unwrap_or(ROUTES.len() - 1)
}

fn matches(pattern: &str, path: &str) -> bool {
    let (mut expected, mut segments) = (pattern.split('/'), path.split('/'));
    loop {
        match (expected.next(), segments.next()) {
            (None, None) => return true,
            (Some(name), Some(segment)) if name.starts_with('{') && !segment.is_empty() => {}
            (Some(name), Some(segment)) if name == segment => {}
            _ => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_route_has_its_own_number() {
        for (number, route) in ROUTES.iter().enumerate() {
            assert_eq!(route_of(&route.replace("{id}", "7f").replace("{name}", "a.css")), number, "{route}");
        }
    }

    #[test]
    fn every_other_path_is_one() {
        for path in ["", "unmatched", "/auth", "/auth/login/", "/auth/sessions/", "/auth/sessions/a/b", "/auth//x"] {
            assert_eq!(ROUTES[route_of(path)], UNMATCHED, "{path}");
        }
    }
}
