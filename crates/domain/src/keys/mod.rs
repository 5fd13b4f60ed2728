//! Public keys, for clients that verify tokens.

/// Public key (RFC 7517) with the key id used in tokens.
///
/// ```
/// use portcullis_domain::keys::{PublicKey, PublicKeyParams};
/// // RFC 8037, appendix A.
/// let params = PublicKeyParams::Ed25519 { x: "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo".to_owned() };
/// let key = PublicKey { id: "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k".to_owned(), params };
/// assert_eq!(key.params.algorithm(), "EdDSA");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicKey {
    /// Key id, the `kid` of its tokens: SHA-256 thumbprint (RFC 7638) in base64url.
    pub id: String,
    /// Key parameters.
    pub params: PublicKeyParams,
}

/// Parameters of a public key, in base64url without padding (RFC 7518 §6, RFC 8037 §2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PublicKeyParams {
    /// RSA key of at least 2048 bits.
    Rsa {
        /// Modulus.
        n: String,
        /// Exponent.
        e: String,
    },
    /// Point on the curve P-256.
    P256 {
        /// X coordinate.
        x: String,
        /// Y coordinate.
        y: String,
    },
    /// Ed25519 key.
    Ed25519 {
        /// Public key.
        x: String,
    },
}

impl PublicKeyParams {
    /// Returns the only signature algorithm used with keys of this kind, by its registered name (RFC
    /// 7518 §3.1, RFC 8037 §3.1).
    #[must_use]
    pub const fn algorithm(&self) -> &'static str {
        match self {
            Self::Rsa { .. } => "RS256",
            Self::P256 { .. } => "ES256",
            Self::Ed25519 { .. } => "EdDSA",
        }
    }
}
