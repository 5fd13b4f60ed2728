//! Settings that exist once for each provider: `PROVIDER_<NAME>_…`, where `PROVIDERS` lists the names.

use super::providers::FAMILY;
use super::setting::Setting;
use portcullis_domain::providers::ProviderName;

/// Setting that lists the providers.
pub(super) const LIST: &str = "PROVIDERS";
/// First word of the names.
const PREFIX: &str = "PROVIDER_";

/// Returns whether the text is the name of a provider in capitals.
pub(super) fn is_member(provider: &str) -> bool {
    provider == provider.to_ascii_uppercase() && ProviderName::parse(&provider.to_ascii_lowercase()).is_some()
}

/// Finds the setting of a provider by its name in capitals.
pub(super) fn setting(name: &str) -> Option<Setting<'_>> {
    parts(name).map(|(_, setting)| setting.named(name))
}

/// Returns the provider that a setting or its `NAME_FILE` belongs to, in capitals.
pub(super) fn member_of(name: &str) -> Option<String> {
    let found = parts(name).or_else(|| parts(name.strip_suffix("_FILE")?))?;
    Some(found.0.to_owned())
}

/// Returns the full name of a provider's setting.
pub(super) fn name(provider: &str, setting: &Setting) -> String {
    format!("{PREFIX}{}_{}", provider.to_ascii_uppercase(), setting.name)
}

/// Lists the names of a provider's settings.
pub(super) fn names(provider: &str) -> Vec<String> {
    FAMILY.iter().map(|setting| name(provider, setting)).collect()
}

/// Lists the names that can be set for a provider, `NAME_FILE` included.
pub(super) fn names_with_files(provider: &str) -> Vec<String> {
    let names = names(provider).into_iter();
    names.flat_map(|name| [setting(&name).and_then(|setting| setting.file_name()), Some(name)]).flatten().collect()
}

/// Lists the names that a misspelt name may stand for: every part of it may be the provider.
pub(super) fn candidates(name: &str) -> Vec<String> {
    let rest = name.strip_prefix(PREFIX).unwrap_or_default();
    let ends = rest.match_indices('_').map(|(end, _)| end);
    ends.filter_map(|end| rest.get(..end)).filter(|provider| is_member(provider)).flat_map(names_with_files).collect()
}

/// Returns the settings that decide whether the value of a provider's setting is valid. Empty for any other setting.
pub(super) fn context(name: &str) -> Vec<String> {
    parts(name).map(|(provider, _)| vec![LIST.to_owned(), format!("{PREFIX}{provider}_KIND")]).unwrap_or_default()
}

/// Splits a name into the provider and the setting, whose own name has no prefix.
fn parts(name: &str) -> Option<(&str, Setting<'static>)> {
    let rest = name.strip_prefix(PREFIX)?;
    let part = |setting: &Setting<'static>| {
        let provider = rest.strip_suffix(setting.name)?.strip_suffix('_')?;
        is_member(provider).then_some((provider, *setting))
    };
    FAMILY.iter().find_map(part)
}
