//! Time to sign and verify one token: `cargo bench -p portcullis-jwt`. Each request with a token needs
//! one of these, a refresh needs three.

#![expect(clippy::unwrap_used, reason = "a failed step ends the measurement")]

use chrono::{DateTime, TimeDelta, Utc};
use criterion::{Criterion, criterion_group, criterion_main};
use portcullis_domain::registration::UserId;
use portcullis_domain::sessions::SessionId;
use portcullis_domain::tokens::{CarriedClaims, Claims, Jti, RefreshClaims};
use portcullis_jwt::{Algorithm, JwtIssuer, JwtVerifier, SigningKey, generate};
use portcullis_ports::{TokenIssuer, TokenVerifier};
use std::hint::black_box;

const SECRET: &[u8] = &[7; 32];
const OTHER_SECRET: &[u8] = &[8; 32];

fn tokens(criterion: &mut Criterion) {
    let now = DateTime::<Utc>::UNIX_EPOCH + TimeDelta::days(20_000);
    let (user_id, jti) = (UserId::new(1_000_000), Jti::from_random([7; 16]));
    let session_id = Some(SessionId::from_random([9; 16]));
    let claims = RefreshClaims {
        user_id,
        jti,
        session_id,
        carried: CarriedClaims::default(),
        issued_at: now,
        expires_at: now + TimeDelta::days(7),
    };
    let claims = Claims::Refresh(claims);
    for algorithm in Algorithm::ALL {
        let name = algorithm.as_str();
        let (key, stranger) = (key(algorithm, SECRET), key(algorithm, OTHER_SECRET));
        let verifier = JwtVerifier::new(key.verifying_key(), []);
        let issuer = JwtIssuer::new(key);
        let token = issuer.sign(&claims).unwrap();
        // Uses the genuine header, so that the signature has to be checked.
        let (genuine, forged) = (token.split_once('.').unwrap().0, JwtIssuer::new(stranger).sign(&claims).unwrap());
        let forged = format!("{genuine}.{}", forged.split_once('.').unwrap().1);
        criterion.bench_function(&format!("sign {name}"), |b| b.iter(|| issuer.sign(black_box(&claims)).unwrap()));
        criterion.bench_function(&format!("verify {name}"), |b| {
            b.iter(|| verifier.verify(black_box(&token), black_box(now)).unwrap());
        });
        criterion.bench_function(&format!("refuse a forged {name}"), |b| {
            b.iter(|| verifier.verify(black_box(&forged), black_box(now)).unwrap_err());
        });
    }
}

fn key(algorithm: Algorithm, secret: &[u8]) -> SigningKey {
    if algorithm.is_symmetric() {
        return SigningKey::of_secret(algorithm, secret).unwrap();
    }
    SigningKey::of_pem(algorithm, &generate(algorithm).unwrap().pem).unwrap()
}

criterion_group!(benches, tokens);
criterion_main!(benches);
