//! Settings of the account pages.

use super::setting::{Setting, SettingsError};
use super::sources::Sources;

const ENABLED: Setting = Setting::switch("ACCOUNT_PAGES", "true");
const SIGN_UP: Setting = Setting::switch("SIGN_UP_PAGE", "true");

pub(super) const SETTINGS: [Setting; 2] = [ENABLED, SIGN_UP];

/// Settings of the account pages.
#[derive(Debug)]
pub(crate) struct Pages {
    /// True if people can sign in at the account pages.
    pub(crate) enabled: bool,
    /// True if people can create an account there.
    pub(crate) sign_up: bool,
}

impl Pages {
    pub(super) fn read(sources: &Sources) -> Result<Self, SettingsError> {
        Ok(Self { enabled: sources.switch(&ENABLED)?, sign_up: sources.switch(&SIGN_UP)? })
    }
}
