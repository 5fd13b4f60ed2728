//! The page of metrics, on a listener of its own: whoever can call the service need not see it.

use crate::server::start_threads;
use actix_web::dev::Server;
use actix_web::http::header::{self, HeaderValue};
use actix_web::web::{Data, get, resource};
use actix_web::{App, HttpResponse, HttpServer};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// Makes the page.
type Page = dyn Fn() -> String + Send + Sync;

/// A scraper has one connection.
const CONNECTIONS: usize = 32;
const HEADERS_TIMEOUT: Duration = Duration::from_secs(5);
/// Prometheus's text format.
const TEXT: HeaderValue = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");

/// Serves what `page` makes at `/metrics` and nothing else, within a runtime; port 0 is any free one.
/// The future runs for as long as it is polled; the address is where it listens.
///
/// # Errors
/// The operating system's, when the address cannot be listened on or there is no thread for it.
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
