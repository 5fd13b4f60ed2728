//! URL of the server, or of the Sentinels that know it.

use redis::{ConnectionAddr, ConnectionInfo, IntoConnectionInfo, RedisConnectionInfo};
use std::fmt;
use std::net::IpAddr;
use url::Url;

/// Port of a Sentinel, if the URL has none.
const SENTINEL_PORT: u16 = 26_379;

/// URL of a server or of its Sentinels:
///
/// - `redis://[user:password@]host[:port][/database]`, `rediss://…` with TLS
/// - `redis+unix:///path[?user=…&pass=…&db=…]` for a unix socket
/// - `redis-sentinel://[user:password@]host[:port][,host…]/master[/database]`, `rediss-sentinel://…` with TLS. User
///   and password are those of the server; the parameters `sentinel_user` and `sentinel_password` those of
///   the Sentinels.
#[derive(Clone)]
pub struct RedisUrl(pub(crate) Target);

/// What a URL names.
#[derive(Clone)]
pub(crate) enum Target {
    Server(ConnectionInfo),
    Sentinels(Sentinels),
}

/// Sentinels, and the server to ask them for.
#[derive(Clone)]
pub(crate) struct Sentinels {
    pub(crate) sentinels: Vec<ConnectionInfo>,
    pub(crate) master: String,
    pub(crate) server: RedisConnectionInfo,
    pub(crate) tls: bool,
}

/// Reason why a text is not a valid URL. Never contains the text, since any part of it may be a
/// password.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RedisUrlError(&'static str);

const INVALID: RedisUrlError = RedisUrlError("is not a valid URL");

impl RedisUrl {
    /// Parses a URL.
    ///
    /// # Errors
    /// Returns [`RedisUrlError`] if the text is not a valid URL, or asks for TLS without checks.
    pub fn parse(text: &str) -> Result<Self, RedisUrlError> {
        let (scheme, rest) = text.split_once("://").filter(|(_, rest)| !rest.is_empty()).ok_or(UNKNOWN)?;
        match scheme {
            "rediss" | "valkeys" if rest.contains('#') => Err(RedisUrlError("has a fragment: TLS is always verified")),
            "redis" | "valkey" | "rediss" | "valkeys" | "redis+unix" | "valkey+unix" => {
                text.into_connection_info().map(|info| Self(Target::Server(info))).map_err(|_| INVALID)
            }
            "redis-sentinel" | "valkey-sentinel" => sentinels(rest, false),
            "rediss-sentinel" | "valkeys-sentinel" => sentinels(rest, true),
            _ => Err(UNKNOWN),
        }
    }
}

const UNKNOWN: RedisUrlError =
    RedisUrlError("begins with none of redis://, rediss://, redis+unix://, redis-sentinel:// and rediss-sentinel://");

fn sentinels(rest: &str, tls: bool) -> Result<RedisUrl, RedisUrlError> {
    let (place, query) = rest.split_once('?').unwrap_or((rest, ""));
    let (authority, path) = place.split_once('/').unwrap_or((place, ""));
    let (master, database) = path.split_once('/').unwrap_or((path, ""));
    if master.is_empty() || master.contains('%') {
        return Err(RedisUrlError("names no master after the Sentinels, such as redis-sentinel://host:26379/mymaster"));
    }
    let (user, hosts) = authority.rsplit_once('@').map_or(("", authority), |(user, hosts)| (user, hosts));
    // The library reads user, password and number from the URL of a server.
    let server = format!("redis://{user}@server/{database}").into_connection_info().map_err(|_| INVALID)?;
    let mut own = RedisConnectionInfo::default();
    for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
        own = match name.as_ref() {
            "sentinel_user" => own.set_username(value),
            "sentinel_password" => own.set_password(value),
            _ => return Err(RedisUrlError("has a parameter other than sentinel_user and sentinel_password")),
        };
    }
    let sentinels = hosts.split(',').map(|host| sentinel(host, tls, &own)).collect::<Option<_>>().ok_or(INVALID)?;
    let (master, server) = (master.to_owned(), server.redis_settings().clone());
    Ok(RedisUrl(Target::Sentinels(Sentinels { sentinels, master, server, tls })))
}

fn sentinel(host: &str, tls: bool, own: &RedisConnectionInfo) -> Option<ConnectionInfo> {
    let scheme = if tls { "rediss" } else { "redis" };
    let mut url = Url::parse(&format!("{scheme}://{host}")).ok().filter(|url| url.path().is_empty())?;
    url.set_port(url.port().or(Some(SENTINEL_PORT))).ok()?;
    let info = url.into_connection_info().ok()?;
    info.redis_settings().password().is_none().then(|| info.set_redis_settings(own.clone()))
}

impl RedisUrl {
    /// Returns host and port, or the path of a socket, for display.
    #[must_use]
    pub fn host_and_port(&self) -> String {
        match &self.0 {
            Target::Server(info) => info.addr().to_string(),
            Target::Sentinels(named) => {
                let hosts: Vec<_> = named.sentinels.iter().map(|info| info.addr().to_string()).collect();
                format!("{}/{}", hosts.join(","), named.master)
            }
        }
    }

    /// Returns the URL without user, password and parameters.
    #[must_use]
    pub fn without_secrets(&self) -> String {
        let scheme = match &self.0 {
            Target::Server(info) => match info.addr() {
                ConnectionAddr::Unix(_) => "redis+unix",
                ConnectionAddr::TcpTls { .. } => "rediss",
                _ => "redis",
            },
            Target::Sentinels(Sentinels { tls: true, .. }) => "rediss-sentinel",
            Target::Sentinels(_) => "redis-sentinel",
        };
        format!("{scheme}://{}", self.host_and_port())
    }

    /// Returns whether a password is sent without TLS over a network that others can read.
    #[must_use]
    pub fn is_exposed(&self) -> bool {
        match &self.0 {
            Target::Server(info) => is_exposed(info, info.redis_settings().password()),
            // The server may be on any of these machines.
            Target::Sentinels(named) => named
                .sentinels
                .iter()
                .any(|info| is_exposed(info, named.server.password().or(info.redis_settings().password()))),
        }
    }
}

fn is_exposed(info: &ConnectionInfo, password: Option<&str>) -> bool {
    let ConnectionAddr::Tcp(host, _) = info.addr() else { return false };
    let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    let loopback = host.eq_ignore_ascii_case("localhost")
        || host.parse::<IpAddr>().is_ok_and(|address| address.to_canonical().is_loopback());
    password.is_some() && !loopback
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
        for text in [
            "redis://:p@cache",
            "redis://u:p@192.0.2.1:7000/1",
            "valkey://:p@[2001:db8::1]",
            "redis-sentinel://:p@127.0.0.1,cache/m",
            "redis-sentinel://cache/m?sentinel_password=p",
        ] {
            assert!(exposed(text), "{text}");
        }
        for text in [
            "redis://cache",
            "redis://:p@localhost",
            "redis://:p@127.0.0.2",
            "redis://u:p@[::1]:7000",
            "rediss://:p@cache",
            "rediss-sentinel://:p@cache/m",
            "redis-sentinel://cache/m",
            "redis+unix:///run/redis.sock?pass=p",
        ] {
            assert!(!exposed(text), "{text}");
        }
    }

    #[test]
    fn what_is_no_address_is_refused_and_not_shown() {
        for good in ["redis://localhost", "redis://127.0.0.1:7000/1", "valkey://u:p%40ss@[::1]:7000", "redis://:p@h"] {
            assert!(RedisUrl::parse(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "redis://",
            "rediss://:marker@h/#insecure",
            "http://marker",
            "redis://:marker@h/x",
            "unix://marker",
            "redis-sentinel://:marker@h",
            "redis-sentinel://:marker@h/m/x",
            "redis-sentinel://:marker@h,/m",
            "redis-sentinel://:marker@h:0x/m",
            "redis-sentinel://h/m?password=marker",
        ] {
            let told = RedisUrl::parse(bad).err().unwrap_or_else(|| panic!("{bad}")).to_string();
            assert!(!told.contains("marker"), "{told}");
        }
        assert!(!format!("{:?}", RedisUrl::parse("redis://user:marker@h").unwrap()).contains("marker"));
    }

    #[test]
    fn sentinels_have_credentials_of_their_own() {
        let text = "rediss-sentinel://user:p%40ss@one,[::1]:7000/mymaster/3?sentinel_user=w&sentinel_password=s%40t";
        let url = RedisUrl::parse(text).unwrap();
        assert_eq!(url.without_secrets(), "rediss-sentinel://one:26379,::1:7000/mymaster");
        let Target::Sentinels(named) = url.0 else { panic!("no Sentinels") };
        let server = &named.server;
        assert_eq!((server.username(), server.password(), server.db()), (Some("user"), Some("p@ss"), 3));
        for info in named.sentinels {
            assert!(matches!(info.addr(), ConnectionAddr::TcpTls { insecure: false, .. }));
            let own = info.redis_settings();
            assert_eq!((own.username(), own.password(), own.db()), (Some("w"), Some("s@t"), 0));
        }
    }
}
