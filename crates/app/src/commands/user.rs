//! `portcullis user`: account management for operators.

use super::console::{Cell, Table, ask, escape_for_terminal};
use super::password::PasswordSource;
use super::progress::Progress;
use super::{UsageError, account};
use crate::settings::{Settings, WithoutKeys};
use crate::system::OsEntropy;
use crate::wire::{self, AppContext};
use anyhow::bail;
use clap::{Args, Subcommand};
use portcullis_domain::registration::{EmailAddress, User, UserId};
use portcullis_ports::PasswordHasher;
use portcullis_usecases::limits::Limits;
use portcullis_usecases::mail::Outbox;
use portcullis_usecases::mfa::ResetMfa;
use portcullis_usecases::registration::{
    AccountFound, AccountRef, DeleteAccount, DisableAccount, EnableAccount, FindAccount, ListAccounts,
    PasswordOverride, Register, Registered, Registration, SetPassword, VouchForEmail,
};
use portcullis_usecases::{Caller, Counted, DependencyError};
use std::io::{self, Write};
use std::sync::Arc;

/// Subcommands of `portcullis user`.
#[derive(Subcommand)]
pub(crate) enum UserAction {
    /// List all accounts by id
    List(ListArgs),
    /// Show an account, its ways to sign in and the number of its sessions
    Show {
        #[command(flatten)]
        user: UserArg,
        /// Print a JSON object
        #[arg(long)]
        json: bool,
    },
    /// Create an account and email its owner a verification link
    Create {
        /// Email address of the account; the verification link goes there
        email: String,
        #[command(flatten)]
        password: PasswordSource,
        /// Print a JSON object
        #[arg(long)]
        json: bool,
    },
    /// Disable an account and end its sessions
    Disable(UserArg),
    /// Enable a disabled account
    Enable(UserArg),
    /// Mark an account's email address as verified, without an email
    ///
    /// Use it only if the owner of the address set the password: the password and the sessions stay. The link
    /// in a verification email gives the account to the owner instead, and locks out anyone else who
    /// registered with the address.
    #[command(visible_alias = "verify")]
    VerifyEmail(UserArg),
    /// Set a new password and end all sessions
    SetPassword {
        #[command(flatten)]
        user: UserArg,
        #[command(flatten)]
        password: PasswordSource,
        /// Print a JSON object
        #[arg(long)]
        json: bool,
    },
    /// Remove the second factors of an account and end its sessions
    ///
    /// For an owner who lost both the authenticator app and the recovery codes. Check who asks: from then on the
    /// password alone logs in. Recovery codes and trusted devices are removed too, and the owner is notified.
    ResetMfa(UserArg),
    /// Permanently delete an account and all its data
    Delete {
        #[command(flatten)]
        user: UserArg,
        /// Skip the confirmation
        #[arg(long)]
        yes: bool,
    },
}

/// Arguments of `portcullis user list`. Filters apply together.
#[derive(Args)]
pub(crate) struct ListArgs {
    /// List only disabled accounts
    #[arg(long)]
    disabled: bool,
    /// List only accounts whose email address is not verified
    #[arg(long)]
    unverified: bool,
    /// List only accounts whose email address contains this text, in any case
    #[arg(long, value_name = "PART")]
    email: Option<String>,
    /// Print JSON Lines
    #[arg(long)]
    json: bool,
}

impl ListArgs {
    fn includes(&self, user: &User) -> bool {
        let contains = |part: &String| user.email.original().to_lowercase().contains(&part.to_lowercase());
        (!self.disabled || !user.is_active)
            && (!self.unverified || user.email_verified_at.is_none())
            && self.email.as_ref().is_none_or(contains)
    }
}

/// Argument that names an account.
#[derive(Args)]
pub(crate) struct UserArg {
    /// Id or email address of the account
    user: String,
}

/// Runs `portcullis user`.
pub(crate) fn user(action: &UserAction) -> anyhow::Result<()> {
    // Both store an email. The key of its link is derived from the secret.
    match action {
        UserAction::Create { email, password, json } => return create(&super::settings()?, email, password, *json),
        UserAction::ResetMfa(named) => return print(&reset_mfa(&super::settings()?, named)?),
        _ => {}
    }
    let settings = super::without_keys()?;
    let parts = super::open_ready(&settings)?;
    match action {
        UserAction::Create { .. } | UserAction::ResetMfa(_) => Ok(()),
        UserAction::List(args) => list(&parts, args),
        UserAction::Show { user, json } => account::show(&settings, &parts, user, *json),
        UserAction::Disable(named) => print(&disable(&parts, named)?),
        UserAction::Enable(named) => print(&enable(&parts, named)?),
        UserAction::VerifyEmail(named) => print(&verify_email(&parts, named)?),
        UserAction::SetPassword { user, password, json } => set_password(&settings, &parts, (user, password), *json),
        UserAction::Delete { user, yes } => delete(&parts, user, *yes),
    }
}

fn print(line: &str) -> anyhow::Result<()> {
    Ok(writeln!(io::stdout(), "{line}")?)
}

impl UserArg {
    pub(crate) fn from_arg(name: &str) -> Self {
        Self { user: name.to_owned() }
    }

    /// Finds the account.
    pub(crate) fn find(&self, parts: &AppContext) -> anyhow::Result<User> {
        let name = match UserId::parse(&self.user) {
            Some(id) => AccountRef::Id(id),
            None => AccountRef::Email(
                EmailAddress::parse_known(&self.user)
                    .map_err(|_| UsageError("USER must be an account id or an email address"))?,
            ),
        };
        let AccountFound(user) = FindAccount { store: parts.database.store.clone() }.run(&name)?;
        Ok(user)
    }
}

fn list(parts: &AppContext, args: &ListArgs) -> anyhow::Result<()> {
    const COLUMNS: [&str; 5] = ["id", "email", "is_active", "created_at", "email_verified_at"];
    let mut listing = Table::new(io::BufWriter::new(io::stdout().lock()), args.json, &COLUMNS);
    let mut written = Ok(());
    ListAccounts { store: parts.database.store.clone() }.run(&mut |row| {
        written = match row {
            Ok(user) if !args.includes(user) => Ok(()),
            Ok(user) => listing.row([
                Cell::Number(user.id.get()),
                Cell::Text(user.email.original().to_owned()),
                Cell::Flag(user.is_active),
                Cell::Time(user.created_at),
                user.email_verified_at.into(),
            ]),
            Err(damage) => writeln!(io::stderr(), "portcullis: {damage}"),
        };
        written.is_ok()
    })?;
    Ok(written.and_then(|()| listing.end())?)
}

fn create(settings: &Settings, email: &str, password: &PasswordSource, json: bool) -> anyhow::Result<()> {
    let email = EmailAddress::parse(email).map_err(|_| UsageError("EMAIL is not a valid email address"))?;
    let parts = super::open_ready(settings)?;
    let obtained = password.obtain(&settings.passwords.policy)?;
    let verb = Register {
        store: parts.database.store.clone(),
        hasher: hasher(settings)?,
        screening: wire::screening(settings),
        outbox: outbox(settings),
        limits: Arc::new(Limits::off()),
        clock: parts.clock.clone(),
    };
    let Registered(user) = verb.run(&Registration { email, password: obtained.password }, &Caller::default())?;
    if json {
        return print_password(&user, obtained.generated);
    }
    let (user, password) = (label(&user), generated(obtained.generated));
    print(&format!("Created account {user}. A running service emails a verification link to this address.{password}"))
}

fn disable(parts: &AppContext, named: &UserArg) -> anyhow::Result<String> {
    let user = named.find(parts)?;
    let verb = DisableAccount { store: parts.database.store.clone(), clock: parts.clock.clone() };
    let done = verb.run(user.id, &Caller::default())?;
    let (user, ended) = (label(&user), ended(done.sessions));
    Ok(if done.changed {
        format!("Disabled account {user} and {ended}.")
    } else {
        format!("Account {user} was already disabled; {ended}.")
    })
}

fn enable(parts: &AppContext, named: &UserArg) -> anyhow::Result<String> {
    let user = named.find(parts)?;
    let done = EnableAccount { store: parts.database.store.clone() }.run(user.id)?;
    let user = label(&user);
    Ok(if done.changed { format!("Enabled account {user}.") } else { format!("Account {user} was already enabled.") })
}

fn verify_email(parts: &AppContext, named: &UserArg) -> anyhow::Result<String> {
    let user = named.find(parts)?;
    let verb = VouchForEmail { store: parts.database.store.clone(), clock: parts.clock.clone() };
    let done = verb.run(user.id, &user.email)?;
    let (id, user) = (user.id, label(&user));
    Ok(if done.changed {
        format!(
            "Verified the email address of account {user}. Its password and sessions stay, and so do its identities \
             and passkeys. If anyone but the owner may know the password, run `portcullis user set-password {id}`. \
             If anyone else may have connected an identity or a passkey, let the owner reset the password and remove \
             other sign-in methods."
        )
    } else {
        format!("The email address of account {user} was already verified.")
    })
}

fn set_password(
    settings: &WithoutKeys,
    parts: &AppContext,
    (named, password): (&UserArg, &PasswordSource),
    json: bool,
) -> anyhow::Result<()> {
    let user = named.find(parts)?;
    let obtained = password.obtain(&settings.passwords.policy)?;
    let verb = SetPassword {
        store: parts.database.store.clone(),
        hasher: hasher(settings)?,
        screening: wire::screening(settings),
        clock: parts.clock.clone(),
    };
    let input = PasswordOverride { user_id: user.id, password: obtained.password };
    let done = verb.run(&input, &Caller::default())?;
    if json {
        return print_password(&user, obtained.generated);
    }
    let (user, ended, password) = (label(&user), ended(done.sessions), generated(obtained.generated));
    print(&format!("Changed the password of account {user} and {ended}.{password}"))
}

fn reset_mfa(settings: &Settings, named: &UserArg) -> anyhow::Result<String> {
    let parts = super::open_ready(settings)?;
    let user = named.find(&parts)?;
    let (store, clock) = (parts.database.store.clone(), parts.clock.clone());
    let done = ResetMfa { store, outbox: outbox(settings), clock }.run(user.id)?;
    let (user, ended) = (label(&user), ended(done.sessions_ended));
    Ok(if done.changed {
        format!("Removed the second factors of account {user} and {ended}.")
    } else {
        format!("Account {user} has no second factor: nothing was changed.")
    })
}

fn delete(parts: &AppContext, named: &UserArg, yes: bool) -> anyhow::Result<()> {
    let verb = DeleteAccount { store: parts.database.store.clone(), clock: parts.clock.clone() };
    // An account whose deletion has begun has no email address any more: only its id finds it.
    let begun = UserId::parse(&named.user).map(|id| Ok((id, verb.has_begun(id)?))).transpose();
    let begun = begun.map_err(|error: DependencyError| error)?.filter(|(_, begun)| *begun);
    let (user_id, user) = match begun {
        Some((id, _)) => (id, format!("{id} (its email was already deleted)")),
        None => {
            let user = named.find(parts)?;
            if !yes {
                confirm_deletion(&user)?;
            }
            (user.id, label(&user))
        }
    };
    let mut progress = Progress::new("Deleted");
    let done = verb.run(user_id, &Caller::default(), &mut |step| progress.after(step))?;
    let rows = done.rows;
    let kept = done.referenced_by.map(|table| {
        format!(
            " The empty row {user_id} stays in users, since {table} refers to it. A purge deletes it once no table \
             refers to it."
        )
    });
    let kept = kept.as_deref().map(escape_for_terminal).unwrap_or_default();
    Ok(progress.end(format_args!("Deleted account {user} and {rows} related rows.{kept}"))?)
}

/// Prompts for the account's email address on the terminal. Fails if it differs.
fn confirm_deletion(user: &User) -> anyhow::Result<()> {
    let prompt = format!("This permanently deletes account {} and all its data. Type its email to confirm: ", user.id);
    if ask(&prompt, "no terminal to confirm the deletion: use --yes")? != user.email.original() {
        bail!("this is not the account's email: nothing was deleted");
    }
    Ok(())
}

pub(crate) fn ended(sessions: u64) -> String {
    match sessions {
        1 => "ended 1 session".to_owned(),
        count => format!("ended {count} sessions"),
    }
}

/// Returns the id and the email address of an account, for the terminal.
fn label(user: &User) -> String {
    format!("{} ({})", user.id, escape_for_terminal(user.email.original()))
}

/// Returns the line with a generated password, if there is one.
fn generated(password: Option<String>) -> String {
    password.map(|password| format!("\nPassword: {password}")).unwrap_or_default()
}

/// Prints an account with its generated password, if there is one, as a JSON object.
fn print_password(user: &User, generated: Option<String>) -> anyhow::Result<()> {
    let mut listing = Table::new(io::stdout().lock(), true, &["id", "email", "password"]);
    let email = Cell::Text(user.email.original().to_owned());
    listing.row([Cell::Number(user.id.get()), email, generated.into()])?;
    Ok(listing.end()?)
}

/// Creates an outbox. A running service finds its emails by polling.
fn outbox(settings: &Settings) -> Arc<Outbox> {
    wire::outbox(settings, Arc::new(OsEntropy), Arc::new(()))
}

/// Creates a hasher without threads: a command computes one hash.
fn hasher(settings: &WithoutKeys) -> anyhow::Result<Arc<dyn PasswordHasher>> {
    let cost = wire::cost(settings)?;
    Ok(Arc::new(portcullis_bcrypt::BcryptHasher::new(cost, Arc::new(OsEntropy))))
}
