//! Metrics endpoint on its own listener, so that clients of the service need not reach it.

use crate::server::start_threads;
use actix_web::dev::Server;
use actix_web::http::header::{self, HeaderValue};
use actix_web::web::{Data, get, resource};
use actix_web::{App, HttpResponse, HttpServer};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// Renders the page.
type Page = dyn Fn() -> String + Send + Sync;

/// Maximum number of connections; a scraper needs one.
const CONNECTIONS: usize = 32;
const HEADERS_TIMEOUT: Duration = Duration::from_secs(5);
/// Prometheus text format.
const TEXT: HeaderValue = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");

/// Serves the text that `page` renders at `/metrics`, within a runtime; port 0 picks a free one.
/// Returns the server, which runs while it is polled, and the address it listens on.
///
/// # Errors
/// Returns the operating system's error if the address cannot be bound or a thread cannot be started.
pub fn serve_metrics(
    address: SocketAddr,
    page: impl Fn() -> String + Send + Sync + 'static,
) -> std::io::Result<(Server, SocketAddr)> {
    let page: Arc<Page> = Arc::new(page);
    let page: Data<Page> = Data::from(page);
    let server = HttpServer::new(move || {
        App::new().app_data(page.clone()).service(resource("/metrics").route(get().to(metrics)))
    });
    let server = server
        .workers(1)
        .max_connections(CONNECTIONS)
        .client_request_timeout(HEADERS_TIMEOUT)
        .disable_signals()
        .shutdown_timeout(0)
        .bind(address)?;
    let bound = server.addrs().first().copied().unwrap_or(address);
    let mut server = server.run();
    start_threads(&mut server)?;
    Ok((server, bound))
}

async fn metrics(page: Data<Page>) -> HttpResponse {
    HttpResponse::Ok().insert_header((header::CONTENT_TYPE, TEXT)).body(page())
}
