//! Origins as browsers and apps put them in the client data.

use data_encoding::BASE64URL_NOPAD;

/// Reason why an origin is not accepted. Never contains the origin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OriginError {
    /// Another scheme, or none.
    #[error(
        "has no known scheme: expected https://host, http://localhost or (allowed origins only) android:apk-key-hash:…"
    )]
    Scheme,
    /// The host is not a name in lower case.
    #[error("has an invalid host: expected a name in lower case, in ASCII, and not an IP address")]
    Host,
    /// More follows the host and the port.
    #[error("has something after host and port: expected an origin such as https://example.org")]
    Suffix,
    /// The port is not valid.
    #[error("has an invalid port: expected 1 to 65535")]
    Port,
    /// The port of the scheme, which browsers omit.
    #[error("has its scheme's default port, which browsers omit: expected no port")]
    DefaultPort,
    /// Plain http beyond `localhost`.
    #[error("uses http: expected https, or http on localhost")]
    PlainHttp,
    /// The hash of an app's certificate is not valid.
    #[error(
        "is not android:apk-key-hash: and the SHA-256 of the certificate in base64url without padding (43 characters)"
    )]
    AppHash,
    /// Browsers do not let the origin use passkeys of this RP ID.
    #[error("is foreign to the RP ID: expected it, a host below it, or a related origin")]
    Foreign,
}

/// Origin of a page, as a browser serializes it (HTML §7.1.1).
pub(super) struct WebOrigin<'a> {
    host: &'a str,
}

impl<'a> WebOrigin<'a> {
    pub(super) fn parse(origin: &'a str) -> Result<Self, OriginError> {
        let https = origin.strip_prefix("https://");
        let rest = https.or_else(|| origin.strip_prefix("http://")).ok_or(OriginError::Scheme)?;
        if rest.contains(['/', '?', '#']) {
            return Err(OriginError::Suffix);
        }
        let (host, port) = rest.rsplit_once(':').map_or((rest, None), |(host, port)| (host, Some(port)));
        // Checked first, because an IPv6 address has colons, but no port here.
        if !is_host_name(host) {
            return Err(OriginError::Host);
        }
        if https.is_none() && !is_within(host, "localhost") {
            return Err(OriginError::PlainHttp);
        }
        match port {
            None => {}
            Some(port) if port.starts_with('0') || !port.bytes().all(|b| b.is_ascii_digit()) => {
                return Err(OriginError::Port);
            }
            Some(port) => match (port.parse::<u16>(), https) {
                (Err(_), _) => return Err(OriginError::Port),
                (Ok(443), Some(_)) | (Ok(80), None) => return Err(OriginError::DefaultPort),
                _ => {}
            },
        }
        Ok(Self { host })
    }

    /// Returns whether a page of this origin may use passkeys of an RP ID: its host is the RP ID or below it.
    pub(super) fn is_within(&self, rp_id: &str) -> bool {
        is_within(self.host, rp_id)
    }
}

fn is_within(host: &str, domain: &str) -> bool {
    host.strip_suffix(domain).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

/// Checks what follows `android:` in the origin of an app.
pub(super) fn check_app(origin: &str) -> Result<(), OriginError> {
    let hash = origin.strip_prefix("apk-key-hash:").and_then(|hash| BASE64URL_NOPAD.decode(hash.as_bytes()).ok());
    if hash.is_some_and(|hash| hash.len() == 32) { Ok(()) } else { Err(OriginError::AppHash) }
}

/// Returns whether a text is a host name in lower case, of up to 253 characters. A name whose last label is a
/// number is an IPv4 address (URL §3.5).
pub(super) fn is_host_name(text: &str) -> bool {
    let character = |b: u8| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_');
    let label = |label: &str| (1..=63).contains(&label.len()) && label.bytes().all(character);
    let is_number = |label: &str| {
        let hex = label.strip_prefix("0x").is_some_and(|rest| rest.bytes().all(|b| b.is_ascii_hexdigit()));
        hex || label.bytes().all(|b| b.is_ascii_digit())
    };
    text.len() <= 253 && text.split('.').all(label) && !text.rsplit('.').next().is_some_and(is_number)
}
