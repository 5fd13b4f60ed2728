//! The public halves of the keys that tokens are signed with, as whoever verifies tokens needs
//! them. Making keys, signing and verifying are left to an adapter.

/// A public key (RFC 7517), by the name that tokens give for it.
///
/// ```
/// use portcullis_domain::keys::{PublicKey, PublicKeyParams};
/// // RFC 8037, appendix A.
/// let numbers = PublicKeyParams::Ed25519 { x: "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo".to_owned() };
/// let key = PublicKey { id: "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k".to_owned(), numbers };
/// assert_eq!(key.numbers.algorithm(), "EdDSA");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicKey {
    /// The `kid` of the tokens it verifies: its thumbprint (RFC 7638) by SHA-256, in base64url.
    pub id: String,
    /// The key itself.
    pub params: PublicKeyParams,
}

/// What a public key is made of, as base64url without padding (RFC 7518 §6, RFC 8037 §2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PublicKeyParams {
    /// An RSA key of 2048 bits or more.
    Rsa {
        /// The modulus.
        n: String,
        /// The exponent.
        e: String,
    },
    /// A point on the curve P-256.
    P256 {
        /// The first coordinate.
        x: String,
        /// The second coordinate.
        y: String,
    },
    /// A key of Ed25519.
    Ed25519 {
        /// The key.
        x: String,
    },
}

impl PublicKeyParams {
    /// The one algorithm that a key of this kind is for here, by its registered name
    /// (RFC 7518 §3.1, RFC 8037 §3.1).
    #[must_use]
    pub const fn algorithm(&self) -> &'static str {
        match self {
            Self::Rsa { .. } => "RS256",
            Self::P256 { .. } => "ES256",
            Self::Ed25519 { .. } => "EdDSA",
        }
    }
}
