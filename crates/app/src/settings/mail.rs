//! Email settings: mail server or folder, sender, templates, notices, and the pages that links open.

use super::cors;
use super::host::is_loopback;
use super::server::Server;
use super::setting::{InvalidValue, Setting, SettingsError};
use super::sources::Sources;
use super::value;
use super::warning::Warning;
use portcullis_domain::mail::Language;
use portcullis_domain::registration::PasswordPolicy;
use portcullis_http::Page;
use portcullis_lettre::{Sender, SmtpUrl};
use portcullis_minijinja::MinijinjaRenderer;
use portcullis_usecases::mail::{Links, Notices};
use std::path::PathBuf;
use url::Url;

const PUBLIC_URL: Setting = Setting::new(
    "PUBLIC_URL",
    None,
    "https://host, optionally with a port and a path; http:// only on a loopback address",
);
const VERIFY_URL: Setting = page("VERIFY_URL");
const RESET_URL: Setting = page("RESET_URL");
const SMTP_URL: Setting = Setting::new(
    "SMTP_URL",
    None,
    "smtp://user:password@host:587, or smtps://user:password@host:465, user and password percent-encoded",
)
.shown_by(shown_url);
const MAIL_FROM: Setting =
    Setting::new("MAIL_FROM", None, "an email address such as no-reply@example.org, or Name <no-reply@example.org>");
const MAIL_DIR: Setting = Setting::new("MAIL_DIR", Some("./outbox"), "the path of a folder");
const MAIL_TEMPLATES: Setting = Setting::new("MAIL_TEMPLATES", None, "the path of a folder");
const MAIL_NOTICES: Setting = Setting::new(
    "MAIL_NOTICES",
    Some(
        "password_changed,email_changed,new_device,login_after_failures,session_theft,factor_added,factor_removed,\
         recovery_code_used,identity_linked,identity_unlinked,passkey_added,passkey_removed",
    ),
    "a comma-separated list of password_changed, email_changed, new_device, login_after_failures, session_theft, \
     factor_added, factor_removed, recovery_code_used, identity_linked, identity_unlinked, passkey_added and \
     passkey_removed, or none",
);
const REQUIRE_VERIFIED: Setting = Setting::switch("REQUIRE_VERIFIED_EMAIL", "false");

pub(super) const SETTINGS: [Setting; 9] =
    [PUBLIC_URL, VERIFY_URL, RESET_URL, SMTP_URL, MAIL_FROM, MAIL_DIR, MAIL_TEMPLATES, MAIL_NOTICES, REQUIRE_VERIFIED];

const fn page(name: &'static str) -> Setting<'static> {
    let accepted = "https://host/path with {token} in place of the token; http:// only on a loopback address";
    Setting::new(name, None, accepted)
}

/// Warning for links that recipients on other machines cannot open.
fn no_public_url() -> Warning {
    let advice = "set it to the public URL of the service, such as https://auth.example.org";
    Warning::new("PUBLIC_URL is not set: links in emails lead to a loopback address", advice)
}

fn hsts_not_sent() -> Warning {
    let advice = "set PUBLIC_URL to the https:// address that browsers use, or HSTS_SECONDS to 0";
    Warning::new("HSTS_SECONDS is set, but PUBLIC_URL is not https: the header is not sent", advice)
}

fn exposed() -> Warning {
    let advice = "enable TLS on the mail server, and remove tls=none";
    Warning::new("SMTP_URL sends emails unencrypted, with links that give access to accounts", advice)
}

/// Settings of email.
#[derive(Debug)]
pub(crate) struct Mail {
    /// Mail server. `None`: emails are written to the folder.
    pub(crate) server: Option<SmtpUrl>,
    pub(crate) folder: PathBuf,
    pub(crate) from: Sender,
    /// Folder with templates that replace the built-in ones.
    pub(crate) templates: Option<PathBuf>,
    pub(crate) notices: Notices,
    pub(crate) links: Links,
    /// Public URL of the service, without a trailing slash.
    pub(crate) public_url: String,
    /// Origin of `public_url`, as browsers spell it.
    pub(crate) public_origin: String,
    /// True if signing in requires a verified email address.
    pub(crate) require_verified: bool,
}

impl Mail {
    pub(super) fn read(sources: &Sources, server: &Server, warnings: &mut Vec<Warning>) -> Result<Self, SettingsError> {
        let smtp = sources.optional(&SMTP_URL, SmtpUrl::parse)?;
        if smtp.as_ref().is_some_and(SmtpUrl::is_exposed) {
            warnings.push(exposed());
        }
        let (links, public_url) = read_links(sources, server, warnings)?;
        if server.hsts_seconds > 0 && !public_url.starts_with("https://") {
            warnings.push(hsts_not_sent());
        }
        Ok(Self {
            from: read_sender(sources, server, smtp.is_some())?,
            server: smtp,
            folder: sources.required(&MAIL_DIR, value::path)?,
            templates: sources.optional(&MAIL_TEMPLATES, value::path)?,
            notices: sources.required(&MAIL_NOTICES, read_notices)?,
            links,
            public_origin: Url::parse(&public_url)
                .map_or_else(|_| String::new(), |url| url.origin().ascii_serialization()),
            public_url,
            require_verified: sources.switch(&REQUIRE_VERIFIED)?,
        })
    }

    /// Returns the path of `PUBLIC_URL` without a trailing slash; empty at the root.
    pub(crate) fn public_path(&self) -> String {
        let path = Url::parse(&self.public_url).map_or_else(|_| String::new(), |url| url.path().to_owned());
        path.trim_end_matches('/').to_owned()
    }

    /// Creates the renderer of emails and pages. Renders each page once in every language if the operator
    /// has templates, to check them. Tests render the built-in ones.
    ///
    /// # Errors
    /// If one of the operator's templates is invalid.
    pub(super) fn renderer(
        &self,
        app_name: &str,
        passwords: &PasswordPolicy,
    ) -> Result<MinijinjaRenderer, SettingsError> {
        let checked = MinijinjaRenderer::new(app_name, passwords, self.templates.as_deref()).and_then(|renderer| {
            for language in Language::ALL.into_iter().filter(|_| self.templates.is_some()) {
                for (_, page) in Page::samples(language, "ada@example.org") {
                    renderer.render_page(language, page.template(), &page)?;
                }
            }
            Ok(renderer)
        });
        checked.map_err(|error| MAIL_TEMPLATES.invalid(format!("names templates that cannot be used: {error}")))
    }
}

fn read_sender(sources: &Sources, server: &Server, sends: bool) -> Result<Sender, SettingsError> {
    const BAD: &str = "is not a valid sender";
    match sources.optional(&MAIL_FROM, |text| Sender::parse(text).map_err(|_| BAD))? {
        Some(sender) => Ok(sender),
        None if sends => Err(MAIL_FROM.invalid("is missing, but SMTP_URL is set")),
        None => Sender::new(&server.app_name, "no-reply@localhost").map_err(|_| MAIL_FROM.invalid(BAD)),
    }
}

fn read_notices(text: &str) -> Result<Notices, InvalidValue> {
    if text == "none" {
        return Ok(Notices::only(&[]));
    }
    let notice = |name: &str| Notices::ALL.into_iter().find(|notice| notice.as_str() == name.trim());
    let notices: Option<Vec<_>> = text.split(',').map(notice).collect();
    notices.map(|notices| Notices::only(&notices)).ok_or(InvalidValue("has an unknown notice"))
}

/// Reads the links and the public URL.
fn read_links(
    sources: &Sources,
    server: &Server,
    warnings: &mut Vec<Warning>,
) -> Result<(Links, String), SettingsError> {
    let public = sources.optional(&PUBLIC_URL, read_public)?;
    let (verify, reset) = (sources.optional(&VERIFY_URL, read_page)?, sources.optional(&RESET_URL, read_page)?);
    let needed = public.is_none() && (verify.is_none() || reset.is_none());
    if needed && !is_loopback(&server.host) {
        warnings.push(no_public_url());
    }
    let public = public.unwrap_or_else(|| own_url(server));
    let page =
        |own: Option<String>, path| own.unwrap_or_else(|| format!("{public}{path}?token={}", Links::TOKEN_PLACEHOLDER));
    let links = Links { verify: page(verify, "/account/verify"), reset: page(reset, "/account/reset") };
    Ok((links, public))
}

/// Returns the URL of the service for a browser on this machine.
fn own_url(server: &Server) -> String {
    let port = server.port;
    match server.host.as_str() {
        host if !is_loopback(host) => format!("http://localhost:{port}"),
        v6 if v6.contains(':') => format!("http://[{v6}]:{port}"),
        host => format!("http://{host}:{port}"),
    }
}

fn read_public(text: &str) -> Result<String, InvalidValue> {
    check_place(text)?;
    Ok(text.trim_end_matches('/').to_owned())
}

/// Checks a URL that has no more than a host, a port and a path.
pub(super) fn check_place(text: &str) -> Result<(), InvalidValue> {
    if text.contains(['?', '#', '{', '}']) {
        return Err(InvalidValue("has more than a host, a port and a path"));
    }
    check_url(text)
}

fn read_page(text: &str) -> Result<String, InvalidValue> {
    if text.matches(Links::TOKEN_PLACEHOLDER).count() != 1 {
        return Err(InvalidValue("does not contain {token} exactly once"));
    }
    let filled = text.replace(Links::TOKEN_PLACEHOLDER, "0");
    if filled.contains(['{', '}']) {
        return Err(InvalidValue("has braces outside {token}"));
    }
    check_url(&filled)?;
    // A token in the host name would leak through DNS lookups, even before the user clicks the link.
    let host = text.split('/').nth(2).unwrap_or_default();
    if host.contains('{') { Err(InvalidValue("has {token} in its host")) } else { Ok(text.to_owned()) }
}

/// Checks that the URL uses TLS, or http on a loopback address.
fn check_url(text: &str) -> Result<(), InvalidValue> {
    if !text.starts_with("https://") && !text.starts_with("http://") {
        return Err(InvalidValue("starts with neither https:// nor http://"));
    }
    if !text.bytes().all(|b| b.is_ascii_graphic() && !matches!(b, b'"' | b'<' | b'>' | b'\\' | b'^' | b'`' | b'|')) {
        return Err(InvalidValue("has a character that is not valid in a URL"));
    }
    let end = text.match_indices(['/', '?', '#']).nth(2).map_or(text.len(), |(end, _)| end);
    let origin = cors::read_origin(text.get(..end).unwrap_or_default())?;
    let host = origin.host_str().unwrap_or_default().trim_matches(['[', ']']);
    if origin.scheme() == "https" || is_loopback(host) {
        return Ok(());
    }
    Err(InvalidValue("is neither encrypted nor on a loopback address"))
}

/// Returns the URL with only scheme, host and port.
fn shown_url(text: &str) -> String {
    let scheme = if text.trim().to_ascii_lowercase().starts_with("smtps:") { "smtps" } else { "smtp" };
    SmtpUrl::parse(text.trim()).map_or_else(|_| "(unreadable)".to_owned(), |url| format!("{scheme}://{}", url.place()))
}

#[cfg(test)]
mod tests {
    use super::super::Settings;
    use super::*;

    #[test]
    fn links_have_the_port_that_was_bound() {
        let bound = |environment: &[(&str, &str)]| {
            let secret = ("SECRET_KEY", concat!("b2d8f1c06e0f4a7c9d3e5a", "1b7c9d0e2f4a6b8c0d1e2f"));
            let sources = Sources::of(&[environment, &[secret]].concat());
            let mut settings = Settings::read(&sources).ok().unwrap();
            settings.listen_on(4321, &sources).ok().unwrap();
            (settings.mail.public_url.clone(), settings.mail.links.reset.clone())
        };
        let (url, reset) = bound(&[("PORT", "0")]);
        assert_eq!(
            (url.as_str(), reset.as_str()),
            ("http://127.0.0.1:4321", "http://127.0.0.1:4321/account/reset?token={token}")
        );
        let (url, reset) = bound(&[("PORT", "0"), ("PUBLIC_URL", "https://a.example/b")]);
        assert_eq!(
            (url.as_str(), reset.as_str()),
            ("https://a.example/b", "https://a.example/b/account/reset?token={token}")
        );
    }
}
