//! HTTP server: listeners, connection limits, and a graceful shutdown that loses no request.

use crate::api::Api;
use crate::connection::Connection;
use crate::memory::RequestMemory;
use crate::middleware::{RequestSpan, envelope, request_id};
use crate::mount::Mount;
use crate::routes::Table;
use crate::{listeners, proxy_protocol};
use actix_cors::Cors;
use actix_http::error::DispatchError;
use actix_http::{HttpService, Request};
use actix_service::{IntoServiceFactory, ServiceFactory, ServiceFactoryExt, fn_service, map_config};
use actix_web::body::MessageBody;
use actix_web::dev::{AppConfig, Server, ServerHandle, ServiceResponse};
use actix_web::http::Method;
use actix_web::middleware::{Condition, from_fn};
use actix_web::rt::net::TcpStream;
use actix_web::web::Data;
use actix_web::{App, HttpResponse};
use futures_util::FutureExt;
use paperclip::actix::OpenApiExt;
use rustix::net::listen;
use std::net::{SocketAddr, TcpListener};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::time::timeout;
use tracing_actix_web::TracingLogger;

/// Server settings.
#[derive(Debug, Clone, Copy)]
pub struct ServerSettings {
    /// Number of HTTP worker threads.
    pub workers: usize,
    /// Maximum number of open connections; further ones wait until one ends.
    pub max_connections: usize,
    /// Maximum time between two requests on a connection.
    pub keep_alive: Duration,
    /// Whether trusted proxies begin each connection with a header of the PROXY protocol.
    pub proxy_protocol: bool,
    /// Maximum time for requests in flight after a stop was requested.
    pub shutdown_timeout: Duration,
}

/// From a connection's start to the end of its first request's headers.
const HEADERS_TIMEOUT: Duration = Duration::from_secs(10);
const DISCONNECT_TIMEOUT: Duration = Duration::from_secs(3);
const BACKLOG: i32 = 4096;

/// Flag that is set when the server is about to stop: it is not ready for new work, and closes each connection
/// after its response. A proxy that reuses connections would otherwise send a request at the moment in which
/// an idle one is closed, and cannot repeat every request.
#[derive(Default)]
pub(crate) struct Draining(AtomicBool);

impl Draining {
    pub(crate) fn has_begun(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }

    pub(crate) fn begin(&self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// Handle of a running server.
pub struct RunningServer {
    /// First address that it listens on.
    pub address: SocketAddr,
    /// All addresses that it listens on, with one port.
    pub addresses: Vec<SocketAddr>,
    handle: ServerHandle,
    mount: Mount,
    shutdown_timeout: Duration,
}

impl RunningServer {
    /// Reports the server as not ready from now on, so that load balancers send it no new work. It still
    /// accepts and serves every request, and closes connections after their response.
    pub fn announce_stop(&self) {
        self.mount.announce_stop();
    }

    /// Stops gracefully: accepts no new connection, responds to every request received, and closes idle
    /// connections. Returns whether all requests finished in time.
    pub async fn stop(&self) -> bool {
        self.announce_stop();
        // The server's own timeout has whole seconds and ends up to one second later.
        timeout(self.shutdown_timeout, self.handle.stop(true)).await.is_ok()
    }
}

/// Opens a listener on every IP address of a host and a port; port 0 picks a free one. Connections wait
/// until the server starts.
///
/// # Errors
/// Returns the operating system's error if no address can be bound, or if one is in use.
pub fn bind(address: (&str, u16)) -> std::io::Result<Vec<TcpListener>> {
    let listeners = listeners::bind(address)?;
    listeners.iter().try_for_each(|listener| listen(listener, BACKLOG))?;
    Ok(listeners)
}

/// Starts the server on its listeners, within a runtime. The returned future runs until the server is
/// stopped.
///
/// # Errors
/// Returns the operating system's error if a thread cannot be started.
pub fn start(
    api: Api,
    listeners: Vec<TcpListener>,
    settings: ServerSettings,
) -> std::io::Result<(Server, RunningServer)> {
    let mount = Mount::new(api);
    let memory = Arc::new(RequestMemory::default());
    let mut builder = Server::build()
        .workers(settings.workers)
        .max_concurrent_connections((settings.max_connections / settings.workers.max(1)).max(1))
        .disable_signals()
        .shutdown_timeout(settings.shutdown_timeout.as_secs().saturating_add(1));
    let stop = builder.graceful_shutdown_signal();
    let mut addresses = Vec::new();
    for listener in listeners {
        let local = listener.local_addr()?;
        addresses.push(local);
        let (mount, stop, memory) = (mount.clone(), stop.clone(), memory.clone());
        builder = builder.listen("http", listener, move || {
            let app = app(mount.clone()).map_err(|error: actix_web::Error| error.error_response());
            let stop = stop.clone();
            let http = HttpService::build()
                .client_request_timeout(HEADERS_TIMEOUT)
                .client_disconnect_timeout(DISCONNECT_TIMEOUT)
                .keep_alive(settings.keep_alive)
                .on_connect_ext(|connection: &Connection, data| drop(data.insert(connection.request_gate())))
                .graceful_shutdown_signal(move || {
                    let stop = stop.clone();
                    async move { stop.notified().await }
                })
                .local_addr(local)
                .h1(map_config(app, |()| AppConfig::default()));
            let (memory, api) = (memory.clone(), mount.api.clone());
            fn_service(move |stream| accepted(stream, api.clone(), memory.clone(), settings)).and_then(http)
        })?;
    }
    let mut server = builder.run();
    let handle = server.handle();
    start_threads(&mut server)?;
    let address = addresses.first().copied().ok_or(std::io::ErrorKind::AddrNotAvailable)?;
    Ok((server, RunningServer { address, addresses, handle, mount, shutdown_timeout: settings.shutdown_timeout }))
}

/// Creates the application of one worker: all routes and their middleware.
pub(crate) fn app(
    mount: Mount,
) -> impl ServiceFactory<
    Request,
    Config = AppConfig,
    Response = ServiceResponse<impl MessageBody + 'static>,
    Error = actix_web::Error,
    InitError = (),
    Service: 'static,
    Future: 'static,
> + 'static {
    let (Mount { api, draining, document }, mut table) = (mount, Table::new());
    App::new()
        .app_data(api.clone())
        .app_data(draining)
        .app_data(document)
        .wrap(cors(&api.config.cors_origins))
        .wrap(from_fn(envelope))
        .wrap(TracingLogger::<RequestSpan>::new())
        .wrap(from_fn(request_id))
        .wrap_api()
        .configure(|config| table.serve_api(config))
        .build()
        .configure(|config| table.serve_pages(config))
        .default_service(actix_web::web::to(HttpResponse::NotFound))
        .into_factory()
}

/// Wraps an accepted stream, and returns it with the address of its peer, or of the client that a trusted proxy
/// names by the PROXY protocol.
async fn accepted(
    mut stream: TcpStream,
    api: Data<Api>,
    memory: Arc<RequestMemory>,
    settings: ServerSettings,
) -> Result<(Connection, Option<SocketAddr>), DispatchError> {
    let mut client = stream.peer_addr().ok();
    if settings.proxy_protocol {
        client = proxy_protocol::client(&mut stream, client, &api.config.proxies).await?;
    }
    Ok((Connection::new(stream, memory, settings.keep_alive), client))
}

/// Polls a server once, which starts all its threads or fails. A worker without a thread panics.
pub(crate) fn start_threads(server: &mut Server) -> std::io::Result<()> {
    match catch_unwind(AssertUnwindSafe(|| server.now_or_never())) {
        Ok(None) => Ok(()),
        Ok(Some(ended)) => Err(ended.err().unwrap_or_else(|| std::io::Error::other("the server ended at once"))),
        Err(_) => Err(std::io::Error::other("a worker has no thread")),
    }
}

/// Allows cross-origin calls from the listed origins only. With an empty list CORS is off.
fn cors(origins: &[String]) -> Condition<Cors> {
    let listed = origins.iter().fold(Cors::default(), |cors, origin| cors.allowed_origin(origin));
    let cors = listed
        .allowed_methods([Method::GET, Method::HEAD, Method::POST, Method::PATCH, Method::DELETE])
        // Reflects the requested names: with credentials `*` is not a wildcard.
        .allow_any_header()
        .expose_headers(["x-request-id", "retry-after", "ratelimit", "ratelimit-policy", "www-authenticate"])
        // For cookies: the listed origins are exact.
        .supports_credentials()
        .max_age(600);
    Condition::new(!origins.is_empty(), cors)
}
