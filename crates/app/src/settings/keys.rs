//! Key settings: the private key that signs tokens, and previous keys that only verify. The JWT adapter
//! validates keys.

use super::secret;
use super::setting::{self, InvalidValue, Setting, SettingsError};
use super::sources::Sources;
use super::tokens::{self, Tokens};
use super::value;
use super::warning::Warning;
use portcullis_jwt::{Algorithm, JwtIssuer, JwtVerifier, SigningKey, VerifyingKey};
use secrecy::{ExposeSecret, SecretString};
use std::path::Path;
use std::sync::Arc;

const PRIVATE_KEY: Setting = Setting::new(
    "PRIVATE_KEY_FILE",
    None,
    "the path of a PEM file with an unencrypted private key: RSA of 2048 to 8192 bits for RS256, \
               P-256 for ES256, Ed25519 for EdDSA",
);
const PREVIOUS_SECRETS: Setting =
    Setting::new("SECRET_KEY_PREVIOUS", None, "previous values of SECRET_KEY, one per line, each of at least 32 bytes")
        .shown_by(setting::secret);
const PREVIOUS_ALGORITHM: Setting = Setting::new(
    "SECRET_KEY_PREVIOUS_ALGORITHM",
    None,
    "HS256, HS384, HS512; if not set, ALGORITHM, or HS256 if ALGORITHM needs a private key",
);
const PREVIOUS_KEYS: Setting = Setting::new(
    "PREVIOUS_KEY_FILES",
    None,
    "comma-separated paths of PEM files, each with a public or private key: RSA of 2048 to 8192 bits, \
               P-256 or Ed25519",
);

pub(super) const SETTINGS: [Setting; 4] = [PRIVATE_KEY, PREVIOUS_KEYS, PREVIOUS_SECRETS, PREVIOUS_ALGORITHM];

/// Token issuer and token verifier.
#[derive(Debug)]
pub(crate) struct Keys {
    pub(crate) issuer: Arc<JwtIssuer>,
    pub(crate) verifier: Arc<JwtVerifier>,
    /// Previous values of `SECRET_KEY`.
    pub(crate) previous_secrets: Vec<SecretString>,
}

impl Keys {
    pub(super) fn read(
        sources: &Sources,
        tokens: &Tokens,
        debug: bool,
        warnings: &mut Vec<Warning>,
    ) -> Result<Self, SettingsError> {
        let private = sources.optional(&PRIVATE_KEY, value::path)?;
        let signing = match (tokens.algorithm.is_symmetric(), private) {
            (true, private) => {
                if private.is_some() {
                    let what = "PRIVATE_KEY_FILE is set, but ALGORITHM does not use it";
                    warnings.push(Warning::new(what, "set ALGORITHM to RS256, ES256 or EdDSA, or unset it"));
                }
                let secret = tokens.secret.expose_secret().as_bytes();
                SigningKey::of_secret(tokens.algorithm, secret).map_err(|error| bad_key(&PRIVATE_KEY, "", error))?
            }
            (false, Some(path)) => read_private(sources, tokens.algorithm, &path, warnings)?,
            (false, None) => return Err(PRIVATE_KEY.invalid("is missing, but ALGORITHM needs it")),
        };
        let mut previous = read_previous_keys(sources)?;
        let previous_secrets = secret::read_lines(sources, &PREVIOUS_SECRETS, debug, warnings)?.unwrap_or_default();
        previous.extend(keys_of(&previous_secrets, sources, tokens.algorithm)?);
        let verifier = JwtVerifier::new(signing.verifying_key(), previous);
        Ok(Self { issuer: Arc::new(JwtIssuer::new(signing)), verifier: Arc::new(verifier), previous_secrets })
    }
}

fn read_private(
    sources: &Sources,
    algorithm: Algorithm,
    path: &Path,
    warnings: &mut Vec<Warning>,
) -> Result<SigningKey, SettingsError> {
    let file = sources.file(path).map_err(|error| unreadable(&PRIVATE_KEY, "", error))?;
    if file.world_readable {
        let what = "PRIVATE_KEY_FILE names a file that every user of this machine can read";
        warnings.push(Warning::new(what, Warning::CHMOD));
    }
    SigningKey::of_pem(algorithm, &file.text).map_err(|error| bad_key(&PRIVATE_KEY, "", error))
}

fn read_previous_keys(sources: &Sources) -> Result<Vec<Arc<VerifyingKey>>, SettingsError> {
    let paths =
        sources.optional(&PREVIOUS_KEYS, |text| text.split(',').map(|path| value::path(path.trim())).collect())?;
    let paths: Vec<_> = paths.unwrap_or_default();
    let read = |(number, path): (usize, _)| {
        let which = format!("entry {} ", number + 1);
        let file = sources.file(path).map_err(|error| unreadable(&PREVIOUS_KEYS, &which, error))?;
        let key = VerifyingKey::of_pem(&file.text).map_err(|error| bad_key(&PREVIOUS_KEYS, &which, error))?;
        Ok(Arc::new(key))
    };
    paths.iter().map(std::path::PathBuf::as_path).enumerate().map(read).collect()
}

/// Creates the verifying keys of the previous secrets.
fn keys_of(
    secrets: &[SecretString],
    sources: &Sources,
    current: Algorithm,
) -> Result<Vec<Arc<VerifyingKey>>, SettingsError> {
    let default = if current.is_symmetric() { current } else { Algorithm::Hs256 };
    let algorithm = sources.optional(&PREVIOUS_ALGORITHM, read_shared)?.unwrap_or(default);
    let key = |secret: &SecretString| VerifyingKey::of_secret(algorithm, secret.expose_secret().as_bytes());
    let keys = secrets.iter().map(|secret| key(secret).map(Arc::new));
    keys.map(|key| key.map_err(|error| bad_key(&PREVIOUS_SECRETS, "", error))).collect()
}

fn read_shared(text: &str) -> Result<Algorithm, InvalidValue> {
    tokens::read_algorithm(text)
        .ok()
        .filter(|algorithm| algorithm.is_symmetric())
        .ok_or(InvalidValue("is not an algorithm that signs with a secret"))
}

fn unreadable(setting: &Setting, which: &str, error: std::io::ErrorKind) -> SettingsError {
    setting.invalid(format!("{which}names a file that cannot be read ({error})"))
}

/// The adapter's error contains no part of the key.
fn bad_key(setting: &Setting, which: &str, error: portcullis_jwt::KeyError) -> SettingsError {
    setting.invalid(format!("{which}names a key that cannot be used: {error}"))
}
