//! Second factors of an account: authenticator apps (TOTP), recovery codes, and the devices that need no
//! second factor for a while.

mod factor;
mod ids;
mod recovery_code;
mod totp;
mod trusted_device;

pub use factor::{FactorName, MAX_TOTP_FACTORS, PENDING_FACTOR_LIFETIME, SealedSecret, TotpFactor, sealing_context};
pub use ids::{FactorId, TrustedDeviceId};
pub use recovery_code::{RECOVERY_CODE_COUNT, RecoveryCode, RecoveryCodeDigest};
pub use totp::{TimeStep, TotpCode, TotpSecret, matching_step, otpauth_uri};
pub use trusted_device::{MAX_TRUSTED_DEVICES, TrustedDevice};
