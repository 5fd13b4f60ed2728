//! Settings of the account pages.

use super::setting::{Setting, SettingsError};
use super::sources::Sources;
use super::{files, value};
use portcullis_http::{Brand, Logo};

const ENABLED: Setting = Setting::switch("ACCOUNT_PAGES", "true");
const SIGN_UP: Setting = Setting::switch("SIGN_UP_PAGE", "true");

const STYLE: Setting = Setting::new("PAGE_STYLE", None, "the path of a CSS file of up to 256 KiB");
const LOGO: Setting = Setting::new("PAGE_LOGO", None, "the path of an image of up to 256 KiB: SVG, PNG, JPEG or WebP");
/// Maximum size of a style sheet or logo in bytes: every page needs them.
const MAX_BYTES: u64 = 256 * 1024;

pub(super) const SETTINGS: [Setting; 4] = [ENABLED, SIGN_UP, STYLE, LOGO];

/// Settings of the account pages.
#[derive(Debug)]
pub(crate) struct Pages {
    /// True if people can sign in at the account pages.
    pub(crate) enabled: bool,
    /// True if people can create an account there.
    pub(crate) sign_up: bool,
    /// The operator's style sheet and logo.
    pub(crate) brand: Brand,
}

impl Pages {
    pub(super) fn read(sources: &Sources) -> Result<Self, SettingsError> {
        let brand = Brand { style: read(sources, &STYLE, text)?, logo: read(sources, &LOGO, Logo::parse)? };
        Ok(Self { enabled: sources.switch(&ENABLED)?, sign_up: sources.switch(&SIGN_UP)?, brand })
    }
}

/// Reads the file that a setting names. `parse` returns `None` for a file of another type.
fn read<T>(
    sources: &Sources,
    setting: &Setting<'static>,
    parse: fn(Vec<u8>) -> Option<T>,
) -> Result<Option<T>, SettingsError> {
    let Some(path) = sources.optional(setting, value::path)? else { return Ok(None) };
    let unreadable = |kind| setting.invalid(format!("names a file that cannot be read ({kind})"));
    let bytes = files::read_bytes(&path, MAX_BYTES).map_err(unreadable)?;
    parse(bytes).map(Some).ok_or_else(|| setting.invalid("names a file of another type"))
}

fn text(bytes: Vec<u8>) -> Option<String> {
    String::from_utf8(bytes).ok().filter(|text| !text.contains('\0'))
}
