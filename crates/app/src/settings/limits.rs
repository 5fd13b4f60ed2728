//! Rate-limit settings: budgets, trusted proxies and the shared Redis server.

use super::setting::{InvalidValue, Setting, SettingsError};
use super::sources::Sources;
use super::value;
use super::warning::Warning;
use portcullis_domain::limits::{Gcra, Rule, SlidingWindow};
use portcullis_http::{ForwardedHeader, TrustedProxies};
use portcullis_redis::RedisUrl;
use portcullis_usecases::limits::Rules;
use std::num::NonZeroU32;
use std::time::Duration;

const ENABLED: Setting = Setting::switch("RATE_LIMIT_ENABLED", "true");
const ACCOUNT: Setting = window("RATE_LIMIT_ACCOUNT", "10/15m");
const DEVICE: Setting = window("RATE_LIMIT_DEVICE", "10/15m");
const MAIL: Setting = window("RATE_LIMIT_MAIL", "3/1h");
const SOURCE: Setting = flow("RATE_LIMIT_SOURCE", "300/5m,burst=100");
const REFRESH: Setting = flow("RATE_LIMIT_REFRESH", "120/5m,burst=60");
const DEAD_REFRESH: Setting = flow("RATE_LIMIT_DEAD_REFRESH", "1/30s,burst=4");
const MFA: Setting = window("RATE_LIMIT_MFA", "5/1h");
const PROXIES: Setting = Setting::new(
    "TRUSTED_PROXIES",
    None,
    "comma-separated IP addresses and networks, such as 10.0.0.0/8,192.0.2.7,2001:db8::/32",
);
const FORWARDED_HEADER: Setting =
    Setting::new("FORWARDED_HEADER", Some("x-forwarded-for"), "x-forwarded-for or forwarded");

const REDIS_URL: Setting = Setting::new(
    "REDIS_URL",
    None,
    "redis://[user:password@]host:port[/number], rediss:// with TLS, redis+unix:///path, or \
     redis-sentinel://host:port,host:port/master",
)
.shown_by(shown_url);

const PROXY_PROTOCOL: Setting = Setting::switch("PROXY_PROTOCOL", "false");

pub(super) const SETTINGS: [Setting; 12] = [
    ENABLED,
    ACCOUNT,
    DEVICE,
    SOURCE,
    MAIL,
    REFRESH,
    DEAD_REFRESH,
    MFA,
    PROXIES,
    FORWARDED_HEADER,
    PROXY_PROTOCOL,
    REDIS_URL,
];

const fn window(name: &'static str, default: &'static str) -> Setting<'static> {
    let accepted = "attempts and a period, such as 10/15m: 1 to 100 attempts in 1s to 24h";
    Setting::new(name, Some(default), accepted)
}

const fn flow(name: &'static str, default: &'static str) -> Setting<'static> {
    let accepted = "calls, a period and a burst, such as 300/5m,burst=100: 1 to 1000000 calls in 1s to 24h, and 0 to \
                    1000000 calls at once besides the one that is due; without a burst, all calls at once";
    Setting::new(name, Some(default), accepted)
}

/// First wait after the free attempts at a password or second factor are used up.
const FIRST_WAIT: Duration = Duration::from_mins(1);

/// Maximum number of wrong passwords per account and day, from all devices.
const A_DAY_ALL_DEVICES: NonZeroU32 = NonZeroU32::MIN.saturating_add(99);

/// Maximum number of wrong second factors per account and day, from all devices. With the attempts of the
/// waits after them, 11 by unknown and 11 by known devices, at most 72 of the million codes are checked.
const A_DAY_SECOND_FACTOR: NonZeroU32 = NonZeroU32::MIN.saturating_add(49);

/// Settings of rate limits.
#[derive(Debug)]
pub(crate) struct Limits {
    /// `None`: rate limits are off.
    pub(crate) rules: Option<Rules>,
    pub(crate) proxies: TrustedProxies,
    /// Header with the client's IP address that trusted proxies set.
    pub(crate) forwarded: ForwardedHeader,
    /// Whether trusted proxies name the client by the PROXY protocol.
    pub(crate) proxy_protocol: bool,
    /// Redis server on which replicas share budgets and circuits.
    pub(crate) redis: Option<RedisUrl>,
}

impl Limits {
    pub(super) fn read(sources: &Sources, warnings: &mut Vec<Warning>) -> Result<Self, SettingsError> {
        let rules = Rules {
            account: Rule::SlidingWindow(sources.required(&ACCOUNT, read_window)?.with_backoff(FIRST_WAIT)),
            account_day: Rule::SlidingWindow(
                SlidingWindow::new(A_DAY_ALL_DEVICES, Duration::from_hours(24)).with_backoff(FIRST_WAIT),
            ),
            device: Rule::SlidingWindow(sources.required(&DEVICE, read_window)?.with_backoff(FIRST_WAIT)),
            source: Rule::Gcra(sources.required(&SOURCE, read_flow)?),
            mail: Rule::SlidingWindow(sources.required(&MAIL, read_window)?),
            refresh: Rule::Gcra(sources.required(&REFRESH, read_flow)?),
            dead_refresh: Rule::Gcra(sources.required(&DEAD_REFRESH, read_flow)?),
            second_factor: Rule::SlidingWindow(sources.required(&MFA, read_window)?.with_backoff(FIRST_WAIT)),
            second_factor_day: Rule::SlidingWindow(
                SlidingWindow::new(A_DAY_SECOND_FACTOR, Duration::from_hours(24)).with_backoff(FIRST_WAIT),
            ),
        };
        let proxies = sources.optional(&PROXIES, str::parse::<TrustedProxies>)?.unwrap_or_default();
        let redis = sources.optional(&REDIS_URL, RedisUrl::parse)?;
        warnings.extend(proxies.has_public().then(everybody_trusted));
        warnings.extend(redis.as_ref().is_some_and(RedisUrl::is_exposed).then(exposed));
        let proxy_protocol = sources.switch(&PROXY_PROTOCOL)?;
        if proxy_protocol && proxies.is_empty() {
            return Err(PROXY_PROTOCOL.invalid("is on, but TRUSTED_PROXIES lists no proxy"));
        }
        let rules = sources.switch(&ENABLED)?.then_some(rules);
        let forwarded = sources.required(&FORWARDED_HEADER, read_header)?;
        Ok(Self { rules, proxies, forwarded, proxy_protocol, redis })
    }
}

fn read_window(text: &str) -> Result<SlidingWindow, InvalidValue> {
    let (tries, period) = read_rate(text, SlidingWindow::MAX_LIMIT)?;
    Ok(SlidingWindow::new(tries, period))
}

fn read_flow(text: &str) -> Result<Gcra, InvalidValue> {
    let (rate, burst) = match text.split_once(',') {
        Some((rate, burst)) => (rate, Some(burst)),
        None => (text, None),
    };
    let (calls, period) = read_rate(rate.trim_end(), 1_000_000)?;
    let at_once = match burst {
        Some(burst) => {
            let count = burst.trim().strip_prefix("burst=").ok_or(InvalidValue("has more than a rate and a burst"))?;
            NonZeroU32::MIN.saturating_add(value::whole_number(0..=1_000_000)(count)?)
        }
        None => calls,
    };
    Ok(Gcra::new(calls, period, at_once))
}

/// Parses a count and a time, such as `10/15m`.
fn read_rate(text: &str, most: u32) -> Result<(NonZeroU32, Duration), InvalidValue> {
    let (count, period) = text.split_once('/').ok_or(InvalidValue("is not a count and a period"))?;
    let (number, unit) = match period.char_indices().next_back() {
        Some((place, 's')) => (period.get(..place), 1),
        Some((place, 'm')) => (period.get(..place), 60),
        Some((place, 'h')) => (period.get(..place), 3600),
        _ => return Err(InvalidValue("has a period that does not end in s, m or h")),
    };
    let number: u64 = value::whole_number(1..=86_400)(number.unwrap_or_default())?;
    let seconds = number.saturating_mul(unit);
    if seconds > 86_400 {
        return Err(InvalidValue("has a period longer than 24h"));
    }
    Ok((read_count(count, most)?, Duration::from_secs(seconds)))
}

fn read_count(text: &str, most: u32) -> Result<NonZeroU32, InvalidValue> {
    let count = value::whole_number(1..=most)(text)?;
    NonZeroU32::new(count).ok_or(InvalidValue("is out of range"))
}

fn everybody_trusted() -> Warning {
    let what = "TRUSTED_PROXIES trusts addresses of the whole Internet: any client can forge the IP address that \
                limits count and sessions record";
    Warning::new(what, "list only the addresses of your proxies")
}

fn exposed() -> Warning {
    let what = "REDIS_URL sends a password in the clear to another host";
    Warning::new(what, "use TLS (rediss://), or put Redis on this machine")
}

/// Returns the URL with only host and port.
fn shown_url(text: &str) -> String {
    RedisUrl::parse(text.trim()).map_or_else(|_| "(unreadable)".to_owned(), |url| url.without_secrets())
}

fn read_header(text: &str) -> Result<ForwardedHeader, InvalidValue> {
    match text.to_ascii_lowercase().as_str() {
        "x-forwarded-for" => Ok(ForwardedHeader::XForwardedFor),
        "forwarded" => Ok(ForwardedHeader::Forwarded),
        _ => Err(InvalidValue("is not a supported header")),
    }
}
