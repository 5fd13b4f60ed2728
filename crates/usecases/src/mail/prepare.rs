//! Turns an order into what is to be said, in the transaction that takes it: to whom, and with
//! which token. An order that has nothing to say any more turns into nothing.

use super::DeliverMail;
use chrono::{DateTime, TimeDelta, Utc};
use portcullis_domain::login;
use portcullis_domain::mail::{ClientLabel, MailContent, NewMail, Occasion};
use portcullis_domain::registration::{EmailAddress, User};
use portcullis_domain::verification::{OneTimeTokenRecord, Purpose};
use portcullis_ports::{QueuedMail, StoreError, Tx};

/// A mail that is to be sent, and what is known of whom it is for.
pub(super) struct PreparedMail {
    pub(super) message: MailContent,
    pub(super) user: User,
}

impl DeliverMail {
    /// What a mail that was taken has to say.
    pub(super) fn prepare(
        &self,
        mail: &QueuedMail,
        now: DateTime<Utc>,
        tx: &mut dyn Tx,
    ) -> Result<Option<PreparedMail>, StoreError> {
        let Some(user) = recipient(&mail.mail, tx)? else { return Ok(None) };
        // Ordered under another password: the order died with it, like a token that was mailed.
        if mail.mail.password.is_some_and(|bound| bound != self.outbox.tokens.version(&user.password)) {
            return Ok(None);
        }
        if !is_wanted(&mail.mail, &user, now, tx)? {
            return Ok(None);
        }
        let link = match mail.mail.occasion.purpose() {
            None => None,
            Some(purpose) => {
                let token = self.outbox.tokens.token(&mail.mail.seed);
                let record = self.outbox.tokens.record(&token, purpose, (&user, &user.email), now);
                if !issue_token(mail, &record, tx)? {
                    return Ok(None);
                }
                Some((self.links.url_for(purpose, &token), purpose.lifetime()))
            }
        };
        Ok(Some(PreparedMail { message: self.content(&mail.mail, &user, link), user }))
    }

    fn content(&self, order: &NewMail, user: &User, link: Option<(String, TimeDelta)>) -> MailContent {
        let to = match order.occasion {
            Occasion::VerifyEmail | Occasion::ResetPassword => &user.email,
            // Whose address it was when it happened is to be told, or whose it is to become.
            _ => &order.to,
        };
        let client = is_owner_initiated(order.occasion, to, user).then(|| ClientLabel::from(&order.client));
        MailContent {
            id: self.outbox.tokens.mail_id(&order.seed),
            occasion: order.occasion,
            to: to.clone(),
            language: order.language,
            link,
            client,
            at: order.created_at,
        }
    }
}

/// Returns whether the recipient has verified the address. Anyone can register a stranger's.
fn is_owner_initiated(occasion: Occasion, to: &EmailAddress, user: &User) -> bool {
    match occasion {
        Occasion::VerifyEmail | Occasion::ConfirmEmail => false,
        // Only an address that was verified is notified of a change.
        Occasion::EmailChanged => true,
        Occasion::ResetPassword
        | Occasion::PasswordChanged
        | Occasion::NewDevice
        | Occasion::LoginAfterFailures
        | Occasion::SessionTheft => user.email_verified_at.is_some() && *to == user.email,
    }
}

/// Makes the token good, or good for longer; whether it is.
fn issue_token(mail: &QueuedMail, record: &OneTimeTokenRecord, tx: &mut dyn Tx) -> Result<bool, StoreError> {
    match record.purpose {
        // Made with the change, and good for a time from then on, whenever its mail comes: the
        // order in which undos expire is the order of the changes.
        Purpose::UndoEmailChange => Ok(tx.one_time_tokens().find(record.digest)?.is_some()),
        Purpose::VerifyEmail | Purpose::ResetPassword if !mail.token_issued => {
            tx.one_time_tokens().upsert(record)?;
            tx.outbox().mark_token_issued(mail.id)?;
            Ok(true)
        }
        // Made before. Consumed, replaced or revoked since, it must not come back.
        _ => tx.one_time_tokens().extend(record.digest, record.expires_at),
    }
}

/// The account that an order is about. One that is switched off is told of nothing but that its
/// address was changed.
fn recipient(order: &NewMail, tx: &mut dyn Tx) -> Result<Option<User>, StoreError> {
    let user = match order.user_id {
        Some(id) => tx.users().find(id)?,
        None => login::select_account(tx.users().find_by_email(&order.to)?, &order.to),
    };
    Ok(user.filter(|user| user.is_active || order.occasion == Occasion::EmailChanged))
}

/// Whether there still is a reason for it.
fn is_wanted(order: &NewMail, user: &User, now: DateTime<Utc>, tx: &mut dyn Tx) -> Result<bool, StoreError> {
    match order.occasion {
        Occasion::VerifyEmail => Ok(user.email_verified_at.is_none()),
        // Who asked was told nothing else than whoever asks for an address that is free.
        Occasion::ConfirmEmail => {
            let others = tx.users().find_by_email(&order.to)?.iter().any(|other| other.id != user.id);
            let holder = tx.one_time_tokens().find_reclaimer(&order.to, now)?;
            Ok(!others && holder.is_none_or(|holder| holder == user.id))
        }
        _ => Ok(true),
    }
}
