//! Rules for secrets that sign or encrypt: long enough, not published, not easy to guess.

use super::setting::{InvalidValue, Setting, SettingsError};
use super::sources::Sources;
use super::warning::Warning;
use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use secrecy::{ExposeSecret, SecretString};

/// Minimum length in bytes (RFC 7518 §3.2, for HS256).
pub(super) const MIN_BYTES: usize = 32;
/// Minimum number of distinct bytes; part of the public contract.
const MIN_DISTINCT: usize = 10;
/// Minimum number of bytes that do not continue a sequence or repeat an earlier part. A random key
/// of 32 hexadecimal digits has about 30.
const MIN_UNPREDICTABLE: usize = 20;

/// Typical placeholders that should have been replaced. Only lower-case letters and digits, like
/// [`plain`].
const PLACEHOLDERS: [&str; 20] = [
    "changeme",
    "changethis",
    "changeit",
    "changebefore",
    "changeinproduction",
    "replaceme",
    "replacethis",
    "replacewith",
    "yoursecret",
    "yoursupersecret",
    "yourrandomsecret",
    "your256bitsecret",
    "testsecret",
    "devsecret",
    "dummysecret",
    "examplesecret",
    "samplesecret",
    "insecuresecret",
    "djangoinsecure",
    "placeholder",
];

/// Secrets that are rejected only if they are the whole text, in the same form.
const COMMON: [&str; 8] =
    ["secret", "secretkey", "mysecret", "mysecretkey", "supersecret", "supersecretkey", "jwtsecret", "password"];

/// Secret-like texts from this repository, tutorials and standards, one per line. The tests in
/// `published_tests.rs` keep it complete.
const PUBLISHED: &str = include_str!("published.txt");

/// Runs of neighbors on keyboards and in the alphabet.
const SEQUENCES: [&str; 7] =
    ["01234567890", "abcdefghijklmnopqrstuvwxyz", "qwertyuiop", "asdfghjkl", "zxcvbnm", "qwertzuiop", "azertyuiop"];

/// Reads a setting that is a secret.
pub(super) fn read_one(
    sources: &Sources,
    setting: &Setting,
    debug: bool,
    warnings: &mut Vec<Warning>,
) -> Result<Option<SecretString>, SettingsError> {
    let secret = sources.raw(setting, read)?;
    if secret.as_ref().is_some_and(is_short) {
        if !debug {
            return Err(setting.invalid("is shorter than 32 bytes"));
        }
        let what = format!("{} is shorter than 32 bytes, which is allowed only with DEBUG=true", setting.name);
        warnings.push(Warning::new(what, Warning::STRONGER));
    }
    Ok(secret)
}

/// Reads a setting with a secret on each line, because a secret may contain any other character.
pub(super) fn read_lines(
    sources: &Sources,
    setting: &Setting,
    debug: bool,
    warnings: &mut Vec<Warning>,
) -> Result<Option<Vec<SecretString>>, SettingsError> {
    let lines = |text: &str| text.lines().filter(|line| !line.is_empty()).map(read).collect::<Result<Vec<_>, _>>();
    let secrets = sources.raw(setting, lines)?;
    for _ in secrets.iter().flatten().filter(|secret| is_short(secret)) {
        if !debug {
            return Err(setting.invalid("has a secret that is shorter than 32 bytes"));
        }
        let what = format!("{} has a secret shorter than 32 bytes, allowed only with DEBUG=true", setting.name);
        warnings.push(Warning::new(what, Warning::STRONGER));
    }
    Ok(secrets)
}

fn is_short(secret: &SecretString) -> bool {
    secret.expose_secret().len() < MIN_BYTES
}

/// Validates a secret. Spaces are part of it. The caller checks its length.
pub(super) fn read(text: &str) -> Result<SecretString, InvalidValue> {
    // python-jose accepts PEM keys here. Used as an HMAC secret, a public key would let anyone sign.
    if text.contains("-----BEGIN ") {
        return Err(InvalidValue("is a PEM key, whose file belongs in PRIVATE_KEY_FILE"));
    }
    if std::iter::once(text.to_owned()).chain(decoded(text)).any(|spelling| is_sample(&spelling)) {
        return Err(InvalidValue("is a sample from a published document"));
    }
    // A shorter secret is accepted only with DEBUG=true, with a warning.
    if text.len() >= MIN_BYTES {
        check_strength(text.as_bytes())?;
    }
    Ok(text.into())
}

fn is_sample(text: &str) -> bool {
    let plain = plain(text);
    let published = || PUBLISHED.lines().map(self::plain).any(|published| plain.contains(&published));
    COMMON.contains(&plain.as_str()) || PLACEHOLDERS.iter().any(|p| plain.contains(p)) || published()
}

/// Returns only the letters and digits, in lower case.
fn plain(text: &str) -> String {
    text.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect()
}

/// Decodes the text as hexadecimal and as Base64, to catch encoded samples such as a Kubernetes secret that
/// was pasted without decoding.
fn decoded(text: &str) -> impl Iterator<Item = String> {
    let text: String = text.chars().filter(|c| !c.is_whitespace() && *c != '=').collect();
    let base64 = STANDARD_NO_PAD.decode(text.replace('-', "+").replace('_', "/")).ok();
    let hex = hex::decode(text.get(..text.len() & !1).unwrap_or_default()).ok();
    [hex, base64].into_iter().flatten().filter_map(|bytes| String::from_utf8(bytes).ok())
}

fn check_strength(bytes: &[u8]) -> Result<(), InvalidValue> {
    if bytes.iter().collect::<std::collections::BTreeSet<_>>().len() < MIN_DISTINCT {
        return Err(InvalidValue("has fewer than 10 distinct bytes"));
    }
    if is_one_block_repeated(bytes) || unpredictable(&bytes.to_ascii_lowercase()) < MIN_UNPREDICTABLE {
        return Err(InvalidValue("is an obvious sequence or repetition"));
    }
    Ok(())
}

fn is_one_block_repeated(bytes: &[u8]) -> bool {
    (1..=bytes.len() / 2).any(|period| bytes.iter().skip(period).eq(bytes.iter().take(bytes.len() - period)))
}

/// Counts the bytes that neither continue a sequence (also of every second byte, as in `a1b2c3`) nor end
/// a repetition of three earlier bytes.
fn unpredictable(bytes: &[u8]) -> usize {
    let continues = |at: usize, step: usize| match (at.checked_sub(2 * step), at.checked_sub(step)) {
        (Some(first), Some(second)) => is_sequence([first, second, at].map(|at| bytes.get(at).copied())),
        _ => false,
    };
    let repeats = |at: usize| {
        let last = at.checked_sub(2).and_then(|start| bytes.get(start..=at));
        last.is_some_and(|last| bytes.windows(3).take(at - 2).any(|earlier| earlier == last))
    };
    (0..bytes.len()).filter(|&at| !continues(at, 1) && !continues(at, 2) && !repeats(at)).count()
}

fn is_sequence(bytes: [Option<u8>; 3]) -> bool {
    let [Some(first), Some(second), Some(third)] = bytes else { return false };
    let within = |part: [u8; 3]| SEQUENCES.iter().any(|sequence| sequence.as_bytes().windows(3).any(|w| w == part));
    (first == second && second == third) || within([first, second, third]) || within([third, second, first])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(text: &str) -> Option<&'static str> {
        read(text).err().map(|InvalidValue(fault)| fault)
    }

    fn is_refused_as_sample(text: &str) -> bool {
        fault(text).is_some_and(|fault| fault.starts_with("is a sample"))
    }

    #[test]
    fn samples_are_refused_however_long_they_were_made() {
        for sample in [
            "secret",
            "Secret-Key",
            "change-me",
            "CHANGE_ME_to_a_long_random_string_0123456789",
            "please-change-this-in-production-0123456789",
            "your-secret-key",
            "your-super-secret-key-which-is-long-enough",
            "replace-with-the-output-of-openssl-rand",
            "your-256-bit-secret",
            "a-string-secret-at-least-256-bits-long",
            "09d25e094faa6ca2556c818166b7a9563b93f7099f6f0f4caa6cf63b88e8d3e7",
            // The FastAPI application's tests.
            "test-secret-key-that-is-long-enough-0123456789",
        ] {
            assert!(is_refused_as_sample(sample), "{sample}");
        }
    }

    #[test]
    fn a_published_secret_is_refused_in_every_spelling() {
        let published = PUBLISHED.lines().find(|line| line.len() >= MIN_BYTES).unwrap();
        let hex = hex::encode(published);
        for spelling in [
            published.to_owned(),
            format!(" {published}\t"),
            published.to_ascii_uppercase(),
            format!("{published}-and-more"),
            format!("{}-{}", &published[..8], &published[8..]),
            hex.to_ascii_uppercase(),
            hex,
            STANDARD_NO_PAD.encode(published),
            format!("{}=\n", base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(published)),
        ] {
            assert!(is_refused_as_sample(&spelling), "{spelling}");
        }
    }

    #[test]
    fn few_distinct_bytes_are_refused() {
        for text in ["a".repeat(32), "0".repeat(64), "ab".repeat(16), "x7#Kq2!z".repeat(4), "ü".repeat(16)] {
            assert_eq!(fault(&text), Some("has fewer than 10 distinct bytes"), "{text}");
        }
    }

    #[test]
    fn sequences_and_repetitions_are_refused() {
        for text in [
            "12345678901234567890123456789012".to_owned(),
            "abcdefghijklmnopqrstuvwxyz012345".to_owned(),
            "ZYXWVUTSRQPONMLKJIHGFEDCBA9876543210".to_owned(),
            "0123456789abcdef0123456789abcdef".to_owned(),
            "fedcba9876543210fedcba9876543210".to_owned(),
            "qwertyuiopasdfghjklzxcvbnm1234567890".to_owned(),
            "1qaz2wsx3edc4rfv1qaz2wsx3edc4rfv".to_owned(),
            "a1b2c3d4e5f6a7b8c9d0e1f2a3b4c5d6".to_owned(),
            "k3J9x!qzR0-vB".repeat(3),
            "Passw0rd".repeat(3) + "12345678",
            "secret-key-0123456789 ".to_owned() + &" ".repeat(20),
        ] {
            assert_eq!(fault(&text), Some("is an obvious sequence or repetition"), "{text}");
        }
    }

    #[test]
    fn a_key_is_no_secret() {
        assert!(
            read("-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=").is_err()
        );
    }

    #[test]
    fn a_secret_of_ones_own_is_taken_as_it_is() {
        // In parts: texts that occur in this repository are rejected.
        let passphrase = ["mountain 47 lantern", "-WOBBLE; quick 9 tulips"].concat();
        for own in ["dev-only", "Zx9 \u{fc} ${}#", &passphrase] {
            assert_eq!(read(own).ok().unwrap().expose_secret(), own);
        }
    }

    #[test]
    fn random_keys_pass() {
        for _ in 0..1000 {
            let mut bytes = [0; 32];
            getrandom::fill(&mut bytes).unwrap();
            let hex = hex::encode(bytes);
            for key in [&hex, &STANDARD_NO_PAD.encode(bytes)] {
                assert_eq!(fault(key), None, "{key}");
            }
            // One in thousands of keys with 32 digits has fewer than 10 distinct ones.
            let short = fault(&hex[..32]);
            assert!(short.is_none_or(|fault| fault.starts_with("has fewer than 10")), "{hex}: {short:?}");
        }
    }
}
