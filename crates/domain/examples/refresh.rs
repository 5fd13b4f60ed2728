//! Refresh-token rotation in memory, with this crate only:
//! `cargo run -p portcullis-domain --example refresh`.

use chrono::{DateTime, TimeDelta, Utc};
use portcullis_domain::registration::UserId;
use portcullis_domain::sessions::SessionState;
use portcullis_domain::tokens::{Jti, RefreshContext, RefreshPolicy, RefreshToken, SpendRecord};
use std::io::{self, Write};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let login = DateTime::<Utc>::UNIX_EPOCH;
    let [first, second] = [[1; 16], [2; 16]].map(Jti::from_random);
    let token = RefreshToken::new(first, UserId::new(1), login, TimeDelta::days(7));
    show("fresh from the login", &token, login)?;

    let refreshed = login + TimeDelta::minutes(14);
    let token = token.spend(SpendRecord { at: refreshed, key: None, successor: second })?;
    show("by a second tab, at once", &token, refreshed + TimeDelta::seconds(1))?;
    show("by a thief, an hour later", &token, refreshed + TimeDelta::hours(1))?;
    Ok(())
}

fn show(by: &str, token: &RefreshToken, now: DateTime<Utc>) -> io::Result<()> {
    let (session, successor_unspent) = (SessionState::Active, true);
    let presented = RefreshContext { now, key: None, session, successor_unspent, newest: None, spent_age: None };
    writeln!(io::stdout(), "shown {by}: {}", RefreshPolicy::STRICT.judge(token, &presented).as_str())
}
