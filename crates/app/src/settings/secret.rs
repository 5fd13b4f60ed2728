//! What a signing secret must be: long enough, and none that has stood in a document.

use super::setting::Fault;
use secrecy::SecretString;

/// The shortest secret, in bytes (RFC 7518 §3.2, for HS256).
pub(super) const MIN_BYTES: usize = 32;

/// What people leave in a secret that they were told to replace: this project's own samples, and
/// the usual ones. In lower case, letters and digits alone.
const PLACEHOLDERS: [&str; 12] = [
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
];

/// Secrets that have been printed in books and tutorials, in the same form.
const PUBLISHED: [&str; 10] = [
    "secret",
    "secretkey",
    "mysecret",
    "mysecretkey",
    "supersecret",
    "supersecretkey",
    "jwtsecret",
    "password",
    // The tutorial of FastAPI.
    "09d25e094faa6ca2556c818166b7a9563b93f7099f6f0f4caa6cf63b88e8d3e7",
    // The debugger at jwt.io.
    "astringsecretatleast256bitslong",
];

/// Reads a secret as it stands: blanks belong to it. The caller judges its length.
pub(super) fn read(text: &str) -> Result<SecretString, Fault> {
    // python-jose takes a key from here. As a secret, its public half would let everybody sign.
    if text.contains("-----BEGIN ") {
        return Err(Fault("is a key in PEM, which PRIVATE_KEY_FILE would name"));
    }
    let plain: String = text.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect();
    let sample = PUBLISHED.contains(&plain.as_str()) || PLACEHOLDERS.iter().any(|p| plain.contains(p));
    if sample { Err(Fault("is a sample out of a document, which everybody knows")) } else { Ok(text.into()) }
}

#[cfg(test)]
mod tests {
    use super::*;

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
        ] {
            assert!(read(sample).is_err(), "{sample}");
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
        use secrecy::ExposeSecret;
        for own in ["dev-only", "Zx9 \u{fc} ${}#", "b2d8f1c06e0f4a7c9d3e5a1b7c9d0e2f4a6b8c0d1e2f3a4b5c6d7e8f90a1b2c3"] {
            assert_eq!(read(own).ok().unwrap().expose_secret(), own);
        }
    }
}
