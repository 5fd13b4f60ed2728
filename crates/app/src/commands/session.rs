//! `portcullis session`: lists and ends sessions, for operators.

use super::UsageError;
use super::console::{Cell, Table};
use super::user::UserArg;
use crate::settings::WithoutKeys;
use crate::wire::AppContext;
use clap::{Args, Subcommand};
use portcullis_domain::sessions::SessionId;
use portcullis_usecases::Caller;
use portcullis_usecases::sessions::{ListSessions, RevokeSession, SessionsListed};
use std::io::{self, Write};

/// Subcommands of `portcullis session`.
#[derive(Subcommand)]
pub(crate) enum SessionAction {
    /// List the active sessions of an account, newest first
    List {
        #[command(flatten)]
        user: UserArg,
        /// Print JSON Lines
        #[arg(long)]
        json: bool,
    },
    /// End a session, or all sessions of an account
    Revoke(RevokeTarget),
}

#[derive(Args)]
#[group(required = true, multiple = false)]
pub(crate) struct RevokeTarget {
    /// Id of the session
    id: Option<String>,
    /// End all sessions of this account (id or email address)
    #[arg(long, value_name = "USER")]
    all: Option<String>,
}

/// Runs `portcullis session`.
pub(crate) fn session(action: &SessionAction) -> anyhow::Result<()> {
    let settings = super::without_keys()?;
    let parts = super::open_ready(&settings)?;
    match action {
        SessionAction::List { user, json } => list(&settings, &parts, user, *json),
        SessionAction::Revoke(which) => revoke(&parts, which),
    }
}

fn list(settings: &WithoutKeys, parts: &AppContext, named: &UserArg, json: bool) -> anyhow::Result<()> {
    const COLUMNS: [&str; 6] = ["id", "created_at", "last_used_at", "expires_at", "ip_address", "user_agent"];
    let user = named.find(parts)?;
    let verb =
        ListSessions { store: parts.database.store.clone(), sessions: settings.sessions, clock: parts.clock.clone() };
    let SessionsListed(sessions) = verb.for_user(user.id)?;
    let mut listing = Table::new(io::stdout().lock(), json, &COLUMNS);
    let mut rows = sessions.iter().map(|own| {
        let (session, client) = (&own.listed.session, &own.listed.client);
        listing.row([
            Cell::Text(session.id.to_string()),
            Cell::Time(session.started_at),
            Cell::Time(own.listed.last_used_at),
            Cell::Time(own.expires_at),
            client.ip_address.map(|address| address.to_string()).into(),
            client.user_agent.as_ref().map(|agent| agent.as_str().to_owned()).into(),
        ])
    });
    let written = rows.try_for_each(|row| row);
    Ok(written.and_then(|()| listing.end())?)
}

fn revoke(parts: &AppContext, which: &RevokeTarget) -> anyhow::Result<()> {
    let verb = RevokeSession { store: parts.database.store.clone(), clock: parts.clock.clone() };
    let (mut out, operator) = (io::stdout(), Caller::default());
    if let Some(name) = &which.all {
        let user = UserArg::from_arg(name).find(parts)?;
        writeln!(out, "Account {}: {}.", user.id, super::user::ended(verb.all_for_user(user.id, &operator)?))?;
        return Ok(());
    }
    let id = which.id.as_deref().and_then(SessionId::parse);
    let id = id.ok_or(UsageError("ID is not a session id: expected 32 lower-case hex digits"))?;
    if verb.by_operator(id, &operator)? {
        writeln!(out, "Ended session {id}.")?;
    } else {
        writeln!(out, "Session {id} had already ended.")?;
    }
    Ok(())
}
