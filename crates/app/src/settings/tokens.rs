//! Token and session settings: signing secret and algorithm, lifetimes, and the grace and overlap of spent
//! refresh tokens.

use super::secret::{self, MIN_BYTES};
use super::setting::{self, InvalidValue, Setting, SettingsError};
use super::sources::Sources;
use super::value;
use super::warning::Warning;
use chrono::TimeDelta;
use portcullis_domain::sessions::SessionPolicy;
use portcullis_domain::tokens::{RefreshPolicy, TokenLifetimes};
use portcullis_jwt::Algorithm;
use secrecy::{ExposeSecret, SecretString};

const SECRET_KEY: Setting = Setting {
    name: "SECRET_KEY",
    default: None,
    accepted: "a random secret of at least 32 bytes, such as the output of `openssl rand -hex 32`",
    display: setting::secret,
};
const ALGORITHM: Setting =
    Setting { name: "ALGORITHM", default: Some("HS256"), accepted: ALGORITHMS, display: str::to_owned };
const ALGORITHMS: &str = "HS256, HS384, HS512; with PRIVATE_KEY_FILE: RS256, ES256, EdDSA";
const ACCESS: Setting = Setting {
    name: "ACCESS_TOKEN_EXPIRE_MINUTES",
    default: Some("15"),
    accepted: "a whole number of minutes from 1 to 43200",
    display: str::to_owned,
};
const REFRESH: Setting = Setting {
    name: "REFRESH_TOKEN_EXPIRE_DAYS",
    default: Some("7"),
    accepted: "a whole number of days from 1 to 36500",
    display: str::to_owned,
};

const GRACE: Setting = Setting {
    name: "REFRESH_GRACE_SECONDS",
    default: Some("10"),
    accepted: "a whole number of seconds from 0 to 3600",
    display: str::to_owned,
};
const OVERLAP: Setting = Setting {
    name: "REFRESH_OVERLAP_SECONDS",
    default: Some("0"),
    accepted: "a whole number of seconds from 0 to 3600",
    display: str::to_owned,
};
const MAX_AGE: Setting = Setting {
    name: "SESSION_MAX_AGE_DAYS",
    default: Some("30"),
    accepted: "a whole number of days from 1 to 36500",
    display: str::to_owned,
};
const MAX_SESSIONS: Setting = Setting {
    name: "MAX_SESSIONS_PER_USER",
    default: Some("100"),
    accepted: "a whole number from 1 to 1000",
    display: str::to_owned,
};

pub(super) const SETTINGS: [Setting; 8] =
    [SECRET_KEY, ALGORITHM, ACCESS, REFRESH, GRACE, OVERLAP, MAX_AGE, MAX_SESSIONS];

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
        let secret = sources.required_raw(&SECRET_KEY, secret::read)?;
        let algorithm = sources.required(&ALGORITHM, read_algorithm)?;
        match secret.expose_secret().len() {
            MIN_BYTES.. => {}
            _ if debug => {
                warnings.push("SECRET_KEY is shorter than 32 bytes, which is allowed only with DEBUG=true".into())
            }
            _ => return Err(SECRET_KEY.invalid(InvalidValue("is shorter than 32 bytes"))),
        }
        if (MIN_BYTES..hash_bytes(algorithm)).contains(&secret.expose_secret().len()) {
            warnings.push("SECRET_KEY is shorter than the hash of ALGORITHM (RFC 7518, section 3.2)".into());
        }
        let minutes = sources.required(&ACCESS, value::whole_number(1_u32..=43_200))?;
        let days = sources.required(&REFRESH, value::whole_number(1_u32..=36_500))?;
        let lifetimes =
            TokenLifetimes { access: TimeDelta::minutes(minutes.into()), refresh: TimeDelta::days(days.into()) };
        Ok(Self { secret, algorithm, lifetimes, refresh: read_refresh(sources)? })
    }
}

fn read_refresh(sources: &Sources) -> Result<RefreshPolicy, SettingsError> {
    let seconds = |setting| sources.required(setting, value::whole_number(0_u32..=3600));
    let (overlap, grace) = (seconds(&OVERLAP)?, seconds(&GRACE)?);
    Ok(RefreshPolicy { overlap: TimeDelta::seconds(overlap.into()), grace: TimeDelta::seconds(grace.into()) })
}

/// Reads the session settings. Needs no key.
pub(super) fn read_sessions(sources: &Sources) -> Result<SessionPolicy, SettingsError> {
    let days = sources.required(&MAX_AGE, value::whole_number(1_u32..=36_500))?;
    let max_per_user = sources.required(&MAX_SESSIONS, value::whole_number(1_usize..=1000))?;
    Ok(SessionPolicy { max_age: TimeDelta::days(days.into()), max_per_user })
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
