//! Token format of the model: the claims in clear text.

use crate::rows::{MODELLED, OWNER, Seconds, Sid, Token, jti, moment, seconds, session_of, sid, token_of};
use chrono::{DateTime, TimeDelta, Utc};
use portcullis_domain::sessions::SessionId;
use portcullis_domain::tokens::{AccessClaims, CarriedClaims, Claims, Jti, RefreshClaims, TokenLifetimes};
use portcullis_ports::{InvalidToken, SigningError, TokenIssuer, TokenVerifier};

/// Writes `refresh.jti.iat` and `access.sid.iat`.
pub(crate) struct ClearTokens;

impl TokenIssuer for ClearTokens {
    fn sign(&self, claims: &Claims) -> Result<String, SigningError> {
        Ok(match claims {
            Claims::Access(claims) => access_token(session_of(claims.session_id.unwrap()), seconds(claims.issued_at)),
            Claims::Refresh(claims) => {
                assert_eq!((claims.user_id, claims.session_id), (OWNER, Some(sid(MODELLED))), "a token of the session");
                refresh_token(token_of(claims.jti), seconds(claims.issued_at))
            }
            Claims::Challenge(_) => unreachable!("no account has a second factor"),
        })
    }
}

impl TokenVerifier for ClearTokens {
    fn verify(&self, token: &str, _: DateTime<Utc>) -> Result<Claims, InvalidToken> {
        let [kind, name, time] = token.split('.').collect::<Vec<_>>().try_into().unwrap();
        let (issued_at, lifetimes) = (moment(time.parse().unwrap()), TokenLifetimes::default());
        Ok(match kind {
            "access" => {
                let session_id = SessionId::parse(name);
                Claims::Access(AccessClaims { session_id, ..lifetimes.access(OWNER, jti(0), issued_at) })
            }
            _ => Claims::Refresh(RefreshClaims {
                user_id: OWNER,
                jti: Jti::parse(name).unwrap(),
                session_id: Some(sid(MODELLED)),
                carried: CarriedClaims::default(),
                issued_at,
                expires_at: issued_at + TimeDelta::days(7),
            }),
        })
    }
}

pub(crate) fn access_token(session: Sid, at: Seconds) -> String {
    format!("access.{}.{at}", sid(session))
}

pub(crate) fn refresh_token(token: Token, at: Seconds) -> String {
    format!("refresh.{}.{at}", jti(token))
}

/// Returns the id of a refresh token and the time of its issue.
pub(crate) fn read(refresh_token: &str) -> (Token, Seconds) {
    let [_, name, time] = refresh_token.split('.').collect::<Vec<_>>().try_into().unwrap();
    (token_of(Jti::parse(name).unwrap()), time.parse().unwrap())
}
