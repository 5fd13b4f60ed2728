//! URL of the server.

use redis::{ConnectionAddr, ConnectionInfo, IntoConnectionInfo};
use std::fmt;
use std::net::IpAddr;

/// URL of a server: `redis://[user:password@]host[:port][/database]`.
#[derive(Clone)]
pub struct RedisUrl(pub(crate) ConnectionInfo);

/// Reason why a text is not a valid URL. Never contains the text, since any part of it may be a
/// password.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RedisUrlError(&'static str);

impl RedisUrl {
    /// Parses a URL.
    ///
    /// # Errors
    /// Returns [`RedisUrlError`] if the text is not a valid URL or requires TLS.
    pub fn parse(text: &str) -> Result<Self, RedisUrlError> {
        match text.split_once("://") {
            Some(("redis" | "valkey", rest)) if !rest.is_empty() => {}
            Some(("rediss" | "valkeys", _)) => return Err(RedisUrlError("asks for TLS, which is not built in")),
            _ => return Err(RedisUrlError("does not begin with redis://")),
        }
        let info = text.into_connection_info().map_err(|_| RedisUrlError("is not a valid URL"))?;
        Ok(Self(info))
    }
}

impl RedisUrl {
    /// Returns host and port for display.
    #[must_use]
    pub fn host_and_port(&self) -> String {
        self.0.addr().to_string()
    }

    /// Returns whether a password is sent over a network that others can read: TLS is not built in.
    #[must_use]
    pub fn is_exposed(&self) -> bool {
        let ConnectionAddr::Tcp(host, _) = self.0.addr() else { return false };
        let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        let loopback = host.eq_ignore_ascii_case("localhost")
            || host.parse::<IpAddr>().is_ok_and(|address| address.to_canonical().is_loopback());
        self.0.redis_settings().password().is_some() && !loopback
    }
}

impl fmt::Display for RedisUrlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for RedisUrlError {}

/// Hides the password.
impl fmt::Debug for RedisUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RedisUrl({})", self.host_and_port())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn password_to_another_host_is_exposed() {
        let exposed = |text| RedisUrl::parse(text).unwrap().is_exposed();
        for text in ["redis://:p@cache", "redis://u:p@192.0.2.1:7000/1", "valkey://:p@[2001:db8::1]"] {
            assert!(exposed(text), "{text}");
        }
        for text in ["redis://cache", "redis://:p@localhost", "redis://:p@127.0.0.2", "redis://u:p@[::1]:7000"] {
            assert!(!exposed(text), "{text}");
        }
    }

    #[test]
    fn what_is_no_address_is_refused_and_not_shown() {
        for good in ["redis://localhost", "redis://127.0.0.1:7000/1", "valkey://u:p%40ss@[::1]:7000", "redis://:p@h"] {
            assert!(RedisUrl::parse(good).is_ok(), "{good}");
        }
        for bad in ["", "redis://", "rediss://:marker@h", "http://marker", "redis://:marker@h/x", "unix:///marker"] {
            let told = RedisUrl::parse(bad).err().unwrap_or_else(|| panic!("{bad}")).to_string();
            assert!(!told.contains("marker"), "{told}");
        }
        assert!(!format!("{:?}", RedisUrl::parse("redis://user:marker@h").unwrap()).contains("marker"));
    }
}
