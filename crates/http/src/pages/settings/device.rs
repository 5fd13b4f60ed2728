//! A browser or app that is signed in or remembered, as the pages display it.

use super::ago::Ago;
use chrono::{DateTime, Utc};
use portcullis_domain::mail::DeviceLabel;
use portcullis_usecases::mfa::OwnDevice;
use portcullis_usecases::sessions::OwnSession;
use serde::Serialize;

/// A session, or a device on which a login needs no second factor.
#[derive(Debug, Serialize)]
pub(crate) struct Device {
    pub(super) id: String,
    pub(super) app: Option<&'static str>,
    pub(super) system: Option<&'static str>,
    pub(super) is_mobile: bool,
    pub(super) is_current: bool,
    pub(super) added: Ago,
    /// Time of the last use, if there was one after the start.
    pub(super) used: Option<Ago>,
    pub(super) ip_address: Option<String>,
}

impl Device {
    /// Describes a session.
    pub(super) fn of_session(own: &OwnSession, now: DateTime<Utc>) -> Self {
        let (listed, started_at) = (&own.listed, own.listed.session.started_at);
        // The account pages do not record each use of their session.
        let used = listed.last_used_at.signed_duration_since(started_at).num_minutes() > 0;
        Self {
            id: listed.session.id.to_string(),
            used: used.then(|| Ago::new(listed.last_used_at, now)),
            ip_address: listed.client.ip_address.map(|address| address.to_canonical().to_string()),
            ..Self::new(DeviceLabel::from_user_agent(listed.client.user_agent.as_ref()), own.current, started_at, now)
        }
    }

    /// Describes a trusted device.
    pub(super) fn trusted(own: &OwnDevice, now: DateTime<Utc>) -> Self {
        let device = &own.device;
        let label = DeviceLabel::from_user_agent(device.client.user_agent.as_ref());
        Self { id: device.id.to_string(), ..Self::new(label, own.current, device.created_at, now) }
    }

    fn new(label: DeviceLabel, is_current: bool, added: DateTime<Utc>, now: DateTime<Utc>) -> Self {
        let DeviceLabel { app, system } = label;
        let is_mobile = matches!(system, Some("iPhone" | "iPad" | "Android"));
        let added = Ago::new(added, now);
        Self { id: String::new(), app, system, is_mobile, is_current, added, used: None, ip_address: None }
    }

    /// Returns devices in every form, for samples.
    pub(super) fn samples(id: &str) -> Vec<Self> {
        let labels = [
            (Some("Firefox"), Some("Windows"), true),
            (Some("Safari"), Some("iPhone"), false),
            (None, Some("Linux"), false),
            (None, None, false),
        ];
        let device = |((app, system, is_current), added): ((_, _, bool), Ago)| Self {
            id: id.to_owned(),
            is_mobile: system == Some("iPhone"),
            app,
            system,
            is_current,
            used: app.is_some().then(|| added.clone()),
            added,
            ip_address: app.map(|_| "203.0.113.7".to_owned()),
        };
        labels.into_iter().zip(Ago::samples()).map(device).collect()
    }
}
