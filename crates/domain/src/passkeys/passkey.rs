//! Passkeys as stored.

use super::{Aaguid, Algorithm, AuthenticatorFlags, CredentialId};
use crate::login::{Method, Methods};
use crate::mfa::FactorName;
use crate::public_id::public_id;
use crate::registration::UserId;
use crate::sessions::SessionId;
use chrono::{DateTime, Utc};

/// Maximum number of passkeys of an account.
pub const MAX_PASSKEYS: usize = 20;

public_id! {
    /// Id of a passkey, with 122 random bits.
    ///
    /// ```
    /// use portcullis_domain::passkeys::PasskeyId;
    /// let id = PasskeyId::from_random([0xab; 16]);
    /// assert_eq!(PasskeyId::parse(&id.to_string()), Some(id));
    /// assert_eq!(PasskeyId::parse("ab"), None);
    /// ```
    PasskeyId
}

/// Returns the name of a passkey whose owner gave it none.
#[must_use]
pub fn default_name() -> FactorName {
    FactorName::from_stored("Passkey".to_owned())
}

/// Passkey of an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Passkey {
    /// Public id.
    pub id: PasskeyId,
    /// Account.
    pub user_id: UserId,
    /// Id that the authenticator chose.
    pub credential_id: CredentialId,
    /// Public key, as the authenticator encoded it (COSE_Key, RFC 9052 §7).
    pub public_key: Vec<u8>,
    /// Algorithm of its signatures.
    pub algorithm: Algorithm,
    /// RP ID that it was made for.
    pub rp_id: String,
    /// Counter of signatures; 0 if the authenticator does not count.
    pub counter: u32,
    /// Flags of the last response.
    pub flags: AuthenticatorFlags,
    /// True if an authenticator offers it without being given its id.
    pub discoverable: bool,
    /// Model of the authenticator.
    pub aaguid: Aaguid,
    /// How browsers reach the authenticator, as they reported it (`usb`, `internal`, …): up to 8 names of up
    /// to 32 lower-case letters, digits and hyphens.
    pub transports: Vec<String>,
    /// Name given by the owner.
    pub name: FactorName,
    /// True if it is only a second factor.
    pub second_factor: bool,
    /// Session that set it up; `None` if that is unknown or was a sign-in. The first verification of the email
    /// address removes what the sessions of other browsers set up.
    pub set_up_by: Option<SessionId>,
    /// Creation time, in UTC.
    pub created_at: DateTime<Utc>,
    /// Time of the last sign-in, in UTC; `None` if never.
    pub last_used_at: Option<DateTime<Utc>>,
}

impl Passkey {
    /// Returns the methods that a signature with these flags proves: possession of the key, and the user's
    /// verification if there was one.
    #[must_use]
    pub const fn methods(flags: AuthenticatorFlags) -> Methods {
        let key = if flags.backup_eligible() { Method::SoftwareKey } else { Method::HardwareKey };
        let methods = Methods::none().with(key);
        if flags.user_verified() { methods.with(Method::UserVerified) } else { methods }
    }
}
