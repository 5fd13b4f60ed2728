//! Server settings: listen address, name, CORS, connection limit and shutdown.

use super::cors;
use super::host;
use super::setting::{Number, Setting, SettingsError};
use super::sources::Sources;
use super::value;
use std::time::Duration;

const APP_NAME: Setting = Setting::new("APP_NAME", Some("Portcullis"), "a line of at most 100 characters");
const DEBUG: Setting = Setting::switch("DEBUG", "false");
const HOST: Setting = Setting::new("HOST", Some("127.0.0.1"), "an IP address or a host name, without a port");
const PORT: Number<u16> =
    Setting::number("PORT", Some("8000"), 0..=u16::MAX, "a whole number from 1 to 65535, or 0 for any free port");
const CORS_ORIGINS: Setting = Setting::new("CORS_ORIGINS", None, cors::ACCEPTED);
const SHUTDOWN: Number<u64> =
    Setting::number("SHUTDOWN_TIMEOUT_SECONDS", Some("30"), 0..=3600, "a whole number of seconds from 0 to 3600");
const KEEP_ALIVE: Number<u64> =
    Setting::number("KEEP_ALIVE_SECONDS", Some("75"), 1..=3600, "a whole number of seconds from 1 to 3600");
const SHUTDOWN_DELAY: Number<u64> =
    Setting::number("SHUTDOWN_DELAY_SECONDS", Some("0"), 0..=3600, "a whole number of seconds from 0 to 3600");
const MAX_CONNECTIONS: Number<usize> =
    Setting::number("MAX_CONNECTIONS", Some("10000"), 16..=1_000_000, "a whole number from 16 to 1000000");
const HSTS: Number<u32> = Setting::number(
    "HSTS_SECONDS",
    Some("0"),
    0..=315_360_000,
    "a whole number of seconds up to 315360000, or 0 for no header",
);

pub(super) const SETTINGS: [Setting; 10] = [
    HOST,
    PORT.setting,
    APP_NAME,
    DEBUG,
    CORS_ORIGINS,
    HSTS.setting,
    MAX_CONNECTIONS.setting,
    KEEP_ALIVE.setting,
    SHUTDOWN_DELAY.setting,
    SHUTDOWN.setting,
];

/// Settings of the server.
#[derive(Debug)]
pub struct Server {
    /// An IP address without brackets, or a host name.
    pub(crate) host: String,
    /// 0 for any free port.
    pub(crate) port: u16,
    /// Title of the OpenAPI document and name of the service in emails.
    pub(crate) app_name: String,
    /// True if weak settings are allowed and SQL statements are logged.
    pub(crate) debug: bool,
    /// Allowed CORS origins, as browsers spell them. Empty: CORS is off.
    pub cors_origins: Vec<String>,
    /// `max-age` of the `Strict-Transport-Security` header in seconds; 0 for no header.
    pub(crate) hsts_seconds: u32,
    /// Maximum number of open connections.
    pub(crate) max_connections: usize,
    /// Maximum time between two requests on a connection.
    pub(crate) keep_alive: Duration,
    /// Time between the stop signal and the end of accepting connections, in which the service is not ready.
    pub(crate) shutdown_delay: Duration,
    /// Maximum duration of requests in flight once no connection is accepted any more.
    pub(crate) shutdown_timeout: Duration,
}

impl Server {
    pub(crate) fn read(sources: &Sources) -> Result<Self, SettingsError> {
        Ok(Self {
            host: sources.required(&HOST, host::read)?,
            port: sources.number(&PORT)?,
            app_name: sources.required(&APP_NAME, value::title)?,
            debug: sources.switch(&DEBUG)?,
            cors_origins: sources.optional(&CORS_ORIGINS, cors::read_origins)?.unwrap_or_default(),
            hsts_seconds: sources.number(&HSTS)?,
            max_connections: sources.number(&MAX_CONNECTIONS)?,
            keep_alive: Duration::from_secs(sources.number(&KEEP_ALIVE)?),
            shutdown_delay: Duration::from_secs(sources.number(&SHUTDOWN_DELAY)?),
            shutdown_timeout: Duration::from_secs(sources.number(&SHUTDOWN)?),
        })
    }
}
