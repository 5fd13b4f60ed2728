//! Token and session settings: signing secret and algorithm, lifetimes, and the grace and overlap of spent
//! refresh tokens.

use super::secret::{self, MIN_BYTES};
use super::setting::{self, InvalidValue, Number, Setting, SettingsError};
use super::sources::Sources;
use super::warning::Warning;
use chrono::TimeDelta;
use portcullis_domain::sessions::SessionPolicy;
use portcullis_domain::tokens::{RefreshPolicy, TokenLifetimes};
use portcullis_jwt::Algorithm;
use secrecy::{ExposeSecret, SecretString};

const SECRET_KEY: Setting = Setting::new(
    "SECRET_KEY",
    None,
    "a random secret of at least 32 bytes, such as the output of `openssl rand -hex 32`",
)
.shown_by(setting::secret);
const ALGORITHM: Setting = Setting::new("ALGORITHM", Some("HS256"), ALGORITHMS);
const ALGORITHMS: &str = "HS256, HS384, HS512; with PRIVATE_KEY_FILE: RS256, ES256, EdDSA";
const ACCESS: Number<u32> =
    Setting::number("ACCESS_TOKEN_EXPIRE_MINUTES", Some("15"), 1..=43_200, "a whole number of minutes from 1 to 43200");
const REFRESH: Number<u32> =
    Setting::number("REFRESH_TOKEN_EXPIRE_DAYS", Some("7"), 1..=36_500, "a whole number of days from 1 to 36500");

const GRACE: Number<u32> =
    Setting::number("REFRESH_GRACE_SECONDS", Some("10"), 0..=3600, "a whole number of seconds from 0 to 3600");
const OVERLAP: Number<u32> =
    Setting::number("REFRESH_OVERLAP_SECONDS", Some("0"), 0..=3600, "a whole number of seconds from 0 to 3600");
const MAX_AGE: Number<u32> =
    Setting::number("SESSION_MAX_AGE_DAYS", Some("30"), 1..=36_500, "a whole number of days from 1 to 36500");
const MAX_SESSIONS: Number<usize> =
    Setting::number("MAX_SESSIONS_PER_USER", Some("100"), 1..=1000, "a whole number from 1 to 1000");

pub(super) const SETTINGS: [Setting; 8] = [
    SECRET_KEY,
    ALGORITHM,
    ACCESS.setting,
    REFRESH.setting,
    GRACE.setting,
    OVERLAP.setting,
    MAX_AGE.setting,
    MAX_SESSIONS.setting,
];

/// Settings of tokens.
#[derive(Debug)]
pub(crate) struct Tokens {
    pub(crate) secret: SecretString,
    pub(crate) algorithm: Algorithm,
    pub(crate) lifetimes: TokenLifetimes,
    pub(crate) refresh: RefreshPolicy,
}

impl Tokens {
    pub(super) fn read(sources: &Sources, debug: bool, warnings: &mut Vec<Warning>) -> Result<Self, SettingsError> {
        let secret = secret::read_one(sources, &SECRET_KEY, debug, warnings)?;
        let secret = secret.ok_or_else(|| SECRET_KEY.invalid("is missing"))?;
        let algorithm = sources.required(&ALGORITHM, read_algorithm)?;
        if (MIN_BYTES..hash_bytes(algorithm)).contains(&secret.expose_secret().len()) {
            warnings.push("SECRET_KEY is shorter than the hash of ALGORITHM (RFC 7518, section 3.2)".into());
        }
        let (minutes, days) = (sources.number(&ACCESS)?, sources.number(&REFRESH)?);
        let lifetimes =
            TokenLifetimes { access: TimeDelta::minutes(minutes.into()), refresh: TimeDelta::days(days.into()) };
        Ok(Self { secret, algorithm, lifetimes, refresh: read_refresh(sources)? })
    }
}

fn read_refresh(sources: &Sources) -> Result<RefreshPolicy, SettingsError> {
    let (overlap, grace) = (sources.number(&OVERLAP)?, sources.number(&GRACE)?);
    Ok(RefreshPolicy { overlap: TimeDelta::seconds(overlap.into()), grace: TimeDelta::seconds(grace.into()) })
}

/// Reads the session settings. Needs no key.
pub(super) fn read_sessions(sources: &Sources) -> Result<SessionPolicy, SettingsError> {
    let days = sources.number(&MAX_AGE)?;
    Ok(SessionPolicy { max_age: TimeDelta::days(days.into()), max_per_user: sources.number(&MAX_SESSIONS)? })
}

/// Returns the hash length of an algorithm in bytes.
fn hash_bytes(algorithm: Algorithm) -> usize {
    match algorithm {
        Algorithm::Hs384 => 48,
        Algorithm::Hs512 => 64,
        _ => 32,
    }
}

pub(super) fn read_algorithm(text: &str) -> Result<Algorithm, InvalidValue> {
    text.parse().map_err(|_| InvalidValue("is not a known algorithm"))
}
