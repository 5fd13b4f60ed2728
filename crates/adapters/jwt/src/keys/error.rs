//! Errors of keys.

/// Reason why a key cannot be used. Contains nothing of the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// The secret is empty. The cryptography library would accept it.
    #[error("the secret is empty")]
    Empty,
    /// Not PEM (RFC 7468), or several keys.
    #[error("it is not one key in PEM")]
    NotPem,
    /// The key is encrypted, and the service cannot prompt for a passphrase.
    #[error("the key is encrypted")]
    Encrypted,
    /// A public key where a private key is needed.
    #[error("the key is a public one, which signs nothing")]
    Public,
    /// A certificate, a certificate request or parameters.
    #[error("the PEM holds something else than a key")]
    NotAKey,
    /// A key for another algorithm.
    #[error("the key is of another kind than the algorithm needs")]
    WrongKind,
    /// An RSA key that is too short to be secure, or too long to be verified.
    #[error("the RSA key has fewer than 2048 or more than 8192 bits")]
    Size,
    /// A damaged key, or one that no supported algorithm uses, such as P-384.
    #[error("the key is damaged or neither RSA nor P-256 nor Ed25519")]
    Unusable,
    /// The library failed to generate a key.
    #[error("no key could be made")]
    GenerationFailed,
}
