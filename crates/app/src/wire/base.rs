//! The dependencies that use cases share, created once.

use crate::settings::{Encryption, Settings, SettingsError, WithoutKeys};
use anyhow::Context;
use portcullis_aws_lc::AesGcmSealer;
use portcullis_domain::login::{EntryPolicy, StepUpPolicy};
use portcullis_domain::sessions::SessionPolicy;
use portcullis_hmac::HmacSigner;
use portcullis_minijinja::MinijinjaRenderer;
use portcullis_ports::{
    Clock, Entropy, OutboxNotifier, PasskeyVerifier, PasswordBlocklist, PasswordHasher, Sealer, SecondFactorObserver,
    Store, TokenIssuer, TokenVerifier, TotpGenerator,
};
use portcullis_usecases::limits::{DeviceCookies, Guesses, Limits};
use portcullis_usecases::login::{Gate, Reauthentication};
use portcullis_usecases::mail::Outbox;
use portcullis_usecases::mfa::{SecondFactor, StepUp};
use portcullis_usecases::passkeys::{PasskeyCeremonies, PasskeyChallenges};
use portcullis_usecases::registration::PasswordScreening;
use portcullis_usecases::sessions::BeginSession;
use portcullis_usecases::tokens::TokenFactory;
use portcullis_usecases::verification::OneTimeTokens;
use portcullis_zxcvbn::CommonPasswords;
use secrecy::{ExposeSecret, SecretString};
use std::sync::Arc;

/// Implementations of the ports.
pub struct Adapters {
    /// The database.
    pub store: Arc<dyn Store>,
    /// Hashes passwords.
    pub hasher: Arc<dyn PasswordHasher>,
    /// Signs tokens.
    pub issuer: Arc<dyn TokenIssuer>,
    /// Verifies tokens.
    pub verifier: Arc<dyn TokenVerifier>,
    /// Encrypts stored secrets.
    pub sealer: Arc<dyn Sealer>,
    /// Computes the codes of authenticator apps.
    pub totp: Arc<dyn TotpGenerator>,
    /// Parses and verifies responses of passkeys.
    pub passkeys: Arc<dyn PasskeyVerifier>,
    /// Notified of attempts at second factors.
    pub second_factors: Arc<dyn SecondFactorObserver>,
    /// Rate limits.
    pub limits: Arc<Limits>,
    /// Notified of new emails.
    pub outbox: Arc<dyn OutboxNotifier>,
    /// Random source.
    pub entropy: Arc<dyn Entropy>,
    /// Clock.
    pub clock: Arc<dyn Clock>,
}

/// Dependencies of the use cases.
#[derive(Clone)]
pub struct Base {
    pub(super) store: Arc<dyn Store>,
    pub(super) hasher: Arc<dyn PasswordHasher>,
    pub(super) screening: Arc<PasswordScreening>,
    pub(super) issuance: Arc<TokenFactory>,
    pub(super) verifier: Arc<dyn TokenVerifier>,
    pub(super) sealer: Arc<dyn Sealer>,
    pub(super) second_factor: Arc<SecondFactor>,
    pub(super) gate: Arc<Gate>,
    pub(super) ceremonies: Arc<PasskeyCeremonies>,
    pub(super) limits: Arc<Limits>,
    pub(super) devices: Arc<DeviceCookies>,
    pub(super) guesses: Arc<Guesses>,
    pub(super) reauthentication: Arc<Reauthentication>,
    pub(super) outbox: Arc<Outbox>,
    pub(super) renderer: Arc<MinijinjaRenderer>,
    pub(super) sessions: SessionPolicy,
    pub(super) clock: Arc<dyn Clock>,
}

impl Base {
    /// Creates the dependencies from the settings and the adapters.
    ///
    /// # Errors
    /// If one of the operator's templates is invalid.
    pub fn new(settings: &Settings, adapters: Adapters) -> Result<Self, SettingsError> {
        let Adapters { store, hasher, issuer, verifier, sealer, totp, passkeys, limits, entropy, clock, .. } = adapters;
        let authenticator = signer(settings, "portcullis devices");
        let devices = Arc::new(DeviceCookies { authenticator, entropy: entropy.clone(), clock: clock.clone() });
        let guesses = Arc::new(Guesses { limits: limits.clone(), devices: devices.clone(), store: store.clone() });
        let ceremonies = ceremonies(settings, passkeys, (&entropy, &clock));
        let reauthentication = Arc::new(Reauthentication {
            store: store.clone(),
            hasher: hasher.clone(),
            guesses: guesses.clone(),
            devices: devices.clone(),
            step_up: step_up(settings, &ceremonies, &clock),
        });
        let outbox = outbox(settings, entropy.clone(), adapters.outbox);
        let lifetimes = settings.tokens.lifetimes;
        let issuance = Arc::new(TokenFactory { issuer, entropy: entropy.clone(), lifetimes });
        let beginning = BeginSession {
            store: store.clone(),
            issuance: issuance.clone(),
            sessions: settings.sessions,
            devices: devices.clone(),
            outbox: outbox.clone(),
            always_claims: settings.mfa.claims_always,
            clock: clock.clone(),
        };
        let second_factor = SecondFactor {
            store: store.clone(),
            sealer: sealer.clone(),
            totp,
            passkeys: ceremonies.clone(),
            observer: adapters.second_factors,
            limits: limits.clone(),
            devices: devices.clone(),
            outbox: outbox.clone(),
            entropy,
            trust_for: settings.mfa.trust,
            clock: clock.clone(),
        };
        let (screening, renderer) = (screening(settings), Arc::new(settings.renderer()?));
        Ok(Self {
            store,
            hasher,
            screening,
            issuance,
            verifier,
            sealer,
            second_factor: Arc::new(second_factor),
            gate: Arc::new(Gate { policy: entry_policy(settings), beginning, passkeys: ceremonies.clone() }),
            ceremonies,
            limits,
            devices,
            guesses,
            reauthentication,
            outbox,
            renderer,
            sessions: settings.sessions,
            clock,
        })
    }
}

/// Derives a separate key for a purpose from `SECRET_KEY`, and those that only verify from
/// `SECRET_KEY_PREVIOUS`.
pub(super) fn signer(settings: &Settings, purpose: &str) -> Arc<HmacSigner> {
    let derive = |secret: &SecretString| HmacSigner::derive(secret.expose_secret().as_bytes(), purpose);
    let oldest_first = settings.keys.previous_secrets.iter().rev().chain([&settings.tokens.secret]);
    let signer = oldest_first.map(derive).reduce(|previous, signer| signer.with_previous(previous));
    Arc::new(signer.unwrap_or_else(|| derive(&settings.tokens.secret)))
}

/// Creates the encryption of stored secrets.
pub(crate) fn sealer(encryption: &Encryption) -> anyhow::Result<Arc<dyn Sealer>> {
    let previous = encryption.previous.iter().map(ExposeSecret::expose_secret);
    let sealer = AesGcmSealer::new(encryption.current.expose_secret(), previous);
    Ok(Arc::new(sealer.context("cannot derive the encryption keys")?))
}

/// Creates the outbox.
pub(crate) fn outbox(settings: &Settings, entropy: Arc<dyn Entropy>, observer: Arc<dyn OutboxNotifier>) -> Arc<Outbox> {
    let authenticator = signer(settings, "portcullis one-time tokens");
    let tokens = Arc::new(OneTimeTokens { authenticator, entropy });
    Arc::new(Outbox { tokens, notices: settings.mail.notices.clone(), observer })
}

/// Creates the checks for new passwords.
pub(crate) fn screening(settings: &WithoutKeys) -> Arc<PasswordScreening> {
    let common = settings.passwords.blocklist.then(|| -> Arc<dyn PasswordBlocklist> { Arc::new(CommonPasswords) });
    Arc::new(PasswordScreening { blocklist: common, product: settings.server.app_name.clone() })
}

fn entry_policy(settings: &Settings) -> EntryPolicy {
    EntryPolicy {
        verified_email: settings.mail.require_verified,
        second_factor: settings.mfa.is_required,
        trusted_devices: settings.mfa.trust.is_some(),
    }
}

fn ceremonies(
    settings: &Settings,
    verifier: Arc<dyn PasskeyVerifier>,
    (entropy, clock): (&Arc<dyn Entropy>, &Arc<dyn Clock>),
) -> Arc<PasskeyCeremonies> {
    let signer = signer(settings, "portcullis passkey challenges");
    let challenges = PasskeyChallenges { signer, entropy: entropy.clone(), clock: clock.clone() };
    Arc::new(PasskeyCeremonies { party: settings.passkeys.party.clone(), verifier, challenges })
}

fn step_up(settings: &Settings, passkeys: &Arc<PasskeyCeremonies>, clock: &Arc<dyn Clock>) -> Arc<StepUp> {
    let policy = StepUpPolicy { max_age: settings.mfa.step_up_age };
    Arc::new(StepUp { policy, passkeys: passkeys.clone(), clock: clock.clone() })
}
