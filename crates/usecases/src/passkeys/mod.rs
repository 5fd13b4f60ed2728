//! Passkeys (WebAuthn): a user's own, sign-in with them, and what other use cases need to accept them.

mod add;
mod ceremonies;
mod challenges;
mod error;
mod list;
mod log_in;
mod options;
mod prepare;
mod remove;
mod rename;

pub use add::{AddPasskey, PasskeyAdded, PasskeyRegistration};
pub use ceremonies::PasskeyCeremonies;
pub(crate) use ceremonies::{VerifiedPasskey, VerifyPasskeyError, report};
pub use challenges::PasskeyChallenges;
pub use error::{PasskeyConflict, PasskeyError, PasskeyReason, PasskeysOff};
pub use list::{ListPasskeys, ListedPasskey, PasskeysListed};
pub use log_in::{LogInWithPasskey, PasskeyLogIn, PasskeyLogInError, PasskeyLogInReason};
pub use options::{CreationOptions, CredentialDescriptor, RequestOptions};
pub use prepare::PreparePasskey;
pub use remove::RemovePasskey;
pub use rename::RenamePasskey;
