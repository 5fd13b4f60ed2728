//! The section on tokens: what signs them and how long they live.

use super::secret::{self, MIN_BYTES};
use super::setting::{self, Fault, Setting, SettingsError};
use super::sources::Sources;
use super::value;
use chrono::TimeDelta;
use portcullis_domain::tokens::TokenLifetimes;
use portcullis_jwt::Algorithm;
use secrecy::{ExposeSecret, SecretString};

const SECRET_KEY: Setting = Setting {
    name: "SECRET_KEY",
    default: None,
    accepted: "a random text of at least 32 bytes that nobody else knows, such as `openssl rand -hex 32` prints",
    shown: setting::secret,
};
const ALGORITHM: Setting =
    Setting { name: "ALGORITHM", default: Some("HS256"), accepted: "HS256, HS384, HS512", shown: str::to_owned };
const ACCESS: Setting = Setting {
    name: "ACCESS_TOKEN_EXPIRE_MINUTES",
    default: Some("15"),
    accepted: "a whole number of minutes from 1 to 43200",
    shown: str::to_owned,
};
const REFRESH: Setting = Setting {
    name: "REFRESH_TOKEN_EXPIRE_DAYS",
    default: Some("7"),
    accepted: "a whole number of days from 1 to 36500",
    shown: str::to_owned,
};

pub(super) const SETTINGS: [Setting; 4] = [SECRET_KEY, ALGORITHM, ACCESS, REFRESH];

/// How tokens are signed, and for how long.
#[derive(Debug)]
pub(crate) struct Tokens {
    pub(crate) secret: SecretString,
    pub(crate) algorithm: Algorithm,
    pub(crate) lifetimes: TokenLifetimes,
}

impl Tokens {
    pub(super) fn read(
        sources: &Sources,
        debug: bool,
        warnings: &mut Vec<&'static str>,
    ) -> Result<Self, SettingsError> {
        let secret = sources.required_raw(&SECRET_KEY, secret::read)?;
        let algorithm = sources.required(&ALGORITHM, read_algorithm)?;
        match secret.expose_secret().len() {
            MIN_BYTES.. => {}
            _ if debug => warnings.push("SECRET_KEY is shorter than 32 bytes, which starts with DEBUG=true only"),
            _ => return Err(SECRET_KEY.bad(Fault("is shorter than 32 bytes"))),
        }
        if (MIN_BYTES..hash_bytes(algorithm)).contains(&secret.expose_secret().len()) {
            warnings.push("SECRET_KEY is shorter than the hash of ALGORITHM (RFC 7518, section 3.2)");
        }
        let minutes = sources.required(&ACCESS, value::whole_number(1_u32..=43_200))?;
        let days = sources.required(&REFRESH, value::whole_number(1_u32..=36_500))?;
        let lifetimes =
            TokenLifetimes { access: TimeDelta::minutes(minutes.into()), refresh: TimeDelta::days(days.into()) };
        Ok(Self { secret, algorithm, lifetimes })
    }
}

/// The length of an algorithm's hash, in bytes.
fn hash_bytes(algorithm: Algorithm) -> usize {
    match algorithm {
        Algorithm::Hs384 => 48,
        Algorithm::Hs512 => 64,
        _ => 32,
    }
}

fn read_algorithm(text: &str) -> Result<Algorithm, Fault> {
    match text {
        "RS256" | "ES256" | "EdDSA" => Err(Fault("needs a private key, which this version does not sign with")),
        _ => text.parse().map_err(|_| Fault("is not a known algorithm")),
    }
}
