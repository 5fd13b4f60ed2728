//! Second factors: authenticator apps, recovery codes and trusted devices.

mod challenge;
mod code;
mod confirm;
mod devices;
mod enable;
mod enrol;
mod error;
mod overview;
mod reauthenticate;
mod recovery_codes;
mod remove;
mod rename;
mod reset;
mod second_factor;
mod step_up;
mod verify;

pub use challenge::{Challenge, Challenges, Enrollee, Factors};
pub use code::{FactorCode, PresentedFactor};
pub use confirm::{ConfirmTotp, TotpConfirmation, TotpConfirmed};
pub use devices::{OwnDevice, TrustedDevices};
pub use enable::Enabled;
pub use enrol::{EnrolTotp, TotpEnrolled, TotpEnrolment};
pub use error::{FactorConflict, MfaError, MfaReason};
pub use overview::{FactorOverview, ListFactors};
pub use reauthenticate::{
    NewAccessToken, Reauthenticate, ReauthenticateError, ReauthenticateReason, ReauthenticationInput,
    ReauthenticationProof,
};
pub use recovery_codes::RenewRecoveryCodes;
pub use remove::RemoveTotp;
pub(crate) use remove::{complete_removal, remove_factors};
pub use rename::RenameTotp;
pub use reset::{MfaReset, ResetMfa};
pub use second_factor::SecondFactor;
pub(crate) use second_factor::{Proof, password_and};
pub use step_up::{PrepareReauthentication, ReauthenticationMethods, ReauthenticationOptions, StepUp, StepUpRequired};
pub use verify::{SecondFactorVerification, VerifySecondFactor, VerifySecondFactorError, VerifySecondFactorReason};
