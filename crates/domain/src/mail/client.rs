//! Description of a client in an email, limited to names from a fixed list. A `User-Agent` is text
//! chosen by the client: an attacker could use it to send a message to the owner under the service's
//! name.

use crate::sessions::{ClientInfo, UserAgent};
use std::net::IpAddr;

/// Substrings of `User-Agent` and the browser or app that each identifies. The first match wins,
/// because the `User-Agent` of some browsers contains the names of others.
const APPS: [(&str, &str); 14] = [
    ("Edg/", "Edge"),
    ("EdgA/", "Edge"),
    ("EdgiOS/", "Edge"),
    ("OPR/", "Opera"),
    ("OPT/", "Opera"),
    ("SamsungBrowser/", "Samsung Internet"),
    ("Vivaldi/", "Vivaldi"),
    ("FxiOS/", "Firefox"),
    ("Firefox/", "Firefox"),
    ("CriOS/", "Chrome"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
    ("curl/", "curl"),
    ("python-requests/", "Python"),
];

/// Substrings of `User-Agent` and the operating system that each identifies. The first match wins.
const SYSTEMS: [(&str, &str); 8] = [
    ("Windows", "Windows"),
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("CrOS", "ChromeOS"),
    ("Macintosh", "macOS"),
    ("Mac OS X", "macOS"),
    ("Linux", "Linux"),
];

/// App and system of a client, each a name from a fixed list; `None` if no name matches.
///
/// ```
/// use portcullis_domain::{mail::DeviceLabel, sessions::UserAgent};
/// let agent = UserAgent::new("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0");
/// let label = DeviceLabel::from_user_agent(agent.as_ref());
/// assert_eq!((label.app, label.system), (Some("Firefox"), Some("Linux")));
/// let forged = UserAgent::new("Sign in at https://evil.example");
/// assert_eq!(DeviceLabel::from_user_agent(forged.as_ref()), DeviceLabel::default());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct DeviceLabel {
    /// Browser or other app.
    pub app: Option<&'static str>,
    /// Operating system or device.
    pub system: Option<&'static str>,
}

impl DeviceLabel {
    /// Returns the label for a `User-Agent`.
    #[must_use]
    pub fn from_user_agent(agent: Option<&UserAgent>) -> Self {
        let text = agent.map(UserAgent::as_str).unwrap_or_default();
        let first =
            |list: &[(&str, &'static str)]| list.iter().find(|(part, _)| text.contains(part)).map(|(_, name)| *name);
        Self { app: first(&APPS), system: first(&SYSTEMS) }
    }
}

/// Client that caused an email, as described in the email.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClientLabel {
    /// IP address, if known.
    pub address: Option<IpAddr>,
    /// App and system.
    pub device: DeviceLabel,
}

impl From<&ClientInfo> for ClientLabel {
    fn from(client: &ClientInfo) -> Self {
        Self { address: client.ip_address, device: DeviceLabel::from_user_agent(client.user_agent.as_ref()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn browsers_that_name_each_other_are_told_apart() {
        let webkit = "AppleWebKit/537.36 (KHTML, like Gecko)";
        for (agent, app, system) in [
            (
                format!("Mozilla/5.0 (Windows NT 10.0; Win64; x64) {webkit} Chrome/142.0 Safari/537.36"),
                "Chrome",
                "Windows",
            ),
            (format!("Mozilla/5.0 (Windows NT 10.0) {webkit} Chrome/142.0 Safari/537.36 Edg/142.0"), "Edge", "Windows"),
            (
                format!("Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15) {webkit} Chrome/1 Safari/5 OPR/125.0"),
                "Opera",
                "macOS",
            ),
            (
                "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) Version/18.0 Mobile/15E148 Safari/604.1"
                    .to_owned(),
                "Safari",
                "iPhone",
            ),
            ("Mozilla/5.0 (Android 15; Mobile; rv:140.0) Gecko/140.0 Firefox/140.0".to_owned(), "Firefox", "Android"),
            (
                format!(
                    "Mozilla/5.0 (Linux; Android 14) {webkit} SamsungBrowser/28.0 Chrome/130.0 Mobile Safari/537.36"
                ),
                "Samsung Internet",
                "Android",
            ),
            (format!("Mozilla/5.0 (X11; CrOS x86_64) {webkit} Chrome/142.0 Safari/537.36"), "Chrome", "ChromeOS"),
        ] {
            let label = DeviceLabel::from_user_agent(UserAgent::new(&agent).as_ref());
            assert_eq!((label.app, label.system), (Some(app), Some(system)), "{agent}");
        }
        assert_eq!(DeviceLabel::from_user_agent(None), DeviceLabel::default());
    }

    proptest! {
        #[test]
        fn no_text_of_a_client_is_in_its_label(text in "\\PC{0,300}", app in 0..APPS.len(), system in 0..SYSTEMS.len()) {
            let agent = UserAgent::new(&format!("{} {text} {}", APPS[app].0, SYSTEMS[system].0));
            let label = DeviceLabel::from_user_agent(agent.as_ref());
            prop_assert!(label.app.is_none_or(|name| APPS.iter().any(|(_, known)| *known == name)));
            prop_assert!(label.system.is_none_or(|name| SYSTEMS.iter().any(|(_, known)| *known == name)));
        }
    }
}
