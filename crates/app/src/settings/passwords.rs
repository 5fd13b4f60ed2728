//! Password settings: rules for new passwords and the cost of hashing.

use super::setting::{Number, Setting, SettingsError};
use super::sources::Sources;
use super::warning::Warning;
use portcullis_domain::registration::PasswordPolicy;

const BCRYPT_COST: Number<u32> =
    Setting::number("BCRYPT_COST", Some("12"), 4..=15, "a whole number from 10 to 15, and with DEBUG=true from 4");
const HASH_LANES: Number<u8> = Setting::number(
    "HASH_LANES",
    None,
    1..=6,
    "a whole number from 1 to 6; if not set, the fastest is measured at the start",
);
const PASSWORD_MIN_LENGTH: Number<usize> = Setting::number(
    "PASSWORD_MIN_LENGTH",
    Some("8"),
    PasswordPolicy::MIN_CHARS_FLOOR..=PasswordPolicy::MAX_CHARS,
    "a whole number of characters from 8 to 256",
);
const PASSWORD_BLOCKLIST: Setting = Setting::switch("PASSWORD_BLOCKLIST", "false");

pub(super) const SETTINGS: [Setting; 4] =
    [BCRYPT_COST.setting, HASH_LANES.setting, PASSWORD_MIN_LENGTH.setting, PASSWORD_BLOCKLIST];

/// Minimum bcrypt cost that OWASP recommends (Password Storage Cheat Sheet).
const MIN_COST: u32 = 10;

/// Rules for new passwords, and hashing parameters.
#[derive(Debug)]
pub(crate) struct Passwords {
    /// Binary logarithm of the number of bcrypt rounds.
    pub(crate) bcrypt_cost: u32,
    /// Number of hashes that a thread computes together. `None`: measured at the start.
    pub(crate) hash_lanes: Option<u8>,
    pub(crate) policy: PasswordPolicy,
    /// True if common passwords are rejected.
    pub(crate) blocklist: bool,
}

impl Passwords {
    pub(super) fn read(sources: &Sources, debug: bool, warnings: &mut Vec<Warning>) -> Result<Self, SettingsError> {
        let bcrypt_cost = sources.number(&BCRYPT_COST)?;
        if bcrypt_cost < MIN_COST {
            if !debug {
                return Err(BCRYPT_COST.setting.invalid("is out of range"));
            }
            warnings.push("BCRYPT_COST is less than 10, which is allowed only with DEBUG=true".into());
        }
        Ok(Self {
            bcrypt_cost,
            hash_lanes: sources.optional_number(&HASH_LANES)?,
            policy: PasswordPolicy::with_min_chars(sources.number(&PASSWORD_MIN_LENGTH)?),
            blocklist: sources.switch(&PASSWORD_BLOCKLIST)?,
        })
    }
}
