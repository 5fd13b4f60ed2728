//! Key settings: the private key that signs tokens, and previous keys that only verify. The JWT adapter
//! validates keys.

use super::secret;
use super::setting::{self, InvalidValue, Setting, SettingsError};
use super::sources::Sources;
use super::tokens::{self, Tokens};
use super::value;
use super::warning::Warning;
use portcullis_jwt::{Algorithm, JwtIssuer, JwtVerifier, SigningKey, VerifyingKey};
use secrecy::ExposeSecret;
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
        previous.extend(read_previous_secrets(sources, tokens.algorithm, debug, warnings)?);
        let verifier = JwtVerifier::new(signing.verifying_key(), previous);
        Ok(Self { issuer: Arc::new(JwtIssuer::new(signing)), verifier: Arc::new(verifier) })
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

/// Reads the previous secrets, one per line, because a secret may contain any other character.
fn read_previous_secrets(
    sources: &Sources,
    current: Algorithm,
    debug: bool,
    warnings: &mut Vec<Warning>,
) -> Result<Vec<Arc<VerifyingKey>>, SettingsError> {
    let default = if current.is_symmetric() { current } else { Algorithm::Hs256 };
    let algorithm = sources.optional(&PREVIOUS_ALGORITHM, read_shared)?.unwrap_or(default);
    let secrets = sources.raw(&PREVIOUS_SECRETS, |text| {
        text.lines().filter(|line| !line.is_empty()).map(secret::read).collect::<Result<Vec<_>, _>>()
    })?;
    let mut keys = Vec::new();
    for secret in secrets.unwrap_or_default() {
        let bytes = secret.expose_secret().as_bytes();
        match bytes.len() {
            secret::MIN_BYTES.. => {}
            _ if debug => {
                let what = "SECRET_KEY_PREVIOUS has a secret shorter than 32 bytes, allowed only with DEBUG=true";
                warnings.push(what.into())
            }
            _ => return Err(PREVIOUS_SECRETS.invalid("has a secret that is shorter than 32 bytes")),
        }
        let key = VerifyingKey::of_secret(algorithm, bytes);
        keys.push(Arc::new(key.map_err(|error| bad_key(&PREVIOUS_SECRETS, "", error))?));
    }
    Ok(keys)
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
