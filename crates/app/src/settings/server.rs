//! Server settings: listen address, name, CORS, connection limit and shutdown.

use super::cors;
use super::host;
use super::setting::{Setting, SettingsError};
use super::sources::Sources;
use super::value::{self, BOOL_VALUES};
use std::time::Duration;

const APP_NAME: Setting = Setting {
    name: "APP_NAME",
    default: Some("Portcullis"),
    accepted: "a line of at most 100 characters",
    display: str::to_owned,
};
const DEBUG: Setting = Setting { name: "DEBUG", default: Some("false"), accepted: BOOL_VALUES, display: str::to_owned };
const HOST: Setting = Setting {
    name: "HOST",
    default: Some("127.0.0.1"),
    accepted: "an IP address or a host name, without a port",
    display: str::to_owned,
};
const PORT: Setting = Setting {
    name: "PORT",
    default: Some("8000"),
    accepted: "a whole number from 1 to 65535, or 0 for any free port",
    display: str::to_owned,
};
const CORS_ORIGINS: Setting =
    Setting { name: "CORS_ORIGINS", default: None, accepted: cors::ACCEPTED, display: str::to_owned };
const SHUTDOWN: Setting = Setting {
    name: "SHUTDOWN_TIMEOUT_SECONDS",
    default: Some("30"),
    accepted: "a whole number of seconds from 0 to 3600",
    display: str::to_owned,
};
const MAX_CONNECTIONS: Setting = Setting {
    name: "MAX_CONNECTIONS",
    default: Some("10000"),
    accepted: "a whole number from 16 to 1000000",
    display: str::to_owned,
};
const HSTS: Setting = Setting {
    name: "HSTS_SECONDS",
    default: Some("0"),
    accepted: "a whole number of seconds up to 315360000, or 0 for no header",
    display: str::to_owned,
};

pub(super) const SETTINGS: [Setting; 8] = [HOST, PORT, APP_NAME, DEBUG, CORS_ORIGINS, HSTS, MAX_CONNECTIONS, SHUTDOWN];

/// Settings of the server.
#[derive(Debug)]
pub(crate) struct Server {
    /// An IP address without brackets, or a host name.
    pub(crate) host: String,
    /// 0 for any free port.
    pub(crate) port: u16,
    /// Title of the OpenAPI document and name of the service in emails.
    pub(crate) app_name: String,
    /// True if weak settings are allowed and SQL statements are logged.
    pub(crate) debug: bool,
    /// Allowed CORS origins, as browsers spell them. Empty: CORS is off.
    pub(crate) cors_origins: Vec<String>,
    /// `max-age` of the `Strict-Transport-Security` header in seconds; 0 for no header.
    pub(crate) hsts_seconds: u32,
    /// Maximum number of open connections.
    pub(crate) max_connections: usize,
    /// Maximum duration of requests in flight after the stop signal.
    pub(crate) shutdown_timeout: Duration,
}

impl Server {
    pub(super) fn read(sources: &Sources) -> Result<Self, SettingsError> {
        Ok(Self {
            host: sources.required(&HOST, host::read)?,
            port: sources.required(&PORT, value::whole_number(0..=u16::MAX))?,
            app_name: sources.required(&APP_NAME, value::title)?,
            debug: sources.required(&DEBUG, value::parse_bool)?,
            cors_origins: sources.optional(&CORS_ORIGINS, cors::read_origins)?.unwrap_or_default(),
            hsts_seconds: sources.required(&HSTS, value::whole_number(0..=315_360_000))?,
            max_connections: sources.required(&MAX_CONNECTIONS, value::whole_number(16..=1_000_000))?,
            shutdown_timeout: sources.required(&SHUTDOWN, value::whole_number(0..=3600)).map(Duration::from_secs)?,
        })
    }
}
