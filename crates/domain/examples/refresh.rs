//! Refresh-token rotation in memory, with this crate only:
//! `cargo run -p portcullis-domain --example refresh`.

use chrono::{DateTime, TimeDelta, Utc};
use portcullis_domain::registration::UserId;
use portcullis_domain::sessions::{Session, SessionId, SessionPolicy};
use portcullis_domain::tokens::{Jti, RefreshContext, RefreshPolicy, RefreshToken, SpendRecord};
use std::io::{self, Write};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let login = DateTime::<Utc>::UNIX_EPOCH;
    let [first, second] = [[1; 16], [2; 16]].map(Jti::from_random);
    let token = RefreshToken::new(first, UserId::new(1), login, TimeDelta::days(7));
    let session = Session::begin(SessionId::from_random([3; 16]), UserId::new(1), login);
    show("fresh from the login", &token, &session, login)?;

    let refreshed = login + TimeDelta::minutes(14);
    let token = token.spend(SpendRecord { at: refreshed, key: None, successor: second })?;
    show("by a second tab, at once", &token, &session, refreshed + TimeDelta::seconds(1))?;
    show("by a thief, an hour later", &token, &session, refreshed + TimeDelta::hours(1))?;
    Ok(())
}

fn show(by: &str, token: &RefreshToken, session: &Session, now: DateTime<Utc>) -> io::Result<()> {
    let session = Some(SessionPolicy::default().token_session(session, now));
    let presented = RefreshContext {
        now,
        key: None,
        account_active: true,
        session,
        successor_unspent: true,
        newest: None,
        spent_age: None,
    };
    writeln!(io::stdout(), "shown {by}: {}", RefreshPolicy::STRICT.judge(token, &presented).as_str())
}
