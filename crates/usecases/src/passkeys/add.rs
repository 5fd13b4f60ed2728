//! Adds a passkey to an account.

use super::prepare::registration;
use super::{PasskeyCeremonies, PasskeyConflict, PasskeyError, PasskeyReason, report};
use crate::LOG;
use crate::caller::Caller;
use crate::failure::UseCaseError;
use crate::mfa::{Enabled, SecondFactor, StepUp};
use crate::tokens::Authenticated;
use chrono::SubsecRound;
use portcullis_domain::login::Authentication;
use portcullis_domain::mail::Occasion;
use portcullis_domain::mfa::FactorName;
use portcullis_domain::passkeys::{
    Algorithm, MAX_PASSKEYS, Passkey, PasskeyChallenge, PasskeyFault, PasskeyId, PasskeyPurpose, Registration,
    RelyingParty,
};
use portcullis_domain::registration::UserId;
use portcullis_domain::sessions::EndReason;
use portcullis_ports::{EntropyExt, Store, StoreExt, Tx};
use std::sync::Arc;

/// Input of a registration.
pub struct PasskeyRegistration {
    /// The session's user.
    pub session: Authenticated,
    /// Name of the passkey.
    pub name: FactorName,
    /// `true` if it is only to be a second factor.
    pub second_factor: bool,
    /// JSON of the browser's response.
    pub credential: String,
}

/// A passkey that was added.
#[derive(Debug)]
pub struct PasskeyAdded {
    /// The passkey.
    pub passkey: Passkey,
    /// What the account's first second factor changed; `None` if this is another one, or none.
    pub enabled: Option<Enabled>,
}

/// A response that may become a passkey.
struct Judged {
    registration: Registration,
    algorithm: Algorithm,
    challenge: PasskeyChallenge,
}

/// Adds passkeys.
pub struct AddPasskey {
    /// Store of passkeys.
    pub store: Arc<dyn Store>,
    /// Requires recent authentication.
    pub step_up: Arc<StepUp>,
    /// Judges the response.
    pub ceremonies: Arc<PasskeyCeremonies>,
    /// Enables the second factor of an account.
    pub second_factor: Arc<SecondFactor>,
}

impl AddPasskey {
    /// Adds the passkey and uses up its challenge. The account's first second factor ends every other session
    /// and comes with recovery codes.
    ///
    /// # Errors
    /// Returns [`PasskeyReason::Refused`] with the first fault of the response, and [`PasskeyReason::Conflict`] if
    /// an account has the passkey, or this one has [`MAX_PASSKEYS`].
    pub fn run(&self, input: PasskeyRegistration, caller: &Caller) -> Result<PasskeyAdded, PasskeyError> {
        let PasskeyRegistration { session, name, second_factor, credential } = input;
        let user_id = session.user.id;
        let refused = |fault| {
            report(fault, Some(user_id), caller);
            PasskeyReason::Refused(fault)
        };
        let party = self.ceremonies.party().map_err(PasskeyReason::from)?;
        let purpose = (registration(second_factor), user_id);
        let Judged { registration, algorithm, challenge } = self.judge(party, &credential, purpose).map_err(refused)?;
        let at = self.step_up.clock.now().trunc_subsecs(6);
        let passkey = Passkey {
            id: PasskeyId::from_random(self.second_factor.entropy.array()),
            user_id,
            credential_id: registration.credential_id,
            public_key: registration.public_key,
            algorithm,
            rp_id: party.id.clone(),
            counter: registration.authenticator_data.counter,
            flags: registration.authenticator_data.flags,
            // One was required, unless the passkey is a second factor.
            discoverable: registration.discoverable.unwrap_or(!second_factor),
            aaguid: registration.aaguid,
            transports: registration.transports,
            name,
            second_factor,
            set_up_by: session.session_id,
            created_at: at,
            last_used_at: None,
        };
        let added = self.store.write(|tx| self.add(&passkey, &challenge, (&session, caller), tx));
        let enabled = added.inspect_err(|error| {
            if let UseCaseError::Refused(PasskeyReason::Refused(fault)) = error {
                report(*fault, Some(user_id), caller);
            }
        })?;
        self.second_factor.outbox.notify_worker();
        tracing::info!(target: LOG, user_id = user_id.get(), second_factor, "Passkey added");
        Ok(PasskeyAdded { passkey, enabled })
    }

    /// Parses and judges a response. Uses nothing up.
    fn judge(
        &self,
        party: &RelyingParty,
        credential: &str,
        (purpose, user_id): (PasskeyPurpose, UserId),
    ) -> Result<Judged, PasskeyFault> {
        let registration = self.ceremonies.verifier.registration(credential).map_err(|error| {
            tracing::info!(target: LOG, %error, "Passkey response refused");
            PasskeyFault::Malformed
        })?;
        let judged = party.judge_registration(&registration, purpose);
        if judged == Err(PasskeyFault::Type) {
            return Err(PasskeyFault::Type);
        }
        let presented = &registration.client_data.challenge;
        let challenge = self.ceremonies.challenges.check(presented, purpose, Some(user_id))?;
        Ok(Judged { algorithm: judged?, registration, challenge })
    }

    /// Adds the passkey to the locked account.
    fn add(
        &self,
        passkey: &Passkey,
        challenge: &PasskeyChallenge,
        (session, caller): (&Authenticated, &Caller),
        tx: &mut dyn Tx,
    ) -> Result<Option<Enabled>, PasskeyError> {
        let Passkey { user_id, created_at: at, second_factor, .. } = *passkey;
        let (owner, last) = self.step_up.require_authentication(session, tx).map_err(UseCaseError::convert)?;
        if !tx.passkeys().use_challenge(&challenge.digest(), challenge.expires_at())? {
            return Err(PasskeyReason::Refused(PasskeyFault::Challenge).into());
        }
        if tx.passkeys().list(user_id)?.len() >= MAX_PASSKEYS {
            return Err(PasskeyReason::Conflict(PasskeyConflict::TooMany).into());
        }
        if !tx.passkeys().insert(passkey)? {
            return Err(PasskeyReason::Conflict(PasskeyConflict::Taken).into());
        }
        self.second_factor.outbox.enqueue_notice(Occasion::PasskeyAdded, &owner.user, &caller.cause(at), tx)?;
        if !second_factor {
            return Ok(None);
        }
        if let Some(id) = session.session_id {
            // Its user has just presented a second factor.
            let by = Authentication::new(last.methods.and(Passkey::methods(passkey.flags)), at);
            tx.sessions().reauthenticate(id, &by)?;
        }
        let session_end = caller.session_end(EndReason::MfaEnabled, at);
        Ok(self.second_factor.enable(&owner, (session.session_id, &session_end), tx)?)
    }
}
