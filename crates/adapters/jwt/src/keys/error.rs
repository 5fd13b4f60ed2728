//! What can be wrong with a key.

/// A key that nothing may be signed or verified with. Holds nothing of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// No secret at all, which the library would take.
    #[error("the secret is empty")]
    Empty,
    /// No PEM (RFC 7468), or several keys in one.
    #[error("it is not one key in PEM")]
    NotPem,
    /// A key under a passphrase, which nobody is there to type.
    #[error("the key is encrypted")]
    Encrypted,
    /// A public key where a private one is needed.
    #[error("the key is a public one, which signs nothing")]
    Public,
    /// A certificate, a request for one, or parameters.
    #[error("the PEM holds something else than a key")]
    NotAKey,
    /// A key for another algorithm.
    #[error("the key is of another kind than the algorithm needs")]
    WrongKind,
    /// An RSA key that is too short to last, or longer than is verified.
    #[error("the RSA key has fewer than 2048 or more than 8192 bits")]
    Size,
    /// A key whose kind no algorithm here uses, such as one on P-384, or a damaged one.
    #[error("the key is damaged or neither RSA nor P-256 nor Ed25519")]
    Unusable,
    /// The library could make no key.
    #[error("no key could be made")]
    GenerationFailed,
}
