//! `portcullis mail`: lists and retries waiting and dead emails. Recipients are not displayed; the account
//! id identifies them.

use super::console::{Cell, Table};
use crate::wire::AppContext;
use anyhow::{Context, anyhow};
use clap::Subcommand;
use portcullis_ports::{MailId, QueuedMail};
use portcullis_usecases::UseCaseError;
use portcullis_usecases::mail::{ListMail, MailListed, NoSuchMail, RetryMail};
use std::io::{self, Write};

/// Emails per query.
const PAGE: u32 = 500;

/// Subcommands of `portcullis mail`.
#[derive(Subcommand)]
pub(crate) enum MailAction {
    /// List waiting emails and emails that failed permanently
    List {
        /// List only emails that failed permanently
        #[arg(long)]
        dead: bool,
        /// Print JSON Lines
        #[arg(long)]
        json: bool,
    },
    /// Send emails again now, with a fresh count of attempts
    Retry {
        /// Ids of the emails
        #[arg(required = true, value_name = "ID")]
        ids: Vec<i64>,
    },
}

/// Runs `portcullis mail`.
pub(crate) fn mail(action: &MailAction) -> anyhow::Result<()> {
    let parts = super::open_ready(&super::without_keys()?)?;
    match action {
        MailAction::List { dead, json } => list(&parts, *dead, *json),
        MailAction::Retry { ids } => ids.iter().try_for_each(|id| retry(&parts, MailId(*id))),
    }
}

fn list(parts: &AppContext, dead: bool, json: bool) -> anyhow::Result<()> {
    const COLUMNS: [&str; 8] = ["id", "occasion", "user_id", "created_at", "tries", "due_at", "dead_at", "last_error"];
    let verb = ListMail { store: parts.database.store.clone() };
    let mut listing = Table::new(io::stdout().lock(), json, &COLUMNS);
    let mut after = None;
    loop {
        let MailListed(mails) = verb.run(after, PAGE)?;
        let mut shown = mails.iter().filter(|mail| !dead || mail.dead_at.is_some());
        shown.try_for_each(|mail| listing.row(row(mail)))?;
        let Some(last) = mails.last() else { break };
        after = Some(last.id);
    }
    Ok(listing.end()?)
}

fn row(mail: &QueuedMail) -> [Cell; 8] {
    [
        Cell::Number(mail.id.0),
        Cell::Text(mail.mail.occasion.as_str().to_owned()),
        mail.mail.user_id.map_or(Cell::Nothing, |id| Cell::Number(id.get())),
        Cell::Time(mail.mail.created_at),
        Cell::Number(mail.tries.into()),
        if mail.dead_at.is_some() { Cell::Nothing } else { Cell::Time(mail.due_at) },
        mail.dead_at.into(),
        mail.last_error.clone().into(),
    ]
}

fn retry(parts: &AppContext, id: MailId) -> anyhow::Result<()> {
    let verb = RetryMail { store: parts.database.store.clone(), clock: parts.clock.clone() };
    verb.run(id).map_err(|error| match error {
        UseCaseError::Refused(NoSuchMail) => anyhow!("no email {}: it was sent, or is no longer needed", id.0),
        error => error.into(),
    })?;
    writeln!(io::stdout(), "Email {} is due. A running service sends it.", id.0).context("standard output is closed")
}
