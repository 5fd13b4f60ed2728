//! Begins the enrolment of an authenticator app. The app protects nothing until a code confirms it.

use super::{Challenges, Enrollee, FactorConflict, MfaError, MfaReason, StepUp};
use crate::LOG;
use crate::failure::DependencyError;
use chrono::{DateTime, SubsecRound, Utc};
use portcullis_domain::mfa::{
    FactorId, FactorName, MAX_TOTP_FACTORS, PENDING_FACTOR_LIFETIME, SealedSecret, TotpFactor, TotpSecret, otpauth_uri,
    sealing_context,
};
use portcullis_ports::{Clock, Entropy, EntropyExt, Sealer, StoreExt};
use std::fmt;
use std::sync::Arc;

/// Input of an enrolment.
#[derive(Debug)]
pub struct TotpEnrolment {
    /// Who enrols.
    pub enrollee: Enrollee,
    /// Name of the factor.
    pub name: FactorName,
}

/// A pending factor and its secret, which is not returned again. Redacted in `Debug`.
pub struct TotpEnrolled {
    /// Id of the factor.
    pub id: FactorId,
    /// The secret.
    pub secret: TotpSecret,
    /// The secret for authenticator apps, as an `otpauth` URI.
    pub uri: String,
    /// Time until which it can be confirmed, in UTC.
    pub expires_at: DateTime<Utc>,
}

impl fmt::Debug for TotpEnrolled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TotpEnrolled(…)")
    }
}

/// Begins the enrolment of an authenticator app.
pub struct EnrolTotp {
    /// Reads challenges.
    pub challenges: Arc<Challenges>,
    /// Requires recent authentication of a session.
    pub step_up: Arc<StepUp>,
    /// Encrypts the secret.
    pub sealer: Arc<dyn Sealer>,
    /// Random bytes for the secret.
    pub entropy: Arc<dyn Entropy>,
    /// Name of the service in authenticator apps.
    pub product: String,
    /// Clock.
    pub clock: Arc<dyn Clock>,
}

impl EnrolTotp {
    /// Stores a pending factor, in place of an earlier pending one.
    ///
    /// # Errors
    /// Returns [`MfaReason::StepUp`] if a session was not authenticated recently, and
    /// [`MfaReason::Conflict`] if the account has [`MAX_TOTP_FACTORS`] confirmed factors.
    pub fn run(&self, input: TotpEnrolment) -> Result<TotpEnrolled, MfaError> {
        let user = &self.challenges.enrolling(&input.enrollee)?.user;
        let now = self.clock.now().trunc_subsecs(6);
        let (id, secret) = (FactorId::from_random(self.entropy.array()), TotpSecret::from_random(self.entropy.array()));
        let sealed = self.sealer.seal(&sealing_context(&id), secret.expose()).map_err(DependencyError::from)?;
        let mut factor = TotpFactor::new(id, user.id, input.name, SealedSecret::new(sealed), now);
        if let Enrollee::Session(session) = &input.enrollee {
            factor.set_up_by = session.session_id;
        }
        self.challenges.store.write(|tx| {
            match &input.enrollee {
                Enrollee::Session(caller) => drop(self.step_up.require(caller, tx)?),
                Enrollee::LogIn(_) => {
                    tx.sessions().lock_account(user.id)?;
                    let owner = tx.credentials().owner(user.id)?;
                    // A concurrent login may have set up the account's first factor.
                    if owner.is_none_or(|owner| owner.credentials.has_second_factor()) {
                        return Err(MfaReason::Revoked.into());
                    }
                }
            }
            let confirmed = tx.factors().totp(user.id)?.iter().filter(|factor| factor.is_confirmed()).count();
            if confirmed >= MAX_TOTP_FACTORS {
                return Err(MfaReason::Conflict(FactorConflict::TooMany).into());
            }
            Ok::<_, MfaError>(tx.factors().replace_pending(&factor)?)
        })?;
        tracing::info!(target: LOG, user_id = user.id.get(), "Second factor enrolment begun");
        let uri = otpauth_uri(&self.product, &user.email, &secret);
        let expires_at = now.checked_add_signed(PENDING_FACTOR_LIFETIME).unwrap_or(DateTime::<Utc>::MAX_UTC);
        Ok(TotpEnrolled { id, secret, uri, expires_at })
    }
}
