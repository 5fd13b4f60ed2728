//! Benchmarks of refresh verdicts, token ids and email parsing: `cargo bench -p portcullis-domain`.

#![expect(clippy::unwrap_used, reason = "a failed step ends the measurement")]

use chrono::{DateTime, TimeDelta, Utc};
use criterion::{Criterion, criterion_group, criterion_main};
use portcullis_domain::registration::{EmailAddress, UserId};
use portcullis_domain::sessions::{Session, SessionId, SessionPolicy};
use portcullis_domain::tokens::{Jti, RefreshContext, RefreshPolicy, RefreshToken, SpendRecord};
use std::hint::black_box;

fn verdicts(criterion: &mut Criterion) {
    let now = DateTime::<Utc>::UNIX_EPOCH;
    let [first, second] = [[1; 16], [2; 16]].map(Jti::from_random);
    let live = RefreshToken::new(first, UserId::new(1), now, TimeDelta::days(7));
    let spent = live.clone().spend(SpendRecord { at: now, key: None, successor: second }).unwrap();
    let session = Session::begin(SessionId::from_random([3; 16]), UserId::new(1), now);
    let presented = RefreshContext {
        now: now + TimeDelta::hours(1),
        key: None,
        account_active: true,
        session: Some(SessionPolicy::default().token_session(&session, now)),
        successor_unspent: true,
        newest: None,
        spent_age: None,
    };
    for (name, token) in [("a live token", live), ("a spent token", spent)] {
        criterion.bench_function(&format!("judge {name}"), |b| {
            b.iter(|| RefreshPolicy::STRICT.judge(black_box(&token), black_box(&presented)));
        });
    }
    let text = first.to_string();
    criterion.bench_function("write an identifier", |b| b.iter(|| black_box(&first).to_string()));
    criterion.bench_function("read an identifier", |b| b.iter(|| Jti::parse(black_box(&text)).unwrap()));
}

fn addresses(criterion: &mut Criterion) {
    for text in ["ada@example.com", " Ada.Lovelace+Notes@Mail.Example.CO.UK ", "ada@", "not an address"] {
        criterion
            .bench_function(&format!("parse {text:?}"), |b| b.iter(|| EmailAddress::parse(black_box(text)).is_ok()));
    }
}

criterion_group!(benches, verdicts, addresses);
criterion_main!(benches);
