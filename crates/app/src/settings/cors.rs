//! Parses the list of CORS origins. Only exact origins are accepted, because the pages of each may read
//! responses.

use super::host::is_host_name;
use super::setting::InvalidValue;
use url::{Host, ParseError, Url};

pub(super) const ACCEPTED: &str =
    "comma-separated exact origins, such as https://app.example.org,http://localhost:3000,capacitor://localhost";

/// Parses the list. Returns each origin once, as browsers spell it (RFC 6454 §6.2). Mobile shells and browser
/// extensions have their own schemes, whose hosts keep their case (URL standard, §3.5).
pub(super) fn read_origins(text: &str) -> Result<Vec<String>, InvalidValue> {
    let mut origins = Vec::new();
    for item in text.split(',') {
        let url = read_origin(item.trim())?;
        let origin = format!("{}://{}", url.scheme(), url.authority());
        if !origins.contains(&origin) {
            origins.push(origin);
        }
    }
    Ok(origins)
}

/// Parses an origin: scheme, host and port of a URL, and nothing else.
pub(super) fn read_origin(text: &str) -> Result<Url, InvalidValue> {
    const PORT: InvalidValue = InvalidValue("has a port that is not a number from 1 to 65535");
    const HOST: InvalidValue = InvalidValue("has a host that is neither a name in ASCII nor an IP address");
    if text.contains('*') {
        return Err(InvalidValue("has a wildcard"));
    }
    let (scheme, place) = text.split_once("://").ok_or(InvalidValue("has an origin without a scheme"))?;
    // Keeps out what the parser would drop, decode or encode.
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"+-._:[]".contains(&b);
    if !scheme.bytes().chain(place.bytes()).all(plain) || place.ends_with(':') {
        return Err(InvalidValue("has more than scheme, host and port, or a character that they cannot have"));
    }
    let url = Url::parse(text).map_err(|error| match error {
        ParseError::InvalidPort => PORT,
        ParseError::RelativeUrlWithoutBase => InvalidValue("has an invalid scheme"),
        _ => HOST,
    })?;
    match url.host() {
        // Pages with these schemes have the origin `null`. HTTP libraries accept 64 characters.
        _ if matches!(url.scheme(), "file" | "data" | "blob") || url.scheme().len() > 64 => {
            Err(InvalidValue("has a scheme that is not supported"))
        }
        Some(Host::Domain(name)) if !is_host_name(name) => Err(HOST),
        None => Err(HOST),
        Some(_) if url.port() == Some(0) => Err(PORT),
        Some(_) => Ok(url),
    }
}
