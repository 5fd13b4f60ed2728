//! Password settings: rules for new passwords and the cost of hashing.

use super::setting::{InvalidValue, Setting, SettingsError};
use super::sources::Sources;
use super::value::{self, BOOL_VALUES};
use super::warning::Warning;
use portcullis_domain::registration::PasswordPolicy;

const BCRYPT_COST: Setting = Setting {
    name: "BCRYPT_COST",
    default: Some("12"),
    accepted: "a whole number from 10 to 15, and with DEBUG=true from 4",
    display: str::to_owned,
};
const HASH_LANES: Setting = Setting {
    name: "HASH_LANES",
    default: None,
    accepted: "a whole number from 1 to 6; if not set, the fastest is measured at the start",
    display: str::to_owned,
};
const PASSWORD_MIN_LENGTH: Setting = Setting {
    name: "PASSWORD_MIN_LENGTH",
    default: Some("8"),
    accepted: "a whole number of characters from 8 to 256",
    display: str::to_owned,
};
const PASSWORD_BLOCKLIST: Setting =
    Setting { name: "PASSWORD_BLOCKLIST", default: Some("false"), accepted: BOOL_VALUES, display: str::to_owned };

pub(super) const SETTINGS: [Setting; 4] = [BCRYPT_COST, HASH_LANES, PASSWORD_MIN_LENGTH, PASSWORD_BLOCKLIST];

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
        let bcrypt_cost = sources.required(&BCRYPT_COST, value::whole_number(4..=15))?;
        if bcrypt_cost < MIN_COST {
            if !debug {
                return Err(BCRYPT_COST.invalid(InvalidValue("is out of range")));
            }
            warnings.push("BCRYPT_COST is less than 10, which is allowed only with DEBUG=true".into());
        }
        let hash_lanes = sources.optional(&HASH_LANES, value::whole_number(1..=6))?;
        let lengths = PasswordPolicy::MIN_CHARS_FLOOR..=PasswordPolicy::MAX_CHARS;
        let min_chars = sources.required(&PASSWORD_MIN_LENGTH, value::whole_number(lengths))?;
        let blocklist = sources.required(&PASSWORD_BLOCKLIST, value::parse_bool)?;
        Ok(Self { bcrypt_cost, hash_lanes, policy: PasswordPolicy::with_min_chars(min_chars), blocklist })
    }
}
