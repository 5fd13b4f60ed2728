//! The section on what is told to machines: where the page of metrics is served.

use super::setting::{InvalidValue, Setting, SettingsError};
use super::sources::Sources;
use std::net::SocketAddr;

const METRICS_ADDR: Setting = Setting {
    name: "METRICS_ADDR",
    default: None,
    accepted: "an IP address and a port, such as 127.0.0.1:9464 or [::1]:9464; port 0 is any free one",
    display: str::to_owned,
};

pub(super) const SETTINGS: [Setting; 1] = [METRICS_ADDR];

/// What is told to machines.
#[derive(Debug)]
pub(crate) struct Metrics {
    /// Where the page of metrics is served. None: nothing is counted.
    pub(crate) metrics: Option<SocketAddr>,
}

impl Metrics {
    pub(super) fn read(sources: &Sources) -> Result<Self, SettingsError> {
        let metrics = sources.optional(&METRICS_ADDR, |text| {
            text.parse().map_err(|_| InvalidValue("is not an IP address with a port"))
        })?;
        Ok(Self { metrics })
    }
}
