//! What signing and verifying one token costs: `cargo bench -p portcullis-jwt`. Each request with
//! a token pays for one, a refresh for three.

#![expect(clippy::unwrap_used, reason = "a failed step ends the measurement")]

use chrono::{DateTime, TimeDelta, Utc};
use criterion::{Criterion, criterion_group, criterion_main};
use portcullis_domain::registration::UserId;
use portcullis_domain::sessions::SessionId;
use portcullis_domain::tokens::{Jti, RefreshClaims};
use portcullis_jwt::{Algorithm, JwtIssuer, JwtVerifier};
use portcullis_ports::{TokenIssuer, TokenVerifier};
use std::hint::black_box;

const SECRET: &[u8] = b"fixture-secret-key-of-at-least-32-bytes-0123456789";
const OTHER_SECRET: &[u8] = b"another-secret-key-of-at-least-32-bytes-0123456789";

fn tokens(criterion: &mut Criterion) {
    let now = DateTime::<Utc>::UNIX_EPOCH + TimeDelta::days(20_000);
    let (user_id, jti) = (UserId::new(1_000_000), Jti::from_random([7; 16]));
    let session_id = Some(SessionId::from_random([9; 16]));
    let claims = RefreshClaims { user_id, jti, session_id, issued_at: now, expires_at: now + TimeDelta::days(7) };
    for (name, algorithm) in [("HS256", Algorithm::Hs256), ("HS512", Algorithm::Hs512)] {
        let issuer = JwtIssuer::with_secret(algorithm, SECRET).unwrap();
        let verifier = JwtVerifier::with_secret(algorithm, SECRET).unwrap();
        let token = issuer.refresh(&claims).unwrap();
        let forged = JwtIssuer::with_secret(algorithm, OTHER_SECRET).unwrap().refresh(&claims).unwrap();
        criterion.bench_function(&format!("sign {name}"), |b| b.iter(|| issuer.refresh(black_box(&claims)).unwrap()));
        criterion.bench_function(&format!("verify {name}"), |b| {
            b.iter(|| verifier.verify(black_box(&token), black_box(now)).unwrap());
        });
        criterion.bench_function(&format!("refuse a forged {name}"), |b| {
            b.iter(|| verifier.verify(black_box(&forged), black_box(now)).unwrap_err());
        });
    }
}

criterion_group!(benches, tokens);
criterion_main!(benches);
