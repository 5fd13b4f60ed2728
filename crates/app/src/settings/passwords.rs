//! The section on passwords: what a new one must be and what hashing it costs.

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
    accepted: "a whole number from 1 to 6; without it the start measures which is best",
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

/// The least cost that a guesser feels (OWASP, Password Storage).
const LEAST_COST: u32 = 10;

/// What new passwords must be, and how they are hashed.
#[derive(Debug)]
pub(crate) struct Passwords {
    /// The binary logarithm of bcrypt's rounds.
    pub(crate) bcrypt_cost: u32,
    /// How many hashes a thread makes together, where somebody chose.
    pub(crate) hash_lanes: Option<u8>,
    pub(crate) policy: PasswordPolicy,
    /// Whether common passwords are refused.
    pub(crate) blocklist: bool,
}

impl Passwords {
    pub(super) fn read(sources: &Sources, debug: bool, warnings: &mut Vec<Warning>) -> Result<Self, SettingsError> {
        let bcrypt_cost = sources.required(&BCRYPT_COST, value::whole_number(4..=15))?;
        if bcrypt_cost < LEAST_COST {
            if !debug {
                return Err(BCRYPT_COST.invalid(InvalidValue("is out of range")));
            }
            warnings.push("BCRYPT_COST is under 10, which starts with DEBUG=true only".into());
        }
        let hash_lanes = sources.optional(&HASH_LANES, value::whole_number(1..=6))?;
        let lengths = PasswordPolicy::MIN_CHARS_FLOOR..=PasswordPolicy::MAX_CHARS;
        let min_chars = sources.required(&PASSWORD_MIN_LENGTH, value::whole_number(lengths))?;
        let blocklist = sources.required(&PASSWORD_BLOCKLIST, value::parse_bool)?;
        Ok(Self { bcrypt_cost, hash_lanes, policy: PasswordPolicy::with_min_chars(min_chars), blocklist })
    }
}
