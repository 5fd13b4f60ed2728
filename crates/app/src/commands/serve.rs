//! `portcullis serve`: start from the settings, and orderly shutdown on a signal.

use super::purge::PurgeThread;
use super::{migrate, sources};
use crate::logging;
use crate::mounts;
use crate::settings::{Settings, Sources};
use crate::system;
use crate::wire::{self, AppContext, CostSampling, Traces};
use anyhow::{Context, bail};
use listenfd::ListenFd;
use portcullis_diesel::{DatabaseUrl, MigrateError};
use portcullis_http::{RunningServer, ServerSettings};
use portcullis_worker::Worker;
use sd_notify::NotifyState;
use std::io;
use std::net::TcpListener;
use std::process::ExitCode;
use std::time::Duration;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::{JoinError, JoinHandle};
use tokio::time::{sleep, timeout};

/// Logger name of the service itself.
const LOG: &str = "app";
/// Maximum wait for emails in delivery at shutdown.
const MAIL_WAIT: Duration = Duration::from_secs(5);
/// Poll interval while waiting for emails in delivery. A blocking wait would take a thread.
const MAIL_POLL: Duration = Duration::from_millis(10);

/// Runs the server until a signal stops it.
pub(crate) fn serve() -> anyhow::Result<ExitCode> {
    let sources = sources()?;
    let settings = Settings::read(&sources)?;
    system::raise_fd_limit()?;
    let mut parts = AppContext::open(&settings)?;
    let traces = Traces::start(&settings.traces).context("cannot start the trace exporter")?;
    let log =
        logging::init(&settings.logging, parts.clock.clone(), traces.exporter()).context("cannot start the log")?;
    log.install_panic_hook();
    tracing::info!(target: LOG, version = env!("CARGO_PKG_VERSION"), "Starting");
    parts.metrics.log(log.dropped_lines())?;
    traces.count(&parts.metrics)?;
    parts.traces = traces;
    for warning in &settings.warnings {
        tracing::warn!(target: LOG, advice = %warning.advice, "{}", warning.what);
    }
    if let DatabaseUrl::Sqlite(path) = &settings.database.url
        && mounts::is_mounted_alone(path)
    {
        let (path, advice) = (path.display(), mounts::MOUNT_THE_FOLDER);
        tracing::warn!(target: LOG, advice, "The database file {path} {}", mounts::LOST_LOG);
    }
    // The server's workers have their own runtimes; this one waits for signals.
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(run(&sources, settings, &parts))
}

async fn run(sources: &Sources, mut settings: Settings, parts: &AppContext) -> anyhow::Result<ExitCode> {
    let mut signals = Signals::listen()?;
    let migrated = migrate::prepare(&settings, parts).await?;
    let costs = wire::stored_costs(&settings);
    let sampling =
        CostSampling::start(parts, &costs, migrated.is_none()).context("cannot start the hash-cost thread")?;
    let listeners = listen(sources, &mut settings)?;
    let settings = &settings;
    let (api, mail) = wire::service(settings, parts, &costs)?;
    if let Some(address) = parts.metrics.serve(settings.metrics.metrics)? {
        tracing::info!(target: LOG, %address, path = "/metrics", "Metrics are served");
    }
    if let Some(endpoint) = &settings.traces.endpoint {
        tracing::info!(target: LOG, %endpoint, "Traces are sent");
    }
    let server_settings = ServerSettings {
        workers: wire::cores().get(),
        max_connections: settings.server.max_connections,
        keep_alive: settings.server.keep_alive,
        proxy_protocol: settings.limits.proxy_protocol,
        shutdown_timeout: settings.server.shutdown_timeout,
    };
    let (server, running) =
        portcullis_http::start(api, listeners, server_settings).context("the server cannot start")?;
    let mut server = tokio::spawn(server);
    let purging = PurgeThread::start(settings, parts).context("cannot start the purge thread")?;
    log_addresses(settings, &running);
    notify(NotifyState::Ready);
    tokio::select! {
        () = signals.stop() => {}
        error = wait_for_fatal_migration(migrated) => return Err(error).context(migrate::VARIABLE),
        outcome = &mut server => {
            into_server_error(outcome)?;
            bail!("the server ended unexpectedly");
        }
    }
    notify(NotifyState::Stopping);
    drop((purging, sampling));
    let stopping = async {
        announce_stop(&running, settings.server.shutdown_delay).await;
        tracing::info!(target: LOG, "Stopping: no new connections, finishing what is in flight");
        stopped(&running, server).await?;
        drain_mail(mail).await;
        anyhow::Ok(())
    };
    tokio::select! {
        stopped = stopping => stopped?,
        () = signals.stop() => {
            tracing::warn!(target: LOG, "Stopped by a second signal");
            return Ok(ExitCode::FAILURE);
        }
    }
    if let Err(error) = parts.database.checkpoint_on_shutdown() {
        tracing::warn!(target: LOG, %error, "The database file still needs its write-ahead log");
    }
    parts.traces.close();
    tracing::info!(target: LOG, "Stopped");
    Ok(ExitCode::SUCCESS)
}

/// Opens the listeners, unless the process inherited some. Stores the bound port in the settings, because links in
/// emails contain it.
fn listen(sources: &Sources, settings: &mut Settings) -> anyhow::Result<Vec<TcpListener>> {
    let (host, port) = (settings.server.host.as_str(), settings.server.port);
    let cannot = || format!("cannot listen on HOST {host}, PORT {port}");
    let inherited = inherited_listeners().context("LISTEN_FDS names a descriptor that cannot be used")?;
    let listeners =
        if inherited.is_empty() { portcullis_http::bind((host, port)).with_context(cannot)? } else { inherited };
    let bound = listeners.first().map(TcpListener::local_addr).transpose()?;
    settings.listen_on(bound.map_or(port, |address| address.port()), sources)?;
    Ok(listeners)
}

/// Returns the listeners that a service manager opened (socket activation, sd_listen_fds(3)), which are used in
/// place of `HOST` and `PORT`.
fn inherited_listeners() -> io::Result<Vec<TcpListener>> {
    let mut descriptors = ListenFd::from_env();
    (0..descriptors.len()).filter_map(|number| descriptors.take_tcp_listener(number).transpose()).collect()
}

/// Notifies a service manager that set `NOTIFY_SOCKET` (sd_notify(3)).
fn notify(state: NotifyState<'_>) {
    if let Err(error) = sd_notify::notify(&[state]) {
        tracing::warn!(target: LOG, %error, "The service manager at NOTIFY_SOCKET was not notified");
    }
}

/// Logs the addresses of the service and its documentation, and where emails go.
fn log_addresses(settings: &Settings, running: &RunningServer) {
    let url = &settings.mail.public_url;
    let mails = match &settings.mail.server {
        Some(server) => server.place(),
        None => {
            let folder = &settings.mail.folder;
            std::path::absolute(folder).unwrap_or_else(|_| folder.clone()).display().to_string()
        }
    };
    tracing::info!(target: LOG, address = %running.address, %url, docs = %format_args!("{url}/docs"), mails, "Listening");
    if settings.passkeys.party.is_none() {
        tracing::info!(
            target: LOG,
            "Passkeys are off: the host of PUBLIC_URL is an IP address, and WEBAUTHN_RP_ID is not set"
        );
    }
    for address in running.addresses.iter().skip(1) {
        tracing::info!(target: LOG, %address, "Listening");
    }
}

/// Waits for a permanent error of the migrations. Never returns if there is none.
async fn wait_for_fatal_migration(migrated: Option<migrate::Outcome>) -> MigrateError {
    if let Some(migrated) = migrated
        && let Ok(Err(error)) = migrated.await
    {
        return error;
    }
    std::future::pending().await
}

fn into_server_error(server: Result<io::Result<()>, JoinError>) -> anyhow::Result<()> {
    server.context("the server's task panicked")?.context("the server failed")
}

/// Reports the service as not ready, and serves on while load balancers find out.
async fn announce_stop(running: &RunningServer, delay: Duration) {
    running.announce_stop();
    if !delay.is_zero() {
        let seconds = delay.as_secs();
        tracing::info!(target: LOG, seconds, "Not ready any more, stopping after SHUTDOWN_DELAY_SECONDS");
        sleep(delay).await;
    }
}

async fn stopped(running: &RunningServer, server: JoinHandle<io::Result<()>>) -> anyhow::Result<()> {
    if running.stop().await {
        into_server_error(server.await)?;
    } else {
        tracing::warn!(target: LOG, "Requests were still in flight when the shutdown timeout expired");
    }
    Ok(())
}

/// Waits for emails in delivery. An interrupted one is sent again later.
pub(crate) async fn drain_mail(mail: Worker) {
    let ended = async {
        while !mail.stop(Duration::ZERO) {
            sleep(MAIL_POLL).await;
        }
    };
    if timeout(MAIL_WAIT, ended).await.is_err() {
        tracing::warn!(target: LOG, "An email was still in delivery at shutdown: it may be sent twice");
    }
}

/// Signals of the process. Registered before the database is opened for migrations.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hang_up: Signal,
}

impl Signals {
    fn listen() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hang_up: signal(SignalKind::hangup())?,
        })
    }

    /// Waits for SIGTERM or SIGINT. SIGHUP only logs: settings are read at the start.
    async fn stop(&mut self) {
        loop {
            tokio::select! {
                _ = self.terminate.recv() => return,
                _ = self.interrupt.recv() => return,
                _ = self.hang_up.recv() => {
                    tracing::info!(target: LOG, "Settings are read at the start: restart to change them");
                }
            }
        }
    }
}
