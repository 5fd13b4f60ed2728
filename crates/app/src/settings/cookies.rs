//! Settings of cookie mode, which keeps the tokens of browsers in cookies.

use super::host::{is_host_name, is_loopback};
use super::mail::Mail;
use super::setting::{InvalidValue, Setting, SettingsError};
use super::sources::Sources;
use super::warning::Warning;
use url::{Host, Url};

const MODE: Setting = Setting::switch("COOKIE_MODE", "off");
const DOMAIN: Setting =
    Setting::new("COOKIE_DOMAIN", None, "a domain that the host of PUBLIC_URL is or is below, such as example.org");

pub(super) const SETTINGS: [Setting; 2] = [MODE, DOMAIN];

/// Settings of cookie mode.
#[derive(Debug)]
pub(crate) struct Cookies {
    /// True if browsers may get their tokens in cookies.
    pub(crate) is_on: bool,
    /// Domain whose hosts all receive the cookies. `None`: only the service's own host.
    pub(crate) domain: Option<String>,
}

impl Cookies {
    pub(super) fn read(sources: &Sources, mail: &Mail, warnings: &mut Vec<Warning>) -> Result<Self, SettingsError> {
        let is_on = sources.switch(&MODE)?;
        let domain = sources.optional(&DOMAIN, read_domain)?;
        let url = Url::parse(&mail.public_url).ok();
        let host = url.as_ref().and_then(Url::host);
        if let Some(domain) = &domain
            && !matches!(host, Some(Host::Domain(host)) if covers(domain, host))
        {
            return Err(DOMAIN.invalid("does not cover the host of PUBLIC_URL"));
        }
        let is_plain = url.as_ref().is_some_and(|url| url.scheme() == "http");
        let is_local =
            url.as_ref().and_then(Url::host_str).is_some_and(|host| is_loopback(host.trim_matches(['[', ']'])));
        if is_on && is_plain && !is_local {
            let advice = "set PUBLIC_URL to the https:// address that browsers use";
            warnings.push(Warning::new("COOKIE_MODE is on, but PUBLIC_URL is not https: cookies can be read", advice));
        }
        Ok(Self { is_on, domain })
    }
}

fn read_domain(text: &str) -> Result<String, InvalidValue> {
    let domain = text.to_ascii_lowercase();
    if !is_host_name(&domain) {
        return Err(InvalidValue("is not a domain name"));
    }
    // Browsers refuse cookies of a whole top-level domain.
    if domain.contains('.') { Ok(domain) } else { Err(InvalidValue("has a single label")) }
}

fn covers(domain: &str, host: &str) -> bool {
    host.strip_suffix(domain).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}
