//! What the pages of an account display.

use super::ago::Ago;
use super::device::Device;
use super::done::Done;
use crate::pages::page::{ErrorText, FormError};
use crate::pages::passkeys::{PasskeyOptions, Signal};
use crate::pages::sign_in::NewAuthenticator;
use serde::Serialize;

/// A page of an account. Serializes to the variables of its template.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(crate) enum SettingsPage {
    /// `/account/security`.
    Security(Security),
    /// `/account/password`: form for a new password.
    Password { has_password: bool, email: String },
    /// `/account/authenticator`: explains what is needed.
    Authenticator { name: Option<String> },
    /// The authenticator app to set up. The secret is displayed once.
    AuthenticatorSetup { id: String, app: Option<NewAuthenticator> },
    /// `/account/passkey`: form with the options to create it.
    Passkey { name: Option<String>, second_factor: bool, options: Option<PasskeyOptions> },
    /// `/account/recovery-codes`: asks before it replaces them.
    RecoveryCodes {},
    /// Recovery codes, which are displayed once.
    NewRecoveryCodes { done: Option<Done>, codes: Vec<String> },
    /// `/account/identities`.
    Identities(Identities),
    /// `/account/sessions`.
    Sessions { done: Option<Done>, sessions: Vec<Device> },
    /// `/account/email`, with the typed address after an error.
    Email { done: Option<Done>, email: String, is_verified: bool, has_password: bool, typed: Option<String> },
    /// `/account/delete`.
    Delete { email: String, has_password: bool },
    /// The account does not exist any more.
    Deleted {},
}

/// What protects an account.
#[derive(Debug, Serialize)]
pub(crate) struct Security {
    pub(super) done: Option<Done>,
    pub(super) has_password: bool,
    /// None if passkeys are off.
    pub(super) passkeys: Option<Vec<Key>>,
    pub(super) apps: Vec<App>,
    /// Number of authenticator apps and passkeys that are second factors.
    pub(super) second_factors: usize,
    /// Number of unused recovery codes.
    pub(super) codes_left: String,
    pub(super) devices: Vec<Device>,
    pub(super) signal: Option<Signal>,
}

/// A passkey.
#[derive(Debug, Serialize)]
pub(super) struct Key {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) added: Ago,
    pub(super) used: Option<Ago>,
    pub(super) synced: bool,
    pub(super) second_factor: bool,
    /// False if it was made for another RP ID.
    pub(super) usable: bool,
}

/// An authenticator app.
#[derive(Debug, Serialize)]
pub(super) struct App {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) added: Ago,
    pub(super) used: Option<Ago>,
}

/// Accounts at providers.
#[derive(Debug, Serialize)]
pub(crate) struct Identities {
    pub(super) done: Option<Done>,
    pub(super) identities: Vec<Identity>,
    pub(super) providers: Vec<Provider>,
}

/// Account at a provider.
#[derive(Debug, Serialize)]
pub(super) struct Identity {
    pub(super) id: String,
    /// Label of the provider.
    pub(super) provider: String,
    pub(super) email: Option<String>,
    pub(super) added: Ago,
    pub(super) used: Option<Ago>,
}

/// Provider that an account can be connected at.
#[derive(Debug, Serialize)]
pub(super) struct Provider {
    pub(super) name: String,
    pub(super) label: String,
}

impl SettingsPage {
    /// Returns the name of the template.
    pub(crate) const fn template(&self) -> &'static str {
        match self {
            Self::Security(_) => "security",
            Self::Password { .. } => "password",
            Self::Authenticator { .. } => "authenticator",
            Self::AuthenticatorSetup { .. } => "authenticator_setup",
            Self::Passkey { .. } => "passkey",
            Self::RecoveryCodes {} => "recovery_codes",
            Self::NewRecoveryCodes { .. } => "new_recovery_codes",
            Self::Identities(_) => "identities",
            Self::Sessions { .. } => "sessions",
            Self::Email { .. } => "email",
            Self::Delete { .. } => "delete",
            Self::Deleted {} => "deleted",
        }
    }

    /// Returns whether the page needs the script.
    pub(crate) const fn uses_passkeys(&self) -> bool {
        match self {
            Self::Passkey { options, .. } => options.is_some(),
            Self::Security(security) => security.signal.is_some(),
            _ => false,
        }
    }

    /// Returns the pages in every form that their templates distinguish.
    pub(crate) fn samples(text: &str) -> Vec<(String, Self, Option<FormError>)> {
        let mut samples = Vec::new();
        let mut add = |name: &str, page, error: Option<(ErrorText, &'static str)>| {
            samples.push((name.to_owned(), page, error.map(|(text, field)| FormError { text, field: Some(field) })));
        };
        let email = || text.to_owned();
        add("security", Self::Security(Security::sample(2, text)), None);
        add("security_one_app", Self::Security(Security::sample(1, text)), None);
        add("security_off", Self::Security(Security { has_password: false, ..Security::sample(0, text) }), None);
        let without = Security { passkeys: None, signal: None, second_factors: 1, ..Security::sample(1, text) };
        add("security_without_passkeys", Self::Security(without), None);
        let alone = Security { second_factors: 1, passkeys: Some(Key::samples(text)), ..Security::sample(0, text) };
        add("security_key_alone", Self::Security(alone), None);
        for has_password in [true, false] {
            let name = |page: &str| if has_password { page.to_owned() } else { format!("{page}_without_password") };
            add(&name("password"), Self::Password { has_password, email: email() }, None);
            add(&name("delete"), Self::Delete { email: email(), has_password }, None);
            let change =
                Self::Email { done: None, email: email(), is_verified: has_password, has_password, typed: None };
            add(&name("email"), change, None);
        }
        let wrong = Some((ErrorText::CurrentPassword, "current_password"));
        add("password_wrong", Self::Password { has_password: true, email: email() }, wrong);
        let typed = Some(email());
        let again = Self::Email { done: None, email: email(), is_verified: true, has_password: true, typed };
        add("email_again", again, Some((ErrorText::Email, "email")));
        add("authenticator", Self::Authenticator { name: None }, None);
        add("authenticator_name", Self::Authenticator { name: Some(email()) }, Some((ErrorText::Name, "name")));
        let setup = |app| Self::AuthenticatorSetup { id: "1".to_owned(), app };
        add("authenticator_setup", setup(Some(NewAuthenticator::sample(text))), None);
        add("authenticator_setup_wrong", setup(None), Some((ErrorText::WrongCode, "code")));
        let passkey = |name, second_factor| {
            let options = Some(PasskeyOptions::sample(text));
            Self::Passkey { name, second_factor, options }
        };
        add("passkey", passkey(None, false), None);
        add("passkey_second_factor", passkey(None, true), None);
        add("passkey_name", passkey(Some(email()), false), Some((ErrorText::Name, "name")));
        add("recovery_codes", Self::RecoveryCodes {}, None);
        let codes = || vec!["0000-1111-2222-3333".to_owned(), "AAAA-BBBB-CCCC-DDDD".to_owned()];
        add("new_recovery_codes", Self::NewRecoveryCodes { done: Some(Done::SecondStepOn), codes: codes() }, None);
        add("replaced_recovery_codes", Self::NewRecoveryCodes { done: None, codes: codes() }, None);
        add("identities", Self::Identities(Identities::sample(text)), None);
        let (done, identities, providers) = (None, Vec::new(), Vec::new());
        add("identities_none", Self::Identities(Identities { done, identities, providers }), None);
        add("sessions", Self::Sessions { done: None, sessions: Device::samples(text) }, None);
        let alone = Device::samples(text).into_iter().take(1).collect();
        add("sessions_alone", Self::Sessions { done: None, sessions: alone }, None);
        add("deleted", Self::Deleted {}, None);
        for done in Done::ALL {
            let security = Security { done: Some(done), ..Security::sample(0, text) };
            add(&format!("done_{done:?}").to_lowercase(), Self::Security(security), None);
        }
        samples
    }
}

impl Security {
    fn sample(apps: usize, text: &str) -> Self {
        let app = |(at, added): (usize, Ago)| App {
            id: at.to_string(),
            name: text.to_owned(),
            used: (at > 0).then(|| added.clone()),
            added,
        };
        let devices = if apps > 0 { Device::samples(text) } else { Vec::new() };
        let apps: Vec<_> = Ago::samples().enumerate().take(apps).map(app).collect();
        let keys = if apps.is_empty() { Vec::new() } else { Key::samples(text) };
        let (second_factors, signal) = (apps.len().saturating_add(keys.len() / 2), Some(Signal::sample(text)));
        let (done, codes_left, passkeys) = (None, "7".to_owned(), Some(keys));
        Self { done, has_password: true, passkeys, apps, second_factors, codes_left, devices, signal }
    }
}

impl Key {
    /// Returns a passkey that signs in, and one that is a second factor of another RP ID.
    fn samples(text: &str) -> Vec<Self> {
        let key = |(at, added): (usize, Ago)| Self {
            id: at.to_string(),
            name: text.to_owned(),
            used: (at > 0).then(|| added.clone()),
            added,
            synced: at == 0,
            second_factor: at > 0,
            usable: at == 0,
        };
        Ago::samples().enumerate().take(2).map(key).collect()
    }
}

impl Identities {
    fn sample(text: &str) -> Self {
        let identity = |(email, added): (Option<&str>, Ago)| Identity {
            id: "1".to_owned(),
            provider: text.to_owned(),
            email: email.map(str::to_owned),
            used: email.map(|_| added.clone()),
            added,
        };
        // Every unit of time is displayed once.
        let emails = [Some(text), None].into_iter().cycle().take(11);
        let identities = emails.zip(Ago::samples()).map(identity).collect();
        let providers = ["google", "corp"].map(|name| Provider { name: name.to_owned(), label: text.to_owned() });
        Self { done: None, identities, providers: providers.into() }
    }
}
