//! `SMTP_URL`: host, encryption and credentials of the mail server.

use ::url::{Host, ParseError, Url};
use idna::uts46::{AsciiDenyList, DnsLength, Hyphens, Uts46};
use percent_encoding::percent_decode_str;
use secrecy::SecretString;
use std::fmt;
use std::net::IpAddr;

/// Port of submission, in plaintext until STARTTLS (RFC 6409 §3.1).
const SUBMISSION: u16 = 587;
/// Port of submission over TLS (RFC 8314 §3.3).
const SUBMISSIONS: u16 = 465;

/// URL of a mail server: `smtp://user:password@host:587`, which requires STARTTLS, or
/// `smtps://user:password@host:465`, which uses TLS from the start. User and password are
/// percent-encoded where necessary. STARTTLS is optional for a loopback address or `localhost`, and
/// `?tls=none` disables it for any host. `Debug` shows only host and port.
#[derive(Clone)]
pub struct SmtpUrl {
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) encryption: Encryption,
    pub(crate) credentials: Option<Credentials>,
}

/// Credentials of the service at the mail server.
#[derive(Clone)]
pub(crate) struct Credentials {
    pub(crate) user: String,
    pub(crate) password: SecretString,
}

/// Encryption of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Encryption {
    /// TLS from the first byte.
    Immediate,
    /// STARTTLS. If the server does not offer it, sending fails.
    Required,
    /// STARTTLS if the server offers it.
    Offered,
    /// Plaintext.
    None,
}

/// Reason why a text is not a URL of a mail server. Contains nothing of the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SmtpUrlError {
    /// The scheme is neither `smtp` nor `smtps`.
    Scheme,
    /// The host is neither a host name nor an IP address (IPv6 in brackets).
    Host,
    /// The port is not a number from 1 to 65535.
    Port,
    /// The user or the password is missing, is not valid UTF-8 once decoded, or contains a control
    /// character.
    Credentials,
    /// The text after host and port is neither a slash nor a known parameter.
    Parameter,
}

impl std::error::Error for SmtpUrlError {}

impl fmt::Display for SmtpUrlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Scheme => "begins with neither smtp:// nor smtps://",
            Self::Host => "has a host that is neither a name nor an IP address",
            Self::Port => "has a port that is not a number from 1 to 65535",
            Self::Credentials => "has a user or a password that cannot be read: both are needed, percent-encoded",
            Self::Parameter => "has more after its port than ?tls=none or ?tls=required",
        })
    }
}

impl SmtpUrl {
    /// Parses a URL.
    ///
    /// ```
    /// use portcullis_lettre::SmtpUrl;
    /// let url = SmtpUrl::parse("smtp://ada%40example.org:s%2Fcret@mail.example.org")?;
    /// assert_eq!(url.place(), "mail.example.org:587");
    /// assert!(!format!("{url:?}").contains("cret"));
    /// # Ok::<(), portcullis_lettre::SmtpUrlError>(())
    /// ```
    ///
    /// # Errors
    /// Returns [`SmtpUrlError`] if the text is not a valid URL.
    pub fn parse(text: &str) -> Result<Self, SmtpUrlError> {
        let (scheme, rest) = text.split_once("://").ok_or(SmtpUrlError::Scheme)?;
        let immediate = match scheme.to_ascii_lowercase().as_str() {
            "smtp" => false,
            "smtps" => true,
            _ => return Err(SmtpUrlError::Scheme),
        };
        // Split off first: a password may contain an unencoded `@`, `/`, `?` or `#`.
        let (credentials, place) = match rest.rsplit_once('@') {
            Some((userinfo, place)) => (Some(read_credentials(userinfo)?), place),
            None => (None, rest),
        };
        let (host, url) = read_place(place)?;
        let encryption = match (immediate, url.query()) {
            (true, None) => Encryption::Immediate,
            (false, None) if is_loopback(&host) => Encryption::Offered,
            (false, None | Some("tls=required")) => Encryption::Required,
            (false, Some("tls=none")) => Encryption::None,
            _ => return Err(SmtpUrlError::Parameter),
        };
        let port = url.port().unwrap_or(if immediate { SUBMISSIONS } else { SUBMISSION });
        Ok(Self { host, port, encryption, credentials })
    }

    /// Returns host and port.
    #[must_use]
    pub fn place(&self) -> String {
        if self.host.contains(':') {
            format!("[{}]:{}", self.host, self.port)
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }

    /// Returns whether emails are sent unencrypted over a network: TLS is disabled and the host is not
    /// loopback.
    #[must_use]
    pub fn is_exposed(&self) -> bool {
        self.encryption == Encryption::None && !is_loopback(&self.host)
    }
}

impl fmt::Debug for SmtpUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SmtpUrl({})", self.place())
    }
}

fn read_credentials(userinfo: &str) -> Result<Credentials, SmtpUrlError> {
    let (user, password) = userinfo.split_once(':').ok_or(SmtpUrlError::Credentials)?;
    let decoded = |text: &str| {
        let text = percent_decode_str(text).decode_utf8().map_err(|_| SmtpUrlError::Credentials)?;
        // PLAIN separates its fields with NUL (RFC 4616 §2).
        let good = !text.is_empty() && !text.chars().any(char::is_control);
        if good { Ok(text.into_owned()) } else { Err(SmtpUrlError::Credentials) }
    };
    Ok(Credentials { user: decoded(user)?, password: decoded(password)?.into() })
}

/// Parses the URL without credentials.
fn read_place(place: &str) -> Result<(String, Url), SmtpUrlError> {
    let url = Url::parse(&format!("smtp://{place}")).map_err(|error| match error {
        ParseError::InvalidPort => SmtpUrlError::Port,
        _ => SmtpUrlError::Host,
    })?;
    let host = match url.host() {
        Some(Host::Domain(name)) if is_host_name(name) => name.to_owned(),
        Some(Host::Ipv6(address)) => address.to_string(),
        _ => return Err(SmtpUrlError::Host),
    };
    // `url` drops control characters and accepts an empty port.
    let authority = place.split(['/', '?']).next().unwrap_or_default();
    if !matches!(url.path(), "" | "/") || url.fragment().is_some() || place.contains(char::is_control) {
        return Err(SmtpUrlError::Host);
    }
    if url.port() == Some(0) || authority.ends_with(':') { Err(SmtpUrlError::Port) } else { Ok((host, url)) }
}

/// Returns whether the text is a host name. Underscores are allowed for container networks.
fn is_host_name(text: &str) -> bool {
    const DENIED: AsciiDenyList = AsciiDenyList::new(true, "!\"#$%&'()*+,/:;<=>?@[\\]^`{|}~");
    Uts46::new().to_ascii(text.as_bytes(), DENIED, Hyphens::Allow, DnsLength::Verify).is_ok()
}

fn is_loopback(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost") || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;
    use secrecy::ExposeSecret;

    fn read(text: &str) -> SmtpUrl {
        SmtpUrl::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    #[test]
    fn the_scheme_tells_how_it_is_encrypted() {
        for (text, place, encryption) in [
            ("smtp://mail.example.org", "mail.example.org:587", Encryption::Required),
            ("smtps://mail.example.org/", "mail.example.org:465", Encryption::Immediate),
            ("SMTPS://u:p@10.0.0.1:7", "10.0.0.1:7", Encryption::Immediate),
            ("smtp://u:p@[2001:db8::1]:25?tls=none", "[2001:db8::1]:25", Encryption::None),
            ("smtp://localhost:1025", "localhost:1025", Encryption::Offered),
            ("smtp://127.0.0.1:1025", "127.0.0.1:1025", Encryption::Offered),
            ("smtp://[::1]", "[::1]:587", Encryption::Offered),
            ("smtp://127.0.0.1:1025?tls=required", "127.0.0.1:1025", Encryption::Required),
        ] {
            let url = read(text);
            assert_eq!((url.place().as_str(), url.encryption), (place, encryption), "{text}");
        }
        assert!(read("smtp://mail.example.org?tls=none").is_exposed());
        assert!(!read("smtp://127.0.0.1?tls=none").is_exposed());
    }

    #[test]
    fn user_and_password_are_decoded_and_never_shown() {
        let url = read("smtp://ada%40example.org:m%3Ark%20er@mark%25@mail.example.org");
        let credentials = url.credentials.clone().unwrap();
        assert_eq!(
            (credentials.user.as_str(), credentials.password.expose_secret()),
            ("ada@example.org", "m:rk er@mark%")
        );
        assert_eq!(format!("{url:?}"), "SmtpUrl(mail.example.org:587)");
        assert!(read("smtp://mail.example.org").credentials.is_none());
    }

    #[test]
    fn what_is_no_url_is_refused_by_what_is_wrong() {
        for (text, error) in [
            ("mail.example.org:587", SmtpUrlError::Scheme),
            ("http://mail.example.org", SmtpUrlError::Scheme),
            ("smtp://", SmtpUrlError::Host),
            ("smtp://a b", SmtpUrlError::Host),
            ("smtp://[::1", SmtpUrlError::Host),
            ("smtp://[::1]25", SmtpUrlError::Host),
            ("smtp://mail..org", SmtpUrlError::Host),
            ("smtp://mail/path", SmtpUrlError::Host),
            ("smtp://mail:0", SmtpUrlError::Port),
            ("smtp://mail:65536", SmtpUrlError::Port),
            ("smtp://mail:+25", SmtpUrlError::Port),
            ("smtp://mail:", SmtpUrlError::Port),
            ("smtp://user@mail", SmtpUrlError::Credentials),
            ("smtp://:password@mail", SmtpUrlError::Credentials),
            ("smtp://user:@mail", SmtpUrlError::Credentials),
            ("smtp://us%00er:p@mail", SmtpUrlError::Credentials),
            ("smtp://user:%ff@mail", SmtpUrlError::Credentials),
            ("smtp://mail?tls=off", SmtpUrlError::Parameter),
            ("smtps://mail?tls=none", SmtpUrlError::Parameter),
            ("smtp://mail?", SmtpUrlError::Parameter),
        ] {
            assert_eq!(SmtpUrl::parse(text).err(), Some(error), "{text}");
        }
    }
}
