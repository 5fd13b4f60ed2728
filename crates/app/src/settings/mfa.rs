//! Settings of second factors, trusted devices and recent authentication.

use super::setting::{InvalidValue, Number, Setting, SettingsError};
use super::sources::Sources;
use chrono::TimeDelta;

const REQUIRED: Setting = Setting::switch("MFA_REQUIRED", "false");
const TRUST_DAYS: Number<u32> = Setting::number(
    "MFA_TRUST_DAYS",
    Some("0"),
    0..=365,
    "a whole number of days from 1 to 365, or 0 for no trusted devices",
);
const STEP_UP: Number<u32> =
    Setting::number("STEP_UP_MINUTES", Some("10"), 1..=1440, "a whole number of minutes from 1 to 1440");
const CLAIMS: Setting = Setting::new("AUTH_CLAIMS", Some("default"), "default or always");

pub(super) const SETTINGS: [Setting; 4] = [REQUIRED, TRUST_DAYS.setting, STEP_UP.setting, CLAIMS];

/// Settings of second factors and recent authentication.
#[derive(Debug)]
pub(crate) struct Mfa {
    /// True if every account must have a second factor.
    pub(crate) is_required: bool,
    /// Time for which a trusted device needs no second factor. `None`: there are no trusted devices.
    pub(crate) trust: Option<TimeDelta>,
    /// Maximum age of a recent authentication.
    pub(crate) step_up_age: TimeDelta,
    /// True if all tokens carry `auth_time` and `amr`, not only those of sessions that began with more
    /// than a password.
    pub(crate) claims_always: bool,
}

impl Mfa {
    pub(super) fn read(sources: &Sources) -> Result<Self, SettingsError> {
        let days = sources.number(&TRUST_DAYS)?;
        Ok(Self {
            is_required: sources.switch(&REQUIRED)?,
            trust: (days > 0).then(|| TimeDelta::days(days.into())),
            step_up_age: TimeDelta::minutes(sources.number(&STEP_UP)?.into()),
            claims_always: sources.required(&CLAIMS, read_claims)?,
        })
    }
}

fn read_claims(text: &str) -> Result<bool, InvalidValue> {
    match text.to_ascii_lowercase().as_str() {
        "default" => Ok(false),
        "always" => Ok(true),
        _ => Err(InvalidValue("is neither default nor always")),
    }
}
