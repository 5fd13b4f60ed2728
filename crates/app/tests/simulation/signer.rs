//! Token signer of the simulation: the real one, failing as the seed chooses, and a list of everything it
//! signed.

use crate::world::SimWorld;
use chrono::{DateTime, Utc};
use portcullis_domain::registration::UserId;
use portcullis_domain::sessions::SessionId;
use portcullis_domain::tokens::{Claims, Jti};
use portcullis_jwt::JwtIssuer;
use portcullis_ports::{SigningError, TokenIssuer};
use std::sync::Arc;

/// Contents of a signed token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Signed {
    pub(crate) access: bool,
    pub(crate) user_id: UserId,
    pub(crate) jti: Jti,
    pub(crate) session_id: SessionId,
    pub(crate) issued_at: DateTime<Utc>,
    pub(crate) expires_at: DateTime<Utc>,
}

/// Signer that records every token.
pub(crate) struct Signer {
    pub(crate) stage: Arc<SimWorld>,
    pub(crate) inner: JwtIssuer,
}

impl TokenIssuer for Signer {
    fn sign(&self, claims: &Claims) -> Result<String, SigningError> {
        let stage = &self.stage;
        let perfect = stage.with(|state| state.weather == crate::fault_plan::FaultProfile::Perfect);
        if stage.dice.chance(1) && !perfect {
            stage.cover("never signed");
            stage.record(|record| record.unsigned = true);
            return Err(SigningError("staged".to_owned()));
        }
        let token = self.inner.sign(claims)?;
        let (access, user_id, jti, session_id, issued_at, expires_at) = match claims.clone() {
            Claims::Access(c) => (true, c.user_id, c.jti, c.session_id, c.issued_at, c.expires_at),
            Claims::Refresh(c) => (false, c.user_id, c.jti, c.session_id, c.issued_at, c.expires_at),
            Claims::Challenge(c) => {
                stage.with(|state| state.challenges.insert(token.clone(), (c.user_id, c.session_id)));
                return Ok(token);
            }
        };
        let signed = Signed { access, user_id, jti, session_id: session_id.unwrap(), issued_at, expires_at };
        stage.with(|state| state.signed.insert(token.clone(), signed));
        Ok(token)
    }
}
