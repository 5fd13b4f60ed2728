//! Settings of sign-in with identity providers. Those of each provider are named `PROVIDER_<NAME>_…`.

use super::family;
use super::host;
use super::mail::check_place;
use super::setting::{self, InvalidValue, Setting, SettingsError};
use super::sources::Sources;
use super::value;
use super::warning::Warning;
use portcullis_domain::providers::{ProviderKind, ProviderName, RedirectUris, ResponseMode, TrustEmail};
use portcullis_jwt::{Algorithm, SigningKey};
use secrecy::SecretString;
use std::fmt::Display;

const LIST: Setting = Setting::new(
    family::LIST,
    None,
    "comma-separated names such as google,github,corp: lower-case letters, digits and underscores, each name once",
);
const ACCEPTED_URIS: &str = "comma-separated exact URIs: https://host/path; http://127.0.0.1/path or http://[::1]/path, \
                             which stand for every port; com.example.app:/path (a scheme with a dot)";
const REDIRECT_URIS: Setting = Setting::new("REDIRECT_URIS", None, ACCEPTED_URIS);
const PRIVATE_ADDRESSES: Setting = Setting::switch("PROVIDER_PRIVATE_ADDRESSES", "false");

pub(super) const SETTINGS: [Setting; 3] = [LIST, REDIRECT_URIS, PRIVATE_ADDRESSES];

const KIND: Setting = Setting::new("KIND", None, "google, microsoft, apple, gitlab, github or oidc");
const ISSUER: Setting = Setting::new(
    "ISSUER",
    None,
    "https://host, optionally with a port and a path, as the provider spells it, up to 512 characters; http:// only on \
     a loopback address",
);
const CLIENT_ID: Setting =
    Setting::new("CLIENT_ID", None, "the client id from the provider: printable ASCII characters").or_file();
const CLIENT_SECRET: Setting =
    Setting::new("CLIENT_SECRET", None, "the client secret from the provider: printable ASCII characters")
        .shown_by(setting::secret);
const TEAM_ID: Setting = Setting::new("TEAM_ID", None, "the team id from Apple: letters and digits");
const KEY_ID: Setting = Setting::new("KEY_ID", None, "the id of the key from Apple: letters and digits");
const PRIVATE_KEY: Setting =
    Setting::new("PRIVATE_KEY_FILE", None, "the path of the PEM file from Apple with an unencrypted P-256 private key");
const AUDIENCES: Setting = Setting::new("AUDIENCES", None, "comma-separated client ids");
const SCOPES: Setting =
    Setting::new("SCOPES", None, "scopes separated by spaces or commas, with openid unless KIND is github");
const LABEL: Setting = Setting::new("LABEL", None, "one line of up to 100 characters");
const RESPONSE_MODE: Setting = Setting::new("RESPONSE_MODE", None, "query or form_post");
const TENANTS: Setting = Setting::new("TENANTS", None, "comma-separated ids of Microsoft Entra tenants, or *");
const TRUST_EMAIL: Setting = Setting::new("TRUST_EMAIL", None, "verified or never");
const SIGN_UP: Setting = Setting::switch("SIGN_UP", "true");
const LINK_BY_EMAIL: Setting = Setting::switch("LINK_BY_EMAIL", "true");
const ALLOWED_DOMAINS: Setting =
    Setting::new("ALLOWED_DOMAINS", None, "comma-separated domains such as example.org; if not set, any");
const SECOND_FACTOR: Setting = Setting::new("SECOND_FACTOR", Some("own"), "own or provider");
const NONCE: Setting = Setting::new("NONCE", Some("required"), "required or optional");

/// Maximum length of an issuer: that of its column.
const MAX_ISSUER_CHARS: usize = 512;

/// Settings of each provider, without the first part of their names.
pub(super) const FAMILY: [Setting; 18] = [
    KIND,
    ISSUER,
    CLIENT_ID,
    CLIENT_SECRET,
    TEAM_ID,
    KEY_ID,
    PRIVATE_KEY,
    AUDIENCES,
    SCOPES,
    LABEL,
    RESPONSE_MODE,
    TENANTS,
    TRUST_EMAIL,
    SIGN_UP,
    LINK_BY_EMAIL,
    ALLOWED_DOMAINS,
    SECOND_FACTOR,
    NONCE,
];

/// Settings of sign-in with providers.
#[derive(Debug)]
pub(crate) struct Providers {
    /// Providers, in the order of `PROVIDERS`.
    pub(crate) list: Vec<Provider>,
    /// URIs that users may be sent back to.
    pub(crate) redirect_uris: RedirectUris,
    /// True if calls may go to private addresses.
    pub(crate) private_addresses: bool,
}

/// Settings of one provider. `None` stands for the default of its kind.
#[derive(Debug)]
pub(crate) struct Provider {
    pub(crate) name: ProviderName,
    pub(crate) kind: ProviderKind,
    /// Issuer, as the provider spells it.
    pub(crate) issuer: Option<String>,
    pub(crate) client_id: String,
    pub(crate) credential: Credential,
    /// Further client ids whose ID tokens native apps may bring.
    pub(crate) audiences: Vec<String>,
    pub(crate) scopes: Option<Vec<String>>,
    pub(crate) label: Option<String>,
    pub(crate) response_mode: Option<ResponseMode>,
    /// Tenant ids, or `*` alone. Only of Microsoft.
    pub(crate) tenants: Vec<String>,
    pub(crate) trust_email: Option<TrustEmail>,
    /// True if an unknown person gets an account.
    pub(crate) sign_up: bool,
    pub(crate) link_by_email: bool,
    /// Allowed domains, in lower case. Empty: any.
    pub(crate) allowed_domains: Vec<String>,
    /// True if the provider's second factor counts.
    pub(crate) provider_second_factor: bool,
    /// True if native apps may bring ID tokens without a nonce.
    pub(crate) nonce_optional: bool,
}

/// Proof of the client at the provider.
#[derive(Debug)]
pub(crate) enum Credential {
    Secret(SecretString),
    /// Key that signs a secret for each call, in PEM.
    Apple {
        team_id: String,
        key_id: String,
        private_key: SecretString,
    },
}

impl Providers {
    pub(super) fn read(sources: &Sources, warnings: &mut Vec<Warning>) -> Result<Self, SettingsError> {
        let names = sources.optional(&LIST, read_names)?.unwrap_or_default();
        let redirect_uris = sources.optional(&REDIRECT_URIS, RedirectUris::parse)?.unwrap_or_default();
        let private_addresses = sources.switch(&PRIVATE_ADDRESSES)?;
        let list: Vec<_> =
            names.into_iter().map(|name| Reader { sources, name }.read(warnings)).collect::<Result<_, _>>()?;
        if !list.is_empty() && redirect_uris.is_empty() {
            let what = "REDIRECT_URIS is not set: only native apps can sign in with PROVIDERS";
            warnings.push(Warning::new(what, "list the URIs that browsers are sent back to"));
        }
        Ok(Self { list, redirect_uris, private_addresses })
    }
}

/// Reads the settings of one provider.
struct Reader<'s> {
    sources: &'s Sources,
    name: ProviderName,
}

impl Reader<'_> {
    /// Reads each value before it checks whether one is missing or superfluous, so that an error names an invalid
    /// value first.
    fn read(self, warnings: &mut Vec<Warning>) -> Result<Provider, SettingsError> {
        let kind = self.get(&KIND, |text| ProviderKind::parse(text).ok_or(InvalidValue("is not a known kind")))?;
        let kind = kind.unwrap_or_else(|| ProviderKind::for_name(&self.name));
        let issuer = self.get(&ISSUER, read_issuer)?;
        let client_id = self.get(&CLIENT_ID, read_visible)?;
        let audiences = self.get(&AUDIENCES, |text| read_list(text, read_visible))?.unwrap_or_default();
        let scopes = self.get(&SCOPES, |text| read_scopes(text, kind))?;
        let label = self.get(&LABEL, value::title)?;
        let response_mode = self.get(&RESPONSE_MODE, |text| ResponseMode::parse(text).ok_or(UNKNOWN_WORD))?;
        let tenants = self.get(&TENANTS, read_tenants)?;
        let trust_email = self.get(&TRUST_EMAIL, |text| TrustEmail::parse(text).ok_or(UNKNOWN_WORD))?;
        let sign_up = self.get(&SIGN_UP, value::parse_bool)?;
        let link_by_email = self.get(&LINK_BY_EMAIL, value::parse_bool)?;
        let allowed_domains = self.get(&ALLOWED_DOMAINS, |text| read_list(text, read_domain))?;
        let provider_second_factor = self.get(&SECOND_FACTOR, |text| read_word(text, "own", "provider"))?;
        let nonce_optional = self.get(&NONCE, |text| read_word(text, "required", "optional"))?;
        let credential = self.credential(kind, warnings)?;
        let (needs_issuer, is_microsoft) = (kind == ProviderKind::Oidc, kind == ProviderKind::Microsoft);
        let issuer = if needs_issuer { Some(self.required(&ISSUER, issuer)?) } else { issuer };
        let tenants = if is_microsoft { self.required(&TENANTS, tenants)? } else { self.unused(&TENANTS, tenants)? };
        Ok(Provider {
            client_id: self.required(&CLIENT_ID, client_id)?,
            kind,
            issuer,
            credential,
            audiences,
            scopes,
            label,
            response_mode,
            tenants,
            trust_email,
            sign_up: sign_up.unwrap_or(true),
            link_by_email: link_by_email.unwrap_or(true),
            allowed_domains: allowed_domains.unwrap_or_default(),
            provider_second_factor: provider_second_factor.unwrap_or(false),
            nonce_optional: nonce_optional.unwrap_or(false),
            name: self.name,
        })
    }

    fn credential(&self, kind: ProviderKind, warnings: &mut Vec<Warning>) -> Result<Credential, SettingsError> {
        let secret = self.get(&CLIENT_SECRET, |text| read_visible(text).map(SecretString::from))?;
        let (team_id, key_id) = (self.get(&TEAM_ID, read_alphanumeric)?, self.get(&KEY_ID, read_alphanumeric)?);
        let private_key = self.private_key(warnings)?;
        if kind == ProviderKind::Apple {
            self.unused(&CLIENT_SECRET, secret.map(|_| ()))?;
            let team_id = self.required(&TEAM_ID, team_id)?;
            let key_id = self.required(&KEY_ID, key_id)?;
            return Ok(Credential::Apple { team_id, key_id, private_key: self.required(&PRIVATE_KEY, private_key)? });
        }
        self.unused(&TEAM_ID, team_id)?;
        self.unused(&KEY_ID, key_id)?;
        self.unused(&PRIVATE_KEY, private_key.map(|_| ()))?;
        self.required(&CLIENT_SECRET, secret).map(Credential::Secret)
    }

    fn private_key(&self, warnings: &mut Vec<Warning>) -> Result<Option<SecretString>, SettingsError> {
        let Some(path) = self.get(&PRIVATE_KEY, value::path)? else { return Ok(None) };
        let unreadable = |kind| self.invalid(&PRIVATE_KEY, format!("names a file that cannot be read ({kind})"));
        let file = self.sources.file(&path).map_err(unreadable)?;
        if file.world_readable {
            let what = format!("{} names a file that every user of this machine can read", self.full(&PRIVATE_KEY));
            warnings.push(Warning::new(what, Warning::CHMOD));
        }
        let unusable = |error| self.invalid(&PRIVATE_KEY, format!("names a key that cannot be used: {error}"));
        SigningKey::of_pem(Algorithm::Es256, &file.text).map_err(unusable)?;
        Ok(Some(file.text.into()))
    }

    /// Returns the full name of a setting.
    fn full(&self, setting: &Setting) -> String {
        family::name(self.name.as_str(), setting)
    }

    fn invalid(&self, setting: &Setting<'static>, fault: impl Display) -> SettingsError {
        setting.named(&self.full(setting)).invalid(fault)
    }

    fn get<T, E: Display>(
        &self,
        setting: &Setting<'static>,
        read: impl FnOnce(&str) -> Result<T, E>,
    ) -> Result<Option<T>, SettingsError> {
        self.sources.optional(&setting.named(&self.full(setting)), read)
    }

    fn required<T>(&self, setting: &Setting<'static>, value: Option<T>) -> Result<T, SettingsError> {
        value.ok_or_else(|| self.invalid(setting, "is missing"))
    }

    /// Refuses a value that would have no effect, because the operator may rely on it.
    fn unused<T: Default>(&self, setting: &Setting<'static>, value: Option<T>) -> Result<T, SettingsError> {
        match value {
            Some(_) => Err(self.invalid(setting, "is set, but this kind of provider does not use it")),
            None => Ok(T::default()),
        }
    }
}

fn read_names(text: &str) -> Result<Vec<ProviderName>, InvalidValue> {
    let names = read_list(text, |name| ProviderName::parse(name).ok_or(InvalidValue("has an invalid name")))?;
    let is_twice = |(at, name): (usize, &ProviderName)| names.iter().skip(at + 1).any(|other| other == name);
    if names.iter().enumerate().any(is_twice) { Err(InvalidValue("has a name twice")) } else { Ok(names) }
}

fn read_list<T>(text: &str, read: impl Fn(&str) -> Result<T, InvalidValue>) -> Result<Vec<T>, InvalidValue> {
    text.split(',').map(|item| read(item.trim())).collect()
}

/// Reads an issuer, which is stored with each identity.
fn read_issuer(text: &str) -> Result<String, InvalidValue> {
    if text.chars().count() > MAX_ISSUER_CHARS {
        return Err(InvalidValue("is longer than 512 characters"));
    }
    check_place(text).map(|()| text.to_owned())
}

/// Reads a client id or secret (RFC 6749 appendix A).
fn read_visible(text: &str) -> Result<String, InvalidValue> {
    if text.is_empty() {
        return Err(InvalidValue("has an empty entry"));
    }
    if text.bytes().all(|b| b == b' ' || b.is_ascii_graphic()) {
        Ok(text.to_owned())
    } else {
        Err(InvalidValue("has a character that is not printable ASCII"))
    }
}

fn read_alphanumeric(text: &str) -> Result<String, InvalidValue> {
    if text.bytes().all(|b| b.is_ascii_alphanumeric()) {
        Ok(text.to_owned())
    } else {
        Err(InvalidValue("has a character that is neither a letter nor a digit"))
    }
}

fn read_scopes(text: &str, kind: ProviderKind) -> Result<Vec<String>, InvalidValue> {
    let scopes: Vec<_> = text.split([' ', ',']).filter(|scope| !scope.is_empty()).map(str::to_owned).collect();
    // RFC 6749 §3.3.
    if !scopes.iter().flat_map(|scope| scope.bytes()).all(|b| b.is_ascii_graphic() && b != b'"' && b != b'\\') {
        return Err(InvalidValue("has a character that a scope cannot have"));
    }
    if kind != ProviderKind::GitHub && !scopes.iter().any(|scope| scope == "openid") {
        return Err(InvalidValue("lacks openid"));
    }
    Ok(scopes)
}

fn read_tenants(text: &str) -> Result<Vec<String>, InvalidValue> {
    const BAD: InvalidValue = InvalidValue("has a tenant that is not an id");
    let is_id = |id: &str| !id.is_empty() && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    let id = |id: &str| if is_id(id) { Ok(id.to_ascii_lowercase()) } else { Err(BAD) };
    if text == "*" { Ok(vec![text.to_owned()]) } else { read_list(text, id) }
}

fn read_domain(text: &str) -> Result<String, InvalidValue> {
    if host::is_host_name(text) { Ok(text.to_ascii_lowercase()) } else { Err(InvalidValue("has an invalid domain")) }
}

const UNKNOWN_WORD: InvalidValue = InvalidValue("is not one of the accepted words");

/// Reads one of two words. Returns whether it is the second one.
fn read_word(text: &str, no: &str, yes: &str) -> Result<bool, InvalidValue> {
    match text {
        _ if text == no => Ok(false),
        _ if text == yes => Ok(true),
        _ => Err(UNKNOWN_WORD),
    }
}

#[cfg(test)]
#[path = "provider_tests.rs"]
mod tests;
