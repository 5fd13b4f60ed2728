//! Codes of authenticator apps.

use portcullis_domain::mfa::{TimeStep, TotpCode, TotpSecret};

/// Computes the codes of authenticator apps: HOTP (RFC 4226) with HMAC-SHA-1 over a time step (RFC 6238).
/// [`matching_step`](portcullis_domain::mfa::matching_step) decides which steps are accepted.
///
/// ```
/// use portcullis_domain::mfa::{TimeStep, TotpCode, TotpSecret, matching_step};
/// use portcullis_ports::TotpGenerator;
/// fn first_step(generator: &dyn TotpGenerator, secret: &TotpSecret, code: TotpCode) -> Option<TimeStep> {
///     matching_step(code, chrono::DateTime::UNIX_EPOCH, None, |step| generator.code(secret, step))
/// }
/// ```
pub trait TotpGenerator: Send + Sync {
    /// Returns the code of a time step.
    fn code(&self, secret: &TotpSecret, step: TimeStep) -> TotpCode;
}
