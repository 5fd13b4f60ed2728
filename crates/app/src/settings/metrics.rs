//! Metrics settings: the address of the metrics page.

use super::setting::{InvalidValue, Setting, SettingsError};
use super::sources::Sources;
use std::net::SocketAddr;

const METRICS_ADDR: Setting = Setting::new(
    "METRICS_ADDR",
    None,
    "an IP address and a port, such as 127.0.0.1:9464 or [::1]:9464; port 0 for any free port",
);

pub(super) const SETTINGS: [Setting; 1] = [METRICS_ADDR];

/// Settings of metrics.
#[derive(Debug)]
pub(crate) struct Metrics {
    /// Address of the metrics page. `None`: metrics are off.
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
