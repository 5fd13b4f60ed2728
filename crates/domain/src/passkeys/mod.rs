//! Passkeys: WebAuthn credentials of an account, and the rules by which a response of a browser is judged
//! (W3C WebAuthn Level 3, <https://www.w3.org/TR/webauthn-3/>). An adapter parses responses and verifies
//! signatures.

mod challenge;
mod credential;
mod fault;
mod judgement;
mod origin;
mod passkey;
mod relying_party;
mod response;

pub use challenge::{ChallengeDigest, PasskeyChallenge, PasskeyPurpose};
pub use credential::{Aaguid, Algorithm, AuthenticatorFlags, CredentialId, UserHandle};
pub use fault::PasskeyFault;
pub use origin::OriginError;
pub use passkey::{MAX_PASSKEYS, Passkey, PasskeyId, default_name};
pub use relying_party::{RelyingParty, RelyingPartyError};
pub use response::{Assertion, AuthenticatorData, ClientData, Registration};
