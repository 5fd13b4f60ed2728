//! The configuration: one file per section, each read from [`Sources`] into a type that can hold only
//! valid values. Reading stops at the first invalid setting with a one-line error that names it and never
//! contains a secret.

mod cookies;
mod cors;
mod database;
mod dotenv;
mod encryption;
mod family;
mod files;
mod host;
mod interpolation;
mod keys;
mod limits;
mod logging;
mod mail;
mod metrics;
mod mfa;
mod misspelt;
mod pages;
mod passkeys;
mod passwords;
mod print;
mod providers;
mod secret;
mod server;
mod setting;
mod sources;
mod tokens;
mod toml;
mod traces;
mod value;
mod warning;

pub(crate) use cookies::Cookies;
pub(crate) use database::Database;
pub(crate) use encryption::Encryption;
pub(crate) use host::is_loopback;
pub(crate) use keys::Keys;
pub(crate) use limits::Limits;
pub(crate) use logging::{Format, Level, Logging};
pub(crate) use mail::Mail;
pub(crate) use metrics::Metrics;
pub(crate) use mfa::Mfa;
pub(crate) use pages::Pages;
pub(crate) use passkeys::Passkeys;
pub(crate) use passwords::Passwords;
pub(crate) use print::printed;
pub use print::render;
pub(crate) use providers::{Credential, Provider, Providers};
pub use server::Server;
pub use setting::SettingsError;
pub use sources::Sources;
pub(crate) use tokens::Tokens;
pub(crate) use traces::Traces;
pub(crate) use warning::Warning;

use portcullis_domain::sessions::SessionPolicy;
use portcullis_minijinja::MinijinjaRenderer;
use setting::Setting;
use std::ops::Deref;

/// All settings, in the order of `config print`.
const SETTINGS: [&[Setting]; 16] = [
    &database::SETTINGS,
    &tokens::SETTINGS,
    &keys::SETTINGS,
    &encryption::SETTINGS,
    &passwords::SETTINGS,
    &mfa::SETTINGS,
    &passkeys::SETTINGS,
    &limits::SETTINGS,
    &mail::SETTINGS,
    &server::SETTINGS,
    &cookies::SETTINGS,
    &pages::SETTINGS,
    &logging::SETTINGS,
    &metrics::SETTINGS,
    &traces::SETTINGS,
    &providers::SETTINGS,
];

/// The whole configuration. Its `Debug` output contains no secret.
#[derive(Debug)]
pub struct Settings {
    pub(crate) tokens: Tokens,
    pub(crate) keys: Keys,
    pub(crate) encryption: Encryption,
    others: WithoutKeys,
}

/// The configuration without the secrets and keys that sign tokens or encrypt, for commands that only need the
/// database.
#[derive(Debug)]
pub struct WithoutKeys {
    pub(crate) database: Database,
    pub(crate) sessions: SessionPolicy,
    pub(crate) passwords: Passwords,
    pub(crate) mfa: Mfa,
    pub(crate) passkeys: Passkeys,
    pub(crate) limits: Limits,
    pub(crate) mail: Mail,
    /// Server settings.
    pub server: Server,
    pub(crate) cookies: Cookies,
    pub(crate) pages: Pages,
    pub(crate) logging: Logging,
    pub(crate) metrics: Metrics,
    pub(crate) traces: Traces,
    pub(crate) providers: Providers,
    /// Weak settings, logged at the start and reported by `doctor`.
    pub(crate) warnings: Vec<Warning>,
}

impl Deref for Settings {
    type Target = WithoutKeys;

    fn deref(&self) -> &WithoutKeys {
        &self.others
    }
}

impl WithoutKeys {
    /// Reads and validates every section except tokens, keys and encryption.
    ///
    /// # Errors
    /// The first missing or invalid setting.
    pub(crate) fn read(sources: &Sources) -> Result<Self, SettingsError> {
        let mut warnings = sources.exposed_secrets();
        warnings.extend(sources.misspelt());
        warnings.extend(sources.unlisted());
        let server = Server::read(sources)?;
        let mail = Mail::read(sources, &server, &mut warnings)?;
        Ok(Self {
            database: Database::read(sources, &mut warnings)?,
            sessions: tokens::read_sessions(sources)?,
            passwords: Passwords::read(sources, server.debug, &mut warnings)?,
            mfa: Mfa::read(sources)?,
            limits: Limits::read(sources, &mut warnings)?,
            cookies: Cookies::read(sources, &mail, &mut warnings)?,
            passkeys: Passkeys::read(sources, &mail, &mut warnings)?,
            mail,
            pages: Pages::read(sources)?,
            logging: Logging::read(sources, server.debug)?,
            metrics: Metrics::read(sources)?,
            traces: Traces::read(sources, &mut warnings)?,
            providers: Providers::read(sources, &mut warnings)?,
            server,
            warnings,
        })
    }

    /// Creates the renderer of emails and pages, and checks every template.
    ///
    /// # Errors
    /// If one of the operator's templates is invalid.
    pub(crate) fn renderer(&self) -> Result<MinijinjaRenderer, SettingsError> {
        self.mail.renderer(&self.server.app_name, &self.passwords.policy)
    }
}

impl Settings {
    /// Reads and validates every section.
    ///
    /// # Errors
    /// The first missing or invalid setting.
    pub fn read(sources: &Sources) -> Result<Self, SettingsError> {
        let mut others = WithoutKeys::read(sources)?;
        let (debug, warnings) = (others.server.debug, &mut others.warnings);
        let tokens = Tokens::read(sources, debug, warnings)?;
        let keys = Keys::read(sources, &tokens, debug, warnings)?;
        let encryption = Encryption::read(sources, &tokens, &keys, debug, warnings)?;
        Ok(Self { tokens, keys, encryption, others })
    }

    /// Replaces port 0 by the bound port, and updates the links in emails and the origin of passkeys.
    ///
    /// # Errors
    /// If these sections cannot be read again.
    pub(crate) fn listen_on(&mut self, port: u16, sources: &Sources) -> Result<(), SettingsError> {
        let others = &mut self.others;
        if others.server.port != port {
            others.server.port = port;
            others.mail = Mail::read(sources, &others.server, &mut Vec::new())?;
            others.passkeys = Passkeys::read(sources, &others.mail, &mut Vec::new())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod bounds_tests;
#[cfg(test)]
mod page_tests;
#[cfg(test)]
mod published_tests;
#[cfg(test)]
mod tests;
