//! Tokens that must be accepted: those of this service and of python-jose.

use super::*;
use chrono::TimeDelta;
use portcullis_domain::{
    login::{Authentication, Method, Methods},
    registration::UserId,
    sessions::SessionId,
    tokens::{AccessClaims, CarriedClaims, Jti, RefreshClaims, TokenLifetimes},
};
use portcullis_jwt::{JwtIssuer, KeyError};
use portcullis_ports::TokenIssuer;
use proptest::prelude::*;

/// `jose.jwt.encode(claims, secret, algorithm=…)` of python-jose 3.5.0, with [`CLAIMS`].
const JOSE: [(Algorithm, &str); 3] = [
    (
        Algorithm::Hs256,
        "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiI3IiwianRpIjoiMDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWYiLCJ0eXBlIjoiYWNjZXNzIiwiZXhwIjo0OTQ4OTU2Mjg0LCJpYXQiOjE3OTUzNTYyODR9.KB6SVv0IyK2lFVwj1uy7S5Rhm81-TLoyfY_XW8iRrR4",
    ),
    (
        Algorithm::Hs384,
        "eyJhbGciOiJIUzM4NCIsInR5cCI6IkpXVCJ9.eyJzdWIiOiI3IiwianRpIjoiMDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWYiLCJ0eXBlIjoiYWNjZXNzIiwiZXhwIjo0OTQ4OTU2Mjg0LCJpYXQiOjE3OTUzNTYyODR9.ifgExNAyXf6_pE8HjV0Qshloz28Ga4kvr8BWWpXhpZiAwnPeYdu1tDDb_EwyJdZD",
    ),
    (
        Algorithm::Hs512,
        "eyJhbGciOiJIUzUxMiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiI3IiwianRpIjoiMDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWYiLCJ0eXBlIjoiYWNjZXNzIiwiZXhwIjo0OTQ4OTU2Mjg0LCJpYXQiOjE3OTUzNTYyODR9.ZXdpndpQfaEzdYcjGRSywag7SUIbOOMDsnQiCz4xFDHpZ_hnMI3HjPxL4FkuHWov7-A2zKK2-EfBPok500Ln5w",
    ),
];

fn expected() -> Claims {
    let (user_id, jti) = (UserId::new(7), Jti::parse("0123456789abcdef0123456789abcdef").unwrap());
    let (issued_at, expires_at) = (at(IAT), at(4_948_956_284));
    Claims::Access(portcullis_domain::tokens::AccessClaims {
        user_id,
        jti,
        session_id: None,
        carried: CarriedClaims::default(),
        issued_at,
        expires_at,
    })
}

#[test]
fn tokens_of_python_jose_are_read() {
    for (algorithm, token) in JOSE {
        for pinned in [Algorithm::Hs256, Algorithm::Hs384, Algorithm::Hs512] {
            let verifier = JwtVerifier::with_secret(pinned, SECRET).unwrap();
            let expected = if pinned == algorithm { Ok(expected()) } else { Err(InvalidToken) };
            assert_eq!(verifier.verify(token, at(IAT)), expected, "{algorithm:?} {pinned:?}");
        }
    }
}

#[test]
fn ours_are_python_joses_to_the_letter() {
    for (algorithm, token) in JOSE {
        let issuer = JwtIssuer::with_secret(algorithm, SECRET).unwrap();
        assert_eq!(issuer.sign(&expected()).unwrap(), token, "{algorithm:?}");
    }
    assert_eq!(sign(HEADER, CLAIMS), JOSE[0].1);
}

#[test]
fn a_refresh_token_of_the_fastapi_application_is_read() {
    let token = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxIiwianRpIjoiYjYxY2RlYzk5ODk4NGNmYWExYjIzNGVhOGU1MGM4M2MiLCJ0eXBlIjoicmVmcmVzaCIsImV4cCI6NDk0ODk1NjI4NCwiaWF0IjoxNzk1MzU2Mjg0fQ.6kV6lOr305RfqPCNxVCdaRB1olIflTnvUsM4yy_M5Qw";
    let claims = verify(token).unwrap().into_refresh(at(IAT)).unwrap();
    assert_eq!(
        (claims.user_id, claims.jti.to_string()),
        (UserId::new(1), "b61cdec998984cfaa1b234ea8e50c83c".to_owned())
    );
    assert_eq!((claims.issued_at, claims.expires_at), (at(1_795_356_284), at(4_948_956_284)));
}

#[test]
fn an_empty_secret_signs_and_verifies_nothing() {
    assert_eq!(JwtIssuer::with_secret(Algorithm::Hs256, b"").err(), Some(KeyError::Empty));
    assert_eq!(JwtVerifier::with_secret(Algorithm::Hs256, b"").err(), Some(KeyError::Empty));
}

#[test]
fn expiry_is_left_to_the_domain() {
    let late = at(9_999_999_999);
    assert_eq!(verify_at(JOSE[0].1, late), Ok(expected()));
    assert!(expected().into_access(late).is_err());
}

proptest! {
    #[test]
    fn what_is_signed_is_read(user in 1_i64.., jti: [u8; 16], session: Option<[u8; 16]>, second: bool, forget: bool, seconds in 0_i64..100_000_000_000, lifetime in 1_i64..100_000_000, which in 0..3_usize) {
        let algorithm = Algorithm::ALL[which];
        let issuer = JwtIssuer::with_secret(algorithm, SECRET).unwrap();
        let verifier = JwtVerifier::with_secret(algorithm, SECRET).unwrap();
        let lifetimes = TokenLifetimes { access: TimeDelta::seconds(lifetime), refresh: TimeDelta::seconds(lifetime * 2) };
        let (user, jti, now) = (UserId::new(user), Jti::from_random(jti), at(seconds));
        let session_id = session.map(SessionId::from_random);
        let methods = Methods::from(Method::Password).with(Method::OneTimeCode);
        let authentication = second.then_some(Authentication { methods, at: now });
        let carried = CarriedClaims { authentication, forget };
        let access = AccessClaims { session_id, carried, ..lifetimes.access(user, jti, now) };
        let refresh = RefreshClaims { session_id, carried, ..lifetimes.refresh(user, jti, now) };
        for claims in [Claims::Access(access), Claims::Refresh(refresh)] {
            prop_assert_eq!(verifier.verify(&issuer.sign(&claims).unwrap(), now), Ok(claims));
        }
    }
}
