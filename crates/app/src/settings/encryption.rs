//! Keys that encrypt secrets in the database.

use super::keys::Keys;
use super::secret;
use super::setting::{self, Setting, SettingsError};
use super::sources::Sources;
use super::tokens::Tokens;
use super::warning::Warning;
use secrecy::SecretString;

const ENCRYPTION_KEY: Setting = Setting::new(
    "ENCRYPTION_KEY",
    None,
    "a random secret of at least 32 bytes, such as the output of `openssl rand -hex 32`; if not set, SECRET_KEY",
)
.shown_by(setting::secret);
const PREVIOUS: Setting = Setting::new(
    "ENCRYPTION_KEY_PREVIOUS",
    None,
    "previous values of ENCRYPTION_KEY, one per line, each of at least 32 bytes; if not set, SECRET_KEY_PREVIOUS",
)
.shown_by(setting::secret);

pub(super) const SETTINGS: [Setting; 2] = [ENCRYPTION_KEY, PREVIOUS];

/// Texts that keys are derived from.
#[derive(Debug)]
pub(crate) struct Encryption {
    /// Encrypts and decrypts.
    pub(crate) current: SecretString,
    /// Only decrypt.
    pub(crate) previous: Vec<SecretString>,
}

impl Encryption {
    pub(super) fn read(
        sources: &Sources,
        tokens: &Tokens,
        keys: &Keys,
        debug: bool,
        warnings: &mut Vec<Warning>,
    ) -> Result<Self, SettingsError> {
        let current = secret::read_one(sources, &ENCRYPTION_KEY, debug, warnings)?;
        let previous = secret::read_lines(sources, &PREVIOUS, debug, warnings)?;
        Ok(Self {
            current: current.unwrap_or_else(|| tokens.secret.clone()),
            previous: previous.unwrap_or_else(|| keys.previous_secrets.clone()),
        })
    }
}
